/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/trace/trace.c kernel/trace/trace_note.c mm/frame.c mm/share/ages.c mm/share/payer.c kernel/lib/fmt.c tests/fake/fake_arch.c */
/*
 * test_trace.c - the ring, what does not fit it, sets of pages, frames, and what the hooks make of misses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/lib.h"
#include "kernel/trace/trace.h"
#include "kernel/vm.h"
#include "mm/share/balance.h"
#include "tests/fake/fake_arch.h"

#define PAGES 4u
#define A_PAGE 256u

static void *page[PAGES];
static struct trace_rec got[4096];
static u32 ngot, frames;
static u8 frame[TRACE_FRAME_BYTES(TRACE_FRAME_RECORDS)];

static int setup(void **state)
{
	(void)state;
	fake_arena(64);
	fake_tsc = 1000000;
	for (u32 i = 0; i < PAGES; i++)
		page[i] = arch_direct_map + (8 + 2 * i) * PAGE_SIZE; /* not in a row */
	ngot = frames = 0;
	trace_start(page, PAGES);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	trace_forget();
	return 0;
}

/* Takes one frame and checks all of it; its records are appended to got[]. */
static bool take(u32 most)
{
	struct trace_head h;
	u32 n = trace_frame(frame, most), crc;

	if (!n)
		return false;
	memcpy(&h, frame, sizeof(h));
	memcpy(&crc, frame + n - 4, 4);
	assert_int_equal(h.magic, TRACE_MAGIC);
	assert_int_equal(h.version, TRACE_VERSION);
	assert_int_equal(h.seq, frames++);
	assert_in_range(h.records, 1, most);
	assert_int_equal(n, TRACE_FRAME_BYTES(h.records));
	assert_int_equal(crc, trace_crc(0, frame + 4, n - 8));
	assert_true(ngot + h.records <= ARRAY_SIZE(got));
	memcpy(got + ngot, frame + sizeof(h), h.records * sizeof(*got));
	ngot += h.records;
	return true;
}

static void take_all(void)
{
	while (take(TRACE_FRAME_RECORDS))
		;
}

static void the_checksum_is_the_usual_one(void **state)
{
	(void)state;
	assert_int_equal(trace_crc(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(trace_crc(0, "", 0), 0);
	assert_int_equal(trace_crc(trace_crc(0, "1234", 4), "56789", 5), 0xcbf43926);
}

static void in_and_out_in_order(void **state)
{
	(void)state;
	/* more than the ring holds in all, a little at a time: it goes round */
	for (u32 round = 0; round < 40; round++) {
		for (u32 i = 0; i < 100; i++)
			trace_put(TRACE_PASS, 3, 0, 0, round, i);
		ngot = 0;
		take_all();
		assert_int_equal(ngot, 100);
		for (u32 i = 0; i < 100; i++) {
			assert_int_equal(got[i].kind, TRACE_PASS);
			assert_int_equal(got[i].vm, 3);
			assert_int_equal(got[i].page, round);
			assert_int_equal(got[i].value, i);
		}
	}
	assert_false(take(TRACE_FRAME_RECORDS));
}

static void what_does_not_fit_is_counted(void **state)
{
	struct trace_stats s;
	u32 kept, lost = 0;

	(void)state;
	for (u32 i = 0; i < 2000; i++)
		trace_put(TRACE_PASS, 0, 0, 0, i, 0);
	trace_stats(&s);
	kept = (u32)s.records;
	assert_int_equal(s.room, PAGES * A_PAGE);
	assert_int_equal(kept, PAGES * A_PAGE - TRACE_KEPT); /* the end has its own room */
	assert_int_equal(s.lost, 2000 - kept);
	/* a little room is not enough to go on: one LOST record must stand for many */
	take(8);
	trace_put(TRACE_PASS, 0, 0, 0, 2000, 0);
	trace_stats(&s);
	assert_int_equal(s.records, kept);
	while (take(TRACE_FRAME_RECORDS))
		;
	trace_put(TRACE_PASS, 0, 0, 0, 2001, 0);
	take_all();
	assert_int_equal(ngot, kept + 2);
	assert_int_equal(got[kept].kind, TRACE_LOST);
	assert_int_equal(got[kept].value, 2001 - kept);
	assert_int_equal(got[kept + 1].page, 2001);
	for (u32 i = 0; i < kept; i++)
		assert_int_equal(got[i].page, i);
	for (u32 i = 0; i < ngot; i++)
		lost += got[i].kind == TRACE_LOST ? got[i].value : 0;
	trace_stats(&s);
	assert_int_equal(lost, s.lost);
}

static void the_end_fits_a_full_ring(void **state)
{
	u32 n;

	(void)state;
	for (u32 i = 0; i < 2000; i++)
		trace_put(TRACE_PASS, 0, 0, 0, i, 0);
	trace_stop();
	assert_false(trace_on);
	take_all();
	n = ngot;
	assert_int_equal(got[n - 1].kind, TRACE_END);
	assert_int_equal(got[n - 1].page, n); /* all that were kept, itself too */
	assert_int_equal(got[n - 2].kind, TRACE_LOST);
	assert_int_equal(got[n - 2].value, 2000 - (n - 2));
	trace_stop(); /* twice is once */
	assert_false(take(TRACE_FRAME_RECORDS));
}

/* Time goes on across the wrap of its low half, in a ring that was not emptied for hours. */
static void time_is_whole(void **state)
{
	u64 t, us[6];
	struct trace_head h;

	(void)state;
	for (u32 i = 0; i < 6; i++) {
		fake_tsc += arch_ns_to_tsc(3000ull * 1000000000); /* 50 minutes */
		us[i] = arch_ns() / 1000;
		trace_set_begin(0, TRACE_SET_TOUCHED, 0); /* has no time of its own, and must not disturb */
		trace_set_add(64, 0x5);
		trace_set_end();
		trace_put(TRACE_PASS, 0, 0, 0, i, 0);
	}
	for (u32 i = 0; i < 6; i++) {
		ngot = 0;
		assert_true(take(2));
		memcpy(&h, frame, sizeof(h));
		t = h.time_lo | (u64)h.time_hi << 32;
		t += (u32)(got[1].time - (u32)t);
		assert_int_equal(t, us[i]);
	}
}

static void sets_become_runs_and_masks(void **state)
{
	(void)state;
	trace_set_begin(2, TRACE_SET_TOUCHED, 0);
	trace_set_add(0, ~0ull << 60);   /* 60-63 ... */
	trace_set_add(64, ~0ull);        /* ... go on ... */
	trace_set_add(128, 7);           /* ... to 130 */
	trace_set_add(192, 0);
	trace_set_add(256, 0x8000000000000001ull);
	trace_set_add(320, 1);           /* 320 */
	trace_set_add(384, ~0ull);       /* 384-447 */
	trace_set_end();
	take_all();
	assert_int_equal(ngot, 4);
	assert_int_equal(got[0].kind, TRACE_RUN);
	assert_int_equal(got[0].page, 60);
	assert_int_equal(got[0].value, 71);
	assert_int_equal(got[0].vm, 2);
	assert_int_equal(got[1].kind, TRACE_MASK);
	assert_int_equal(got[1].page, 256);
	assert_int_equal(got[1].time, 1);
	assert_int_equal(got[1].value, 0x80000000u);
	assert_int_equal(got[2].page, 320);
	assert_int_equal(got[2].value, 1);
	assert_int_equal(got[3].page, 384);
	assert_int_equal(got[3].value, 64);
}

static bool member(u32 g)
{
	for (u32 i = 0; i < ngot; i++) {
		const struct trace_rec *r = &got[i];

		if (r->kind == TRACE_RUN && g >= r->page && g - r->page < r->value)
			return true;
		if (r->kind == TRACE_MASK && g >= r->page && g - r->page < 64 &&
		    (r->time | (u64)r->value << 32) >> (g - r->page) & 1)
			return true;
	}
	return false;
}

static void any_set_survives(void **state)
{
	static struct vm vm;
	u64 entries[AGES_LEAF], seed = 7;

	(void)state;
	for (u32 round = 0; round < 50; round++) {
		u32 density = round % 10 + 1;

		for (u32 i = 0; i < AGES_LEAF; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			entries[i] = 0xffff0000 | ((seed >> 40) % 10 < density ? BIT64(8) : 0);
		}
		ngot = 0;
		trace_note_touched(&vm.mem, entries, 512, BIT64(8));
		take_all();
		for (u32 i = 0; i < AGES_LEAF; i++)
			assert_int_equal(member(512 + i), entries[i] >> 8 & 1);
		assert_false(member(511) || member(1024));
	}
}

static void evicted_pages_in_any_order(void **state)
{
	static struct vm vm;
	const u32 g[] = { 900, 901, 902, 1000, 3, 5, 4, 64 };

	(void)state;
	trace_note_evicted(&vm.mem, g, ARRAY_SIZE(g));
	take_all();
	for (u32 i = 0; i < 1100; i++) {
		bool in = false;

		for (u32 k = 0; k < ARRAY_SIZE(g); k++)
			in |= g[k] == i;
		assert_int_equal(member(i), in);
	}
	for (u32 i = 0; i < ngot; i++)
		assert_int_equal(got[i].cls, TRACE_SET_EVICTED);
}

/* Pages one by one are as short as whole groups: one mask, one run. */
static void pages_one_by_one_make_one_set(void **state)
{
	static struct vm vm = { .id = 3, .mem = { .id = 3 } };

	(void)state;
	for (u32 i = 0; i < 64; i += 2)
		trace_note_page(&vm.mem, TRACE_SET_WARM, 640 + i);
	for (u32 i = 0; i < 200; i++)
		trace_note_page(&vm.mem, TRACE_SET_WARM, 704 + i);
	trace_note_pages_end();
	trace_note_page(&vm.mem, TRACE_SET_ZEROS, 650);
	trace_note_pages_end();
	trace_read(&vm.mem, TRACE_READ_COLD, 5, 6, true);
	take_all();
	assert_int_equal(ngot, 4);
	assert_true(got[0].kind == TRACE_MASK && got[0].cls == TRACE_SET_WARM && got[0].vm == 3 &&
		    got[0].page == 640);
	assert_true(got[0].time == 0x55555555 && got[0].value == 0x55555555);
	assert_true(got[1].kind == TRACE_RUN && got[1].cls == TRACE_SET_WARM && got[1].page == 704 &&
		    got[1].value == 200);
	assert_true(got[2].kind == TRACE_RUN && got[2].cls == TRACE_SET_ZEROS && got[2].page == 650 &&
		    got[2].value == 1);
	assert_true(got[3].kind == TRACE_MISS && got[3].cls == TRACE_READ_COLD && got[3].n == 1 &&
		    got[3].value == 6);
}

/* A miss is put down to the access that is being handled, once, and only if it is that page's. */
static void misses_know_their_access(void **state)
{
	static struct vm vm = { .id = 1, .mem = { .id = 1 } };

	(void)state;
	trace_note_access(1, 77, TRACE_BY_WRITE, 0xffffffff81234567ull);
	trace_miss(&vm.mem, TRACE_SWAP, 78, 5);  /* ours, on the way */
	trace_miss(&vm.mem, TRACE_READ_COLD, 77, 5); /* a block */
	trace_miss(&vm.mem, TRACE_SWAP, 77, 99);
	trace_miss(&vm.mem, TRACE_SWAP, 77, 99);
	trace_note_access(1, 79, TRACE_BY_READ, 1);
	trace_miss(&vm.mem, TRACE_ZERO, 79, 0);
	take_all();
	assert_int_equal(ngot, 6);
	assert_int_equal(got[0].cls, TRACE_SWAP | TRACE_BY_VMM << 4);
	assert_int_equal(got[1].cls, TRACE_READ_COLD | TRACE_BY_VMM << 4);
	assert_int_equal(got[2].cls, TRACE_SWAP | TRACE_BY_WRITE << 4);
	assert_int_equal(got[2].value, 99);
	assert_int_equal(got[2].n, 1);
	assert_int_equal(got[3].kind, TRACE_RIP);
	assert_int_equal(got[3].page, 0x81234567);
	assert_int_equal(got[3].value, 0xffffffff);
	assert_int_equal(got[4].cls, TRACE_SWAP | TRACE_BY_VMM << 4);
	/* there is no content to be read: no RIP */
	assert_int_equal(got[5].cls, TRACE_ZERO | TRACE_BY_READ << 4);
	assert_int_equal(got[5].n, 0);
}

static void a_guest_and_a_decision(void **state)
{
	static struct vm vm = { .id = 2, .name = "webserver-12345", .weight = 300, .miss_goal = 50000,
				.mem = { .id = 2, .npages = 65536, .min = 100, .max = 5000 } };
	struct balance_vm b = {
		.quota = { .held = 77 },
		.why = { .reason = BALANCE_GROW, .from = 10, .to = 20, .wanted = 30, .burst = true }
	};
	char name[17] = "";

	(void)state;
	trace_note_guest(&vm, TRACE_LIFE_STARTED);
	trace_note_decision(&vm, &b);
	take_all();
	assert_int_equal(ngot, 8);
	for (u32 i = 0; i < 2; i++) {
		memcpy(name + 8 * i, &got[i].page, 4);
		memcpy(name + 8 * i + 4, &got[i].value, 4);
	}
	assert_string_equal(name, vm.name);
	assert_int_equal(got[2].page, 100);
	assert_int_equal(got[2].value, 5000);
	assert_int_equal(got[3].page, 300);
	assert_int_equal(got[3].value, 50000);
	assert_int_equal(got[5].kind, TRACE_GUEST);
	assert_int_equal(got[5].page, 65536);
	assert_int_equal(got[6].cls, BALANCE_GROW);
	assert_int_equal(got[6].n, 1);
	assert_int_equal(got[6].value, 20);
	assert_int_equal(got[7].page, 30);
	assert_int_equal(got[7].value, 77);
}

static void off_is_off(void **state)
{
	static struct vm vm;

	(void)state;
	trace_forget();
	assert_false(trace_on);
	trace_miss(&vm.mem, TRACE_ZERO, 1, 2);
	trace_return(&vm.mem, TRACE_SOFT, 1, 2);
	trace_ahead(&vm.mem, TRACE_DISC, false, 1, 2);
	trace_given_up(&vm.mem, 1, true, 2);
	trace_stop();
	assert_false(take(TRACE_FRAME_RECORDS));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_checksum_is_the_usual_one),
		T(in_and_out_in_order),
		T(what_does_not_fit_is_counted),
		T(the_end_fits_a_full_ring),
		T(time_is_whole),
		T(sets_become_runs_and_masks),
		T(any_set_survives),
		T(evicted_pages_in_any_order),
		T(pages_one_by_one_make_one_set),
		T(misses_know_their_access),
		T(a_guest_and_a_decision),
		T(off_is_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

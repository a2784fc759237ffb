/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: drivers/block.c drivers/ramdisk.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_block.c - the request queue over a driver made here, and the RAM disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "drivers/block.h"
#include "kernel/lib/lib.h"
#include "tests/fake/fake_arch.h"

/* A driver that keeps what it was given until the test completes it. */
static struct block_req *started[16];
static u32 nstarted;

static void hold(struct block_dev *d, struct block_req *r)
{
	(void)d;
	started[nstarted++] = r;
}

static const struct block_ops hold_ops = { hold };
static struct block_dev held = { .name = "held", .sectors = 1000, .depth = 1, .max_sectors = 64, .ops = &hold_ops };

static struct block_req *finished[64];
static u32 nfinished;
static bool inside_submit;

static void note(struct block_req *r)
{
	assert_false(inside_submit);
	finished[nfinished++] = r;
}

static void submit(struct block_req *r)
{
	inside_submit = true;
	block_submit(r);
	inside_submit = false;
}

static const struct block_seg page = { { 0x1000 }, 4096 };

static struct block_req make(struct block_dev *d, u8 op, u64 sector)
{
	return (struct block_req){ .dev = d, .op = op, .sector = sector, .nsectors = 8, .segs = &page,
				   .nsegs = 1, .done = note };
}

static int setup(void **state)
{
	static bool registered;

	(void)state;
	if (!registered) {
		fake_arena(64);
		block_register(&held);
		registered = true;
	}
	nstarted = nfinished = 0;
	return 0;
}

static void test_fifo(void **state)
{
	struct block_req r[3] = { make(&held, BLOCK_WRITE, 0), make(&held, BLOCK_READ, 0), make(&held, BLOCK_FLUSH, 0) };

	(void)state;
	for (u32 i = 0; i < 3; i++)
		submit(&r[i]);
	assert_int_equal(nstarted, 1);
	assert_false(block_idle());
	fake_tsc += 500;
	for (u32 i = 0; i < 3; i++) {
		assert_ptr_equal(started[i], &r[i]);
		block_complete(&r[i], 0);
		assert_ptr_equal(finished[i], &r[i]);
	}
	assert_int_equal(nstarted, 3);
	assert_true(block_idle());
	assert_int_equal(held.stats.reads, 1);
	assert_int_equal(held.stats.writes, 1);
	assert_int_equal(held.stats.flushes, 1);
	assert_int_equal(held.stats.sectors_read, 8);
	assert_int_equal(held.stats.busy_ns, 500);
}

static void expect_refused(struct block_req r, int err)
{
	u32 before = nstarted;

	nfinished = 0;
	submit(&r);
	assert_int_equal(nfinished, 0);
	assert_false(block_idle());
	block_poll();
	assert_int_equal(nfinished, 1);
	assert_int_equal(r.err, err);
	assert_int_equal(nstarted, before);
	assert_true(block_idle());
}

static void test_refusals(void **state)
{
	struct block_req r = make(&held, BLOCK_READ, 993);
	struct block_seg odd = { { 0x1001 }, 4096 }, ragged = { { 0x1000 }, 4000 };

	(void)state;
	expect_refused(r, E_RANGE);
	r.sector = 1000;
	expect_refused(r, E_RANGE);
	r.sector = ~0ull - 3;
	expect_refused(r, E_RANGE);
	r.sector = 0;
	r.nsectors = 0;
	expect_refused(r, E_RANGE);
	r.nsectors = 65;
	expect_refused(r, E_RANGE);
	r.nsectors = 7;
	expect_refused(r, E_INVAL);
	r.nsectors = 8;
	r.segs = &odd;
	expect_refused(r, E_INVAL);
	r.segs = &ragged;
	expect_refused(r, E_INVAL);
	r = make(&held, 77, 0);
	expect_refused(r, E_INVAL);
	held.read_only = true;
	expect_refused(make(&held, BLOCK_WRITE, 0), E_NOTSUP);
	held.read_only = false;
}

static void test_cancel(void **state)
{
	struct block_req a = make(&held, BLOCK_READ, 0), b = make(&held, BLOCK_READ, 8);

	(void)state;
	submit(&a);
	submit(&b);
	assert_false(block_cancel(&a)); /* on the hardware already */
	assert_true(block_cancel(&b));
	assert_false(block_cancel(&b));
	block_complete(&a, E_IO);
	assert_int_equal(nfinished, 1);
	assert_int_equal(a.err, E_IO);
	assert_true(block_idle());
	assert_int_equal(held.stats.errors, 1);
}

static void resubmit(struct block_req *r)
{
	note(r);
	if (nfinished < 40) {
		r->sector = nfinished;
		block_submit(r);
	}
}

static void test_done_submits_again(void **state)
{
	struct block_req r = make(&held, BLOCK_READ, 0);

	(void)state;
	r.done = resubmit;
	block_submit(&r);
	while (nfinished < 40) {
		nstarted = 0;
		block_complete(&r, 0);
	}
	assert_true(block_idle());
}

/* A driver that finds out later, outside an interrupt: what waits is started by block_poll(). */
static void test_complete_later(void **state)
{
	struct block_req a = make(&held, BLOCK_READ, 0), b = make(&held, BLOCK_READ, 8);

	(void)state;
	submit(&a);
	submit(&b);
	block_complete_later(&a, E_IO);
	assert_int_equal(nfinished, 0);
	block_poll();
	assert_int_equal(nfinished, 1);
	assert_ptr_equal(started[1], &b);
	block_complete(&b, 0);
	assert_int_equal(a.err, E_IO);
	assert_int_equal(b.err, 0);
}

/* At depth 4: what overlaps waits, and what is behind it too; a FLUSH is alone. */
static void test_order(void **state)
{
	struct block_req w = make(&held, BLOCK_WRITE, 0), far = make(&held, BLOCK_WRITE, 8), read = make(&held, BLOCK_READ, 4),
			 behind = make(&held, BLOCK_READ, 100), same = make(&held, BLOCK_READ, 100),
			 flush = make(&held, BLOCK_FLUSH, 0), last = make(&held, BLOCK_WRITE, 200);

	(void)state;
	held.depth = 4;
	submit(&w);
	submit(&far);
	submit(&read); /* its first half is w's second, its second half far's first */
	submit(&behind);
	submit(&same);
	assert_int_equal(nstarted, 2);
	block_complete(&far, 0);
	assert_int_equal(nstarted, 2);
	block_complete(&w, 0);
	assert_int_equal(nstarted, 5); /* reads overlap each other freely */
	assert_ptr_equal(started[2], &read);
	submit(&flush);
	submit(&last);
	block_complete(&same, 0);
	block_complete(&read, 0);
	assert_int_equal(nstarted, 5);
	block_complete(&behind, 0);
	assert_int_equal(nstarted, 6);
	assert_ptr_equal(started[5], &flush);
	block_complete(&flush, 0);
	assert_ptr_equal(started[6], &last);
	block_complete(&last, 0);
	assert_int_equal(nfinished, 7);
	assert_true(block_idle());
	held.depth = 1;
}

/* Random requests at depth 8, completed in random order: each read sees what was submitted before it. */
static void test_order_random(void **state)
{
	static struct block_req r[400];
	static u32 content[64], expected[64], want[400][64];
	u32 running[8], nrunning = 0, submitted = 0, seen = 0, seed = 7;

	(void)state;
	held.depth = 8;
	while (seen < 400) {
		seed = seed * 1103515245 + 12345;
		if (submitted < 400 && (nrunning == 0 || seed >> 16 & 3)) {
			struct block_req *q = &r[submitted];

			*q = make(&held, seed >> 20 & 1 ? BLOCK_READ : BLOCK_WRITE, seed >> 21 & 31);
			memcpy(want[submitted], expected, sizeof(expected));
			for (u64 k = q->sector; q->op == BLOCK_WRITE && k < q->sector + q->nsectors; k++)
				expected[k] = submitted + 1;
			submitted++;
			nstarted = 0;
			submit(q);
		} else {
			u32 i = (seed >> 18) % nrunning, n = running[i];
			struct block_req *q = &r[n];

			running[i] = running[--nrunning];
			for (u64 k = q->sector; k < q->sector + q->nsectors; k++)
				if (q->op == BLOCK_WRITE)
					content[k] = n + 1;
				else
					assert_int_equal(content[k], want[n][k]);
			seen++;
			nstarted = nfinished = 0;
			block_complete(q, 0);
		}
		for (u32 i = 0; i < nstarted; i++)
			running[nrunning++] = (u32)(started[i] - r);
		assert_true(nrunning <= 8);
	}
	assert_true(block_idle());
	held.depth = 1;
}

static void test_ramdisk(void **state)
{
	static struct block_dev disk;
	struct block_seg segs[2] = { { { 0x2000 }, 512 }, { { 0x5200 }, 1024 } };
	struct block_req r = { .dev = &disk, .op = BLOCK_WRITE, .sector = 4, .nsectors = 3, .segs = segs,
			       .nsegs = 2, .done = note };
	u8 *module = hpa_ptr((hpa_t){ 0x10000 });

	(void)state;
	assert_ptr_equal(ramdisk_create(&disk, "ram:web", (hpa_t){ 0x10000 }, 16 * 512 + 100), &disk);
	assert_int_equal(disk.sectors, 16);
	assert_ptr_equal(block_find("ram:web"), &disk);
	assert_null(block_find("ram:none"));
	memset(hpa_ptr((hpa_t){ 0x2000 }), 0x11, 512);
	memset(hpa_ptr((hpa_t){ 0x5200 }), 0x22, 1024);
	submit(&r);
	block_poll();
	assert_int_equal(nfinished, 1);
	assert_int_equal(module[4 * 512 - 1], 0);
	assert_int_equal(module[4 * 512], 0x11);
	assert_int_equal(module[5 * 512], 0x22);
	assert_int_equal(module[7 * 512 - 1], 0x22);
	assert_int_equal(module[7 * 512], 0);
	r.op = BLOCK_READ;
	r.sector = 5;
	submit(&r);
	block_poll();
	assert_int_equal(*(u8 *)hpa_ptr((hpa_t){ 0x2000 }), 0x22);
	assert_int_equal(*(u8 *)hpa_ptr((hpa_t){ 0x5200 + 512 }), 0);
	r.sector = 14;
	expect_refused(r, E_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_fifo, setup),
		cmocka_unit_test_setup(test_refusals, setup),
		cmocka_unit_test_setup(test_cancel, setup),
		cmocka_unit_test_setup(test_done_submits_again, setup),
		cmocka_unit_test_setup(test_complete_later, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_order_random, setup),
		cmocka_unit_test_setup(test_ramdisk, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

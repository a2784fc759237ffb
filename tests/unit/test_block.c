/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: drivers/block.c drivers/block_turn.c drivers/fair.c drivers/depth.c drivers/ramdisk.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
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

/* One that says no at once, which takes time. */
static void refuse(struct block_dev *d, struct block_req *r)
{
	(void)d;
	fake_tsc += 100;
	block_complete_later(r, E_IO);
}

static const struct block_ops refuse_ops = { refuse };
static struct block_dev held = {
	.name = "held", .sectors = 1000, .depth = 16, .max_sectors = 512, .ops = &hold_ops
};

/* The request that a command carries out. */
static struct block_req *of(const struct block_req *hw)
{
	return container_of(hw, struct block_cmd, hw)->first;
}

/* So many commands at once, no trying. */
static void at_depth(u32 n)
{
	held.limit.limit = held.limit.base = n;
	held.limit.most = 1;
}

static void complete(u32 i, int err)
{
	block_complete(started[i], err);
}

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

pfn_t frame_get_run(u32 n)
{
	(void)n;
	return (pfn_t){ 32 };
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
	at_depth(1);
	fake_tsc += 2 * BLOCK_RECENT_NS; /* nobody has used it lately */
	return 0;
}

static void test_fifo(void **state)
{
	struct block_req r[3] = { make(&held, BLOCK_WRITE, 0), make(&held, BLOCK_READ, 0),
				  make(&held, BLOCK_FLUSH, 0) };

	(void)state;
	for (u32 i = 0; i < 3; i++)
		submit(&r[i]);
	assert_int_equal(nstarted, 1);
	assert_false(block_idle());
	fake_tsc += 500;
	for (u32 i = 0; i < 3; i++) {
		assert_ptr_equal(of(started[i]), &r[i]);
		complete(i, 0);
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
	r.nsectors = 513;
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
	complete(0, E_IO);
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
	struct block_req r = make(&held, BLOCK_READ, 0), *hw;

	(void)state;
	r.done = resubmit;
	block_submit(&r);
	hw = started[0];
	while (nfinished < 40) {
		nstarted = 0;
		block_complete(hw, 0);
		hw = started[0];
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
	assert_int_equal(block_deferred(), 0);
	block_complete_later(started[0], E_IO);
	assert_int_equal(block_deferred(), BIT64(0));
	assert_int_equal(nfinished, 0);
	block_poll();
	assert_int_equal(block_deferred(), 0);
	assert_int_equal(nfinished, 1);
	assert_ptr_equal(of(started[1]), &b);
	complete(1, 0);
	assert_int_equal(a.err, E_IO);
	assert_int_equal(b.err, 0);
}

/* The same of a piece: there is nothing to complete yet, but the next to start. */
static void test_piece_later(void **state)
{
	const struct block_seg long_one = { { 0x1000 }, 2 * BLOCK_PIECE * SECTOR_SIZE };
	struct block_req a = make(&held, BLOCK_READ, 900), r = make(&held, BLOCK_READ, 0);

	(void)state;
	a.owner = 1;
	submit(&a);
	complete(0, 0); /* another has used the disk */
	r.segs = &long_one;
	r.nsectors = 2 * BLOCK_PIECE;
	submit(&r);
	block_complete_later(started[1], 0);
	assert_int_equal(block_deferred(), BIT64(0));
	block_poll();
	assert_int_equal(nstarted, 3);
	complete(2, 0);
	assert_int_equal(nfinished, 2);
}

/* Commands that are refused inside start() while others are in flight: the disk's time goes on, and never
 * back. */
static void test_refused_in_start(void **state)
{
	struct block_req r[4];
	u64 used = held.queue[0].used_ns, work = held.work_ns;

	(void)state;
	at_depth(2);
	for (u32 i = 0; i < 4; i++) {
		r[i] = make(&held, BLOCK_READ, 100 * i);
		submit(&r[i]);
	}
	at_depth(4);
	held.ops = &refuse_ops;
	block_poll();
	held.ops = &hold_ops;
	complete(0, 0);
	complete(1, 0);
	assert_int_equal(nfinished, 4);
	assert_in_range(held.work_ns - work, 0, 300);
	assert_in_range(held.queue[0].used_ns - used, 0, 300);
	assert_true(block_idle());
}

/* At depth 4: what overlaps waits, others do not; a FLUSH waits for the writes before it, writes after it
 * wait for the FLUSH. */
static void test_order(void **state)
{
	struct block_req w = make(&held, BLOCK_WRITE, 0), far = make(&held, BLOCK_WRITE, 9),
			 read = make(&held, BLOCK_READ, 4), behind = make(&held, BLOCK_READ, 100),
			 same = make(&held, BLOCK_READ, 100), flush = make(&held, BLOCK_FLUSH, 0),
			 last = make(&held, BLOCK_WRITE, 200);

	(void)state;
	at_depth(8);
	submit(&w);
	submit(&far);
	submit(&read); /* its first half is w's second, its second half far's first */
	submit(&behind);
	assert_int_equal(nstarted, 2); /* of one class and owner they go in order */
	complete(1, 0);
	assert_int_equal(nstarted, 2);
	complete(0, 0);
	assert_int_equal(nstarted, 4);
	assert_ptr_equal(of(started[2]), &read);
	submit(&same);
	assert_int_equal(nstarted, 5); /* reads overlap each other freely */
	w.done = note;
	submit(&w);
	assert_int_equal(nstarted, 5); /* the read of what it overwrites is not done */
	complete(2, 0);
	assert_int_equal(nstarted, 6);
	submit(&flush);
	submit(&last);
	assert_int_equal(nstarted, 6);
	complete(5, 0); /* w: with reads still in flight the FLUSH goes */
	assert_int_equal(nstarted, 7);
	assert_ptr_equal(of(started[6]), &flush);
	complete(6, 0);
	assert_int_equal(nstarted, 8);
	assert_ptr_equal(of(started[7]), &last);
	for (u32 n = 3; n < 8; n += n == 4 ? 3 : 1)
		complete(n, 0);
	assert_int_equal(nfinished, 8);
	assert_true(block_idle());
}

/* Owners are apart: another's FLUSH and another's line hold nobody up; on the hardware overlaps are kept
 * apart all the same. */
static void test_owners(void **state)
{
	struct block_req w = make(&held, BLOCK_WRITE, 0), f = make(&held, BLOCK_FLUSH, 0),
			 w2 = make(&held, BLOCK_WRITE, 100), other = make(&held, BLOCK_WRITE, 200),
			 clash = make(&held, BLOCK_READ, 0);

	(void)state;
	at_depth(8);
	other.owner = clash.owner = 1;
	submit(&w);
	submit(&f);
	submit(&w2);
	submit(&other);
	submit(&clash);
	assert_int_equal(nstarted, 2);
	assert_ptr_equal(of(started[1]), &other);
	complete(0, 0);
	assert_int_equal(nstarted, 4);
	complete(1, 0);
	complete(2, 0);
	complete(3, 0);
	complete(4, 0);
	assert_true(block_idle());
}

/* Classes: what a vCPU waits for goes first, swap writes last; in a hurry those are as early as demands. */
static void test_classes(void **state)
{
	struct block_req busy = make(&held, BLOCK_READ, 0), r[4];
	static const u8 plain[4] = { BLOCK_DEMAND, BLOCK_GUEST, BLOCK_AHEAD, BLOCK_BACK };

	(void)state;
	for (u32 hurry = 0; hurry < 2; hurry++) {
		nstarted = 0;
		block_hurry(hurry);
		submit(&busy);
		for (u32 i = 0; i < 4; i++) { /* BACK first, DEMAND last */
			r[i] = make(&held, plain[3 - i] == BLOCK_BACK ? BLOCK_WRITE : BLOCK_READ,
				    50 + 10 * i);
			r[i].class = plain[3 - i];
			submit(&r[i]);
		}
		for (u32 i = 0; i < 5; i++)
			complete(i, 0);
		for (u32 i = 0; i < 4; i++)
			assert_int_equal(finished[hurry * 5 + 1 + i]->class,
					 hurry ? plain[(i + 3) % 4] : plain[i]);
	}
	block_hurry(false);
	assert_true(block_idle());
}

static struct block_req long_one(struct block_seg *segs, u32 n)
{
	struct block_req r = make(&held, BLOCK_READ, 64);

	for (u32 i = 0; i < n; i++)
		segs[i] = (struct block_seg){ { 0x10000 + i * 0x2000 }, 4096 };
	r.segs = segs;
	r.nsegs = n;
	r.nsectors = n * 8;
	return r;
}

/* Long ones go whole while nobody else uses the disk, in pieces of 64 KiB while others do, and are done when
 * all pieces are. */
static void test_pieces(void **state)
{
	struct block_req r, other = make(&held, BLOCK_READ, 0);
	struct block_seg segs[60];

	(void)state;
	r = long_one(segs, 60);
	submit(&r);
	assert_int_equal(started[0]->nsectors, 480);
	complete(0, 0);
	other.owner = 1;
	submit(&other);
	complete(1, 0);
	at_depth(3);
	nfinished = 0;
	submit(&r);
	assert_int_equal(nstarted, 5);
	for (u32 i = 2, at = 64; i < 6; i++) {
		assert_int_equal(started[i]->sector, at);
		assert_int_equal(started[i]->nsectors, i < 5 ? 128 : 96);
		assert_int_equal(started[i]->segs[0].addr.a, 0x10000 + (at - 64) / 8 * 0x2000);
		at += started[i]->nsectors;
		if (i == 2) {
			assert_false(block_cancel(&r));
			complete(2, 0);
		}
	}
	assert_int_equal(nfinished, 0);
	complete(5, 0);
	complete(3, 0);
	complete(4, 0);
	assert_int_equal(nfinished, 1);
	/* A piece that fails: the rest is not tried, the end waits for what is in flight. */
	nstarted = nfinished = 0;
	at_depth(2);
	submit(&r);
	complete(0, E_IO);
	assert_int_equal(nstarted, 2);
	assert_int_equal(nfinished, 0);
	complete(1, 0);
	assert_int_equal(nfinished, 1);
	assert_int_equal(r.err, E_IO);
	assert_true(block_idle());
}

/* Requests that continue each other go as one command; if it fails, each goes alone, and only the bad one
 * fails. */
static void test_merge(void **state)
{
	struct block_req busy = make(&held, BLOCK_READ, 500), r[6];

	(void)state;
	submit(&busy);
	for (u32 i = 0; i < 6; i++) {
		r[i] = make(&held, BLOCK_READ, i == 5 ? 300 : 100 + 8 * i);
		submit(&r[i]);
	}
	r[4].sector = 700;
	complete(0, 0);
	assert_int_equal(nstarted, 2);
	assert_int_equal(started[1]->nsectors, 32);
	assert_int_equal(started[1]->nsegs, 4);
	complete(1, E_IO);
	assert_int_equal(nfinished, 1);
	for (u32 i = 0; i < 4; i++) {
		assert_int_equal(started[2 + i]->sector, 100 + 8 * i);
		complete(2 + i, i == 2 ? E_IO : 0);
		assert_ptr_equal(finished[1 + i], &r[i]);
		assert_int_equal(r[i].err, i == 2 ? E_IO : 0);
	}
	complete(6, 0);
	complete(7, 0);
	assert_int_equal(nfinished, 7);
	assert_true(block_idle());
}

/* A disk whose FLUSH can't be beside other commands. */
static void test_flush_alone(void **state)
{
	struct block_req r = make(&held, BLOCK_READ, 0), f = make(&held, BLOCK_FLUSH, 0),
			 later = make(&held, BLOCK_READ, 8);

	(void)state;
	held.flush_alone = true;
	at_depth(4);
	f.owner = later.owner = 1;
	submit(&r);
	submit(&f);
	submit(&later);
	assert_int_equal(nstarted, 1);
	complete(0, 0);
	assert_int_equal(nstarted, 2);
	assert_ptr_equal(of(started[1]), &f);
	complete(1, 0);
	assert_int_equal(nstarted, 3);
	complete(2, 0);
	held.flush_alone = false;
	assert_true(block_idle());
}

/* Random requests of three owners at depth 8, completed in random order, now and then cut or merged: each
 * read sees what its owner submitted before it. Every owner has sectors of its own. */
static void test_order_random(void **state)
{
	static struct block_req r[2000];
	static u32 content[192], expected[192], want[2000][192];
	static struct block_req *running[16];
	u32 nrunning = 0, submitted = 0, seed = 7;

	(void)state;
	at_depth(8);
	while (submitted < ARRAY_SIZE(r) || nrunning) {
		seed = seed * 1103515245 + 12345;
		nstarted = nfinished = 0;
		if (submitted < ARRAY_SIZE(r) && (nrunning == 0 || seed >> 16 & 3)) {
			struct block_req *q = &r[submitted];

			*q = make(&held, seed >> 20 & 1 ? BLOCK_READ : BLOCK_WRITE, 0);
			q->owner = (u8)(seed >> 26 & 3) % 3;
			q->class = (u8)(seed >> 28 & 3);
			q->sector = 64u * q->owner + (seed >> 21 & 31);
			memcpy(want[submitted], expected, sizeof(expected));
			for (u64 k = q->sector; q->op == BLOCK_WRITE && k < q->sector + q->nsectors; k++)
				expected[k] = submitted + 1;
			submitted++;
			submit(q);
		} else {
			u32 i = (seed >> 18) % nrunning;
			struct block_req *hw = running[i];

			running[i] = running[--nrunning];
			for (struct block_req *q = of(hw); q; q = q->next)
				for (u64 k = q->sector; k < q->sector + q->nsectors; k++)
					if (q->op == BLOCK_WRITE)
						content[k] = (u32)(q - r) + 1;
					else
						assert_int_equal(content[k], want[q - r][k]);
			block_complete(hw, 0);
		}
		for (u32 i = 0; i < nstarted; i++)
			running[nrunning++] = started[i];
		assert_true(nrunning <= 8);
	}
	assert_true(block_idle());
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
		cmocka_unit_test_setup(test_piece_later, setup),
		cmocka_unit_test_setup(test_refused_in_start, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_owners, setup),
		cmocka_unit_test_setup(test_classes, setup),
		cmocka_unit_test_setup(test_pieces, setup),
		cmocka_unit_test_setup(test_merge, setup),
		cmocka_unit_test_setup(test_flush_alone, setup),
		cmocka_unit_test_setup(test_order_random, setup),
		cmocka_unit_test_setup(test_ramdisk, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

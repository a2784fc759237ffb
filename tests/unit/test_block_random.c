/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: drivers/block.c drivers/block_turn.c drivers/fair.c drivers/depth.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_block_random.c - random requests of several owners and classes over a disk made here, with errors,
 * cancels, limits and a controller that dies and comes back. A model knows what each sector may hold, which
 * requests are under way, and in which order they may go. BLOCK_SEED and BLOCK_OPS from the environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>

#include "drivers/block.h"
#include "kernel/lib/lib.h"
#include "tests/fake/fake_arch.h"

#define DEPTH 8u
#define OWNERS 4u
#define SECTORS 1024u /* of each owner */
#define LONGEST 300u
#define REQUESTS 96u
#define SEGS 40u
#define UNKNOWN 0u /* a write of it failed: any content is right */

/* A request and what the model knows of it. */
struct one {
	struct block_req r;
	struct block_seg seg[SEGS];
	bool busy, over;       /* over: the disk has done all of it, done() may be to come */
	u32 id;                /* what a write writes */
	u32 want[LONGEST];     /* what a read shall find; UNKNOWN: anything */
	u8 did[LONGEST];       /* how often the disk did each sector without an error */
};

static struct one one[REQUESTS];
static struct block_req *running[DEPTH];
static u32 nrunning, ids, busy_count;
static u32 content[OWNERS * SECTORS], expected[OWNERS * SECTORS];
static bool dead, in_submit, in_start;
static u64 rng, finished, cancelled, failed, refused, flushes, merged;

pfn_t frame_get_run(u32 n)
{
	(void)n;
	return (pfn_t){ 32 };
}

static u32 below(u32 n)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)((rng >> 33) % n);
}

static struct block_cmd *cmd_of(struct block_req *hw)
{
	return container_of(hw, struct block_cmd, hw);
}

static struct one *one_of(struct block_req *r)
{
	return container_of(r, struct one, r);
}

static bool barred(const struct block_req *r)
{
	return r->op == BLOCK_WRITE && r->class != BLOCK_BACK;
}

static u64 address(const struct one *o, u32 sector)
{
	u64 byte = (u64)sector * SECTOR_SIZE;

	for (u32 i = 0; i < o->r.nsegs; i++) {
		if (byte < o->seg[i].len)
			return o->seg[i].addr.a + byte;
		byte -= o->seg[i].len;
	}
	fail_msg("a request has fewer segments than sectors");
	return 0;
}

/* The command's memory is its requests'. */
static void check_memory(struct block_req *hw)
{
	struct block_req *r = cmd_of(hw)->first;
	u64 at = hw->sector;

	for (u32 i = 0; i < hw->nsegs; i++)
		for (u32 off = 0; off < hw->segs[i].len; off += SECTOR_SIZE, at++) {
			if (at >= r->sector + r->nsectors)
				r = r->next;
			assert_non_null(r);
			assert_true(at >= r->sector && at < r->sector + r->nsectors);
			assert_int_equal(hw->segs[i].addr.a + off, address(one_of(r), (u32)(at - r->sector)));
		}
	assert_int_equal(at, hw->sector + hw->nsectors);
}

/* Of one owner: FLUSH and writes go in the order of submission; what overlaps and writes does too. */
static void check_order(struct block_req *hw)
{
	for (u32 i = 0; i < nrunning; i++) {
		struct block_req *o = running[i];
		bool apart = o->op == BLOCK_FLUSH || hw->op == BLOCK_FLUSH ||
			     (o->op == BLOCK_READ && hw->op == BLOCK_READ) ||
			     o->sector >= hw->sector + hw->nsectors || hw->sector >= o->sector + o->nsectors;

		assert_true(apart);
		if (o->owner == hw->owner && hw->op == BLOCK_FLUSH)
			assert_false(barred(o));
		if (o->owner == hw->owner && barred(hw))
			assert_int_not_equal(o->op, BLOCK_FLUSH);
	}
	for (struct block_req *r = cmd_of(hw)->first; r; r = r->next)
		for (u32 i = 0; i < REQUESTS; i++) {
			const struct block_req *o = &one[i].r;

			if (!one[i].busy || one[i].over || o == r || o->owner != hw->owner ||
			    o->number > r->number || o->err)
				continue;
			if (hw->op == BLOCK_FLUSH && barred(o) && o->class <= hw->class)
				fail_msg("a FLUSH started before a write that was submitted earlier had "
					 "ended");
			if (barred(r) && o->op == BLOCK_FLUSH)
				fail_msg("a write started before a FLUSH that was submitted earlier had "
					 "ended");
		}
}

/* What its writes cover may hold anything, until a later try or write succeeds. */
static void fail_command(struct block_req *hw)
{
	for (struct block_req *r = cmd_of(hw)->first; r && hw->op == BLOCK_WRITE; r = r->next)
		for (u32 i = 0; i < r->nsectors; i++)
			content[r->sector + i] = UNKNOWN;
}

static void start(struct block_dev *d, struct block_req *hw)
{
	if (dead) {
		refused++;
		fail_command(hw);
		block_complete_later(hw, E_IO);
		return;
	}
	assert_true(nrunning < d->depth);
	in_start = true;
	check_memory(hw);
	check_order(hw);
	merged += cmd_of(hw)->n > 1;
	running[nrunning++] = hw;
	in_start = false;
}

static const struct block_ops ops = { start };
static struct block_dev disk = {
	.name = "disk", .sectors = OWNERS * SECTORS, .depth = DEPTH, .max_sectors = LONGEST, .ops = &ops
};

static void done(struct block_req *r)
{
	struct one *o = one_of(r);

	assert_false(in_submit);
	assert_false(in_start);
	assert_true(o->busy);
	o->busy = false;
	busy_count--;
	finished++;
	failed += r->err != 0;
	for (u32 i = 0; i < r->nsectors && r->op != BLOCK_FLUSH; i++) {
		if (!r->err)
			assert_int_equal(o->did[i], 1);
		/* whoever wrote it later has not begun yet, or said what it wants */
		if (r->err && r->op == BLOCK_WRITE) {
			content[r->sector + i] = UNKNOWN;
			for (u32 k = 0; k < REQUESTS; k++) {
				struct one *later = &one[k];
				u64 at = r->sector + i;

				if (later->busy && later->r.op == BLOCK_READ && later->r.number > r->number &&
				    at >= later->r.sector && at < later->r.sector + later->r.nsectors &&
				    later->want[at - later->r.sector] == o->id)
					later->want[at - later->r.sector] = UNKNOWN;
			}
			if (expected[r->sector + i] == o->id)
				expected[r->sector + i] = UNKNOWN;
		}
	}
	flushes += r->op == BLOCK_FLUSH && !r->err;
}

static bool all_did(const struct one *o)
{
	for (u32 i = 0; o->r.op != BLOCK_FLUSH && i < o->r.nsectors; i++)
		if (!o->did[i])
			return false;
	return true;
}

/* The disk has done it. */
static void carry_out(struct block_req *hw)
{
	struct block_req *r = cmd_of(hw)->first;

	for (u64 at = hw->sector; hw->op != BLOCK_FLUSH && at < hw->sector + hw->nsectors; at++) {
		struct one *o;

		if (at >= r->sector + r->nsectors)
			r = r->next;
		o = one_of(r);
		o->did[at - r->sector]++;
		if (hw->op == BLOCK_WRITE)
			content[at] = o->id;
		else if (content[at] != UNKNOWN && o->want[at - r->sector] != UNKNOWN &&
			 content[at] != o->want[at - r->sector])
			fail_msg("a read found what write %u left, not write %u", content[at],
				 o->want[at - r->sector]);
	}
	for (r = cmd_of(hw)->first; r; r = r->next)
		one_of(r)->over = all_did(one_of(r));
}

static void end_one(u32 i, bool later)
{
	struct block_req *hw = running[i];
	int err = below(40) ? E_OK : E_IO;

	running[i] = running[--nrunning];
	if (err)
		fail_command(hw);
	else
		carry_out(hw);
	if (later)
		block_complete_later(hw, err);
	else
		block_complete(hw, err);
}

/* The controller is given up: what it had ends, then what is started is refused. */
static void die(void)
{
	dead = true;
	while (nrunning) {
		struct block_req *hw = running[--nrunning];

		fail_command(hw);
		block_complete_later(hw, E_IO);
	}
}

static void cut_segments(struct one *o)
{
	u32 left = o->r.nsectors, n = 0, most = left > SEGS ? left / SEGS * 2 + 1 : 3;

	while (left) {
		u32 k = 1 + below(below(3) ? most : 64);

		k = n + 1 == SEGS ? left : MIN(left, k);
		o->seg[n] = (struct block_seg){ { ((u64)o->id << 24) + n * 0x100000ull / 8 * 2 },
						k * SECTOR_SIZE };
		n++;
		left -= k;
	}
	o->r.segs = o->seg;
	o->r.nsegs = n;
}

static void submit(struct one *o)
{
	u32 owner = below(OWNERS), kind = below(16);
	static u64 next[OWNERS];
	struct block_req *r = &o->r;

	memset(o, 0, sizeof(*o));
	o->id = ++ids;
	o->busy = true;
	busy_count++;
	r->dev = &disk;
	r->done = done;
	r->owner = (u8)owner;
	r->op = kind == 0 ? BLOCK_FLUSH : kind < 9 ? BLOCK_WRITE : BLOCK_READ;
	r->class = (u8)(r->op == BLOCK_FLUSH ? BLOCK_GUEST :
			r->op == BLOCK_READ  ? below(3) :
			below(4)             ? BLOCK_GUEST :
					       BLOCK_BACK);
	if (r->op != BLOCK_FLUSH) {
		r->nsectors = 1 + below(below(4) ? 24 : LONGEST - 1);
		r->sector = below(3) ? next[owner] : below(SECTORS);
		if (r->sector + r->nsectors > SECTORS)
			r->sector = below(SECTORS - r->nsectors);
		next[owner] = r->sector + r->nsectors;
		r->sector += owner * SECTORS;
		cut_segments(o);
		memcpy(o->want, expected + r->sector, r->nsectors * sizeof(expected[0]));
		for (u32 i = 0; i < r->nsectors && r->op == BLOCK_WRITE; i++)
			expected[r->sector + i] = o->id;
	}
	in_submit = true;
	block_submit(r);
	in_submit = false;
}

/* A write that is taken back leaves what was there: nobody may have counted on it, so only reads are. */
static void cancel(struct one *o)
{
	if (!o->busy || o->r.op != BLOCK_READ || !block_cancel(&o->r))
		return;
	o->busy = false;
	busy_count--;
	cancelled++;
}

static void set_limits(void)
{
	u32 owner = below(OWNERS);

	block_share(owner, 1 + below(1000), below(2) ? 0 : 20000 + below(100000),
		    below(2) ? 0 : 64 * KIB * (1 + below(10000)));
}

/* An owner's counts are those of its queues and of its commands on the hardware. */
static void check_queue(u32 owner)
{
	const struct block_queue *q = &disk.queue[owner];
	u32 waiting = 0, writes = 0, active = 0, active_writes = 0, flushing = 0;

	for (u32 c = 0; c < BLOCK_CLASSES; c++)
		list_for_each(it, &q->class[c]) {
			waiting++;
			writes += container_of(it, struct block_req, link)->op == BLOCK_WRITE;
		}
	list_for_each(it, &disk.active) {
		const struct block_req *hw = &container_of(it, struct block_cmd, link)->hw;

		if (hw->owner != owner)
			continue;
		active++;
		active_writes += barred(hw);
		flushing += hw->op == BLOCK_FLUSH;
	}
	assert_int_equal(q->waiting, waiting);
	assert_int_equal(q->writes, writes);
	assert_int_equal(q->active, active);
	assert_int_equal(q->active_writes, active_writes);
	assert_int_equal(q->flushing, flushing);
}

static void check_sums(void)
{
	u32 waiting = 0, active = 0;

	for (u32 i = 0; i < FAIR_OWNERS; i++) {
		check_queue(i);
		waiting += disk.queue[i].waiting;
		active += disk.queue[i].active;
		assert_true(disk.queue[i].used_ns <= fake_tsc);
	}
	assert_int_equal(waiting, disk.waiting);
	assert_int_equal(active, disk.in_flight);
	assert_int_equal(disk.in_flight, nrunning + (disk.held != NULL));
	assert_true(disk.stats.busy_ns <= fake_tsc && disk.work_ns <= fake_tsc);
}

static void step(void)
{
	u32 k = below(64);

	fake_tsc += below(20000);
	if (k < 26 && busy_count < REQUESTS) {
		u32 i = below(REQUESTS);

		while (one[i].busy)
			i = (i + 1) % REQUESTS;
		submit(&one[i]);
	} else if (k < 56 && nrunning) {
		end_one(below(nrunning), !below(8));
	} else if (k == 56) {
		cancel(&one[below(REQUESTS)]);
	} else if (k == 57) {
		set_limits();
	} else if (k == 58) {
		block_hurry(below(2));
	} else if (k == 59 && (dead || !below(16))) {
		if (dead)
			dead = false;
		else
			die();
	} else if (k == 60) {
		fake_tsc += 20000000;
	} else if (k == 61 && !below(64)) {
		fake_tsc += 2 * BLOCK_RECENT_NS;
	}
	if (k >= 62)
		block_away(k == 62);
	if (below(2) || dead)
		block_poll();
	check_sums();
}

static void drain(void)
{
	dead = false;
	for (u32 i = 0; busy_count; i++) {
		u64 due = block_due_ns();

		assert_true(i < 100000);
		if (nrunning)
			end_one(below(nrunning), false);
		else if (due)
			fake_tsc = MAX(fake_tsc, due);
		block_poll();
		check_sums();
	}
	assert_true(block_idle());
}

static u64 number(const char *name, u64 usual)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : usual;
}

static void run(bool flush_alone)
{
	rng = number("BLOCK_SEED", 1) + 1000 * flush_alone;
	disk.flush_alone = flush_alone;
	for (u64 most = number("BLOCK_OPS", 300000), n = 0; n < most; n++) {
		step();
		if (n % 5000 == 4999)
			drain();
	}
	drain();
	print_message("%llu ended, %llu of them with errors, %llu cancelled, %llu refused commands, %llu "
		      "FLUSHes, %llu merged, %llu pieces\n",
		      (unsigned long long)finished, (unsigned long long)failed, (unsigned long long)cancelled,
		      (unsigned long long)refused, (unsigned long long)flushes, (unsigned long long)merged,
		      (unsigned long long)disk.stats.pieces);
}

static void test_random(void **state)
{
	(void)state;
	run(false);
}

static void test_random_flush_alone(void **state)
{
	(void)state;
	run(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_random_flush_alone),
	};

	fake_arena(64);
	fake_tsc = 1;
	block_register(&disk);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

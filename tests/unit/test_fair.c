/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: drivers/block.c drivers/block_turn.c drivers/fair.c drivers/depth.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c tests/fake/fake_arch.c */
/*
 * test_fair.c - owners of requests share disks by weight, on disks that take time: three of them, one
 * that seeks (150 commands a second), a quick one (10,000) that does them in order too, and one that
 * does eight at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/timed_disk.h"

#define S_NS 1000000000ull
#define OWNERS 4u
#define MOST 64u

pfn_t frame_get_run(u32 n)
{
	static u32 next = 16;
	pfn_t p = { next };

	next += n;
	return p;
}

static const struct { const char *name; u32 slots; u64 fixed_ns, byte_ps; } kinds[] = {
	{ "seeks", 1, S_NS / 150, 7000 },    /* 140 MB/s */
	{ "quick", 1, 100000, 2000 },        /* 500 MB/s */
	{ "eight", 8, 800000, 16000 },       /* each slot; 10,000 a second and 500 MB/s in all */
};

/* An owner that keeps so many requests in flight, each at a random place or after the last one. */
struct load {
	u32 owner, sectors, depth;
	u8 class, op;
	bool sequential, once;
	u64 next, done, waited_most_ns;
	struct { struct block_req r; struct block_seg seg; u64 since; struct load *load; } slot[MOST];
};

static struct timed disks[128]; /* each registered once */
static u32 ndisks;
#define disk disks[ndisks]
static struct load loads[OWNERS];
static u64 seed;
static bool stop;

static u32 random_of(u32 n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)((seed >> 33) % n);
}

static void submit(struct load *l, u32 i);

static void done(struct block_req *r)
{
	struct load *l = &loads[r->owner];
	u32 i = (u32)(uintptr_t)r->ctx;

	assert_int_equal(r->err, 0);
	l->done++;
	l->waited_most_ns = MAX(l->waited_most_ns, fake_tsc - l->slot[i].since);
	if (!stop && !l->once)
		submit(l, i);
}

static void submit(struct load *l, u32 i)
{
	u64 sector = l->sequential ? l->next : (u64)random_of(4000) * 4096;

	l->next += l->sectors;
	l->slot[i].since = fake_tsc;
	l->slot[i].seg = (struct block_seg){ { 0x100000 }, l->sectors * SECTOR_SIZE };
	l->slot[i].r = (struct block_req){ .dev = &disk.dev,
					   .op = l->op,
					   .class = l->class,
					   .owner = (u8)l->owner,
					   .sector = sector,
					   .nsectors = l->op == BLOCK_FLUSH ? 0 : l->sectors,
					   .segs = &l->slot[i].seg,
					   .nsegs = 1,
					   .done = done,
					   .ctx = (void *)(uintptr_t)i };
	block_submit(&l->slot[i].r);
}

static void set(u32 owner, u32 weight, u32 sectors, u32 depth)
{
	loads[owner] =
		(struct load){ .owner = owner, .sectors = sectors, .depth = depth, .class = BLOCK_GUEST };
	block_share(owner, weight, 0, 0);
}

static void begin(u32 kind)
{
	assert_true(++ndisks < ARRAY_SIZE(disks));
	timed_init(&disk, kinds[kind].name, kinds[kind].slots, kinds[kind].fixed_ns, kinds[kind].byte_ps);
	memset(loads, 0, sizeof(loads));
	for (u32 i = 0; i < FAIR_OWNERS; i++) {
		block_share(i, 0, 0, 0);
		block_free(i, false);
	}
	seed = 1;
	stop = false;
	block_hurry(false);
}

static void go(u64 commands)
{
	for (u32 i = 0; i < OWNERS; i++)
		for (u32 k = 0; k < loads[i].depth; k++)
			submit(&loads[i], k);
	while (commands--)
		assert_true(timed_step(&disk));
}

static void finish(void)
{
	stop = true;
	for (;;) {
		u64 due = block_due_ns();

		if (timed_step(&disk))
			continue;
		if (!due)
			break;
		fake_tsc = MAX(fake_tsc, due);
		block_poll();
	}
	assert_true(block_idle());
}

static void assert_near(u64 a, u64 b, u32 percent)
{
	if (a * 100 < b * (100 - percent) || a * 100 > b * (100 + percent))
		fail_msg("%s: %llu is not within %u %% of %llu", disk.dev.name, (unsigned long long)a,
			 percent, (unsigned long long)b);
}

/* Forgets what was used while the number of commands at once was still being found out. */
static void from_here(void)
{
	memset(disk.worked_ns, 0, sizeof(disk.worked_ns));
	for (u32 i = 0; i < OWNERS; i++)
		loads[i].done = loads[i].waited_most_ns = 0;
}

static void ratio(u32 kind, u32 sectors)
{
	begin(kind);
	set(0, 1000, 8, 8);
	set(1, 100, sectors, 8);
	go(20000);
	from_here();
	for (u32 i = 0; i < 20000; i++)
		timed_step(&disk);
	assert_near(disk.worked_ns[0], 10 * disk.worked_ns[1], 10);
	finish();
}

static void test_weight_against_long_reads(void **state)
{
	(void)state;
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++)
		ratio(k, 2048);
}

static void test_weight_against_equal_reads(void **state)
{
	(void)state;
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++)
		ratio(k, 8);
}

/* Four owners of weights 1:2:3:4 with requests of four sizes. */
static void test_four(void **state)
{
	(void)state;
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		u64 sum = 0;

		begin(k);
		for (u32 i = 0; i < OWNERS; i++)
			set(i, 100 * (i + 1), 8u << 2 * i, 12);
		go(20000);
		from_here();
		for (u32 i = 0; i < 40000; i++)
			timed_step(&disk);
		for (u32 i = 0; i < OWNERS; i++)
			sum += disk.worked_ns[i];
		for (u32 i = 0; i < OWNERS; i++)
			assert_near(disk.worked_ns[i], sum * (i + 1) / 10, 10);
		finish();
	}
}

/* What one alone gets done in a time, against a disk that is given all at once. */
static void alone(u32 kind, u32 sectors, u32 depth, bool sequential)
{
	u64 start, ideal;

	begin(kind);
	set(0, 100, sectors, depth);
	loads[0].sequential = sequential;
	go(1000);
	from_here();
	start = fake_tsc;
	while (loads[0].done < 20000)
		timed_step(&disk);
	ideal = loads[0].done * timed_cost(&disk, sectors) / MIN(kinds[kind].slots, depth);
	if ((fake_tsc - start) * 100 > ideal * 102)
		fail_msg("%s, %u sectors, depth %u: %llu ns, ideal %llu", disk.dev.name, sectors, depth,
			 (unsigned long long)(fake_tsc - start), (unsigned long long)ideal);
	finish();
}

static void test_alone_is_as_fast(void **state)
{
	(void)state;
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++)
		for (u32 depth = 1; depth <= 32; depth *= 4) {
			alone(k, 8, depth, false);
			alone(k, 2048, depth, false);
			alone(k, 8, depth, true);
		}
}

/* No more commands at once than the disk has use for. */
static void test_depth(void **state)
{
	static const u32 want[] = { 1, 1, 8 };

	(void)state;
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		u64 sum = 0, n = 0;

		begin(k);
		set(0, 100, 8, 32);
		go(5000);
		for (u32 i = 0; i < 50000; i++, n++) {
			timed_step(&disk);
			sum += disk.dev.in_flight;
		}
		assert_in_range(sum * 10 / n, want[k] * 9, want[k] * 11);
		finish();
	}
}

/*
 * Rounds that have no kind of command in common tell nothing: whoever changes its sizes with them gets
 * no more at once.
 */
static void test_depth_is_not_talked_up(void **state)
{
	struct fair_depth d;

	(void)state;
	fair_depth_init(&d, 32);
	fair_depth_look(&d, true);
	for (u32 i = 0; i < 20000; i++) { /* of a disk that does one after the other */
		u32 sectors = d.other && d.round % 2 ? 8 : 128;

		fair_depth_ended(&d, false, sectors, 10000 * sectors, d.limit);
		assert_int_equal(d.base, 1);
	}
}

/* A page that is needed waits for at most two requests of others, of at most 64 KiB each. */
static void test_page_in(void **state)
{
	(void)state;
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(k);
		set(0, 100, 8, 0);
		set(1, 100, 2048, 16);
		set(2, 100, 2048, 16);
		loads[2].op = BLOCK_WRITE;
		set(3, 100, 256, 16);
		loads[0].class = BLOCK_DEMAND;
		loads[0].once = true;
		go(3000);
		for (u32 i = 0; i < 2000; i++) {
			/* Not one that has just had more than its share. */
			for (u32 n = 8 + random_of(40); n; n--)
				timed_step(&disk);
			loads[0].done = loads[0].waited_most_ns = 0;
			submit(&loads[0], 0);
			while (!loads[0].done)
				timed_step(&disk);
			assert_in_range(loads[0].waited_most_ns, 1,
					2 * timed_cost(&disk, BLOCK_PIECE) + timed_cost(&disk, 8));
		}
		finish();
	}
}

/*
 * The host looks away for a while whenever it is the quiet owner's command that is on the disk: its
 * next page waits as shortly.
 */
static void test_seen_late(void **state)
{
	(void)state;
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		u64 most, own;

		begin(k);
		set(0, 100, 8, 0);
		for (u32 i = 1; i < OWNERS; i++)
			set(i, 100, 128, 16);
		loads[0].class = BLOCK_DEMAND;
		loads[0].once = true;
		own = timed_cost(&disk, 8);
		most = 2 * OWNERS * own + timed_cost(&disk, 128);
		go(3000);
		for (u32 i = 0; i < 1000; i++) {
			u64 since = fake_tsc, late = 0;

			loads[0].done = 0;
			submit(&loads[0], 0);
			while (!loads[0].done) {
				bool mine = false;

				for (u32 n = 0; n < disk.n; n++)
					mine |= disk.flight[n].end == timed_next(&disk) &&
						disk.flight[n].r->owner == 0;
				if (mine) {
					fake_tsc = timed_next(&disk) - own / 4;
					block_away(true);
					late = 10 * S_NS / 1000;
					fake_tsc += late;
				}
				timed_step(&disk);
				block_away(false);
			}
			assert_in_range(fake_tsc - since - late, 1, most);
		}
		finish();
	}
}

/* Limits hold within what may be started at once, and whoever has none is not held back by them. */
static void test_limits(void **state)
{
	u64 start;

	(void)state;
	begin(2);
	set(0, 100, 8, 16);
	set(1, 100, 256, 16);
	block_share(0, 100, 500, 0);
	block_share(1, 100, 0, 20000000);
	start = fake_tsc;
	go(0);
	while (fake_tsc - start < 20 * S_NS) {
		u64 due = block_due_ns();

		if (due && (timed_next(&disk) == ~0ull || due < timed_next(&disk))) {
			fake_tsc = MAX(fake_tsc, due);
			block_poll();
		} else {
			assert_true(timed_step(&disk));
		}
	}
	assert_near(loads[0].done, 20 * 500, 2);
	assert_near(loads[1].done * 256 * SECTOR_SIZE, 20 * 20000000ull, 2);
	finish();
	/* No limit any more. */
	block_share(0, 100, 0, 0);
	assert_int_equal(fair_allowed(&(struct fair_share){ .weight = 1, .ops_ns = ~0ull }), 0);
}

/* A guest with one operation a second is reset: what it has under way does not take a second each. */
static void test_limits_let_go(void **state)
{
	u64 start;

	(void)state;
	begin(2);
	set(0, 100, 8, 16);
	block_share(0, 100, 1, 0);
	start = fake_tsc;
	go(0);
	stop = true;
	timed_step(&disk);
	block_poll();
	assert_int_equal(timed_next(&disk), ~0ull);
	block_free(0, true);
	block_poll();
	finish();
	block_free(0, false);
	assert_int_equal(loads[0].done, 16);
	assert_true(fake_tsc - start < S_NS);
}

/* Swap writes pay, but don't wait. */
static void test_swap_writes_do_not_wait(void **state)
{
	(void)state;
	begin(1);
	set(0, 100, 8, 1);
	loads[0].op = BLOCK_WRITE;
	loads[0].class = BLOCK_BACK;
	block_share(0, 100, 10, 0);
	go(1000);
	assert_int_equal(block_due_ns() && !disk.n, 0);
	assert_true(loads[0].done >= 1000);
	finish();
}

/* What others' need of frames made a guest write does not keep its own page-ins waiting for long. */
static void test_debts_end(void **state)
{
	(void)state;
	begin(1);
	set(0, 100, 64, 4);
	loads[0].op = BLOCK_WRITE;
	loads[0].class = BLOCK_BACK;
	block_share(0, 100, 10, 64 * KIB);
	go(1000);
	stop = true;
	while (timed_step(&disk))
		;
	stop = false;
	set(0, 100, 8, 1);
	loads[0].class = BLOCK_DEMAND;
	loads[0].once = true;
	block_share(0, 100, 10, 64 * KIB);
	submit(&loads[0], 0);
	assert_in_range(block_due_ns(), 0, fake_tsc + 2 * S_NS);
	finish();
	assert_int_equal(loads[0].done, 1);
}

/* A disk that was found to take long with its first requests is not thought so for ever; sizes are told
 * apart. */
static void test_guesses(void **state)
{
	struct fair_times t = { 0 };

	(void)state;
	assert_int_equal(fair_guess(&t, false, 8), 1000000);
	fair_note(&t, false, 8, 5000);
	assert_int_equal(fair_guess(&t, false, 2048), 5000);
	fair_note(&t, false, 2048, 900000);
	assert_int_equal(fair_guess(&t, false, 8), 5000);
	assert_int_equal(fair_guess(&t, false, 1024), 900000);
	assert_int_equal(fair_guess(&t, true, 8), 1000000);
	for (u32 i = 0; i < 100; i++)
		fair_note(&t, false, 8, 80);
	assert_in_range(fair_guess(&t, false, 8), 70, 200);
	fair_note(&t, true, ~0u, 7);
	assert_int_equal(fair_guess(&t, true, 1u << 20), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_weight_against_long_reads),
		cmocka_unit_test(test_weight_against_equal_reads),
		cmocka_unit_test(test_four),
		cmocka_unit_test(test_alone_is_as_fast),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_depth_is_not_talked_up),
		cmocka_unit_test(test_page_in),
		cmocka_unit_test(test_seen_late),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limits_let_go),
		cmocka_unit_test(test_swap_writes_do_not_wait),
		cmocka_unit_test(test_debts_end),
	};

	fake_arena(4096);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

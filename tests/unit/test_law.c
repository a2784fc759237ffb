/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @pager drivers/block.c drivers/block_turn.c drivers/fair.c drivers/depth.c kernel/lib/parse.c kernel/lib/log.c tests/fake/fake_arch.c */
/*
 * test_law.c - what a guest's page-in waits for, whatever its neighbours do: the real pager over the
 * real queues, on disks that take time.
 *
 * The law: a demand read of guest g is done after the disk has worked at most 2 x (sum of the weights /
 * g's weight) x (the time of g's own requests since its queue was last empty, this one included) + the
 * time of one largest request. LAW_OPS and LAW_SEED from the environment.
 */
#define ENV_VMS 4u
#define ENV_SECTORS 140000u
#define ENV_REAL_BLOCK
#define ENV_DEV (&law_disk.dev)
#include "tests/unit/timed_disk.h"

#define DISKS_MAX 8
static struct timed disks[DISKS_MAX]; /* each registered once */
static u32 ndisks;
#define law_disk disks[ndisks]

#include "tests/unit/pager_env.h"
#include "mm/pager/pool.h"

#define S_NS 1000000000ull
#define PAGES 1200u
#define SECTORS 24000u
#define DISK0 40000u
#define QUIET 0u
#define IOS 32u
#define LARGEST 2048u /* sectors: 1 MiB */

static const struct { const char *name; u32 slots; u64 fixed_ns, byte_ps; } kinds[] = {
	{ "150/s", 1, S_NS / 150, 7000 },
	{ "10000/s", 1, 100000, 2000 },
	{ "eight", 8, 800000, 16000 },
};

static struct guest_io io[ENV_VMS][IOS];
static bool busy[ENV_VMS][IOS];
static u64 ops, reads, own_started, own_before, all_ops, all_dry[POOLS];
static double worst, mean, longest;
static u32 weight[ENV_VMS];

/* Of the quiet guest: what its page-in has cost when it is on the hardware. */
static void started(struct block_dev *d, struct block_req *r)
{
	timed_start(d, r);
	if (r->owner == QUIET && r->class == BLOCK_DEMAND)
		own_started = law_disk.worked_ns[QUIET];
}

static const struct block_ops law_ops = { .start = started };

static bool disk_one(void)
{
	bool any = timed_step(&law_disk);

	return go_on() || any;
}

static void ended(struct guest_io *i, int err)
{
	u32 v = vm_index(&i->vm->mem);

	assert_int_equal(err, 0);
	busy[v][i - io[v]] = false;
}

/* The attackers change their ways every so many operations. */
#define WAYS_OPS 3000u
enum way { READ_DEEP, OVERWRITE, DIRTY_MEMORY, ANYTHING, WAYS };

static u8 some_op(enum way way)
{
	static const u8 any[8] = { GUEST_IO_READ,  GUEST_IO_READ,    GUEST_IO_WRITE,        GUEST_IO_WRITE,
				   GUEST_IO_FLUSH, GUEST_IO_DISCARD, GUEST_IO_WRITE_ZEROES, GUEST_IO_READ };

	if (way == READ_DEEP || way == DIRTY_MEMORY)
		return env_rand(20) ? GUEST_IO_READ : GUEST_IO_FLUSH;
	if (way == OVERWRITE)
		return env_rand(2) ? GUEST_IO_READ : any[2 + env_rand(5)];
	return any[env_rand(8)];
}

/* From 4 KiB to 1 MiB, FLUSH, DISCARD, overwrites of what evicted pages live in. */
static void attack_disk(u32 v, enum way way)
{
	u32 i = env_rand(IOS), n = 8u << env_rand(way == READ_DEEP && env_rand(8) ? 2 : 9);
	struct guest_io *x = &io[v][i];

	if (busy[v][i])
		return;
	io_make(x, &env.vm[v].mem, some_op(way), env_rand(SECTORS - LARGEST) & ~7u, MIN(n, LARGEST),
		(u64)env_rand(PAGES - LARGEST / 8) * PAGE_SIZE);
	if (x->op == GUEST_IO_FLUSH)
		x->nsectors = 0;
	if (way == DIRTY_MEMORY) /* no page equals a block afterwards: what is evicted has to be written */
		x->sector += 1 + env_rand(7);
	x->done = ended;
	busy[v][i] = true;
	env_submit(x);
}

/* What is written is not zero: a page of zeros needs no swap write. */
static bool touch(struct vm_mem *m, u32 g, bool write)
{
	u8 *p = cpu_touch(m, g, write);

	if (p && write)
		*p = 1;
	return p;
}

/* Data arrives. */
static void arrived(struct timed *t, struct block_req *hw)
{
	(void)t;
	for (u32 i = 0; hw->op == BLOCK_READ && i < hw->nsegs; i++)
		for (u32 at = 0; at < hw->segs[i].len; at += PAGE_SIZE)
			*((u8 *)hpa_ptr(hw->segs[i].addr) + at) = 1;
}

static void attack(void)
{
	u32 v = 1 + env_rand(ENV_VMS - 1);
	enum way way = (enum way)(ops / WAYS_OPS % WAYS);

	ops++;
	if (way == DIRTY_MEMORY && !env_rand(4))
		(void)reclaim_take(&env.vm[v].mem, 64); /* as if its max were lowered */
	else if (env_rand(8) < (way == DIRTY_MEMORY ? 4u : 6u))
		attack_disk(v, way);
	else
		touch(&env.vm[v].mem, env_rand(PAGES), env_rand(8));
}

static bool idle(u32 v)
{
	return !law_disk.dev.queue[v].waiting && !law_disk.dev.queue[v].active;
}

static void turn(void)
{
	for (u32 n = env_rand(8); n; n--)
		attack();
	if (env_rand(2))
		pager_chore();
	if (idle(QUIET))
		own_before = law_disk.worked_ns[QUIET];
	(void)disk_one();
}

static void check_law(u64 took)
{
	u64 own = own_started - own_before, sum = 0, bound;

	for (u32 v = 0; v < ENV_VMS; v++)
		sum += weight[v];
	bound = 2 * sum * own / weight[QUIET] + timed_cost(&law_disk, LARGEST);
	if (took > bound)
		fail_msg("%s: the disk worked %llu us before a page-in was done; its own part is %llu us, "
			 "the bound %llu us",
			 law_disk.dev.name, (unsigned long long)took / 1000, (unsigned long long)own / 1000,
			 (unsigned long long)bound / 1000);
	worst = MAX(worst, (double)took / (double)bound);
	longest = MAX(longest, (double)took);
	mean += (double)took;
	reads++;
}

/* One page of the quiet guest: waits for a frame if it must; from the request on the law holds. */
static void page_in(struct vm_mem *m)
{
	u32 g = env_rand(PAGES);
	u64 since = 0;

	for (u32 i = 0;; i++) {
		bool there;

		assert_true(i < 100000);
		if (!since && idle(QUIET))
			own_before = law_disk.worked_ns[QUIET];
		there = touch(m, g, env_rand(2));
		if (there)
			break;
		if (!since && m->page[g].state == GPAGE_FILLING)
			since = fake_tsc;
		turn();
	}
	if (since)
		check_law(fake_tsc - since);
}

static void setup(u32 k)
{
	memset(busy, 0, sizeof(busy));
	assert_true(++ndisks < DISKS_MAX);
	/* Room for what it takes by frame_get_run() is there after env_start(). */
	env_start(2600, 2600);
	timed_init(&law_disk, kinds[k].name, kinds[k].slots, kinds[k].fixed_ns, kinds[k].byte_ps);
	law_disk.dev.ops = &law_ops;
	law_disk.ended = arrived;
	for (u32 v = 0; v < ENV_VMS; v++) {
		env_vm(v, PAGES, v == QUIET ? 500 : 900, DISK0 + v * SECTORS, SECTORS);
		block_share(v, weight[v], 0, 0);
	}
}

static u64 number(const char *name, u64 usual)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : usual;
}

static void run(u32 k, u64 want)
{
	struct vm_mem *m = &env.vm[QUIET].mem;

	setup(k);
	env.rng = number("LAW_SEED", 1);
	ops = reads = 0;
	worst = mean = longest = 0;
	/* Pages that live on its disk, and pages in the swap area. */
	for (u32 b = 0; b < PAGES / 2; b += 32)
		assert_int_equal(io_simple(m, GUEST_IO_READ, b * 8, 256, (u64)b * PAGE_SIZE), 0);
	while (ops < want) {
		for (u32 n = env_rand(12); n; n--)
			turn();
		page_in(m);
	}
	print_message("%s, weight %u of %u: %llu operations, %llu page-ins, %.2f ms each, at most %.2f ms, "
		      "at most %.2f of the bound\n",
		      law_disk.dev.name, weight[QUIET], weight[0] + weight[1] + weight[2] + weight[3],
		      (unsigned long long)ops, (unsigned long long)reads,
		      mean / 1e6 / (double)MAX(reads, 1ull), longest / 1e6, worst);
	for (u32 v = 0; v < ENV_VMS; v++)
		if (env.failures[v])
			fail_msg("guest %u was stopped: %s", v, env.reason[v]);
	assert_true(reads > want / 250);
	all_ops += ops;
	for (u32 p = 0; p < POOLS; p++)
		all_dry[p] += pool_dry((enum pool_of)p); /* env_start() begins anew */
	disk_run();
	env_end();
}

static void law(u32 k, u32 quiet, u32 others)
{
	u64 want = number("LAW_OPS", 1000000) / 6;

	for (u32 v = 0; v < ENV_VMS; v++)
		weight[v] = v == QUIET ? quiet : others * v;
	run(k, want);
}

static void equal_weights(void **s)
{
	(void)s;
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++)
		law(k, 100, 100);
}

static void a_heavy_one(void **s)
{
	(void)s;
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++)
		law(k, 1000, 100);
}

/* In all of that each pool was empty for somebody at least once in a thousand operations. */
static void every_pool_was_dry(void **s)
{
	static const char *const name[POOLS] = { "requests", "fills", "swap writes" };

	(void)s;
	for (u32 p = 0; p < POOLS; p++) {
		print_message("%s: dry %llu times\n", name[p], (unsigned long long)all_dry[p]);
		assert_true(all_dry[p] >= all_ops / 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_weights),
		cmocka_unit_test(a_heavy_one),
		cmocka_unit_test(every_pool_was_dry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

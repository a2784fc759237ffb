/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @pager kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_guest_io.c - guests whose queues never run empty share the entries for transfers with those that ask
 * seldom.
 */
#define ENV_VMS 6u
#include "tests/unit/pager_env.h"
#include "mm/pager/pool.h"

#define DISK0 8000u
#define DISK_SECTORS 2000u
#define DEPTH 16u

static struct guest_io io[ENV_VMS][DEPTH];
static u32 ended[ENV_VMS], in_hand[ENV_VMS], greedy;

static void submit(u32 v, u32 k);

/* A greedy guest's next request is there before the last one's end is over. */
static void io_end(struct guest_io *i, int err)
{
	u32 v = vm_index(&i->vm->mem);

	assert_int_equal(err, 0);
	ended[v]++;
	in_hand[v]--;
	if (v < greedy)
		submit(v, (u32)(i - io[v]));
}

static void submit(u32 v, u32 k)
{
	io_make(&io[v][k], &env.vm[v].mem, GUEST_IO_READ, env_rand(DISK_SECTORS / 8) * 8, 8, k * PAGE_SIZE);
	io[v][k].done = io_end;
	in_hand[v]++;
	env_submit(&io[v][k]);
}

static void start(u32 guests, u32 with_queues)
{
	env_start(8192, 512);
	memset(ended, 0, sizeof(ended));
	memset(in_hand, 0, sizeof(in_hand));
	greedy = with_queues;
	for (u32 v = 0; v < guests; v++)
		env_vm(v, 256, 256, DISK0 + v * DISK_SECTORS, DISK_SECTORS)->no_cache = true;
	for (u32 k = 0; k < DEPTH; k++)
		for (u32 v = 0; v < greedy; v++)
			submit(v, k);
}

static void finish(void)
{
	greedy = 0;
	disk_run();
	env_end();
}

/* The most host completions between a request of guest v and its end. */
static u32 slowest(u32 v, u32 requests)
{
	u32 most = 0;

	for (u32 i = 0; i < requests; i++) {
		u32 n = 0;

		submit(v, 0);
		for (; in_hand[v]; n++) {
			assert_true(n < 20000);
			disk_one();
		}
		most = MAX(most, n);
	}
	return most;
}

static void deep_queues_starve_nobody(void **s)
{
	(void)s;
	start(6, 4);
	assert_true(slowest(4, 200) < 1000);
	assert_true(slowest(5, 200) < 1000);
	for (u32 v = 0; v < 4; v++)
		assert_true(ended[v] > 200);
	finish();
	/* Five of them: each gets on. */
	start(6, 5);
	for (u32 i = 0; i < 5000; i++)
		disk_one();
	for (u32 v = 0; v < 5; v++)
		assert_true(ended[v] > 200);
	finish();
}

/* Eight each are its own; eight more are lent. */
static void what_is_owed_to_nobody_is_used(void **s)
{
	(void)s;
	start(4, 1);
	assert_int_equal(env.nqueue, 16);
	finish();
	start(6, 5);
	assert_int_equal(env.nqueue, 5 * 8 + 8);
	/* Whoever asks now has what is its own. */
	submit(5, 0);
	assert_int_equal(env.nqueue, 5 * 8 + 8 + 1);
	finish();
}

/* Lent ones go round: each of five gets on with more than its own in turn. */
static void lent_ones_go_to_who_waits_longest(void **s)
{
	u32 had[5] = { 0 };

	(void)s;
	start(6, 5);
	for (u32 i = 0; i < 5000; i++) {
		disk_one();
		for (u32 v = 0; v < 5; v++)
			had[v] += env.vm[v].mem.pool[POOL_REQUESTS].borrowed;
	}
	for (u32 v = 0; v < 5; v++)
		assert_in_range(had[v], 5000 * 8 / 5 * 3 / 4, 5000 * 8 / 5 * 5 / 4);
	assert_true(pool_dry(POOL_REQUESTS) > 1000);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deep_queues_starve_nobody),
		cmocka_unit_test(what_is_owed_to_nobody_is_used),
		cmocka_unit_test(lent_ones_go_to_who_waits_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

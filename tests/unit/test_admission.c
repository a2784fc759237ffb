/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @pager kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_admission.c - who is admitted beside whom, and that all who were can then use what they were promised.
 */
#include "tests/unit/pager_env.h"

#define DISK0 8000u /* first sector of guest 0's disk: swap is below */

static char why[128]; /* as much as struct vm keeps */

static void admission(void **s)
{
	(void)s;
	env_start(4096, 512);
	assert_int_equal(pager_admit(4000, 0, 4000, why, sizeof(why)), 0);
	assert_int_equal(pager_admit(6000, 0, 6000, why, sizeof(why)), E_NOMEM);
	assert_non_null(strstr(why, " of swap"));
	assert_int_equal(pager_admit(3000, 4000, 4000, why, sizeof(why)), E_NOMEM);
	assert_int_equal(pager_admit(3000, 0, 2000, why, sizeof(why)), E_NOMEM);
	assert_non_null(strstr(why, "above its max"));
	assert_int_equal(pager_admit(2000, 0, 2000 - (512 - 64), why, sizeof(why)), 0);
	assert_int_equal(pager_admit(2000, 0, 2000 - (512 - 63), why, sizeof(why)), E_NOMEM);
}

/* What guests' max keep out of memory has to fit the swap area for all of them. */
static void the_rest_of_all_fits_into_swap(void **s)
{
	(void)s;
	env_start(4096, 900);
	assert_int_equal(pager_admit(1000, 0, 256, why, sizeof(why)), 0);
	env_vm(0, 1000, 256, DISK0, 1000);
	assert_int_equal(pager_admit(1000, 128, 256, why, sizeof(why)), E_NOMEM);
	assert_string_equal(why, "its 4000 KiB of RAM are above its max of 1 MiB: with others' alike that "
				 "needs 6464 KiB of swap, but "
				 "there are 3600 KiB");
	assert_int_equal(pager_admit(1000, 128, 1000, why, sizeof(why)), 0);
	env_end();
}

/* A guest may keep a cache in the frames that its min has beyond its RAM: others' RAM can't. */
static void a_min_above_ram_counts(void **s)
{
	(void)s;
	env_start(2200, 300);
	assert_int_equal(pager_admit(1900, 0, 1900, why, sizeof(why)), 0);
	env_vm(0, 1900, 1900, DISK0, 1000);
	assert_int_equal(pager_admit(100, 600, 700, why, sizeof(why)), E_NOMEM);
	assert_non_null(strstr(why, "of min guests are promised"));
	assert_int_equal(pager_admit(100, 60, 700, why, sizeof(why)), 0);
	env_end();
	/* The same, in the other order. */
	env_start(2200, 300);
	env_vm(0, 100, 700, DISK0, 1000)->min = 600;
	assert_int_equal(pager_admit(1900, 0, 1900, why, sizeof(why)), E_NOMEM);
	env.vm[0].mem.min = 100;
	assert_int_equal(pager_admit(1900, 0, 1900, why, sizeof(why)), 0);
	env_end();
}


static void what_was_admitted_fits(void **s)
{
	struct vm_mem *a, *b;
	u32 n = 100;

	(void)s;
	env_start(1200, 900);
	while (pager_admit(n + 1, 0, n + 1, why, sizeof(why)) == 0)
		n++;
	a = env_vm(0, n / 2, n, DISK0, 4000);
	b = env_vm(1, n - n / 2 - 40, n, DISK0 + 4000, 4000); /* tables of two */
	a->target = 300;
	b->target = 500;
	for (u32 round = 0; round < 3; round++) {
		for (u32 g = 0; g < a->npages; g++)
			fill_page_with(a, g, 1 + g * 8 + round);
		for (u32 g = 0; g < b->npages; g++)
			fill_page_with(b, g, 2 + g * 8 + round);
		for (u32 g = 0; g < a->npages; g++)
			expect_page(a, g, 1 + g * 8 + round);
		for (u32 g = b->npages; g-- > 0;)
			expect_page(b, g, 2 + g * 8 + round);
		/* Transfers too, with every frame and slot taken. */
		for (u32 g = 0; g + 64 < 400; g += 64)
			assert_int_equal(io_simple(a, GUEST_IO_WRITE, g * 8, 512, (u64)g * PAGE_SIZE), 0);
		for (u32 g = 0; g + 64 < 400; g += 64)
			assert_int_equal(io_simple(a, GUEST_IO_READ, g * 8, 512, (u64)g * PAGE_SIZE), 0);
		env_check();
	}
	for (u32 g = 0; g < a->npages; g++)
		expect_page(a, g, 3 + g * 8);
	assert_true(swap_used() > 300);
	env_end();
}

/* A touch, then some time, so that a guest that gets no frame is given up at last. False: it was. */
static bool write_page(struct vm_mem *m, u32 g, u64 v)
{
	u8 *p = NULL;

	for (u32 i = 0; i < 100000 && !p && !m->dead; i++) {
		p = cpu_touch(m, g, true);
		fake_tsc += 1000000;
		if (!p && !disk_one())
			pager_chore();
	}
	for (u32 i = 0; p && i < 8; i++)
		sector_set(p + i * SECTOR_SIZE, v + i);
	return p;
}

/* All write all that they have, on and on, with transfers in between. */
static void small_maxes_write_everything(void **s)
{
	u32 n = 300;

	(void)s;
	env_start(4096, 900);
	while (3 * (n + 1 - 200 + 64) <= 900)
		n++;
	for (u32 v = 0; v < 3; v++) {
		assert_int_equal(pager_admit(n + 3, 0, 200, why, sizeof(why)), v < 2 ? 0 : E_NOMEM);
		assert_int_equal(pager_admit(n, 0, 200, why, sizeof(why)), 0);
		env_vm(v, n, 200, DISK0 + v * 4000, 4000);
	}
	for (u32 round = 0; round < 4; round++)
		for (u32 g = 0; g < n; g++)
			for (u32 v = 0; v < 3; v++) {
				struct vm_mem *m = &env.vm[v].mem;

				assert_true(write_page(m, round & 1 ? env_rand(n) : g, 8 * g + v + round));
				if (g % 50 == v)
					assert_int_equal(io_simple(m,
								   env_rand(2) ? GUEST_IO_READ :
										 GUEST_IO_WRITE,
								   env_rand(400) * 8, 512,
								   (u64)env_rand(n - 64) * PAGE_SIZE),
							 0);
			}
	env_check();
	env_end();
}

/* c's pages give way to d's cache, but not into the slots that a's max leaves it to. */
static void slots_stay_for_small_maxes(void **s)
{
	struct vm_mem *a, *c, *d;

	(void)s;
	env_start(3400, 900);
	assert_int_equal(pager_admit(1000, 0, 256, why, sizeof(why)), 0);
	a = env_vm(0, 1000, 256, DISK0, 1000);
	assert_int_equal(pager_admit(2000, 0, 2000, why, sizeof(why)), 0);
	c = env_vm(1, 2000, 2000, DISK0, 1000);
	assert_int_equal(pager_admit(100, 0, 3000, why, sizeof(why)), 0);
	d = env_vm(2, 100, 3000, DISK0, 12000);
	c->target = 500;
	for (u32 g = 0; g < 2000; g++)
		assert_true(write_page(c, g, 8 * g));
	for (u32 k = 0; k < 1500; k++)
		assert_int_equal(io_simple(d, GUEST_IO_READ, k * 8, 8, (u64)(k % 100) * PAGE_SIZE), 0);
	assert_in_range(swap_only(1), 1, 900 - (1000 - 256));
	for (u32 round = 0; round < 2; round++)
		for (u32 g = 0; g < 1000; g++)
			assert_true(write_page(a, g, 8 * g + 1));
	assert_in_range(swap_only(0), 1000 - 256, 900);
	env_check();
	for (u32 g = 0; g < 2000; g++)
		expect_page(c, g, 8 * g);
	for (u32 g = 0; g < 1000; g++)
		expect_page(a, g, 8 * g + 1);
	env_end();
}

/* At the edge of what is admitted, a guest whose cache fills its min keeps it while another writes all of its
 * RAM. */
static void a_cache_within_its_min_stays(void **s)
{
	struct vm_mem *a, *b;
	u32 ram = 1000, low;

	(void)s;
	env_start(2200, 300);
	b = env_vm(1, 100, 700, DISK0 + 1000, 8000);
	b->min = b->target = 600;
	while (pager_admit(ram + 1, 0, ram + 1, why, sizeof(why)) == 0)
		ram++;
	a = env_vm(0, ram, ram, DISK0, 1000);
	for (u32 k = 0; k < 600; k++)
		assert_int_equal(io_simple(b, GUEST_IO_READ, k * 8, 8, (u64)(k % 100) * PAGE_SIZE), 0);
	low = vmmem_held(b);
	assert_true(low >= 600);
	for (u32 g = 0; g < 3 * ram; g++) {
		assert_true(write_page(a, g % ram, 8 * g));
		low = MIN(low, vmmem_held(b));
	}
	assert_true(swap_used() > 200);
	assert_true(low >= 600);
	env_check();
	env_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(admission),
		cmocka_unit_test(the_rest_of_all_fits_into_swap),
		cmocka_unit_test(a_min_above_ram_counts),
		cmocka_unit_test(what_was_admitted_fits),
		cmocka_unit_test(small_maxes_write_everything),
		cmocka_unit_test(slots_stay_for_small_maxes),
		cmocka_unit_test(a_cache_within_its_min_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

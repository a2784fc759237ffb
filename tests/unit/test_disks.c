/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/disks.c drivers/block.c drivers/block_turn.c drivers/fair.c drivers/depth.c drivers/ramdisk.c drivers/partition.c boot/config.c boot/config_keys.c mm/frame.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_disks.c - partitions found at boot, disks given to guests, overlaps refused. The "host disks" are
 * RAM disks with an MBR; one of them fails to read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "drivers/partition.h"
#include "kernel/pcpu.h"
#include "kernel/disks.h"
#include "kernel/lib/lib.h"
#include "kernel/loop.h"
#include "kernel/vm.h"
#include "mm/frame.h"
#include "tests/fake/fake_arch.h"

void (*loop_housekeeping)(u64 now_ns);
struct pcpu pcpu_boot;

#define DISK_AT 100u /* frames */
#define DISK_FRAMES 256u
#define DISK2_AT 600u
#define DISK2_FRAMES 16u

static struct block_dev hd0, hd1, hd2;
static struct boot_info bi;
static struct config config;
static struct guest_disk disks[CONFIG_MAX_VMS][CONFIG_MAX_DISKS];
static char why[128];
static char warned[CONFIG_LINE_MAX]; /* the last warning */
static u32 warnings;

static void sink(enum log_level level, const char *line)
{
	if (level != LOG_WARN)
		return;
	str_copy(warned, sizeof(warned), line);
	warnings++;
}

static void bad_start(struct block_dev *d, struct block_req *r)
{
	(void)d;
	block_complete(r, E_IO);
}

static const struct block_ops bad_ops = { .start = bad_start };

static void partition(u32 disk_at, u32 i, u8 type, u32 first, u32 sectors)
{
	u8 *mbr = arch_direct_map + disk_at * PAGE_SIZE, *e = mbr + 446 + 16 * i;

	mbr[510] = 0x55;
	mbr[511] = 0xaa;
	e[4] = type;
	memcpy(e + 8, &first, 4);
	memcpy(e + 12, &sectors, 4);
}

static int setup(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	memset(disks, 0, sizeof(disks));
	log_sink = sink;
	warnings = 0;
	config.nvms = 2;
	str_copy(config.vm[0].name, sizeof(config.vm[0].name), "web");
	str_copy(config.vm[1].name, sizeof(config.vm[1].name), "db");
	return 0;
}

static int setup_all(void **state)
{
	const struct boot_range ram = { 0, 1024 * PAGE_SIZE, true };
	const struct boot_range kept[] = {
		{ DISK_AT * PAGE_SIZE, (DISK_AT + DISK_FRAMES) * PAGE_SIZE, false },
		{ DISK2_AT * PAGE_SIZE, (DISK2_AT + DISK2_FRAMES) * PAGE_SIZE, false },
	};

	(void)state;
	fake_arena(1024);
	if (frame_init(&ram, 1, kept, 2))
		return -1;
	partition(DISK_AT, 0, 0x83, 8, 400);
	partition(DISK_AT, 1, 0x83, 408, 400);
	partition(DISK_AT, 2, PARTITION_MBR_VMMB_SWAP, 808, 400);
	partition(DISK_AT, 3, PARTITION_MBR_VMMB_SWAP, 1208, 400);
	partition(DISK2_AT, 0, PARTITION_MBR_VMMB_SWAP, 8, 80);
	ramdisk_create(&hd0, "hd0", (hpa_t){ DISK_AT * PAGE_SIZE }, DISK_FRAMES * PAGE_SIZE);
	hd1 = (struct block_dev){
		.name = "hd1", .sectors = 5000, .depth = 1, .max_sectors = 256, .ops = &bad_ops
	};
	block_register(&hd1);
	ramdisk_create(&hd2, "hd2", (hpa_t){ DISK2_AT * PAGE_SIZE }, DISK2_FRAMES * PAGE_SIZE);
	disks_scan();
	return 0;
}

static void give(u32 vm, const char *name, bool read_only)
{
	struct config_disk *d = &config.vm[vm].disk[config.vm[vm].ndisks++];

	str_copy(d->name, sizeof(d->name), name);
	d->module = -1;
	d->read_only = read_only;
}

static void test_find(void **state)
{
	struct block_extent e;

	(void)state;
	assert_int_equal(disks_find("hd0", &e, why, sizeof(why)), 0);
	assert_int_equal(e.sectors, DISK_FRAMES * SECTORS_PER_PAGE);
	assert_int_equal(disks_find("hd0p2", &e, why, sizeof(why)), 0);
	assert_ptr_equal(e.dev, &hd0);
	assert_int_equal(e.first, 408);
	assert_int_equal(e.sectors, 400);
	assert_int_equal(disks_find("hd0p9", &e, why, sizeof(why)), E_NOENT);
	assert_string_equal(why, "disk=hd0p9: hd0 has no partition 9");
	assert_int_equal(disks_find("hd0p99999999999999999999", &e, why, sizeof(why)), E_NOENT);
	assert_int_equal(disks_find("hd0p0", &e, why, sizeof(why)), E_NOENT);
	assert_int_equal(disks_find("hd1", &e, why, sizeof(why)), E_NOENT); /* unreadable */
	assert_int_equal(disks_find("p1", &e, why, sizeof(why)), E_NOENT);
	assert_int_equal(disks_find("", &e, why, sizeof(why)), E_NOENT);
}

static void test_swap(void **state)
{
	struct block_extent e;

	(void)state;
	disks_swap(&config, &e); /* the first of its type */
	assert_int_equal(e.first, 808);
	str_copy(config.swap, sizeof(config.swap), "none");
	disks_swap(&config, &e);
	assert_int_equal(e.sectors, 0);
	str_copy(config.swap, sizeof(config.swap), "hd0p4");
	disks_swap(&config, &e);
	assert_int_equal(e.first, 1208);
	str_copy(config.swap, sizeof(config.swap), "hd7");
	disks_swap(&config, &e);
	assert_int_equal(e.sectors, 0);
}

static void assign(void)
{
	struct block_extent swap;

	disks_swap(&config, &swap);
	disks_assign(&config, &bi, &swap, disks);
}

/* Who has a whole disk may have written its table: the type of a partition proves nothing there. */
static void test_swap_on_a_guests_disk(void **state)
{
	struct block_extent e;

	(void)state;
	give(0, "hd0p1", false);
	disks_swap(&config, &e);
	assert_ptr_equal(e.dev, &hd0);
	assert_int_equal(e.first, 808);
	warnings = 0;
	give(1, "hd0", true);
	disks_swap(&config, &e);
	assert_ptr_equal(e.dev, &hd2);
	assert_int_equal(e.first, 8);
	assert_int_equal(warnings, 1); /* for both of its partitions */
	assert_non_null(strstr(warned, "hd0p3: not taken for swap: db has all of hd0"));
	assert_non_null(strstr(warned, "try swap="));
	give(0, "hd2", false);
	disks_swap(&config, &e);
	assert_int_equal(e.sectors, 0);
	assert_int_equal(warnings, 3);
}

/* The operator's word counts more: the guest loses. */
static void test_named_swap_on_a_guests_disk(void **state)
{
	(void)state;
	give(0, "hd0", false);
	assign();
	assert_string_equal(config.vm[0].error, "");
	str_copy(config.swap, sizeof(config.swap), "hd0p3");
	warnings = 0;
	assign();
	assert_int_equal(warnings, 0);
	assert_non_null(strstr(config.vm[0].error, "disk=hd0 overlaps swap of the swap area"));
}

static void test_own_disks(void **state)
{
	(void)state;
	give(0, "hd0p1", false);
	give(1, "hd0p2", true);
	assign();
	assert_string_equal(config.vm[0].error, "");
	assert_string_equal(config.vm[1].error, "");
	assert_int_equal(disks[0][0].ext.first, 8);
	assert_true(disks[0][0].used);
	assert_false(disks[0][0].read_only);
	assert_true(disks[1][0].read_only);
}

static void test_overlaps(void **state)
{
	(void)state;
	give(0, "hd0p1", false);
	give(1, "hd0", false); /* holds web's partition */
	assign();
	assert_string_equal(config.vm[0].error, "");
	assert_non_null(strstr(config.vm[1].error, "disk=hd0 overlaps"));
}

static void test_swap_is_not_a_disk(void **state)
{
	(void)state;
	give(0, "hd0p3", false);
	assign();
	assert_non_null(strstr(config.vm[0].error, "the swap area"));
}

static void test_shared_read_only(void **state)
{
	(void)state;
	give(0, "hd0p1", true);
	give(1, "hd0p1", true);
	assign();
	assert_string_equal(config.vm[0].error, "");
	assert_string_equal(config.vm[1].error, "");
}

/* A guest that is not started has no disks: its neighbours don't lose theirs to it. */
static void test_refused_guest(void **state)
{
	(void)state;
	give(0, "hd0p1", false);
	give(0, "hd7", false); /* a typing error */
	give(1, "hd0p1", false);
	assign();
	assert_string_equal(config.vm[0].error, "disk=hd7: there is no disk hd7");
	assert_string_equal(config.vm[1].error, "");
	assert_int_equal(disks[1][0].ext.first, 8);
}

static void test_module(void **state)
{
	struct config_disk *d = &config.vm[0].disk[0];

	(void)state;
	bi.nmodules = 1;
	bi.modules[0].start = (hpa_t){ 400 * PAGE_SIZE };
	bi.modules[0].size = 1000; /* one whole sector */
	str_copy(d->name, sizeof(d->name), "ram0");
	d->module = 0;
	config.vm[0].ndisks = 1;
	assign();
	assert_string_equal(config.vm[0].error, "");
	assert_int_equal(disks[0][0].ext.sectors, 1);
	bi.modules[0].size = 100;
	assign();
	assert_string_equal(config.vm[0].error, "disk module 0 is empty");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_find, setup),
		cmocka_unit_test_setup(test_swap, setup),
		cmocka_unit_test_setup(test_swap_on_a_guests_disk, setup),
		cmocka_unit_test_setup(test_named_swap_on_a_guests_disk, setup),
		cmocka_unit_test_setup(test_own_disks, setup),
		cmocka_unit_test_setup(test_overlaps, setup),
		cmocka_unit_test_setup(test_swap_is_not_a_disk, setup),
		cmocka_unit_test_setup(test_refused_guest, setup),
		cmocka_unit_test_setup(test_shared_read_only, setup),
		cmocka_unit_test_setup(test_module, setup),
	};

	return cmocka_run_group_tests(tests, setup_all, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: boot/config.c boot/config_keys.c kernel/lib/fmt.c kernel/lib/parse.c */
/*
 * Module command lines: what is right is read right, each mistake stops only its own guest and is
 * named; extents that collide.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "boot/config.h"
#include "kernel/lib/lib.h"

static struct boot_info bi;
static struct config cfg;

static int build_list(const char *hv, const char *const *lines)
{
	memset(&bi, 0, sizeof(bi));
	str_copy(bi.cmdline, sizeof(bi.cmdline), hv);
	for (; *lines; lines++) {
		struct boot_module *m = &bi.modules[bi.nmodules++];

		m->start.a = bi.nmodules * MIB;
		m->size = 4096;
		str_copy(m->cmdline, sizeof(m->cmdline), *lines);
	}
	return config_build(&bi, &cfg);
}
#define build(hv, ...) build_list(hv, (const char *const[]){ __VA_ARGS__, NULL })

/* Words that act before the configuration is read are no mistakes there. */
static void early_words(void **state)
{
	(void)state;
	assert_int_equal(build("panic=5 selftest=stack", "kernel vm=a ram=64M"), 0);
	assert_int_equal(build("panic=soon", "kernel vm=a ram=64M"), E_INVAL);
	assert_int_equal(build("panic=3601", "kernel vm=a ram=64M"), E_INVAL);
	assert_int_equal(build("selftest=all", "kernel vm=a ram=64M"), E_INVAL);
	assert_int_equal(build("scan=0%", "kernel vm=a ram=64M"), E_INVAL);
	assert_int_equal(cfg.scan_ppm, 0); /* the usual one */
	assert_int_equal(build("scan=21%", "kernel vm=a ram=64M"), E_INVAL);
	assert_int_equal(build("scan=0.5", "kernel vm=a ram=64M"), E_INVAL);
}

static void where_traces_go(void **state)
{
	(void)state;
	assert_int_equal(build("console=com1", "kernel vm=a ram=64M"), 0);
	assert_string_equal(cfg.trace, "");
	assert_int_equal(build("console=com1 trace=com2", "kernel vm=a ram=64M"), 0);
	assert_string_equal(cfg.trace, "com2");
	assert_int_equal(build("trace=com1,9600 console=none", "kernel vm=a ram=64M"), 0);
	assert_string_equal(cfg.trace, "com1,9600");
	assert_int_equal(build("trace=none", "kernel vm=a ram=64M"), 0);
	assert_int_equal(build("trace=com3", "kernel vm=a ram=64M"), E_INVAL);
	assert_int_equal(build("trace=com2,115201", "kernel vm=a ram=64M"), E_INVAL);
	assert_int_equal(build("trace=com2,", "kernel vm=a ram=64M"), E_INVAL);
	/* the console's own port: in either order, and by default */
	assert_int_equal(build("trace=com1", "kernel vm=a ram=64M"), E_INVAL);
	assert_int_equal(build("trace=com2 console=com2,9600", "kernel vm=a ram=64M"), E_INVAL);
	assert_non_null(strstr(cfg.error[0], "try com1"));
	assert_string_equal(cfg.vm[0].error, "");
}

static void the_example(void **state)
{
	const struct vm_config *web, *db;

	(void)state;
	assert_int_equal(build("console=com2,57600 reserve=4M swap=hd0p3 scan=0.25% log=debug",
			       "kernel vm=web ram=256M min=64M max=512M weight=200 miss=50/s zip=25% "
			       "cache=off iops=500 bps=20M disk=hd0p2 disk=hd1,ro -- console=ttyS0 -- x",
			       "initrd vm=web", "multiboot vm=db ram=128M --", "disk vm=web",
			       "disk vm=db ro"),
			 0);
	assert_int_equal(cfg.console_com, 2);
	assert_int_equal(cfg.console_baud, 57600);
	assert_int_equal(cfg.reserve, 4 * MIB);
	assert_string_equal(cfg.swap, "hd0p3");
	assert_int_equal(cfg.log_level, LOG_DEBUG);
	assert_int_equal(cfg.scan_ppm, 2500);
	assert_int_equal(cfg.nvms, 2);
	web = &cfg.vm[0];
	db = &cfg.vm[1];
	assert_string_equal(web->name, "web");
	assert_string_equal(web->error, "");
	assert_int_equal(web->kind, CONFIG_LINUX);
	assert_int_equal(web->ram, 256 * MIB);
	assert_int_equal(web->min, 64 * MIB);
	assert_int_equal(web->max, 512 * MIB);
	assert_int_equal(web->weight, 200);
	assert_int_equal(web->miss_per_1000s, 50000);
	assert_int_equal(web->zip_percent, 25);
	assert_int_equal(web->iops, 500);
	assert_int_equal(web->bps, 20 * MIB);
	assert_int_equal(db->iops, 0);
	assert_int_equal(db->bps, 0);
	assert_int_equal(db->zip_percent, CONFIG_ZIP_AUTO);
	assert_true(web->no_cache && !db->no_cache);
	assert_int_equal(web->kernel_module, 0);
	assert_int_equal(web->initrd_module, 1);
	assert_string_equal(web->cmdline, "console=ttyS0 -- x");
	assert_int_equal(web->ndisks, 3);
	assert_string_equal(web->disk[0].name, "hd0p2");
	assert_int_equal(web->disk[0].module, -1);
	assert_true(web->disk[1].read_only);
	assert_string_equal(web->disk[1].name, "hd1");
	assert_int_equal(web->disk[2].module, 3);
	assert_string_equal(web->disk[2].name, "ram3");
	assert_int_equal(db->kind, CONFIG_MULTIBOOT);
	assert_int_equal(db->min, 8 * MIB);
	assert_int_equal(db->max, 128 * MIB);
	assert_int_equal(db->weight, 100);
	assert_int_equal(db->initrd_module, -1);
	assert_string_equal(db->cmdline, "");
	assert_true(db->disk[0].read_only);
}

static void defaults_and_aliases(void **state)
{
	(void)state;
	assert_int_equal(build("", "kernel vm=a ram=1G reservation=32M limit=2G shares=7"), 0);
	assert_int_equal(cfg.console_com, 1);
	assert_int_equal(cfg.console_baud, 115200);
	assert_int_equal(cfg.log_level, LOG_INFO);
	assert_int_equal(cfg.vm[0].min, 32 * MIB);
	assert_true(cfg.vm[0].max == 2 * GIB);
	assert_int_equal(cfg.vm[0].weight, 7);
	assert_int_equal(build("console=none", "kernel vm=a ram=16M max=4M"), 0);
	assert_int_equal(cfg.console_com, 0);
	assert_int_equal(cfg.vm[0].min, 4 * MIB);
	assert_int_equal(build("", "\tkernel  vm=a\tram=1G "), 0);
}

/* Each bad line, and what its error must say; a good guest beside it stays good. */
static void mistakes(void **state)
{
	static const struct { const char *line, *says; } t[] = {
		{ "kernel vm=bad", "ram is missing" },
		{ "kernel vm=bad ram=256", "ram=256: a size is a number with its unit" },
		{ "kernel vm=bad ram=", "ram needs a value: ram=SIZE" },
		{ "kernel vm=bad ram", "ram needs a value: ram=SIZE" },
		{ "kernel vm=bad ram=8M", "not between 16M and 3G" },
		{ "kernel vm=bad ram=4G", "not between 16M and 3G" },
		{ "kernel vm=bad ram=99999999999999999999G", "too large" },
		{ "kernel vm=bad ram=16388K", "not a multiple of 1M" },
		{ "kernel vm=bad ram=64M ram=64M", "ram is given twice" },
		{ "kernel vm=bad ram=64M min=1M reservation=2M", "min is given twice" },
		{ "kernel vm=bad vm=bad ram=64M", "vm is given twice" },
		{ "kernel vm=bad ram=64M min=32M max=16M", "min 32 MiB is above max 16 MiB" },
		{ "kernel vm=bad ram=64M min=65M", "min 65 MiB is above max 64 MiB" },
		{ "kernel vm=bad ram=64M max=1M", "at least 4 MiB" },
		{ "kernel vm=bad ram=64M min=5K", "not a multiple of 4K" },
		{ "kernel vm=bad ram=64M min=1025G max=2T", "min=1025G: too large" },
		{ "kernel vm=bad ram=64M max=16T", "max=16T: too large" },
		/* 64 MiB once its frames are cut to 32 bits */
		{ "kernel vm=bad ram=64M max=17592186044480K", "too large" },
		{ "kernel vm=bad ram=64M weight=0", "from 1 to 10000" },
		{ "kernel vm=bad ram=64M weight=10001", "from 1 to 10000" },
		{ "kernel vm=bad ram=64M miss=50", "try 50/s" },
		{ "kernel vm=bad ram=64M miss=0/s", "can't be kept" },
		{ "kernel vm=bad ram=64M vcpus=2", "1 vCPU" },
		{ "kernel vm=bad ram=64M iops=0", "try iops=500" },
		{ "kernel vm=bad ram=64M iops=10000001", "try iops=500" },
		{ "kernel vm=bad ram=64M bps=1K", "try bps=20M" },
		{ "kernel vm=bad ram=64M bps=2T", "try bps=20M" },
		{ "kernel vm=bad ram=64M zip=25", "try zip=auto" },
		{ "kernel vm=bad ram=64M cache=no", "try cache=off" },
		{ "kernel vm=bad ram=64M zip=on", "try zip=auto" },
		{ "kernel vm=bad ram=64M zip=0%", "1% to 50%" },
		{ "kernel vm=bad ram=64M zip=51%", "1% to 50%" },
		{ "kernel vm=bad ram=64M zip=9999%", "try zip" },
		{ "kernel vm=bad ram=64M zip=-1%", "1% to 50%" },
		{ "kernel vm=bad ram=64M disk=../x", "try hd0p2" },
		{ "kernel vm=bad ram=64M disk=abcdefghijklmnopqrst", "try hd0p2" },
		{ "kernel vm=bad ram=64M disk=,ro", "try hd0p2" },
		{ "kernel vm=bad ram=64M disk=a disk=a", "that disk already" },
		{ "kernel vm=bad ram=64M disk=a disk=b disk=c disk=d disk=e", "more than 4 disks" },
		{ "kernel vm=bad ram=64M ro", "ro: no such key" },
		{ "kernel vm=bad ram=64M colour=red", "colour: no such key" },
		{ "kernel vm=bad ram=64M console=com1", "console: no such key" },
		{ "kernel vm=bad ram=64M quiet", "quiet: no such key" },
		{ "initrd vm=bad", "no kernel" },
		{ "initrd vm=bad ram=64M", "ram: no such key" },
		{ "initrd vm=bad -- args", "only a kernel" },
		{ "disk vm=bad ro=yes", "ro takes no value" },
		{ "kernal vm=bad ram=64M", "begins with \"kernal\"" },
		{ "vm=bad kernel ram=64M", "begins with \"vm=bad\"" },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(build("", t[i].line, "kernel vm=good ram=64M"), E_INVAL);
		assert_int_equal(cfg.nvms, 2);
		assert_string_equal(cfg.vm[0].name, "bad");
		if (!strstr(cfg.vm[0].error, t[i].says))
			fail_msg("%s: got \"%s\"", t[i].line, cfg.vm[0].error);
		assert_string_equal(cfg.vm[1].error, "");
		assert_int_equal(cfg.nerrors, 0);
	}
}

/* Sizes become frames in 32 bits, with room for sums of them. */
static void largest_sizes(void **state)
{
	(void)state;
	assert_int_equal(build("reserve=1T", "kernel vm=a ram=64M min=1T max=1T"), 0);
	assert_true(cfg.reserve == CONFIG_SIZE_MAX);
	assert_true(cfg.vm[0].min == CONFIG_SIZE_MAX && cfg.vm[0].max == CONFIG_SIZE_MAX);
	assert_int_equal(build("reserve=16T", "kernel vm=a ram=64M"), E_INVAL);
	assert_int_equal(cfg.nerrors, 1);
	assert_non_null(strstr(cfg.error[0], "reserve=16T: too large"));
	assert_int_equal(cfg.reserve, 0);
	assert_string_equal(cfg.vm[0].error, "");
	assert_int_equal(build("reserve=5K", "kernel vm=a ram=64M"), E_INVAL); /* ignored as a whole, too */
	assert_int_equal(cfg.reserve, 0);
}

static void across_lines(void **state)
{
	(void)state;
	assert_int_equal(build("", "kernel vm=a ram=64M", "multiboot vm=a ram=64M"), E_INVAL);
	assert_non_null(strstr(cfg.vm[0].error, "two kernels (modules 0 and 1)"));
	assert_int_equal(build("", "kernel vm=a ram=64M", "initrd vm=a", "initrd vm=a"), E_INVAL);
	assert_non_null(strstr(cfg.vm[0].error, "two initrds"));
	assert_int_equal(build("", "disk vm=a", "disk vm=a", "disk vm=a", "disk vm=a", "disk vm=a",
			       "kernel vm=a ram=64M"), E_INVAL);
	assert_non_null(strstr(cfg.vm[0].error, "more than 4 disks"));
}

static void lines_without_a_guest(void **state)
{
	char lines[20][40];
	const char *p[21] = { 0 };

	(void)state;
	assert_int_equal(build("color=red console=com9 console=com1", "kernel ram=64M", "",
			       "kernel vm=UPPER ram=64M", "kernel vm=sixteen-letters-x ram=64M",
			       "kernel vm= ram=64M", "kernel -- vm=x ram=64M", "kernel vm=a ram=64M"),
			 E_INVAL);
	assert_int_equal(cfg.nvms, 1);
	assert_string_equal(cfg.vm[0].error, "");
	assert_int_equal(cfg.nerrors, 9);
	assert_non_null(strstr(cfg.error[0], "color: no such key"));
	assert_non_null(strstr(cfg.error[1], "console=com9: not com1"));
	assert_non_null(strstr(cfg.error[2], "console is given twice"));
	assert_non_null(strstr(cfg.error[3], "module 0 \"kernel ram=64M\": it needs vm=NAME"));
	for (int i = 0; i < 20; i++) {
		fmt(lines[i], sizeof(lines[i]), "kernel vm=v%d ram=64M", i);
		p[i] = lines[i];
	}
	assert_int_equal(build_list("", p), E_INVAL);
	assert_int_equal(cfg.nvms, CONFIG_MAX_VMS);
	assert_int_equal(cfg.nerrors, 4);
	assert_string_equal(cfg.vm[15].error, "");
	assert_non_null(strstr(cfg.error[0], "more than 16 guests"));
}

static void bad_modules(void **state)
{
	(void)state;
	build("", "kernel vm=a ram=64M", "kernel vm=b ram=64M", "initrd vm=b");
	bi.modules[0].cmdline_cut = true;
	bi.modules[2].bad = "it is empty";
	bi.nmodules_lost = 2;
	bi.cmdline_cut = true;
	assert_int_equal(config_build(&bi, &cfg), E_INVAL);
	assert_non_null(strstr(cfg.vm[0].error, "longer than 1023"));
	assert_non_null(strstr(cfg.vm[1].error, "module 2 (initrd) can not be used: it is empty"));
	assert_int_equal(cfg.nerrors, 2);
}

/* A Multiboot kernel's modules: GRUB's order, wherever the kernel's line stands, the initrd among them. */
static void modules(void **state)
{
	static const char *lines[20] = { "multiboot vm=m ram=64M -- args" };
	const struct vm_config *vm = &cfg.vm[0];

	(void)state;
	assert_int_equal(build("", "module vm=m -- ext2fs  --device=wd0 -- $(x)", "initrd vm=m",
			       "multiboot vm=m ram=64M -- args", "kernel vm=web ram=64M", "module vm=m",
			       "initrd vm=web"),
			 0);
	assert_int_equal(vm->kernel_module, 2);
	assert_int_equal(vm->initrd_module, -1);
	assert_string_equal(vm->cmdline, "args");
	assert_int_equal(vm->nmodules, 3);
	assert_int_equal(vm->module[0].module, 0);
	assert_string_equal(vm->module[0].string, "ext2fs  --device=wd0 -- $(x)");
	assert_int_equal(vm->module[1].module, 1);
	assert_string_equal(vm->module[1].string, "");
	assert_int_equal(vm->module[2].module, 4);
	assert_string_equal(vm->module[2].string, "");
	assert_int_equal(cfg.vm[1].nmodules, 0);
	assert_int_equal(cfg.vm[1].initrd_module, 5);
	/* Mistakes, in one line each. */
	assert_int_equal(build("", "kernel vm=a ram=64M", "module vm=a -- x"), E_INVAL);
	assert_string_equal(vm->error, "module 1: a Linux kernel takes no modules; try initrd");
	assert_int_equal(build("", "module vm=a"), E_INVAL);
	assert_non_null(strstr(vm->error, "no kernel"));
	assert_int_equal(build("", "multiboot vm=a ram=64M", "module vm=a ram=5M"), E_INVAL);
	assert_string_equal(vm->error, "ram: no such key here; `help boot` lists them");
	assert_int_equal(build("", "multiboot vm=a ram=64M", "initrd vm=a -- x"), E_INVAL);
	assert_string_equal(vm->error, "module 1 (initrd): only a kernel takes a command line");
	for (u32 i = 1; i <= 17; i++)
		lines[i] = "module vm=m -- s";
	assert_int_equal(build_list("", lines), E_INVAL);
	assert_string_equal(vm->error, "module 17: more than 16 modules");
	lines[17] = NULL;
	assert_int_equal(build_list("", lines), 0);
	assert_int_equal(vm->nmodules, 16);
	lines[17] = "initrd vm=m";
	assert_int_equal(build_list("", lines), E_INVAL);
	assert_string_equal(vm->error, "module 17: more than 16 modules");
}

static u32 helped;

static void help_line(void *ctx, const char *where, const char *word, const char *help)
{
	(void)ctx;
	assert_true(strlen(where) && strlen(word) && strlen(help) > 5);
	helped++;
}

static void help(void **state)
{
	(void)state;
	config_help(help_line, NULL);
	assert_int_equal(helped, 5 + 13 + 1 + 1 + 2 + 7);
}

static void extents(void **state)
{
	int d0, d1;
	struct extent_use u[] = {
		{ .dev = &d0, .first = 100, .sectors = 50, .owner = 0, .name = "hd0p1" },
		{ .dev = &d1, .first = 100, .sectors = 50, .owner = 0, .name = "hd1p1" },
		{ .dev = &d0, .first = 150, .sectors = 50, .owner = 1, .name = "hd0p2" },
		{ .dev = &d0, .first = 0, .sectors = 1000, .owner = 2, .name = "hd0" },
		{ .dev = &d1, .first = 500, .sectors = 5, .owner = 2, .name = "hd1p5" },
		{ .dev = &d1, .first = 500, .sectors = 5, .owner = 3, .name = "hd1p5" },
		{ .dev = &d0, .first = 300, .sectors = 10, .owner = 4, .name = "hd0p4", .read_only = true },
		{ .dev = &d0, .first = 300, .sectors = 10, .owner = 5, .name = "hd0p4", .read_only = true },
		{ .dev = &d0, .first = 309, .sectors = 10, .owner = 6, .name = "hd0p5" },
		{ .dev = &d0, .first = 400, .sectors = 10, .owner = 7, .name = "hd0p6", .read_only = true },
		{ .dev = &d0, .first = 400, .sectors = 10, .owner = CONFIG_OWNER_SWAP, .name = "hd0p6" },
		{ .dev = &d1, .first = 600, .sectors = 10, .owner = 8, .name = "hd1p6" },
		{ .dev = &d1, .first = 605, .sectors = 1, .owner = 8, .name = "hd1p7" },
	};

	(void)state;
	assert_int_equal(config_check_extents(u, ARRAY_SIZE(u)), 6);
	assert_false(u[0].refused || u[1].refused || u[2].refused);
	assert_true(u[3].refused && u[4].refused); /* the whole disk: both of its owner's */
	assert_int_equal(u[3].conflict, 0);
	assert_int_equal(u[4].conflict, -1);
	assert_false(u[5].refused);                /* owner 2 was refused, so this is free */
	assert_false(u[6].refused || u[7].refused); /* both only read */
	assert_true(u[8].refused);
	assert_true(u[9].refused);                 /* the swap area wins although it comes later */
	assert_int_equal(u[9].conflict, 10);
	assert_false(u[10].refused);
	assert_true(u[11].refused && u[12].refused); /* the same guest twice */
	assert_int_equal(config_check_extents(u, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_traces_go),
		cmocka_unit_test(the_example),
		cmocka_unit_test(early_words),
		cmocka_unit_test(defaults_and_aliases),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(largest_sizes),
		cmocka_unit_test(across_lines),
		cmocka_unit_test(lines_without_a_guest),
		cmocka_unit_test(bad_modules),
		cmocka_unit_test(modules),
		cmocka_unit_test(help),
		cmocka_unit_test(extents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

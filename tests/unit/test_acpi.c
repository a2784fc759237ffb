/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: boot/acpi.c kernel/lib/fmt.c kernel/lib/log.c */
/*
 * ACPI tables in a small fake physical memory: sound ones, broken ones, none. Each mapping is a
 * copy of exactly the bytes asked for, so that ASan sees any step outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "boot/acpi.h"
#include "kernel/lib/lib.h"

static u8 ram[1 << 20]; /* physical 0 to 1 MiB */
static void *mapped[16384];
static u32 nmapped;
static struct boot_info bi;
static struct boot_acpi acpi;
static char why[160];

static const void *map(void *ctx, u64 phys, u64 len)
{
	void *p;

	(void)ctx;
	if (phys > sizeof(ram) || len > sizeof(ram) - phys)
		return NULL;
	p = malloc(len ? len : 1);
	memcpy(p, ram + phys, len);
	if (nmapped < ARRAY_SIZE(mapped))
		mapped[nmapped++] = p;
	return p;
}

static int parse(void)
{
	struct acpi_mem mem = { map, NULL };
	int err;

	err = acpi_parse(&mem, &bi, &acpi, why, sizeof(why));
	while (nmapped)
		free(mapped[--nmapped]);
	return err;
}

static void p16(u32 at, u16 v) { memcpy(ram + at, &v, 2); }
static void p32(u32 at, u32 v) { memcpy(ram + at, &v, 4); }
static void p64(u32 at, u64 v) { memcpy(ram + at, &v, 8); }

static void sum(u32 at, u32 len, u32 where)
{
	u8 s = 0;

	ram[at + where] = 0;
	for (u32 i = 0; i < len; i++)
		s = (u8)(s + ram[at + i]);
	ram[at + where] = (u8)-s;
}

static void table(u32 at, const char *sig, u32 len)
{
	memcpy(ram + at, sig, 4);
	p32(at + 4, len);
	sum(at, len, 9);
}

#define RSDP 0xf5a40u
#define RSDT 0x10000u
#define XSDT 0x10800u
#define MADT 0x11000u
#define FADT 0x12000u
#define DSDT 0x13000u
#define HPET 0x14000u

static const u8 s5_qemu[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00 };
static const u8 s5_root[] = {
	0x08, '\\', '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, 0x05, 0x0a, 0x07, 0, 0
};

static void put_dsdt(const u8 *s5, u32 n)
{
	memset(ram + DSDT, 0x11, 200);
	memcpy(ram + DSDT + 100, s5, n);
	table(DSDT, "DSDT", 200);
}

static void put_madt(void)
{
	u32 at = MADT + 44;

	p32(MADT + 36, 0xfee00000);
	memcpy(ram + at, (u8[]){ 0, 8, 0, 0, 1, 0, 0, 0 }, 8);
	at += 8;
	memcpy(ram + at, (u8[]){ 1, 12, 4, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0 }, 12);
	at += 12;
	memcpy(ram + at, (u8[]){ 2, 10, 0, 0, 2, 0, 0, 0, 0, 0 }, 10);
	at += 10;
	memcpy(ram + at, (u8[]){ 2, 10, 0, 9, 9, 0, 0, 0, 0x0f, 0 }, 10);
	at += 10;
	memcpy(ram + at, (u8[]){ 4, 6, 0xff, 0, 0, 1 }, 6);
	at += 6;
	table(MADT, "APIC", at - MADT);
}

static void put_fadt(u32 len)
{
	memset(ram + FADT, 0, 300);
	p32(FADT + 40, DSDT);
	p32(FADT + 48, 0xb2);
	ram[FADT + 52] = 0xf1;
	p32(FADT + 64, 0xb004);
	p32(FADT + 76, 0xb008);
	p32(FADT + 112, BIT(8) | BIT(10));
	ram[FADT + 116] = 1;
	p64(FADT + 120, 0xcf9);
	ram[FADT + 128] = 6;
	if (len > 200) {
		ram[FADT + 172] = 1;
		p64(FADT + 176, 0x604);
	}
	table(FADT, "FACP", len);
}

static void put_rsdp(u32 at, u8 revision)
{
	memset(ram + at, 0, 36);
	memcpy(ram + at, "RSD PTR ", 8);
	ram[at + 15] = revision;
	p32(at + 16, RSDT);
	sum(at, 20, 8);
	if (revision < 2)
		return;
	p32(at + 20, 36);
	p64(at + 24, XSDT);
	sum(at, 36, 32);
}

static void machine(void)
{
	memset(ram, 0, sizeof(ram));
	memset(&bi, 0, sizeof(bi));
	put_dsdt(s5_root, sizeof(s5_root));
	put_madt();
	put_fadt(244);
	p64(HPET + 44, 0xfed00000);
	table(HPET, "HPET", 56);
	p32(RSDT + 36, MADT);
	p32(RSDT + 40, FADT);
	p32(RSDT + 44, HPET);
	table(RSDT, "RSDT", 48);
	p64(XSDT + 36, FADT);
	p64(XSDT + 44, MADT);
	table(XSDT, "XSDT", 52);
	put_rsdp(RSDP, 0);
}

static void check_machine(void)
{
	assert_true(acpi.present);
	assert_int_equal(acpi.lapic_base, 0xfee00000);
	assert_int_equal(acpi.nioapics, 1);
	assert_int_equal(acpi.ioapic[0].base, 0xfec00000);
	assert_int_equal(acpi.noverrides, 2);
	assert_int_equal(acpi.override[0].gsi, 2);
	assert_false(acpi.override[0].level);
	assert_int_equal(acpi.override[1].isa_irq, 9);
	assert_true(acpi.override[1].level && acpi.override[1].active_low);
	assert_int_equal(acpi.smi_cmd, 0xb2);
	assert_int_equal(acpi.acpi_enable, 0xf1);
	assert_int_equal(acpi.pm_timer_port, 0xb008);
	assert_true(acpi.pm_timer_32bit);
	assert_true(acpi.s5_known);
	assert_int_equal(acpi.s5_typ_a, 5);
	assert_int_equal(acpi.s5_typ_b, 7);
	assert_true(acpi.reset_known);
	assert_int_equal(acpi.reset_addr, 0xcf9);
	assert_int_equal(acpi.reset_value, 6);
}

static void by_search(void **state)
{
	(void)state;
	machine();
	assert_int_equal(parse(), 0);
	check_machine();
	assert_int_equal(acpi.hpet_base, 0xfed00000);
	assert_int_equal(acpi.pm1a_cnt, 0x604);
	/* and in the EBDA */
	memset(ram + RSDP, 0, 36);
	p16(0x40e, 0x9fc0);
	put_rsdp(0x9fc10, 2);
	assert_int_equal(parse(), 0);
	check_machine();
	assert_int_equal(acpi.hpet_base, 0); /* the XSDT has none */
}

static void by_the_loader(void **state)
{
	(void)state;
	machine();
	put_rsdp(RSDP, 2);
	memcpy(bi.rsdp_copy, ram + RSDP, 36);
	bi.rsdp_len = 36;
	memset(ram + RSDP, 0, 36);
	assert_int_equal(parse(), 0);
	check_machine();
	/* A copy with a wrong second checksum is still an old one. */
	bi.rsdp_copy[33] = 1;
	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.hpet_base, 0xfed00000);
	bi.rsdp_len = 0;
	put_rsdp(0x80000, 0);
	bi.rsdp = 0x80000;
	assert_int_equal(parse(), 0);
	check_machine();
}

static void broken(void **state)
{
	(void)state;
	machine();
	ram[RSDP + 8]++;
	assert_int_equal(parse(), E_NOENT);
	assert_false(acpi.present);
	assert_non_null(strstr(why, "no RSDP"));
	machine();
	ram[RSDT + 9]++;
	assert_int_equal(parse(), E_NOENT);
	assert_non_null(strstr(why, "root table"));
	/* A bad XSDT falls back to the RSDT. */
	machine();
	put_rsdp(RSDP, 2);
	ram[XSDT + 9]++;
	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.hpet_base, 0xfed00000);
	/* One bad table does not cost the others. */
	machine();
	ram[MADT + 50]++;
	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.nioapics, 0);
	assert_true(acpi.s5_known);
	machine();
	ram[MADT + 45] = 0; /* an entry of no length must not loop */
	table(MADT, "APIC", 90);
	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.nioapics, 0);
	machine();
	p32(FADT + 40, 0xfffffff0);
	sum(FADT, 244, 9);
	assert_int_equal(parse(), 0);
	assert_false(acpi.s5_known);
}

static void old_fadt_and_s5(void **state)
{
	static const u8 not_a_package[] = { 0x08, '_', 'S', '5', '_', 0x0a, 5, 0x08, '_', 'S', '5', '_',
					    0x12, 0x05, 0x01, 0x0b, 5, 0 };
	static const u8 at_the_end[] = { 0x08, '_', 'S', '5', '_', 0x12, 0xc6 };

	(void)state;
	machine();
	put_fadt(116);
	put_dsdt(s5_qemu, sizeof(s5_qemu));
	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.pm1a_cnt, 0xb004);
	assert_false(acpi.reset_known);
	assert_true(acpi.s5_known);
	assert_int_equal(acpi.s5_typ_a, 0);
	put_dsdt(not_a_package, sizeof(not_a_package));
	assert_int_equal(parse(), 0);
	assert_true(acpi.s5_known);
	assert_int_equal(acpi.s5_typ_a, 5);
	assert_int_equal(acpi.s5_typ_b, 5);
	memset(ram + DSDT, 0, 200);
	memcpy(ram + DSDT + 193, at_the_end, sizeof(at_the_end));
	table(DSDT, "DSDT", 200);
	assert_int_equal(parse(), 0);
	assert_false(acpi.s5_known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_search), cmocka_unit_test(by_the_loader), cmocka_unit_test(broken),
		cmocka_unit_test(old_fadt_and_s5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

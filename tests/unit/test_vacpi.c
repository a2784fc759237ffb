/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: vdev/vboard.c vdev/vlapic.c vdev/vlapic_timer.c vdev/vioapic.c vdev/vpic.c vdev/vpit.c vdev/vrtc.c vdev/vpm.c vdev/vuart.c vdev/vpci.c vdev/vblk.c vdev/vblk_req.c vdev/vqueue.c vdev/vdma.c vdev/vacpi.c vdev/aml.c tests/fake/fake_ports.c tests/fake/fake_arch.c kernel/lib/log.c kernel/lib/fmt.c */
/* test_vacpi - checksums, pointers, and the DSDT as ACPICA's disassembler reads it (where iasl
 * is installed). */
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/board_env.h"

static u8 image[VACPI_BYTES], vector[16];

static int write_image(void *ctx, u64 gpa, const void *src, u64 len)
{
	(void)ctx;
	if (gpa == 0xffff0) {
		assert_true(len <= sizeof(vector));
		memcpy(vector, src, len);
		return 0;
	}
	assert_true(gpa >= VACPI_BASE && gpa + len <= VACPI_END);
	memcpy(image + gpa - VACPI_BASE, src, len);
	return 0;
}

static u64 get(const u8 *p, u32 n)
{
	u64 v = 0;

	memcpy(&v, p, n);
	return v;
}

static u8 sum(const u8 *p, u64 n)
{
	u8 s = 0;

	while (n--)
		s += *p++;
	return s;
}

static u8 *table(u64 gpa, const char *signature)
{
	u8 *t = image + gpa - VACPI_BASE;

	assert_memory_equal(t, signature, 4);
	assert_int_equal(sum(t, get(t + 4, 4)), 0);
	return t;
}

static void build(u32 ndisks)
{
	struct vboard *b = board_new(ndisks);
	u64 rsdp;

	assert_int_equal(vboard_acpi(b, write_image, NULL, &rsdp), 0);
	assert_int_equal(rsdp, VACPI_RSDP);
	free(b);
}

static void test_tables(void **state)
{
	u8 *rsdp = image, *xsdt, *fadt, *madt;

	(void)state;
	build(4);
	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	xsdt = table(get(rsdp + 24, 8), "XSDT");
	assert_int_equal(get(xsdt + 4, 4), 36 + 2 * 8);
	fadt = table(get(xsdt + 36, 8), "FACP");
	madt = table(get(xsdt + 44, 8), "APIC");
	table(get(fadt + 140, 8), "DSDT");
	assert_int_equal(get(fadt + 40, 4), get(fadt + 140, 8));
	assert_true(get(fadt + 112, 4) & BIT(20));
	assert_int_equal(get(fadt + 116 + 4, 8), 0xcf9);
	assert_int_equal(get(fadt + 244 + 4, 8), 0x600);
	assert_int_equal(get(madt + 36, 4), 0xfee00000);
}

/* What the disassembler says, or NULL without it. */
static char *disassemble(const char *dir, const u8 *t, const char *name)
{
	static char text[65536];
	char path[256], command[700];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s.aml", dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(t, 1, get(t + 4, 4), f), get(t + 4, 4));
	fclose(f);
	/* Back to AML again: errors and warnings show in the second step. */
	snprintf(command, sizeof(command),
		 "cd %s && iasl -d %s.aml >%s.log 2>&1 && iasl -we %s.dsl >>%s.log 2>&1", dir, name, name,
		 name, name);
	if (system(command) != 0) {
		snprintf(command, sizeof(command), "cat %s/%s.log", dir, name);
		(void)!system(command);
		fail_msg("iasl does not like %s", name);
	}
	snprintf(path, sizeof(path), "%s/%s.dsl", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	return text;
}

/* What Linux jumps to when it finds hardware-reduced ACPI and no UEFI: the instructions, run by hand. */
static void test_reset_vector(void **state)
{
	struct vboard *b = board_new(0);
	u64 rsdp;

	(void)state;
	assert_int_equal(vboard_acpi(b, write_image, NULL, &rsdp), 0);
	assert_int_equal(vector[0], 0xb0); /* mov al, imm8 */
	assert_int_equal(vector[2], 0xba); /* mov dx, imm16 */
	assert_int_equal(vector[5], 0xee); /* out dx, al */
	assert_int_equal(vector[7], 0xf4); /* hlt */
	memset(&fake_ports, 0, sizeof(fake_ports));
	vboard_out(b, (u16)get(vector + 3, 2), 1, vector[1]);
	assert_int_equal(fake_ports.resets, 1);
	free(b);
}

static void test_iasl(void **state)
{
	char dir[] = "/tmp/test_vacpi.XXXXXX", command[64];
	char *text;

	(void)state;
	if (system("command -v iasl >/dev/null") != 0) {
		print_message("iasl is not installed (package acpica-tools): skipped\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	for (u32 n = 0; n <= 4; n++) {
		build(n);
		text = disassemble(dir, image + VACPI_DSDT - VACPI_BASE, "dsdt");
		assert_non_null(strstr(text, "PNP0A03"));
		assert_non_null(strstr(text, "PNP0501"));
		assert_non_null(strstr(text, "_S5"));
		assert_non_null(strstr(text, "Range Minimum"));
		assert_int_equal(strstr(text, "0x0001FFFF") != NULL, n >= 1);
		assert_int_equal(strstr(text, "0x0004FFFF") != NULL, n >= 4);
	}
	text = disassemble(dir, image + VACPI_MADT - VACPI_BASE, "apic");
	assert_non_null(strstr(text, "FEC00000"));
	text = disassemble(dir, image + VACPI_FADT - VACPI_BASE, "facp");
	assert_non_null(strstr(text, "Hardware Reduced (V5) : 1"));
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_tables),
					    cmocka_unit_test(test_reset_vector),
					    cmocka_unit_test(test_iasl) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * acpi.c - reads the few facts that acpi.h names out of the firmware's tables.
 *
 * Contract: acpi.h. Runs once at boot. Firmware is often wrong: every table is mapped by its
 * header first, then by its checked length, and used only if its bytes add up to zero.
 * Source: ACPI Specification 6.5, "ACPI Software Programming Model".
 */
#include "boot/acpi.h"
#include "kernel/lib/lib.h"

#define SDT_HEADER 36u
#define SDT_MAX (8 * MIB)   /* no real table is longer */
#define RSDP_V1 20u
#define RSDP_V2 36u

/* A checked table: len bytes, header included. */
struct sdt { const u8 *p; u32 len; };

struct ctx {
	const struct acpi_mem *mem;
	struct boot_acpi *out;
};

static u16 get16(const u8 *p) { return (u16)(p[0] | p[1] << 8); }
static u32 get32(const u8 *p) { return get16(p) | (u32)get16(p + 2) << 16; }
static u64 get64(const u8 *p) { return get32(p) | (u64)get32(p + 4) << 32; }

static bool sums_to_zero(const u8 *p, u32 len)
{
	u8 sum = 0;

	for (u32 i = 0; i < len; i++)
		sum = (u8)(sum + p[i]);
	return !sum;
}

static const u8 *map(const struct acpi_mem *mem, u64 phys, u64 len)
{
	if (!phys || phys + len < phys)
		return NULL;
	return mem->map(mem->ctx, phys, len);
}

/* ---- the RSDP and the root table ---- */

/* 20 or 36 when p holds a sound RSDP, else 0. */
static u32 rsdp_check(const u8 *p, u32 readable)
{
	if (readable < RSDP_V1 || memcmp(p, "RSD PTR ", 8) || !sums_to_zero(p, RSDP_V1))
		return 0;
	if (p[15] < 2 || readable < RSDP_V2 || !sums_to_zero(p, RSDP_V2))
		return RSDP_V1;
	return RSDP_V2;
}

static u32 rsdp_try(const struct acpi_mem *mem, u64 phys, u8 *copy)
{
	const u8 *p = map(mem, phys, RSDP_V1);
	u32 len = p ? rsdp_check(p, RSDP_V1) : 0;

	if (!len)
		return 0;
	memcpy(copy, p, RSDP_V1);
	if (copy[15] < 2)
		return len;
	p = map(mem, phys, RSDP_V2);
	if (!p)
		return len;
	memcpy(copy, p, RSDP_V2);
	return rsdp_check(copy, RSDP_V2);
}

static u32 rsdp_search(const struct acpi_mem *mem, u64 start, u64 end, u8 *copy)
{
	u32 len = 0;

	for (u64 at = start; !len && at + RSDP_V1 <= end; at += 16)
		len = rsdp_try(mem, at, copy);
	return len;
}

/* "Finding the RSDP on IA-PC Systems": the first KiB of the EBDA, then the BIOS area. */
static u32 rsdp_find(const struct acpi_mem *mem, const struct boot_info *bi, u8 *copy)
{
	const u8 *bda;
	u32 len = rsdp_check(bi->rsdp_copy, MIN(bi->rsdp_len, RSDP_V2));
	u64 ebda;

	memcpy(copy, bi->rsdp_copy, RSDP_V2);
	if (!len && bi->rsdp)
		len = rsdp_try(mem, bi->rsdp, copy);
	if (len)
		return len;
	bda = map(mem, 0x40e, 2);
	ebda = bda ? (u64)get16(bda) << 4 : 0;
	if (ebda >= 0x400 && ebda < 0xa0000)
		len = rsdp_search(mem, ebda, ebda + 1024, copy);
	return len ? len : rsdp_search(mem, 0xe0000, 0x100000, copy);
}

/* Maps and checks the table at phys; false (logged unless there is no table at all) if it is not sound. */
static bool sdt_get(const struct acpi_mem *mem, u64 phys, struct sdt *t)
{
	const u8 *p = map(mem, phys, SDT_HEADER);
	u32 len = p ? get32(p + 4) : 0;

	if (!phys)
		return false;
	if (!p || len < SDT_HEADER || len > SDT_MAX || !(p = map(mem, phys, len)) ||
	    !sums_to_zero(p, len)) {
		log_warn("acpi: the table at %#lx is left out: bad length or checksum", phys);
		return false;
	}
	*t = (struct sdt){ p, len };
	return true;
}

static bool sdt_is(const struct sdt *t, const char *signature)
{
	return !memcmp(t->p, signature, 4);
}

/* ---- MADT ---- */

static void madt_ioapic(struct boot_acpi *out, const u8 *e)
{
	if (out->nioapics == ARRAY_SIZE(out->ioapic)) {
		log_warn("acpi: more than %u I/O APICs", out->nioapics);
		return;
	}
	out->ioapic[out->nioapics].base = get32(e + 4);
	out->ioapic[out->nioapics].gsi_base = get32(e + 8);
	out->nioapics++;
}

/* "Interrupt Source Override Structure"; 0 means as the bus does: ISA is edge, active high. */
static void madt_override(struct boot_acpi *out, const u8 *e)
{
	u16 flags = get16(e + 8);

	if (e[2] != 0 || e[3] > 15 || out->noverrides == ARRAY_SIZE(out->override))
		return;
	out->override[out->noverrides++] = (struct boot_irq_override){
		.isa_irq = e[3], .gsi = get32(e + 4),
		.active_low = (flags & 3) == 3, .level = (flags >> 2 & 3) == 3 };
}

static void parse_madt(const struct sdt *t, struct boot_acpi *out)
{
	u32 pos = 44;

	if (t->len < pos)
		return;
	out->lapic_base = get32(t->p + 36);
	while (t->len - pos >= 2) {
		const u8 *e = t->p + pos;

		if (e[1] < 2 || e[1] > t->len - pos) {
			log_warn("acpi: MADT: an entry of %u bytes, the rest is left out", e[1]);
			return;
		}
		if (e[0] == 1 && e[1] >= 12)
			madt_ioapic(out, e);
		else if (e[0] == 2 && e[1] >= 10)
			madt_override(out, e);
		else if (e[0] == 5 && e[1] >= 12)
			out->lapic_base = get64(e + 4);
		pos += e[1];
	}
}

/* ---- FADT and _S5_ ---- */

/* AML "Package Length Encoding": 1 to 4 bytes. Returns bytes used, 0 if it does not fit. */
static u32 aml_pkg_length(const u8 *p, u32 left)
{
	u32 n = left ? 1u + (p[0] >> 6) : 0;

	return n <= left ? n : 0;
}

/* A small integer object; returns bytes used, 0 if it is none. */
static u32 aml_integer(const u8 *p, u32 left, u16 *v)
{
	if (left >= 1 && p[0] <= 1) { /* ZeroOp, OneOp */
		*v = p[0];
		return 1;
	}
	if (left >= 2 && p[0] == 0x0a) { /* BytePrefix */
		*v = p[1];
		return 2;
	}
	if (left >= 3 && p[0] == 0x0b) { /* WordPrefix */
		*v = get16(p + 1);
		return 3;
	}
	if (left >= 5 && p[0] == 0x0c) { /* DWordPrefix */
		*v = get16(p + 1);
		return 5;
	}
	return 0;
}

/* The package behind "_S5_" at p: PackageOp, length, count, SLP_TYPa, SLP_TYPb. */
static bool s5_package(const u8 *p, u32 left, struct boot_acpi *out)
{
	u32 n, used;
	u16 a, b;

	if (left < 2 || p[0] != 0x12)
		return false;
	n = aml_pkg_length(p + 1, left - 1);
	if (!n || left < 1 + n + 1)
		return false;
	used = 1 + n + 1;
	n = aml_integer(p + used, left - used, &a);
	if (!n || a > 7)
		return false;
	used += n;
	if (p[used - n - 1] < 2 || !aml_integer(p + used, left - used, &b) || b > 7)
		b = a;
	out->s5_typ_a = a;
	out->s5_typ_b = b;
	out->s5_known = true;
	return true;
}

/* Name (_S5_, Package ...): NameOp, perhaps a root character, the name, the package. */
static void find_s5(const struct sdt *t, struct boot_acpi *out)
{
	const u8 *p = t->p;

	for (u32 i = SDT_HEADER + 1; !out->s5_known && i + 4 < t->len; i++) {
		if (p[i] != '_' || memcmp(p + i, "_S5_", 4))
			continue;
		if (p[i - 1] == 0x08 || (p[i - 1] == '\\' && p[i - 2] == 0x08))
			s5_package(p + i + 4, t->len - i - 4, out);
	}
}

/* An I/O port from the 32-bit field, or from the Generic Address Structure if the table has it. */
static u32 fadt_port(const struct sdt *t, u32 old, u32 gas)
{
	u64 addr = t->len >= gas + 12 && t->p[gas] == 1 ? get64(t->p + gas + 4) : 0;

	if (!addr)
		addr = get32(t->p + old);
	return addr <= 0xfffc ? (u32)addr : 0;
}

static void parse_fadt(const struct ctx *c, const struct sdt *t)
{
	struct boot_acpi *out = c->out;
	struct sdt dsdt;
	u32 flags;
	u64 at;

	if (t->len < 116)
		return;
	flags = get32(t->p + 112);
	out->smi_cmd = get32(t->p + 48) <= 0xffff ? get32(t->p + 48) : 0;
	out->acpi_enable = t->p[52];
	out->pm1a_cnt = fadt_port(t, 64, 172);
	out->pm1b_cnt = fadt_port(t, 68, 184);
	out->pm_timer_port = fadt_port(t, 76, 208);
	out->pm_timer_32bit = flags >> 8 & 1;                 /* TMR_VAL_EXT */
	if ((flags >> 10 & 1) && t->len >= 129) {             /* RESET_REG_SUP */
		out->reset_space = t->p[116];
		out->reset_addr = get64(t->p + 120);
		out->reset_value = t->p[128];
		out->reset_known = out->reset_space <= 2 && out->reset_addr;
	}
	at = t->len >= 148 ? get64(t->p + 140) : 0;
	if (!at)
		at = get32(t->p + 40);
	if (sdt_get(c->mem, at, &dsdt) && sdt_is(&dsdt, "DSDT"))
		find_s5(&dsdt, out);
}

static void parse_hpet(const struct sdt *t, struct boot_acpi *out)
{
	if (t->len >= 52 && t->p[40] == 0)
		out->hpet_base = get64(t->p + 44);
}

/* ---- the walk ---- */

static void parse_table(const struct ctx *c, const struct sdt *t)
{
	if (sdt_is(t, "APIC") && !c->out->lapic_base)
		parse_madt(t, c->out);
	else if (sdt_is(t, "FACP"))
		parse_fadt(c, t);
	else if (sdt_is(t, "HPET"))
		parse_hpet(t, c->out);
	else if (sdt_is(t, "SSDT"))
		find_s5(t, c->out);
}

static void walk_root(const struct ctx *c, const struct sdt *root, u32 entry)
{
	u32 n = (root->len - SDT_HEADER) / entry;
	struct sdt t;

	if (n > 256) {
		log_warn("acpi: %u tables, only 256 are read", n);
		n = 256;
	}
	for (u32 i = 0; i < n; i++) {
		const u8 *p = root->p + SDT_HEADER + i * entry;

		if (sdt_get(c->mem, entry == 8 ? get64(p) : get32(p), &t))
			parse_table(c, &t);
	}
}

int acpi_parse(const struct acpi_mem *mem, const struct boot_info *bi, struct boot_acpi *out,
	       char *why, size_t why_size)
{
	struct ctx c = { mem, out };
	u8 rsdp[RSDP_V2];
	struct sdt root;
	u32 len;

	memset(out, 0, sizeof(*out));
	len = rsdp_find(mem, bi, rsdp);
	if (!len) {
		fmt(why, why_size, "acpi: no RSDP, neither from the loader nor in the BIOS area");
		return E_NOENT;
	}
	if (len == RSDP_V2 && sdt_get(mem, get64(rsdp + 24), &root) && sdt_is(&root, "XSDT")) {
		walk_root(&c, &root, 8);
	} else if (sdt_get(mem, get32(rsdp + 16), &root) && sdt_is(&root, "RSDT")) {
		walk_root(&c, &root, 4);
	} else {
		fmt(why, why_size, "acpi: the RSDP names no sound root table");
		return E_NOENT;
	}
	out->present = true;
	return 0;
}

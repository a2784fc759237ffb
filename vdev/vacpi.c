/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vacpi.c - the guest's ACPI tables. Hardware-reduced ACPI leaves out the PM1 registers, SCI, and
 * with them the 8259s and the 8254 in Linux: the fewest exits. The PM timer is named all the same:
 * Linux takes it from the FADT in this mode too, and needs it where no TSC frequency is told.
 */
#include "vdev/vacpi.h"

#include "kernel/lib/lib.h"
#include "vdev/aml.h"
#include "vdev/board.h"

struct acpi_gas { u8 space, bits, offset, access; u32 address_low, address_high; };
_Static_assert(sizeof(struct acpi_gas) == 12, "generic address structure");
#define GAS_IO 1

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision;
	char creator[4];
	u32 creator_revision;
};
_Static_assert(sizeof(struct acpi_header) == 36, "description header");

/* Offsets in the FADT, revision 6. */
#define FADT_LENGTH 276
#define FADT_DSDT 40
#define FADT_PM_PROFILE 45
#define FADT_CENTURY 108
#define FADT_BOOT_ARCH 109
#define FADT_FLAGS 112
#define FADT_RESET_REG 116
#define FADT_RESET_VALUE 128
#define FADT_MINOR 131
#define FADT_X_DSDT 140
#define FADT_SLEEP_CONTROL 244
#define FADT_SLEEP_STATUS 256

#define PROFILE_ENTERPRISE_SERVER 4
#define BOOT_ARCH_NO_VGA BIT(2)
#define BOOT_ARCH_NO_ASPM BIT(4)
/* WBINVD works; C1 on all; no fixed power or sleep button, no fixed RTC wake; 32-bit timer; reset register;
 * headless; hardware-reduced */
#define FADT_FLAG_BITS (BIT(0) | BIT(2) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(10) | BIT(12) | BIT(20))

#define MADT_PCAT_COMPAT 1
#define CENTURY_REGISTER 0x32
#define DSDT_PCI_MEMORY_FIRST 0xe0000000u /* above a 32-bit guest's RAM, below the I/O APIC */
#define DSDT_PCI_MEMORY_LAST 0xfebfffffu

static void checksum(u8 *table, u32 len, u32 at)
{
	u8 sum = 0;

	table[at] = 0;
	for (u32 i = 0; i < len; i++)
		sum += table[i];
	table[at] = (u8)-sum;
}

static void put(u8 *p, u64 value, u32 bytes)
{
	for (u32 i = 0; i < bytes; i++)
		p[i] = (u8)(value >> 8 * i);
}

static void header(u8 *table, const char *signature, u32 len, u8 revision)
{
	struct acpi_header h = {
		.length = len, .revision = revision, .oem_revision = 1, .creator_revision = 1,
		.oem_id = { 'V', 'M', 'M', 'B', ' ', ' ' },
		.oem_table_id = { 'V', 'M', 'M', 'B', 'B', 'O', 'R', 'D' },
		.creator = { 'V', 'M', 'M', 'B' },
	};

	memcpy(h.signature, signature, 4);
	memcpy(table, &h, sizeof(h));
	checksum(table, len, offsetof(struct acpi_header, checksum));
}

static void gas(u8 *p, u16 port, u8 bits)
{
	struct acpi_gas g = {
		.space = GAS_IO, .bits = bits, .access = bits == 8 ? 1 : 3, .address_low = port
	};

	memcpy(p, &g, sizeof(g));
}

static void build_rsdp(u8 *t)
{
	memcpy(t, "RSD PTR ", 8);
	memcpy(t + 9, "VMMB  ", 6);
	t[15] = 2;            /* revision: with an XSDT */
	put(t + 20, 36, 4);
	put(t + 24, VACPI_XSDT, 8);
	checksum(t, 20, 8);
	checksum(t, 36, 32);
}

static void build_xsdt(u8 *t)
{
	put(t + 36, VACPI_FADT, 8);
	put(t + 44, VACPI_MADT, 8);
	header(t, "XSDT", 52, 1);
}

static void build_fadt(u8 *t)
{
	put(t + FADT_DSDT, VACPI_DSDT, 4);
	t[FADT_PM_PROFILE] = PROFILE_ENTERPRISE_SERVER;
	t[FADT_CENTURY] = CENTURY_REGISTER;
	/* No 8042, no VGA; the CMOS clock is there. */
	put(t + FADT_BOOT_ARCH, BOOT_ARCH_NO_VGA | BOOT_ARCH_NO_ASPM, 2);
	put(t + FADT_FLAGS, FADT_FLAG_BITS, 4);
	gas(t + FADT_RESET_REG, VPM_RESET, 8);
	t[FADT_RESET_VALUE] = VPM_RESET_VALUE;
	t[FADT_MINOR] = 0;
	put(t + FADT_X_DSDT, VACPI_DSDT, 8);
	gas(t + FADT_SLEEP_CONTROL, VPM_SLEEP_CONTROL, 8);
	gas(t + FADT_SLEEP_STATUS, VPM_SLEEP_STATUS, 8);
	header(t, "FACP", FADT_LENGTH, 6);
}

static void build_madt(u8 *t)
{
	static const u8 entries[] = {
		0, 8, 0, 0, 1, 0, 0, 0,                     /* local APIC: UID 0, id 0, enabled */
		1, 12, 1, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,  /* I/O APIC: id 1, FEC00000h, GSI 0 */
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0,              /* ISA interrupt 0 is GSI 2 */
		4, 6, 0xff, 0, 0, 1,                        /* NMI: all processors, LINT1 */
	};

	put(t + 36, VBOARD_LAPIC_GPA, 4);
	put(t + 40, MADT_PCAT_COMPAT, 4);
	memcpy(t + 44, entries, sizeof(entries));
	header(t, "APIC", 44 + sizeof(entries), 4);
}

/* INTA of every slot to its own GSI. The address' low half says: any function. */
static void prt(struct aml *a, u32 ndisks)
{
	u32 all, one;

	aml_name(a, "_PRT");
	all = aml_begin_package(a, (u8)ndisks);
	for (u8 slot = 1; slot <= ndisks; slot++) {
		one = aml_begin_package(a, 4);
		aml_integer(a, (u32)slot << 16 | 0xffff);
		aml_integer(a, 0); /* INTA */
		aml_integer(a, 0); /* no link device: */
		aml_integer(a, vboard_pci_gsi(slot));
		aml_end(a, one);
	}
	aml_end(a, all);
}

static void pci0(struct aml *a, u32 ndisks)
{
	u32 device = aml_begin_device(a, "PCI0"), crs;

	aml_name_eisaid(a, "_HID", "PNP0A03");
	aml_name_integer(a, "_UID", 0);
	aml_name_integer(a, "_BBN", 0);
	aml_name(a, "_CRS");
	crs = aml_begin_resources(a);
	aml_window_bus(a, 0, 0);
	aml_io(a, VPCI_ADDRESS, 8);
	aml_window_io(a, 0x0000, VPCI_ADDRESS - 1);
	aml_window_io(a, VPCI_DATA + 4, 0xffff);
	aml_window_memory(a, DSDT_PCI_MEMORY_FIRST, DSDT_PCI_MEMORY_LAST);
	aml_end_resources(a, crs);
	prt(a, ndisks);
	aml_end(a, device);
}

static void isa_device(struct aml *a, const char *name, const char *hid, u32 uid, u16 port, u8 nports, u8 irq)
{
	u32 device = aml_begin_device(a, name), crs;

	aml_name_eisaid(a, "_HID", hid);
	aml_name_integer(a, "_UID", uid);
	aml_name(a, "_CRS");
	crs = aml_begin_resources(a);
	aml_io(a, port, nports);
	if (irq)
		aml_irq(a, irq);
	aml_end_resources(a, crs);
	aml_end(a, device);
}

static int build_dsdt(u8 *t, u32 ndisks)
{
	struct aml a = { .buf = t, .len = 36, .size = VACPI_DSDT_MAX };
	u32 scope = aml_begin_scope(&a, "\\_SB_"), package;

	pci0(&a, ndisks);
	isa_device(&a, "COM1", "PNP0501", 1, VUART_PORT, 8, VUART_IRQ);
	isa_device(&a, "RTC_", "PNP0B00", 0, 0x70, 2, 0); /* no interrupt: it raises none */
	aml_end(&a, scope);
	aml_name(&a, "\\_S5_");
	package = aml_begin_package(&a, 4);
	aml_integer(&a, VPM_S5_TYPE);
	aml_integer(&a, VPM_S5_TYPE);
	aml_integer(&a, 0);
	aml_integer(&a, 0);
	aml_end(&a, package);
	header(t, "DSDT", a.len, 2);
	return a.overflow ? E_NOMEM : 0;
}

/* Builds all tables into the image of VACPI_BASE.. ; E_NOMEM: does not fit (our own mistake). */
static int vacpi_build(u8 *image, u32 size, u32 ndisks)
{
	if (size < VACPI_BYTES || ndisks > VBOARD_MAX_DISKS)
		return E_NOMEM;
	memset(image, 0, VACPI_BYTES);
	build_rsdp(image + VACPI_RSDP - VACPI_BASE);
	build_xsdt(image + VACPI_XSDT - VACPI_BASE);
	build_madt(image + VACPI_MADT - VACPI_BASE);
	build_fadt(image + VACPI_FADT - VACPI_BASE);
	return build_dsdt(image + VACPI_DSDT - VACPI_BASE, ndisks);
}

int vboard_acpi(struct vboard *b, vboard_write_fn *write, void *ctx, u64 *rsdp)
{
	int err = vacpi_build(b->acpi_image, sizeof(b->acpi_image), b->config.ndisks);

	if (!err)
		err = write(ctx, VACPI_BASE, b->acpi_image, VACPI_BYTES);
	if (!err)
		err = write(ctx, VPM_RESET_VECTOR, vpm_reset_vector, VPM_RESET_VECTOR_BYTES);
	*rsdp = VACPI_RSDP;
	return err;
}

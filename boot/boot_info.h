/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * boot_info.h - what GRUB told us, checked and copied: nothing here points into
 * unchecked memory. Filled by boot/multiboot2.c and boot/acpi.c.
 * Source: Multiboot2 Specification 2.0, "Boot information format".
 */
#ifndef BOOT_BOOT_INFO_H
#define BOOT_BOOT_INFO_H

#include "kernel/lib/range.h"
#include "kernel/lib/types.h"

#define BOOT_MAX_RANGES 64
#define BOOT_MAX_MODULES 64
#define BOOT_CMDLINE_MAX 1024

struct boot_module {
	hpa_t start;
	u64 size;                         /* bytes; the range lies in RAM; 0 when bad */
	char cmdline[BOOT_CMDLINE_MAX];
	bool cmdline_cut;                 /* it was longer */
	const char *bad;                  /* NULL, or why the module can't be used */
};

struct boot_irq_override { u8 isa_irq; u32 gsi; bool level, active_low; };

struct boot_acpi {                        /* from MADT, FADT; all zero when there is no ACPI */
	bool present;
	u64 lapic_base;
	struct { u64 base; u32 gsi_base; } ioapic[4];
	u32 nioapics;
	struct boot_irq_override override[16];
	u32 noverrides;
	u32 pm1a_cnt, pm1b_cnt;           /* ports */
	u16 s5_typ_a, s5_typ_b; bool s5_known;
	/* write acpi_enable to port smi_cmd to get into ACPI mode; 0: always is */
	u32 smi_cmd; u8 acpi_enable;
	bool reset_known; u8 reset_space; u64 reset_addr; u8 reset_value;
	u32 pm_timer_port; bool pm_timer_32bit;
	u64 hpet_base;
};

struct boot_info {
	char cmdline[BOOT_CMDLINE_MAX];
	bool cmdline_cut;                 /* it was longer */
	char loader[64];
	struct boot_range ranges[BOOT_MAX_RANGES];
	u32 nranges;
	struct boot_module modules[BOOT_MAX_MODULES];
	u32 nmodules;
	u32 nmodules_lost;                /* more than BOOT_MAX_MODULES: left out, logged */
	u64 rsdp;                         /* physical address or 0 */
	u8 rsdp_copy[36];                 /* the loader's copy of the RSDP */
	u32 rsdp_len;                     /* bytes of it: 0, 20 or 36 */
	bool efi;
	struct boot_acpi acpi;
};

#endif

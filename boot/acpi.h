/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * acpi.h - the few facts we need from the machine's ACPI tables: interrupt controllers,
 * power off, reset, timers. No AML interpreter: _S5_ is found by its bytes.
 * Source: ACPI Specification 6.5, "ACPI Software Programming Model"; IA-PC HPET Specification 1.0a.
 */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include "boot/boot_info.h"

/* The parser's only way to memory. */
struct acpi_mem {
	/* len bytes at a physical address, readable until the parser returns; NULL if they can not
	 * be mapped. */
	const void *(*map)(void *ctx, u64 phys, u64 len);
	void *ctx;
};

/*
 * Looks at bi->rsdp_copy, bi->rsdp, then in the EBDA and E0000h-FFFFFh. A table whose length or
 * checksum is wrong is left out (logged). 0; E_NOENT: no ACPI (why tells); out->present says the
 * same. Fields that no sound table gave are zero.
 */
int acpi_parse(const struct acpi_mem *mem, const struct boot_info *bi, struct boot_acpi *out,
	       char *why, size_t why_size) MUST_CHECK;

#endif

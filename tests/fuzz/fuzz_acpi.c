/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: boot/acpi.c kernel/lib/fmt.c kernel/lib/log.c */
/*
 * Any bytes as the machine's ACPI tables. The input is physical memory from F0000h on. Checksums
 * are put right as a table is mapped (a fuzzer can't guess them) unless the first byte says not to.
 */
#include <stdlib.h>
#include <string.h>
#include "boot/acpi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE 0xf0000ull

static const u8 *memory;
static size_t memory_size;
static void *mapped[8192];
static u32 nmapped;

static void fix_sum(u8 *p, u64 len, u64 where)
{
	u8 s = 0;

	for (u64 i = 0; i < len; i++)
		s = (u8)(s + p[i]);
	p[where] = (u8)(p[where] - s);
}

static const void *map(void *ctx, u64 phys, u64 len)
{
	u8 *p;

	(void)ctx;
	if (phys < BASE || phys - BASE > memory_size || len > memory_size - (phys - BASE) ||
	    nmapped == sizeof(mapped) / sizeof(mapped[0]))
		return NULL;
	p = malloc(len + !len);
	memcpy(p, memory + (phys - BASE), len);
	if (len >= 20 && !(memory[0] & 1)) {
		if (len >= 36 && memcmp(p, "RSD PTR ", 8))
			fix_sum(p, len, 9);
		else
			fix_sum(p, 20, 8);
		if (len >= 36 && !memcmp(p, "RSD PTR ", 8))
			fix_sum(p, 36, 32);
	}
	mapped[nmapped++] = p;
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info bi;
	struct acpi_mem mem = { map, NULL };
	struct boot_acpi out;
	char why[120];

	if (size < 32)
		return 0;
	memory = data;
	memory_size = size;
	memset(&bi, 0, sizeof(bi));
	bi.rsdp = BASE + 16;
	if (data[0] & 2) {
		bi.rsdp_len = data[0] & 4 ? 36 : 20;
		memcpy(bi.rsdp_copy, data + 16, size - 16 < bi.rsdp_len ? size - 16 : bi.rsdp_len);
	}
	if (!acpi_parse(&mem, &bi, &out, why, sizeof(why)) &&
	    (!out.present || out.nioapics > 4 || out.noverrides > 16 ||
	     (out.s5_known && (out.s5_typ_a > 7 || out.s5_typ_b > 7))))
		abort();
	while (nmapped)
		free(mapped[--nmapped]);
	return 0;
}

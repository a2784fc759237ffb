/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: boot/linux.c boot/multiboot1.c boot/guest.c kernel/lib/fmt.c kernel/lib/err.c */
/*
 * Any bytes as a guest's kernel image, for both loaders: every write must lie in RAM, an accepted
 * entry point too.
 */
#include <stdlib.h>
#include <string.h>
#include "boot/linux.h"
#include "boot/multiboot1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guest_target t;
static volatile u8 sink;

static int port_write(void *ctx, u64 gpa, const void *src, u64 len)
{
	(void)ctx;
	if (!guest_in_ram(&t, gpa, len))
		abort();
	for (u64 i = 0; i < len; i++)
		sink ^= ((const u8 *)src)[i];
	return 0;
}

static int port_zero(void *ctx, u64 gpa, u64 len)
{
	(void)ctx;
	if (!guest_in_ram(&t, gpa, len))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_entry e;
	char why[200];
	u8 *copy;

	if (size < 2)
		return 0;
	t = (struct guest_target){ .ram = (16 + data[0]) * MIB, .cmdline = "a b", .write = port_write, .zero = port_zero };
	guest_default_e820(&t);
	copy = malloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	if (!linux_load(copy, size - 1, copy, data[1] & 1 ? size - 1 : 0, &t, &e, why, sizeof(why)) &&
	    (!guest_in_ram(&t, e.rip, 1) || !guest_in_ram(&t, e.rsi, PAGE_SIZE)))
		abort();
	if (!multiboot1_load(copy, size - 1, copy, data[1] & 2 ? size - 1 : 0, &t, &e, why, sizeof(why)) &&
	    !guest_in_ram(&t, e.rip, 1))
		abort();
	free(copy);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: boot/linux.c boot/multiboot1.c boot/elf.c boot/guest.c kernel/lib/fmt.c kernel/lib/err.c kernel/lib/parse.c */
/*
 * Any bytes as a guest's kernel image, for both loaders: every write must lie in RAM, an accepted
 * entry point too; what a Multiboot kernel is told, and its modules, lie where no segment is.
 */
#include <stdlib.h>
#include <string.h>
#include "boot/linux.h"
#include "boot/multiboot1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guest_target t;
static volatile u8 sink;
/* What a Multiboot kernel's segments and the loader have written: 64 segments in two parts, modules, strings,
 * the block. */
static struct { u64 at, end; } written[256];
static u32 nwritten;
static const u8 *kernel; /* where the image being loaded lies here */
static u64 kernel_size;

static void note(u64 gpa, u64 len)
{
	if (!len)
		return;
	if (nwritten == ARRAY_SIZE(written))
		abort();
	written[nwritten].at = gpa;
	written[nwritten++].end = gpa + len;
}

/* Segments may overlap as the kernel likes; nothing of the loader's own may lie over anything. */
static void no_overlap(u64 gpa, u64 len)
{
	for (u32 i = 0; i < nwritten; i++)
		if (gpa < written[i].end && written[i].at < gpa + len)
			abort();
}

static int port_write(void *ctx, u64 gpa, const void *src, u64 len)
{
	bool segment = kernel && (const u8 *)src >= kernel && (const u8 *)src < kernel + kernel_size;

	(void)ctx;
	if (!guest_in_ram(&t, gpa, len))
		abort();
	if (kernel && !segment)
		no_overlap(gpa, len);
	if (kernel)
		note(gpa, len);
	for (u64 i = 0; i < len; i++)
		sink ^= ((const u8 *)src)[i];
	return 0;
}

static int port_zero(void *ctx, u64 gpa, u64 len)
{
	(void)ctx;
	if (!guest_in_ram(&t, gpa, len))
		abort();
	if (kernel)
		note(gpa, len);
	return 0;
}

/* choice: how many modules; their sizes are odd. */
static void multiboot(const u8 *image, size_t size, u8 choice)
{
	static const u8 bytes[20000];
	struct multiboot1_module m[MULTIBOOT1_MODULES_MAX] = { { NULL, 0, NULL } };
	struct guest_entry e;
	char why[200];
	u32 n = choice % (MULTIBOOT1_MODULES_MAX + 1);
	int err;

	for (u32 i = 0; i < n; i++)
		m[i] = (struct multiboot1_module){ bytes, sizeof(bytes) * i / n, i % 2 ? "string" : "" };
	nwritten = 0;
	kernel = image;
	kernel_size = size;
	err = multiboot1_load(image, size, m, n, &t, &e, why, sizeof(why));
	kernel = NULL;
	if (err)
		return;
	if (!guest_in_ram(&t, e.rip, 1) || !guest_in_ram(&t, e.rbx, PAGE_SIZE / 8) ||
	    !guest_in_ram(&t, e.gdtr_base, e.gdtr_limit + 1ull) || e.rbx < PAGE_SIZE || e.rbx % PAGE_SIZE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_entry e;
	char why[200];
	u8 *copy;

	if (size < 2)
		return 0;
	t = (struct guest_target){
		.ram = (16 + data[0]) * MIB, .cmdline = "a b", .write = port_write, .zero = port_zero
	};
	guest_default_e820(&t);
	copy = malloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	if (!linux_load(copy, size - 1, copy, data[1] & 1 ? size - 1 : 0, &t, &e, why, sizeof(why)) &&
	    (!guest_in_ram(&t, e.rip, 1) || !guest_in_ram(&t, e.rsi, PAGE_SIZE)))
		abort();
	multiboot(copy, size - 1, data[1]);
	free(copy);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmio.h - registers of devices in memory (arch_mmio_map). Each access is one instruction, in program order
 * with all other accesses to memory around it: what a device shall see in memory is written before its
 * doorbell.
 */
#ifndef ARCH_X86_64_MMIO_H
#define ARCH_X86_64_MMIO_H

#include "kernel/lib/types.h"

static inline void mmio_order(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

#define MMIO_ACCESS(bits)                                                                     \
	static inline u##bits mmio_read##bits(const volatile void *p)                         \
	{                                                                                     \
		u##bits v = *(const volatile u##bits *)p;                                     \
		mmio_order();                                                                 \
		return v;                                                                     \
	}                                                                                     \
	static inline void mmio_write##bits(volatile void *p, u##bits v)                      \
	{                                                                                     \
		mmio_order();                                                                 \
		*(volatile u##bits *)p = v;                                                   \
	}
MMIO_ACCESS(8)
MMIO_ACCESS(16)
MMIO_ACCESS(32)
#undef MMIO_ACCESS

/* As two halves, the low one first: not every controller takes 64-bit accesses. */
static inline u64 mmio_read64(const volatile void *p)
{
	u32 low = mmio_read32(p);

	return low | (u64)mmio_read32((const volatile u8 *)p + 4) << 32;
}

static inline void mmio_write64(volatile void *p, u64 v)
{
	mmio_write32(p, (u32)v);
	mmio_write32((volatile u8 *)p + 4, (u32)(v >> 32));
}

#endif

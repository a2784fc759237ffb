/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmio.h - stands in for arch/x86_64/mmio.h: every access is a call, which a test's model of the device
 * answers.
 */
#ifndef ARCH_X86_64_MMIO_H
#define ARCH_X86_64_MMIO_H

#include "kernel/lib/types.h"

u8 mmio_read8(const volatile void *p);
u16 mmio_read16(const volatile void *p);
u32 mmio_read32(const volatile void *p);
void mmio_write8(volatile void *p, u8 v);
void mmio_write16(volatile void *p, u16 v);
void mmio_write32(volatile void *p, u32 v);

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

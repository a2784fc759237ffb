/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_regs.h - parts of a guest's general registers, as instructions of different widths see
 * them. Pure; used by the exits that complete an instruction.
 */
#ifndef KERNEL_EXIT_GUEST_REGS_H
#define KERNEL_EXIT_GUEST_REGS_H

#include "arch/x86_64/virt/virt.h"

#define REGS_CF BIT64(0)
#define REGS_PF BIT64(2)
#define REGS_AF BIT64(4)
#define REGS_ZF BIT64(6)
#define REGS_SF BIT64(7)
#define REGS_TF BIT64(8)
#define REGS_IF BIT64(9)
#define REGS_DF BIT64(10)
#define REGS_OF BIT64(11)
#define REGS_AC BIT64(18)

/* size: 1, 2, 4 or 8 bytes */
static inline u64 regs_mask(u8 size)
{
	return size >= 8 ? ~0ull : BIT64(size * 8) - 1;
}

static inline u64 regs_get(const struct guest_regs *r, u8 n, u8 size)
{
	return r->gpr[n] & regs_mask(size);
}

/* 4 bytes clear the upper half, 1 and 2 keep the rest. */
static inline void regs_put(struct guest_regs *r, u8 n, u8 size, u64 value)
{
	u64 mask = size == 4 ? ~0ull : regs_mask(size);

	r->gpr[n] = (r->gpr[n] & ~mask) | (value & regs_mask(size));
	if (n == REG_RSP)
		r->dirty = true;
}

static inline u64 regs_sign_extend(u64 value, u8 size)
{
	u64 sign = BIT64(size * 8 - 1);

	return size >= 8 ? value : ((value & regs_mask(size)) ^ sign) - sign;
}

/* A string instruction's step: count elements of `size` done. */
static inline void regs_string_step(struct guest_regs *r, u8 n, u8 addr_size, u8 size, u64 count)
{
	u64 by = count * size;
	u64 at = regs_get(r, n, addr_size);

	regs_put(r, n, addr_size, r->rflags & REGS_DF ? at - by : at + by);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * insn.h - turns instruction bytes into a small struct; reads no registers and no memory.
 * Knows what compilers and kernels emit for MMIO and for whole-page fills: MOV (88-8B, A0-A3, C6, C7),
 * MOVZX, MOVSX, MOVSXD, AND/OR/XOR/ADD/SUB/CMP/TEST with memory, BT*, XCHG, STOS, MOVS (with REP).
 * Anything else: E_NOTSUP with the length where it is known.
 * Source: Intel SDM vol. 2, "Instruction Format".
 */
#ifndef KERNEL_EXIT_INSN_H
#define KERNEL_EXIT_INSN_H

#include "kernel/lib/types.h"

enum insn_op { INSN_MOV, INSN_MOVZX, INSN_MOVSX, INSN_AND, INSN_OR, INSN_XOR, INSN_ADD, INSN_SUB,
	       INSN_CMP, INSN_TEST, INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC, INSN_XCHG, INSN_STOS, INSN_MOVS };

struct insn {
	u8 op;            /* enum insn_op */
	u8 len;           /* bytes, 1..15 */
	u8 size;          /* bytes moved to or from memory: 1 2 4 8 */
	u8 reg_size;      /* bytes of the register operand (MOVZX/MOVSX: the wider one) */
	u8 addr_size;     /* 2 4 8 */
	bool mem_is_dst;  /* memory is written */
	bool mem_is_src;
	/* memory is the first operand, the register or immediate the second (CMP writes neither) */
	bool mem_first;
	bool has_imm;     /* the other operand is imm, else reg */
	u8 reg;           /* number 0..15 of the register operand */
	bool reg_high;    /* AH CH DH BH */
	bool rep;
	bool lock;
	s64 imm;          /* sign-extended as the instruction defines */
	/* Memory operand: segment override (enum seg of virt.h, or 0xff default SS/DS by base), base, index,
	 * scale, disp */
	u8 seg;
	s8 base, index;   /* register numbers, -1 none; base 16 = RIP (of the next instruction) */
	u8 scale;         /* 1 2 4 8 */
	s64 disp;
};

/* mode_bits: 16, 32 or 64 (the code segment's default). n: bytes given, at most 15 are looked at. */
int insn_decode(const u8 *bytes, u32 n, u8 mode_bits, struct insn *out) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/exit/insn.c */
/*
 * fuzz_insn - the instruction decoder against Zydis: whatever we accept, Zydis must decode to the
 * same length, operation, sizes, memory operand, register and immediate.
 */
#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/exit/insn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const u8 *bytes;
static u8 nbytes, mode;

#define CHECK(cond)                                                                      \
	do {                                                                             \
		if (!(cond)) {                                                           \
			fprintf(stderr, "differs: %s; mode %u:", #cond, mode);           \
			for (u32 i_ = 0; i_ < nbytes; i_++)                              \
				fprintf(stderr, " %02x", bytes[i_]);                     \
			fprintf(stderr, "\n");                                           \
			abort();                                                         \
		}                                                                        \
	} while (0)

static const ZydisMnemonic mnemonics[] = {
	[INSN_MOV] = ZYDIS_MNEMONIC_MOV,     [INSN_MOVZX] = ZYDIS_MNEMONIC_MOVZX,
	[INSN_MOVSX] = ZYDIS_MNEMONIC_MOVSX, [INSN_AND] = ZYDIS_MNEMONIC_AND,
	[INSN_OR] = ZYDIS_MNEMONIC_OR,       [INSN_XOR] = ZYDIS_MNEMONIC_XOR,
	[INSN_ADD] = ZYDIS_MNEMONIC_ADD,     [INSN_SUB] = ZYDIS_MNEMONIC_SUB,
	[INSN_CMP] = ZYDIS_MNEMONIC_CMP,     [INSN_TEST] = ZYDIS_MNEMONIC_TEST,
	[INSN_BT] = ZYDIS_MNEMONIC_BT,       [INSN_BTS] = ZYDIS_MNEMONIC_BTS,
	[INSN_BTR] = ZYDIS_MNEMONIC_BTR,     [INSN_BTC] = ZYDIS_MNEMONIC_BTC,
	[INSN_XCHG] = ZYDIS_MNEMONIC_XCHG,
};

static s8 reg_number(ZydisRegister r)
{
	if (r == ZYDIS_REGISTER_NONE)
		return -1;
	if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP)
		return 16;
	return ZydisRegisterGetId(r);
}

static void check_register(const struct insn *in, ZydisRegister r)
{
	bool high = r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH;
	u8 want;

	/* Zydis numbers AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B .. in one row. */
	if (high)
		want = (u8)(r - ZYDIS_REGISTER_AH);
	else if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BL)
		want = (u8)(r - ZYDIS_REGISTER_AL);
	else if (r >= ZYDIS_REGISTER_SPL && r <= ZYDIS_REGISTER_R15B)
		want = (u8)(r - ZYDIS_REGISTER_SPL + 4);
	else
		want = (u8)reg_number(r);
	CHECK(in->reg == want);
	CHECK(in->reg_high == high);
	CHECK(in->reg_size * 8 == ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, r));
}

static u8 default_segment(const struct insn *in)
{
	return in->base == 4 || in->base == 5 ? 2 : 3;
}

/*
 * Zydis 4.0.0, with 32-bit addresses only, takes REX.B for a base R13D where a SIB byte says that there is
 * none and a displacement follows, which it leaves out. The SDM (volume 2, "Special Cases of REX Encodings")
 * and objdump do not; test_insn.c has such a one.
 */
static bool zydis_errs(const struct insn *in, const ZydisDecodedOperand *m)
{
	return mode == 64 && in->addr_size == 4 && in->base == -1 && m->mem.base == ZYDIS_REGISTER_R13D &&
	       !m->mem.disp.has_displacement;
}

static void check_memory(const struct insn *in, const ZydisDecodedOperand *m)
{
	u64 mask = in->addr_size == 8 ? ~0ull : (1ull << in->addr_size * 8) - 1;
	u8 seg = (u8)(m->mem.segment - ZYDIS_REGISTER_ES);

	CHECK(m->size == in->size * 8u);
	CHECK(reg_number(m->mem.base) == in->base || zydis_errs(in, m));
	CHECK(reg_number(m->mem.index) == in->index);
	CHECK(in->index < 0 || m->mem.scale == in->scale);
	CHECK((((u64)m->mem.disp.value ^ (u64)in->disp) & mask) == 0 || !m->mem.disp.has_displacement);
	CHECK(m->mem.disp.has_displacement || in->disp == 0 || zydis_errs(in, m));
	if (in->seg != 0xff)
		CHECK(seg == in->seg);
	else if (mode != 64)
		CHECK(seg == default_segment(in));
	else
		CHECK(seg == 2 || seg == 3);
	CHECK(in->op == INSN_MOVS || in->mem_is_dst == !!(m->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE));
	CHECK(in->mem_is_src == !!(m->actions & ZYDIS_OPERAND_ACTION_MASK_READ));
}

static void check_immediate(const struct insn *in, const ZydisDecodedOperand *o)
{
	u64 mask = in->size == 8 ? ~0ull : (1ull << in->size * 8) - 1;

	if (in->op >= INSN_BT && in->op <= INSN_BTC)
		mask = 0xff;
	CHECK((((u64)in->imm ^ o->imm.value.u) & mask) == 0);
}

static bool same_operation(const struct insn *in, ZydisMnemonic m)
{
	if (in->op == INSN_MOVS)
		return m >= ZYDIS_MNEMONIC_MOVSB && m <= ZYDIS_MNEMONIC_MOVSW;
	if (in->op == INSN_STOS)
		return m >= ZYDIS_MNEMONIC_STOSB && m <= ZYDIS_MNEMONIC_STOSW;
	return mnemonics[in->op] == m || (in->op == INSN_MOVSX && m == ZYDIS_MNEMONIC_MOVSXD);
}

static void compare(const struct insn *in, const ZydisDecodedInstruction *z, const ZydisDecodedOperand *ops)
{
	const ZydisDecodedOperand *mem = NULL, *reg = NULL, *imm = NULL;

	CHECK(in->len == z->length);
	CHECK(same_operation(in, z->mnemonic));
	CHECK(in->addr_size * 8 == z->address_width);
	CHECK(in->lock == !!(z->attributes & ZYDIS_ATTRIB_HAS_LOCK));
	if (in->op == INSN_MOVS || in->op == INSN_STOS) {
		CHECK(in->rep == !!(z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
						     ZYDIS_ATTRIB_HAS_REPNE)));
		check_memory(in, &ops[in->op == INSN_MOVS]);
		return;
	}
	for (u32 i = 0; i < z->operand_count_visible; i++) {
		if (ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			mem = &ops[i];
		else if (ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER)
			reg = &ops[i];
		else if (ops[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			imm = &ops[i];
	}
	CHECK(mem);
	check_memory(in, mem);
	CHECK(in->has_imm == (imm != NULL));
	if (imm)
		check_immediate(in, imm);
	CHECK(!reg == in->has_imm);
	if (reg)
		check_register(in, reg->reg.value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const ZydisMachineMode modes[] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
						  ZYDIS_MACHINE_MODE_LONG_64 };
	static const ZydisStackWidth widths[] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
						  ZYDIS_STACK_WIDTH_64 };
	static const u8 bits[] = { 16, 32, 64 };
	ZydisDecodedInstruction z;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecoder decoder;
	struct insn in;
	u32 m;
	int err;

	if (size < 2)
		return 0;
	m = data[0] % 3;
	mode = bits[m];
	bytes = data + 1;
	nbytes = (u8)(size - 1 > 20 ? 20 : size - 1);
	err = insn_decode(bytes, nbytes, mode, &in);
	if (err && !in.len)
		return 0;
	CHECK(in.len <= nbytes && in.len <= 15);
	ZydisDecoderInit(&decoder, modes[m], widths[m]);
	if (err) {
		/* Refused, but with a length: that must be right if the instruction exists. */
		if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, nbytes, &z, ops)))
			CHECK(in.len == z.length);
		return 0;
	}
	CHECK(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, nbytes, &z, ops)));
	compare(&in, &z, ops);
	return 0;
}

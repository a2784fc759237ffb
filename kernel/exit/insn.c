/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * insn.c - turns instruction bytes into a small struct. One pass: prefixes, opcode, ModRM
 * and SIB, displacement, immediate; then a table says what the opcode means.
 * What would raise #UD, or has no memory operand, is refused, and so is what only an adversary writes (two
 * different segment overrides, REP on a MOV).
 */
#include "kernel/exit/insn.h"

#include "kernel/lib/lib.h"

#define MAX_LEN 15

/* Segment numbers of enum seg (ES CS SS DS FS GS) without reaching up to arch/. */
enum { ES, CS, SS, DS, FS, GS, NO_SEG = 0xff };

struct cursor {
	const u8 *bytes;
	u32 n, at;
	bool truncated;
	u8 mode;             /* 16, 32, 64 */
	bool opsize, addrsize, lock, rep, repne, mixed_seg;
	u8 seg;
	u8 rex;
	u8 mod, reg, rm;     /* of ModRM, with REX extensions in reg */
};

/* How an opcode's operands go. */
enum form {
	NONE,
	RM_R,        /* r/m is the first operand */
	R_RM,
	RM_IMM,      /* group: the operation is chosen by ModRM.reg */
	MOFFS_TO_A, A_TO_MOFFS,
	STRING,
};

struct opcode {
	u8 op, form;
	u8 byte;      /* 1: memory operand is a byte; 2: a word; 4: a double word; 0: operand size */
	u8 imm;       /* bytes of immediate; 0xff: operand size, at most 4 */
	bool rmw, reads_only;
};

static u64 fetch(struct cursor *c, u32 bytes)
{
	u64 v = 0;

	if (c->n - c->at < bytes) {
		c->truncated = true;
		c->at = c->n;
		return 0;
	}
	for (u32 i = 0; i < bytes; i++)
		v |= (u64)c->bytes[c->at + i] << 8 * i;
	c->at += bytes;
	return v;
}

static s64 fetch_signed(struct cursor *c, u32 bytes)
{
	u64 v = fetch(c, bytes);
	u32 shift = 64 - 8 * bytes;

	return bytes ? (s64)(v << shift) >> shift : 0;
}

static void override_segment(struct cursor *c, u8 seg)
{
	/* In 64-bit mode ES, CS, SS and DS overrides do nothing. */
	if (c->seg != NO_SEG && c->seg != seg)
		c->mixed_seg = true;
	c->seg = seg;
}

static u8 prefixes(struct cursor *c)
{
	for (;;) {
		u8 b = (u8)fetch(c, 1);

		if (c->truncated)
			return 0;
		if (c->mode == 64 && (b & 0xf0) == 0x40) {
			c->rex = b;
			return (u8)fetch(c, 1); /* must be the last: what follows is the opcode */
		}
		switch (b) {
		case 0x26: override_segment(c, ES); break;
		case 0x2e: override_segment(c, CS); break;
		case 0x36: override_segment(c, SS); break;
		case 0x3e: override_segment(c, DS); break;
		case 0x64: override_segment(c, FS); break;
		case 0x65: override_segment(c, GS); break;
		case 0x66: c->opsize = true; break;
		case 0x67: c->addrsize = true; break;
		case 0xf0: c->lock = true; break;
		case 0xf2: c->repne = true; break;
		case 0xf3: c->rep = true; break;
		default: return b;
		}
	}
}

static u8 operand_size(const struct cursor *c)
{
	if (c->rex & 8)
		return 8;
	return (c->mode == 16) != c->opsize ? 2 : 4;
}

static u8 address_size(const struct cursor *c)
{
	if (c->mode == 64)
		return c->addrsize ? 4 : 8;
	return (c->mode == 16) != c->addrsize ? 2 : 4;
}

static void memory16(struct cursor *c, struct insn *in)
{
	/* BX=3 SP.. BP=5 SI=6 DI=7 */
	static const s8 base[8] = { 3, 3, 5, 5, 6, 7, 5, 3 };
	static const s8 index[8] = { 6, 7, 6, 7, -1, -1, -1, -1 };

	in->base = base[c->rm];
	in->index = index[c->rm];
	if (c->mod == 0 && c->rm == 6) {
		in->base = -1;
		in->disp = fetch_signed(c, 2);
	} else if (c->mod) {
		in->disp = fetch_signed(c, c->mod);
	}
}

static void memory32(struct cursor *c, struct insn *in)
{
	u8 rm = c->rm, sib;
	u8 b = (u8)((c->rex & 1) << 3);

	in->base = (s8)(rm | b);
	if (rm == 4) {
		sib = (u8)fetch(c, 1);
		rm = sib & 7;
		in->base = (s8)(rm | b);
		in->index = (s8)((sib >> 3 & 7) | (c->rex & 2) << 2);
		in->scale = (u8)(1 << (sib >> 6));
		if (in->index == 4)
			in->index = -1;
	}
	if (c->mod == 0 && rm == 5) {
		in->base = c->rm == 5 && c->mode == 64 ? 16 : -1;
		in->disp = fetch_signed(c, 4);
	} else if (c->mod) {
		in->disp = fetch_signed(c, c->mod == 1 ? 1 : 4);
	}
}

static void modrm(struct cursor *c, struct insn *in)
{
	u8 b = (u8)fetch(c, 1);

	c->mod = b >> 6;
	c->reg = (b >> 3 & 7) | (u8)((c->rex & 4) << 1);
	c->rm = b & 7;
	if (c->mod == 3)
		return;
	if (in->addr_size == 2)
		memory16(c, in);
	else
		memory32(c, in);
}

/* The eight operations of opcodes 00h..3Fh and of group 1; ADC and SBB need flags we are not given. */
static const u8 arith[8] = { INSN_ADD, INSN_OR, 0xff, 0xff, INSN_AND, INSN_SUB, INSN_XOR, INSN_CMP };
static const u8 bit_ops[4] = { INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC };

static struct opcode one_byte(u8 b)
{
	if (b < 0x40 && (b & 7) < 4 && arith[b >> 3] != 0xff) {
		bool cmp = arith[b >> 3] == INSN_CMP;

		return (struct opcode){ arith[b >> 3], b & 2 ? R_RM : RM_R, !(b & 1), 0, !cmp, cmp };
	}
	switch (b) {
	case 0x63: return (struct opcode){ INSN_MOVSX, R_RM, 4, 0, false, true };
	case 0x80: case 0x81: case 0x83:
		return (struct opcode){ INSN_ADD, RM_IMM, b == 0x80, b == 0x81 ? 0xff : 1, true, false };
	case 0x84: case 0x85: return (struct opcode){ INSN_TEST, RM_R, b == 0x84, 0, false, true };
	case 0x86: case 0x87: return (struct opcode){ INSN_XCHG, RM_R, b == 0x86, 0, true, false };
	case 0x88: case 0x89: return (struct opcode){ INSN_MOV, RM_R, b == 0x88, 0, false, false };
	case 0x8a: case 0x8b: return (struct opcode){ INSN_MOV, R_RM, b == 0x8a, 0, false, false };
	case 0xa0: case 0xa1: return (struct opcode){ INSN_MOV, MOFFS_TO_A, b == 0xa0, 0, false, false };
	case 0xa2: case 0xa3: return (struct opcode){ INSN_MOV, A_TO_MOFFS, b == 0xa2, 0, false, false };
	case 0xa4: case 0xa5: return (struct opcode){ INSN_MOVS, STRING, b == 0xa4, 0, false, false };
	case 0xaa: case 0xab: return (struct opcode){ INSN_STOS, STRING, b == 0xaa, 0, false, false };
	case 0xc6:
	case 0xc7:
		return (struct opcode){ INSN_MOV, RM_IMM, b == 0xc6, b == 0xc6 ? 1 : 0xff, false, false };
	case 0xf6:
	case 0xf7:
		return (struct opcode){ INSN_TEST, RM_IMM, b == 0xf6, b == 0xf6 ? 1 : 0xff, false, true };
	default: return (struct opcode){ 0xff, NONE, 0, 0, false, false };
	}
}

static struct opcode two_byte(u8 b)
{
	switch (b) {
	case 0xa3: case 0xab: case 0xb3: case 0xbb: {
		u8 op = bit_ops[b >> 3 & 3];

		return (struct opcode){ op, RM_R, 0, 0, op != INSN_BT, op == INSN_BT };
	}
	case 0xb6: case 0xb7: return (struct opcode){ INSN_MOVZX, R_RM, b == 0xb6 ? 1 : 2, 0, false, true };
	case 0xbe: case 0xbf: return (struct opcode){ INSN_MOVSX, R_RM, b == 0xbe ? 1 : 2, 0, false, true };
	case 0xba: return (struct opcode){ INSN_BT, RM_IMM, 0, 1, true, false };
	default: return (struct opcode){ 0xff, NONE, 0, 0, false, false };
	}
}

/* ModRM.reg of a group chooses the operation; false: none that we know. */
static bool choose(u8 byte0, bool two, u8 n, struct opcode *o)
{
	if (two) { /* 0F BA */
		if (n < 4)
			return false;
		o->op = bit_ops[n & 3];
		o->rmw = o->op != INSN_BT;
		o->reads_only = !o->rmw;
		return true;
	}
	if (byte0 <= 0x83) {
		o->op = arith[n];
		o->rmw = o->op != INSN_CMP;
		o->reads_only = !o->rmw;
		return o->op != 0xff;
	}
	return n == 0; /* MOV, TEST */
}

static void set_direction(const struct opcode *o, struct insn *in)
{
	bool to_mem = o->form == RM_R || o->form == RM_IMM || o->form == A_TO_MOFFS;

	in->mem_is_dst = to_mem && !o->reads_only;
	in->mem_first = to_mem;
	in->mem_is_src = !to_mem || o->reads_only || o->rmw;
}

static void string_operand(struct cursor *c, struct insn *in)
{
	in->mem_is_dst = true;
	in->mem_is_src = in->op == INSN_MOVS;
	in->base = in->op == INSN_MOVS ? 6 : 7; /* MOVS: the source; the destination is ES:rDI */
	in->reg = 0;
	in->rep = c->rep || c->repne;
	if (in->op == INSN_STOS)
		in->seg = ES;
}

static void register_operand(struct cursor *c, struct insn *in)
{
	in->reg = c->reg;
	if (in->reg_size == 1 && !c->rex && in->reg >= 4) {
		in->reg_high = true;
		in->reg -= 4;
	}
}

static int refuse(const struct cursor *c, struct insn *out, bool length_known)
{
	out->len = length_known && !c->truncated ? (u8)c->at : 0;
	return c->truncated ? E_INVAL : E_NOTSUP;
}

static bool lock_allowed(const struct insn *in)
{
	return in->mem_is_dst && in->mem_is_src && in->op != INSN_MOVS;
}

int insn_decode(const u8 *bytes, u32 n, u8 mode_bits, struct insn *out)
{
	struct cursor c = { .bytes = bytes, .n = MIN(n, (u32)MAX_LEN), .mode = mode_bits, .seg = NO_SEG };
	struct opcode o;
	bool two, modrm_form, ok = true;
	u8 b;

	*out = (struct insn){ .base = -1, .index = -1, .scale = 1, .seg = NO_SEG };
	b = prefixes(&c);
	two = b == 0x0f;
	o = two ? two_byte((u8)fetch(&c, 1)) : one_byte(b);
	if (c.truncated || o.form == NONE || (b == 0x63 && !two && c.mode != 64))
		return refuse(&c, out, false);

	out->addr_size = address_size(&c);
	modrm_form = o.form == RM_R || o.form == R_RM || o.form == RM_IMM;
	if (modrm_form)
		modrm(&c, out);
	if (c.truncated)
		return refuse(&c, out, false);
	if (o.form == RM_IMM)
		ok = choose(b, two, c.reg & 7, &o);
	out->op = o.op;
	out->reg_size = operand_size(&c);
	out->size = o.byte ? o.byte : out->reg_size;
	if (o.op != INSN_MOVZX && o.op != INSN_MOVSX)
		out->reg_size = out->size;
	if (o.form == MOFFS_TO_A || o.form == A_TO_MOFFS)
		out->disp = (s64)fetch(&c, out->addr_size);
	if (ok && o.imm) {
		out->has_imm = true;
		out->imm = fetch_signed(&c, o.imm == 0xff ? MIN(out->size, 4) : o.imm);
	}
	if (!ok || c.truncated)
		return refuse(&c, out, false);

	set_direction(&o, out);
	if (c.seg != NO_SEG && (c.mode != 64 || c.seg >= FS))
		out->seg = c.seg;
	if (o.form == STRING)
		string_operand(&c, out);
	else if (o.form != RM_IMM && modrm_form)
		register_operand(&c, out);
	out->lock = c.lock;
	if ((modrm_form && c.mod == 3) || c.mixed_seg || (c.rep && c.repne) ||
	    (c.lock && !lock_allowed(out)) || (o.form != STRING && (c.rep || c.repne)) ||
	    (b == 0x63 && out->reg_size == 2))
		return refuse(&c, out, true);
	out->len = (u8)c.at;
	return 0;
}

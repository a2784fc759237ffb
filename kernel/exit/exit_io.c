/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit_io.c - IN, OUT and their string forms. String instructions move one element an exit: RIP stays
 * until RCX is used up, so interrupts come in between as on the processor.
 * Source: Intel SDM vol. 2, "INS/INSB/INSW/INSD", "OUTS/OUTSB/OUTSW/OUTSD".
 */
#include "arch/x86_64/virt/virt.h"
#include "kernel/exit/exit.h"
#include "kernel/exit/guest_regs.h"
#include "kernel/exit/guest_walk.h"
#include "kernel/lib/lib.h"

/* What the prefixes of INS or OUTS say; false: the bytes are no such instruction (any more). */
struct string_insn { u8 seg, addr_size, len; bool rep; };

static bool string_prefixes(const u8 *b, u32 n, u8 mode_bits, struct string_insn *s)
{
	static const struct { u8 byte, seg; } segs[] = {
		{ 0x26, SEG_ES }, { 0x2e, SEG_CS }, { 0x36, SEG_SS },
		{ 0x3e, SEG_DS }, { 0x64, SEG_FS }, { 0x65, SEG_GS },
	};

	*s = (struct string_insn){ .seg = SEG_DS, .addr_size = mode_bits / 8 };
	for (u32 i = 0; i < n; i++) {
		u8 c = b[i];

		if (c >= 0x6c && c <= 0x6f) {
			s->len = (u8)(i + 1);
			return true;
		}
		for (u32 k = 0; k < ARRAY_SIZE(segs); k++)
			if (c == segs[k].byte)
				s->seg = segs[k].seg;
		if (c == 0x67)
			s->addr_size = mode_bits == 32 ? 2 : 4;
		if (c == 0xf2 || c == 0xf3)
			s->rep = true;
	}
	return false;
}

static enum verdict step(struct vcpu *v, const struct string_insn *s, u8 reg, u8 size)
{
	struct guest_regs *r = v->regs;

	regs_string_step(r, reg, s->addr_size, size, 1);
	if (!s->rep)
		return V_NEXT;
	regs_put(r, REG_RCX, s->addr_size, regs_get(r, REG_RCX, s->addr_size) - 1);
	return regs_get(r, REG_RCX, s->addr_size) ? V_RETRY : V_NEXT;
}

/* INS and OUTS, one element a call. */
static enum verdict io_string(struct vcpu *v, struct vmexit *x)
{
	struct vboard *board = v->vm->board;
	struct walk_fault f = { 0, 0 };
	struct string_insn s;
	struct guest_mode m;
	u8 bytes[16];
	u32 n = 0, value = 0;
	u64 la;
	gpa_t gpa;
	int err;

	backend->mode(v->hw, &m);
	err = guest_fetch(v, &m, bytes, &n, &f);
	if (err)
		return guest_walk_verdict(v, err, &f, "fetching a string I/O instruction");
	if (!string_prefixes(bytes, n, guest_mode_bits(&m), &s))
		return exit_ud(v); /* it changed under us */
	x->insn_len = s.len;
	if (s.rep && !regs_get(v->regs, REG_RCX, s.addr_size))
		return V_NEXT;
	v->look = true;
	if (x->io.in) {
		la = guest_linear(&m, SEG_ES, v->regs->gpr[REG_RDI], s.addr_size);
		/* A port read has effects: first make sure that its value can be stored. */
		err = guest_walk(v->vm, &m, v->regs->rflags, la, WALK_WRITE, &gpa, &f);
		if (!err)
			err = guest_copy_in(v, &m, la, &value, x->io.size, WALK_WRITE, &f);
		if (!err) {
			value = vboard_in(board, x->io.port, x->io.size);
			err = guest_copy_out(v, &m, la, &value, x->io.size, &f);
		}
	} else {
		la = guest_linear(&m, s.seg, v->regs->gpr[REG_RSI], s.addr_size);
		err = guest_copy_in(v, &m, la, &value, x->io.size, WALK_READ, &f);
		if (!err)
			vboard_out(board, x->io.port, x->io.size, value);
	}
	if (err)
		return guest_walk_verdict(v, err, &f, "string I/O");
	return step(v, &s, x->io.in ? REG_RDI : REG_RSI, x->io.size);
}

enum verdict exit_io(struct vcpu *v, struct vmexit *x)
{
	struct guest_regs *r = v->regs;

	if (unlikely(x->io.string))
		return io_string(v, x);
	v->look = true; /* the board may want an interrupt or a timer now */
	if (x->io.in)
		regs_put(r, REG_RAX, x->io.size, vboard_in(v->vm->board, x->io.port, x->io.size));
	else
		vboard_out(v->vm->board, x->io.port, x->io.size, (u32)regs_get(r, REG_RAX, x->io.size));
	return V_NEXT;
}

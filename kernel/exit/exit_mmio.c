/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit_mmio.c - completes one instruction that touches a device page: fetch, decode, move the
 * bytes between registers (or RAM) and the board. The decoder only describes; all effects are here.
 * Source: Intel SDM vol. 2, "Instruction Set Reference" (flags of each operation).
 */
#include "kernel/exit/exit.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/exit/guest_regs.h"
#include "kernel/exit/guest_walk.h"
#include "kernel/lib/lib.h"

#define ARITH_FLAGS (REGS_CF | REGS_PF | REGS_AF | REGS_ZF | REGS_SF | REGS_OF)

struct mmio {
	struct vcpu *v;
	struct guest_mode mode;
	struct insn in;
	gpa_t gpa;
};

static bool in_apic(gpa_t gpa)
{
	return (gpa.a & ~(u64)PAGE_MASK) == VBOARD_LAPIC_GPA;
}

static u64 device_read(struct vcpu *v, gpa_t gpa, u8 size)
{
	struct vboard *b = v->vm->board;
	u64 value;

	v->look = true;
	if (in_apic(gpa)) {
		u16 off = (u16)(gpa.a & PAGE_MASK);

		/* Registers are 32 bits wide at multiples of 16; others than aligned dwords are undefined. */
		return (u64)vboard_apic_read(b, (u16)(off & 0xffcu)) >> (8 * (off & 3)) & regs_mask(size);
	}
	return vboard_mmio_read(b, gpa, size, &value) ? value & regs_mask(size) : regs_mask(size);
}

static void device_write(struct vcpu *v, gpa_t gpa, u8 size, u64 value)
{
	struct vboard *b = v->vm->board;

	v->look = true;
	if (in_apic(gpa)) {
		if (!(gpa.a & 3) && size >= 4)
			vboard_apic_write(b, (u16)(gpa.a & PAGE_MASK), (u32)value);
		return;
	}
	(void)vboard_mmio_write(b, gpa, size, value & regs_mask(size));
}

static u64 reg_operand(const struct mmio *x, u8 size)
{
	const struct guest_regs *r = x->v->regs;

	if (x->in.has_imm)
		return (u64)x->in.imm & regs_mask(size);
	return x->in.reg_high ? r->gpr[x->in.reg] >> 8 & 0xff : regs_get(r, x->in.reg, size);
}

static void reg_result(struct mmio *x, u8 size, u64 value)
{
	struct guest_regs *r = x->v->regs;

	if (x->in.reg_high)
		r->gpr[x->in.reg] = (r->gpr[x->in.reg] & ~0xff00ull) | (value & 0xff) << 8;
	else
		regs_put(r, x->in.reg, size, value);
}

static void set_flags(struct guest_regs *r, u64 clear, u64 set)
{
	r->rflags = (r->rflags & ~clear) | set;
	r->dirty = true;
}

static u64 result_flags(u64 value, u8 size)
{
	u8 low = (u8)value;
	u64 f = 0;

	low ^= low >> 4;
	low ^= low >> 2;
	low ^= low >> 1;
	if (!(low & 1))
		f |= REGS_PF;
	if (!(value & regs_mask(size)))
		f |= REGS_ZF;
	if (value >> (size * 8 - 1) & 1)
		f |= REGS_SF;
	return f;
}

/* a op b with the flags that the processor would leave. */
static u64 arith(struct guest_regs *r, u8 op, u64 a, u64 b, u8 size)
{
	u64 mask = regs_mask(size), f = 0, value, carry;
	u32 top = size * 8u - 1;

	a &= mask;
	b &= mask;
	switch (op) {
	case INSN_AND: case INSN_TEST: value = a & b; break;
	case INSN_OR: value = a | b; break;
	case INSN_XOR: value = a ^ b; break;
	case INSN_ADD:
		value = (a + b) & mask;
		carry = (a & b) | ((a | b) & ~value);
		f = (carry >> top & 1 ? REGS_CF : 0) | (carry & 8 ? REGS_AF : 0) |
		    ((a ^ value) & (b ^ value)) >> top << 11;
		break;
	default: /* SUB, CMP */
		value = (a - b) & mask;
		f = (a < b ? REGS_CF : 0) | ((a ^ b ^ value) & 16 ? REGS_AF : 0) |
		    ((a ^ b) & (a ^ value)) >> top << 11;
		break;
	}
	set_flags(r, ARITH_FLAGS, (f & ARITH_FLAGS) | result_flags(value, size));
	return value;
}

static void do_arith(struct mmio *x)
{
	const struct insn *in = &x->in;
	bool keeps = in->op == INSN_CMP || in->op == INSN_TEST;
	u64 mem = device_read(x->v, x->gpa, in->size), reg = reg_operand(x, in->size), value;

	value = in->mem_first ? arith(x->v->regs, in->op, mem, reg, in->size)
			      : arith(x->v->regs, in->op, reg, mem, in->size);
	if (keeps)
		return;
	if (in->mem_is_dst)
		device_write(x->v, x->gpa, in->size, value);
	else
		reg_result(x, in->size, value);
}

/* The hardware gave the address of the unit that holds the bit: only the offset in it matters. */
static void do_bit(struct mmio *x)
{
	const struct insn *in = &x->in;
	u64 mem = device_read(x->v, x->gpa, in->size);
	u64 bit = BIT64(reg_operand(x, in->size) & (in->size * 8u - 1));

	set_flags(x->v->regs, REGS_CF, mem & bit ? REGS_CF : 0);
	if (in->op == INSN_BT)
		return;
	mem = in->op == INSN_BTS ? mem | bit : in->op == INSN_BTR ? mem & ~bit : mem ^ bit;
	device_write(x->v, x->gpa, in->size, mem);
}

static void do_move(struct mmio *x)
{
	const struct insn *in = &x->in;
	u64 value;

	if (in->op == INSN_XCHG) {
		value = device_read(x->v, x->gpa, in->size);
		device_write(x->v, x->gpa, in->size, reg_operand(x, in->size));
		reg_result(x, in->size, value);
	} else if (in->mem_is_dst) {
		device_write(x->v, x->gpa, in->size, reg_operand(x, in->size));
	} else {
		value = device_read(x->v, x->gpa, in->size);
		if (in->op == INSN_MOVSX)
			value = regs_sign_extend(value, in->size);
		reg_result(x, in->op == INSN_MOV ? in->size : in->reg_size, value);
	}
}

/* One element between RAM or a device at la and *value. */
static int element(struct mmio *x, u64 la, u64 *value, bool write, struct walk_fault *f)
{
	struct vcpu *v = x->v;
	u8 size = x->in.size;
	gpa_t gpa;
	int err = guest_walk(v->vm, &x->mode, v->regs->rflags, la, write ? WALK_WRITE : WALK_READ, &gpa, f);

	if (err)
		return err;
	if (gpa.a >> PAGE_SHIFT < v->vm->mem.npages)
		return write ? guest_copy_out(v, &x->mode, la, value, size, f)
			     : guest_copy_in(v, &x->mode, la, value, size, WALK_READ, f);
	if (write)
		device_write(v, gpa, size, *value);
	else
		*value = device_read(v, gpa, size);
	return 0;
}

static enum verdict do_string(struct mmio *x)
{
	const struct insn *in = &x->in;
	struct guest_regs *r = x->v->regs;
	struct walk_fault f = { 0, 0 };
	u64 value = regs_get(r, REG_RAX, in->size);
	u64 dst = guest_linear(&x->mode, SEG_ES, r->gpr[REG_RDI], in->addr_size);
	u64 src = guest_linear(&x->mode, in->seg == 0xff ? SEG_DS : in->seg, r->gpr[REG_RSI], in->addr_size);
	int err = 0;

	if (in->rep && !regs_get(r, REG_RCX, in->addr_size))
		return V_NEXT;
	if (in->op == INSN_MOVS) {
		value = 0;
		err = element(x, src, &value, false, &f);
	}
	if (!err)
		err = element(x, dst, &value, true, &f);
	if (err)
		return guest_walk_verdict(x->v, err, &f, "string move to a device");
	regs_string_step(r, REG_RDI, in->addr_size, in->size, 1);
	if (in->op == INSN_MOVS)
		regs_string_step(r, REG_RSI, in->addr_size, in->size, 1);
	if (!in->rep)
		return V_NEXT;
	regs_put(r, REG_RCX, in->addr_size, regs_get(r, REG_RCX, in->addr_size) - 1);
	return regs_get(r, REG_RCX, in->addr_size) ? V_RETRY : V_NEXT;
}

static enum verdict complete(struct mmio *x)
{
	switch (x->in.op) {
	case INSN_STOS: case INSN_MOVS:
		return do_string(x);
	case INSN_MOV: case INSN_MOVZX: case INSN_MOVSX: case INSN_XCHG:
		do_move(x);
		return V_NEXT;
	case INSN_BT: case INSN_BTS: case INSN_BTR: case INSN_BTC:
		do_bit(x);
		return V_NEXT;
	default:
		do_arith(x);
		return V_NEXT;
	}
}

enum verdict exit_mmio(struct vcpu *v, struct vmexit *exit, gpa_t gpa)
{
	struct mmio x = { .v = v, .gpa = gpa };
	struct walk_fault f = { 0, 0 };
	u8 bytes[16];
	u32 n = 0;
	int err;

	backend->mode(v->hw, &x.mode);
	err = guest_fetch(v, &x.mode, bytes, &n, &f);
	if (err)
		return guest_walk_verdict(v, err, &f, "fetching an instruction that touches a device");
	err = insn_decode(bytes, n, guest_mode_bits(&x.mode), &x.in);
	if (err) {
		vm_fail(v->vm,
			"device access at %llx, RIP %llx: instruction %02x %02x %02x %02x is not supported",
			(unsigned long long)gpa.a, (unsigned long long)v->regs->rip, bytes[0],
			n > 1 ? bytes[1] : 0, n > 2 ? bytes[2] : 0, n > 3 ? bytes[3] : 0);
		return V_KILL;
	}
	exit->insn_len = x.in.len;
	return complete(&x);
}

enum verdict exit_apic_access(struct vcpu *v, struct vmexit *x)
{
	return exit_mmio(v, x, (gpa_t){ VBOARD_LAPIC_GPA + x->apic.offset });
}

enum verdict exit_apic_write(struct vcpu *v, struct vmexit *x)
{
	vboard_apic_write_trap(v->vm->board, x->apic.offset);
	v->look = true;
	return V_RETRY;
}

enum verdict exit_eoi(struct vcpu *v, struct vmexit *x)
{
	vboard_apic_eoi(v->vm->board, x->eoi.vector);
	v->look = true;
	return V_RETRY;
}

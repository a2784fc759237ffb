/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_copy.c - copies to and from a guest's linear addresses, instruction bytes and operand
 * addresses. A copy translates and pins all of its pages before it moves a byte.
 */
#include "kernel/exit/guest_regs.h"
#include "kernel/exit/guest_walk.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/exit/exit.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/pcpu.h"
#include "kernel/vm.h"

#define CR0_PE BIT64(0)
#define EFER_LMA_BIT BIT64(10)
#define SEG_ATTR_L BIT(13)
#define SEG_ATTR_DB BIT(14)
#define INSN_MAX 15

int guest_pieces_pin(struct vcpu *v, const struct guest_mode *m, u64 la, u32 n, enum walk_access how,
		     struct guest_piece piece[2], u32 *count, struct walk_fault *f)
{
	u64 rflags = v->regs->rflags;

	*count = 0;
	for (u32 done = 0; done < n; (*count)++) {
		struct guest_piece *p = &piece[*count];
		u64 at = la + done;
		int err = guest_walk(v->vm, m, rflags, at, how, &p->gpa, f);

		p->len = MIN(n - done, PAGE_SIZE - (u32)(at & PAGE_MASK));
		if (!err)
			err = pager_pin(&v->vm->mem, p->gpa, p->len, how == WALK_WRITE, &p->p);
		if (err) {
			guest_pieces_unpin(v, piece, *count);
			return err;
		}
		done += p->len;
	}
	return 0;
}

void guest_pieces_unpin(struct vcpu *v, const struct guest_piece *piece, u32 count)
{
	for (u32 i = 0; i < count; i++)
		pager_unpin(&v->vm->mem, piece[i].gpa);
}

int guest_copy_in(struct vcpu *v, const struct guest_mode *m, u64 la, void *buf, u32 n,
		  enum walk_access how, struct walk_fault *f)
{
	struct guest_piece pc[2];
	u32 count;
	u8 *to = buf;
	int err = guest_pieces_pin(v, m, la, n, how, pc, &count, f);

	if (err)
		return err;
	for (u32 i = 0; i < count; to += pc[i++].len)
		memcpy(to, pc[i].p, pc[i].len);
	guest_pieces_unpin(v, pc, count);
	return 0;
}

int guest_copy_out(struct vcpu *v, const struct guest_mode *m, u64 la, const void *buf, u32 n,
		   struct walk_fault *f)
{
	struct guest_piece pc[2];
	u32 count;
	const u8 *from = buf;
	int err = guest_pieces_pin(v, m, la, n, WALK_WRITE, pc, &count, f);

	if (err)
		return err;
	for (u32 i = 0; i < count; from += pc[i++].len)
		memcpy(pc[i].p, from, pc[i].len);
	guest_pieces_unpin(v, pc, count);
	return 0;
}

u8 guest_mode_bits(const struct guest_mode *m)
{
	if ((m->efer & EFER_LMA_BIT) && (m->cs.attr & SEG_ATTR_L))
		return 64;
	if (!(m->cr0 & CR0_PE))
		return 16;
	return m->cs.attr & SEG_ATTR_DB ? 32 : 16;
}

u64 guest_linear(const struct guest_mode *m, u8 seg, u64 offset, u8 addr_size)
{
	bool long64 = guest_mode_bits(m) == 64;
	u64 base;

	switch (seg) {
	case SEG_FS: base = m->fs_base; break;
	case SEG_GS: base = m->gs_base; break;
	case SEG_ES: base = long64 ? 0 : m->es.base; break;
	case SEG_CS: base = long64 ? 0 : m->cs.base; break;
	case SEG_SS: base = long64 ? 0 : m->ss.base; break;
	default: base = long64 ? 0 : m->ds.base; break;
	}
	offset &= regs_mask(addr_size);
	return long64 ? base + offset : (base + offset) & 0xffffffffull;
}

int guest_fetch(struct vcpu *v, const struct guest_mode *m, u8 *bytes, u32 *n, struct walk_fault *f)
{
	u8 bits = guest_mode_bits(m);
	u64 la = guest_linear(m, SEG_CS, v->regs->rip, bits == 64 ? 8 : 4);
	u32 first = MIN((u32)INSN_MAX, PAGE_SIZE - (u32)(la & PAGE_MASK));
	struct insn in;
	int err;

	*n = backend->insn_bytes ? backend->insn_bytes(v->hw, bytes) : 0;
	if (*n)
		return 0;
	err = guest_copy_in(v, m, la, bytes, first, WALK_FETCH, f);
	if (err)
		return err;
	*n = first;
	/* An instruction that ends before the page does needs no next page, which may be on disk. */
	if (first == INSN_MAX || insn_decode(bytes, first, bits, &in) != E_INVAL)
		return 0;
	err = guest_copy_in(v, m, la + first, bytes + first, INSN_MAX - first, WALK_FETCH, f);
	if (!err)
		*n = INSN_MAX;
	return err == E_AGAIN || err == E_NOMEM ? err : 0;
}

enum verdict guest_walk_verdict(struct vcpu *v, int err, const struct walk_fault *f, const char *doing)
{
	switch (err) {
	case E_AGAIN:
		return V_BLOCK;
	case E_NOMEM:
		pcpu_kick();
		return V_RETRY;
	case E_INVAL:
		if (f->code & WALK_NOT_CANONICAL)
			return exit_gp(v);
		v->regs->cr2 = f->la;
		backend->inject_exception(v->hw, 14, true, f->code);
		return V_RETRY;
	default:
		vm_fail(v->vm, "%s at RIP %llx: %s", doing, (unsigned long long)v->regs->rip, err_str(err));
		return V_KILL;
	}
}

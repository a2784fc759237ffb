/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit_overwrite.c - a guest is about to overwrite a whole evicted page (clear_page, copy_page): no
 * read from disk is due for content that is going to die. The 4096 bytes are written here, inside the
 * exit, so the guest never sees a page that it has not written; REP goes on behind them.
 */
#include "arch/x86_64/virt/virt.h"
#include "kernel/exit/exit.h"
#include "kernel/exit/guest_regs.h"
#include "kernel/exit/guest_walk.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/trace/trace.h"

#define DR7_ENABLED 0xffull /* L0 to G3 */

/* STOS: elements of size bytes. */
struct pattern { u64 value; u8 size; };

static void fill_pattern(const void *ctx, void *page)
{
	const struct pattern *e = ctx;
	u8 *p = page;

	if (e->size == 1 || !e->value) {
		memset(page, (int)(e->value & 0xff), PAGE_SIZE);
		return;
	}
	for (u32 i = 0; i < PAGE_SIZE; i += e->size)
		memcpy(p + i, &e->value, e->size);
}

/* MOVS: one page or the parts of two, pinned. */
struct source { struct guest_piece piece[2]; u32 n; };

static void copy_source(const void *ctx, void *page)
{
	const struct source *s = ctx;
	u8 *p = page;

	for (u32 i = 0; i < s->n; p += s->piece[i++].len)
		memcpy(p, s->piece[i].p, s->piece[i].len);
}

/* Traps come between the iterations: the processor does these. */
static bool watched(const struct vcpu *v, const struct guest_mode *m)
{
	return v->regs->rflags & REGS_TF || m->dr7 & DR7_ENABLED;
}

/* Offsets up to the page's end without a wrap, of as many bits as addresses have here. */
static bool wraps(u64 offset, u8 addr_size)
{
	return addr_size == 4 && (u32)offset > ~0u - PAGE_SIZE;
}

/* The whole page at RDI, forward, in elements that divide it. */
static bool covers_page(const struct vcpu *v, const struct guest_mode *m, const struct insn *in, u64 *dst)
{
	const struct guest_regs *r = v->regs;
	u64 count = regs_get(r, REG_RCX, in->addr_size);

	if (!in->rep || (in->op != INSN_STOS && in->op != INSN_MOVS) || (r->rflags & REGS_DF) ||
	    watched(v, m))
		return false;
	if (wraps(r->gpr[REG_RDI], in->addr_size) ||
	    (in->op == INSN_MOVS && wraps(r->gpr[REG_RSI], in->addr_size)))
		return false;
	*dst = guest_linear(m, SEG_ES, r->gpr[REG_RDI], in->addr_size);
	return !(*dst & PAGE_MASK) && count >= PAGE_SIZE / in->size && in->addr_size >= 4;
}

static void advance(struct vcpu *v, const struct insn *in)
{
	struct guest_regs *r = v->regs;
	u32 count = PAGE_SIZE / in->size;

	regs_string_step(r, REG_RDI, in->addr_size, in->size, count);
	if (in->op == INSN_MOVS)
		regs_string_step(r, REG_RSI, in->addr_size, in->size, count);
	regs_put(r, REG_RCX, in->addr_size, regs_get(r, REG_RCX, in->addr_size) - count);
	v->vm->mem.n.rep_whole++;
}

static enum verdict stos(struct vcpu *v, const struct insn *in, gpfn_t g)
{
	const struct pattern e = { regs_get(v->regs, REG_RAX, in->size), in->size };

	if (pager_overwrite(&v->vm->mem, g, fill_pattern, &e))
		return V_BLOCK;
	advance(v, in);
	return V_RETRY;
}

/* A page of the source: RAM, and not the target itself? 0; E_RANGE: not; else as guest_walk(). */
static int check_source(struct vcpu *v, const struct guest_mode *m, u64 la, gpfn_t target,
			struct walk_fault *f)
{
	gpa_t gpa;
	int err = guest_walk(v->vm, m, v->regs->rflags, la, WALK_READ, &gpa, f);

	if (err)
		return err;
	return gpa_gpfn(gpa).n == target.n || gpa.a >> PAGE_SHIFT >= v->vm->mem.npages ? E_RANGE : 0;
}

/* The source, on any address, is pinned before the old content of the target is given up, and copied once. */
static enum verdict movs(struct vcpu *v, const struct guest_mode *m, const struct insn *in, gpfn_t g,
			 bool *done)
{
	u64 src = guest_linear(m, in->seg == 0xff ? SEG_DS : in->seg, v->regs->gpr[REG_RSI], in->addr_size);
	struct walk_fault f = { 0, 0 };
	struct source s;
	int err = check_source(v, m, src, g, &f);

	if (!err)
		err = check_source(v, m, src + PAGE_SIZE - 1, g, &f);
	if (!err)
		err = guest_pieces_pin(v, m, src, PAGE_SIZE, WALK_READ, s.piece, &s.n, &f);
	if (err == E_RANGE) {
		*done = false;
		return V_RETRY;
	}
	if (err)
		return guest_walk_verdict(v, err, &f, "copying a page");
	err = pager_overwrite(&v->vm->mem, g, copy_source, &s);
	guest_pieces_unpin(v, s.piece, s.n);
	if (err)
		return V_BLOCK;
	advance(v, in);
	return V_RETRY;
}

/* The instruction that faulted; 0, or it can't be told. */
static int decode(struct vcpu *v, struct guest_mode *m, struct insn *in)
{
	struct walk_fault f = { 0, 0 };
	u8 bytes[16];
	u32 n = 0;
	int err;

	backend->mode(v->hw, m);
	err = guest_fetch(v, m, bytes, &n, &f);
	return err ? err : insn_decode(bytes, n, guest_mode_bits(m), in);
}

bool exit_overwrite(struct vcpu *v, const struct vmexit *x, enum verdict *verdict)
{
	gpfn_t g = gpa_gpfn(x->slat.gpa);
	struct vm_counters *n = &v->vm->mem.n;
	struct walk_fault f = { 0, 0 };
	struct guest_mode m;
	struct insn in;
	bool done = true, covers;
	u64 dst;
	gpa_t to;

	if (!pager_overwrite_helps(&v->vm->mem, g))
		return false;
	if (!x->slat.write || x->slat.in_walk) {
		n->refault_reads++;
		return false;
	}
	if (decode(v, &m, &in) || !in.rep || (in.op != INSN_STOS && in.op != INSN_MOVS)) {
		n->refault_writes++;
		return false;
	}
	covers = covers_page(v, &m, &in, &dst);
	if (unlikely(trace_on))
		trace_note_access(v->vm->id, g.n, covers ? TRACE_BY_WHOLE : TRACE_BY_REP, v->regs->rip);
	if (!covers ||
	    guest_walk(v->vm, &m, v->regs->rflags, dst, WALK_WRITE, &to, &f) || gpa_gpfn(to).n != g.n) {
		n->rep_part++;
		return false;
	}
	*verdict = in.op == INSN_STOS ? stos(v, &in, g) : movs(v, &m, &in, g, &done);
	n->rep_part += !done;
	return done;
}

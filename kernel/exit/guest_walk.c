/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_walk.c - walks a guest's page tables in every paging mode. What differs between
 * modes is a small table; the walk is one loop. Guest tables are reached through pager_pin() only, so
 * they may be evicted (E_AGAIN) or lie anywhere.
 *
 * The guest's other processors, and those that walk for them, change entries at the same time. So an entry is
 * read at once, and A and D are set by a compare-and-exchange of the whole entry, as the processor does: if
 * it is not what was read any more, the walk begins anew.
 */
#include "kernel/exit/guest_walk.h"
#include "arch/x86_64/msr.h"
#include "kernel/exit/guest_regs.h"
#include "kernel/lib/lib.h"
#include "kernel/vm.h"
#include "mm/pager/pager.h"

#define CR0_WP BIT64(16)
#define CR0_PG BIT64(31)
#define CR4_PSE BIT64(4)
#define CR4_PAE BIT64(5)
#define CR4_LA57 BIT64(12)
#define CR4_SMEP BIT64(20)
#define CR4_SMAP BIT64(21)

#define PTE_P BIT64(0)
#define PTE_W BIT64(1)
#define PTE_U BIT64(2)
#define PTE_A BIT64(5)
#define PTE_D BIT64(6)
#define PTE_PS BIT64(7)
#define PTE_NX BIT64(63)
#define PTE_ADDR 0x000ffffffffff000ull

/* A walk that meets changed entries so often in a row is given up for now. Real guests change one once; 16
 * costs a few us. */
#define WALK_TRIES 16u
#define WALK_CHANGED 1 /* beside the errors, which are negative: begin anew */

struct walk_mode {
	u8 levels, index_bits, entry_bytes;
	bool pae_top; /* the top level has neither permissions nor an accessed bit */
};

static const struct walk_mode mode_32 = { 2, 10, 4, false };
static const struct walk_mode mode_pae = { 3, 9, 8, true };
static const struct walk_mode mode_4level = { 4, 9, 8, false };
static const struct walk_mode mode_5level = { 5, 9, 8, false };

struct walk {
	struct vm *vm;
	const struct guest_mode *m;
	const struct walk_mode *mode;
	bool user, write, nx; /* rights so far */
};

static const struct walk_mode *mode_of(const struct guest_mode *m)
{
	if (m->efer & EFER_LMA)
		return m->cr4 & CR4_LA57 ? &mode_5level : &mode_4level;
	return m->cr4 & CR4_PAE ? &mode_pae : &mode_32;
}

static int read_entry(const struct walk *w, gpa_t at, u64 *entry)
{
	void *p;
	int err = pager_pin(&w->vm->mem, at, w->mode->entry_bytes, false, &p);

	if (err)
		return err;
	if (w->mode->entry_bytes == 4)
		*entry = __atomic_load_n((u32 *)p, __ATOMIC_ACQUIRE);
	else
		*entry = __atomic_load_n((u64 *)p, __ATOMIC_ACQUIRE);
	pager_unpin(&w->vm->mem, at);
	return 0;
}

static bool exchange_entry(const struct walk *w, void *p, u64 was, u64 now)
{
	u32 was32 = (u32)was;

	if (w->mode->entry_bytes == 4)
		return __atomic_compare_exchange_n((u32 *)p, &was32, (u32)now, false, __ATOMIC_ACQ_REL,
						   __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((u64 *)p, &was, now, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* WALK_CHANGED: the entry is not the one that was read, and was left alone. */
static int mark_entry(const struct walk *w, gpa_t at, u64 entry, u64 bits)
{
	void *p;
	bool same;
	int err;

	if ((entry & bits) == bits)
		return 0;
	err = pager_pin(&w->vm->mem, at, w->mode->entry_bytes, true, &p);
	if (err)
		return err;
	same = exchange_entry(w, p, entry, entry | bits);
	pager_unpin(&w->vm->mem, at);
	return same ? 0 : WALK_CHANGED;
}

static bool allowed(const struct walk *w, u64 rflags, enum walk_access how)
{
	bool cpl3 = w->m->cpl == 3;

	if (cpl3 && !w->user)
		return false;
	if (how == WALK_FETCH) {
		if (w->nx)
			return false;
		return cpl3 || !w->user || !(w->m->cr4 & CR4_SMEP);
	}
	if (!cpl3 && w->user && (w->m->cr4 & CR4_SMAP) && !(rflags & REGS_AC))
		return false;
	if (how == WALK_WRITE && !w->write)
		return !cpl3 && !(w->m->cr0 & CR0_WP);
	return true;
}

static int fault(const struct walk *w, u64 la, enum walk_access how, u32 code, struct walk_fault *f)
{
	f->la = la;
	f->code = code | (how == WALK_WRITE ? PF_WRITE : 0) | (w->m->cpl == 3 ? PF_USER : 0);
	if (how == WALK_FETCH && ((w->m->efer & EFER_NXE) || (w->m->cr4 & CR4_SMEP)))
		f->code |= PF_FETCH;
	return E_INVAL;
}

static bool is_leaf(const struct walk *w, u8 level, u64 entry)
{
	if (level == 1)
		return true;
	if (!(entry & PTE_PS))
		return false;
	if (w->mode == &mode_32)
		return w->m->cr4 & CR4_PSE;
	return level == 2 || (level == 3 && !w->mode->pae_top);
}

/* The page's base and the bits of la that are offset in it. */
static u64 leaf_address(const struct walk *w, u8 level, u64 entry, u64 la)
{
	u64 size = BIT64(PAGE_SHIFT + (level - 1) * w->mode->index_bits);
	u64 base = entry & PTE_ADDR & ~(size - 1);

	if (w->mode == &mode_32 && level == 2)
		base |= (entry >> 13 & 0xff) << 32; /* PSE-36 */
	return base | (la & (size - 1));
}

static int walk_levels(struct walk *w, u64 rflags, u64 la, enum walk_access how, gpa_t *out,
		       struct walk_fault *f)
{
	const struct walk_mode *mode = w->mode;
	u64 table = w->m->cr3 & (mode->pae_top ? 0xffffffe0ull : mode == &mode_32 ? 0xfffff000ull : PTE_ADDR);

	for (u8 level = mode->levels;; level--) {
		u32 shift = PAGE_SHIFT + (level - 1u) * mode->index_bits;
		u64 index = la >> shift & (BIT64(mode->index_bits) - 1);
		gpa_t at = { table + index * mode->entry_bytes };
		bool plain = mode->pae_top && level == mode->levels;
		u64 entry;
		int err = read_entry(w, at, &entry);

		if (err == E_RANGE)
			return fault(w, la, how, PF_PRESENT | PF_RSVD, f);
		if (err)
			return err;
		if (!(entry & PTE_P))
			return fault(w, la, how, 0, f);
		if (!plain) {
			w->user &= !!(entry & PTE_U);
			w->write &= !!(entry & PTE_W);
			w->nx |= mode->entry_bytes == 8 && (entry & PTE_NX) && (w->m->efer & EFER_NXE);
		}
		if (is_leaf(w, level, entry)) {
			if (!allowed(w, rflags, how))
				return fault(w, la, how, PF_PRESENT, f);
			*out = (gpa_t){ leaf_address(w, level, entry, la) };
			return mark_entry(w, at, entry, how == WALK_WRITE ? PTE_A | PTE_D : PTE_A);
		}
		err = plain ? 0 : mark_entry(w, at, entry, PTE_A);
		if (err)
			return err;
		table = entry & PTE_ADDR;
	}
}

int guest_walk(struct vm *vm, const struct guest_mode *m, u64 rflags, u64 la, enum walk_access how,
	       gpa_t *out, struct walk_fault *f)
{
	const struct walk_mode *mode = mode_of(m);
	int err = WALK_CHANGED;
	u32 bits;

	if (!(m->cr0 & CR0_PG)) {
		*out = (gpa_t){ la & 0xffffffffull };
		return 0;
	}
	if (m->efer & EFER_LMA) {
		bits = mode->levels == 5 ? 57 : 48;
		if ((s64)(la << (64 - bits)) >> (64 - bits) != (s64)la) {
			*f = (struct walk_fault){ la, WALK_NOT_CANONICAL };
			return E_INVAL;
		}
	} else {
		la &= 0xffffffffull;
	}
	for (u32 i = 0; err == WALK_CHANGED && i < WALK_TRIES; i++) {
		struct walk w = { .vm = vm, .m = m, .mode = mode, .user = true, .write = true };

		err = walk_levels(&w, rflags, la, how, out, f);
	}
	return err == WALK_CHANGED ? E_NOMEM : err;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vrules.c - see vrules.h.
 */
#include "arch/x86_64/virt/vrules.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/virt/virt_insn.h"

/* Access rights: P=80h, S=10h, code (read, accessed) 0Bh, data (write, accessed) 03h, L=2000h,
 * D/B=4000h, G=8000h. */
static const struct mode_start {
	u64 cr0, cr4, efer;
	struct guest_seg code, data;
} mode_starts[] = {
	[VIRT_ENTRY_REAL] = { CR0_CD | CR0_NW | CR0_ET, 0, 0,
		{ 0, 0x9b, 0xffff, 0 }, { 0, 0x93, 0xffff, 0 } },
	[VIRT_ENTRY_PROT32] = { CR0_PE | CR0_ET, 0, 0,
		{ 0x10, 0xc09b, 0xffffffff, 0 }, { 0x18, 0xc093, 0xffffffff, 0 } },
	[VIRT_ENTRY_LONG64] = { CR0_PE | CR0_ET | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA,
		{ 0x10, 0xa09b, 0xffffffff, 0 }, { 0x18, 0xc093, 0xffffffff, 0 } },
};
static const struct guest_seg start_tr = { 0, 0x8b, 0xffff, 0 }; /* TR must be a busy TSS */
static const struct guest_seg start_ldtr = { 0, SEG_AR_UNUSABLE | 0x82, 0xffff, 0 };

void vrules_start(const struct virt_entry *e, struct vrules_start *s)
{
	const struct mode_start *m = &mode_starts[e->mode];

	s->cr0 = m->cr0;
	s->cr3 = e->mode == VIRT_ENTRY_LONG64 ? e->cr3 : 0;
	s->cr4 = m->cr4;
	s->efer = m->efer;
	s->rip = e->rip;
	for (int i = SEG_ES; i <= SEG_GS; i++)
		s->seg[i] = m->data;
	s->seg[SEG_CS] = m->code;
	if (e->mode == VIRT_ENTRY_REAL) { /* as at the reset vector: a base that no selector gives */
		s->seg[SEG_CS].base = e->rip & 0xffff0000;
		s->seg[SEG_CS].sel = (u16)(s->seg[SEG_CS].base >> 4);
		s->rip = e->rip & 0xffff;
	}
	s->seg[SEG_LDTR] = start_ldtr;
	s->seg[SEG_TR] = start_tr;
}

static bool is_contributory(u8 vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

enum vrules_combined vrules_combine(u8 first, u8 second)
{
	if (!is_contributory(second) && second != VECTOR_PF)
		return VRULES_SERIAL;
	if (first == VECTOR_DF)
		return VRULES_TRIPLE;
	if (first == VECTOR_PF || (is_contributory(first) && is_contributory(second)))
		return VRULES_DOUBLE;
	return VRULES_SERIAL;
}

static bool is_canonical(u64 a)
{
	return (u64)((s64)(a << 16) >> 16) == a;
}

/* Eight memory types: UC, WC, WT, WP, WB, UC-. */
static bool is_pat(u64 v)
{
	for (int i = 0; i < 8; i++, v >>= 8)
		if ((v & 0xff) > 7 || (v & 0xff) == 2 || (v & 0xff) == 3)
			return false;
	return true;
}

int vrules_msr(enum vrules_msr check, u64 value)
{
	switch (check) {
	case VRULES_LOW32: return value >> 32 ? E_INVAL : 0;
	case VRULES_CANONICAL: return is_canonical(value) ? 0 : E_INVAL;
	case VRULES_PAT: return is_pat(value) ? 0 : E_INVAL;
	default: return 0;
	}
}

int vrules_efer(u64 old, bool paging, u64 *value)
{
	u64 can = EFER_SCE | EFER_LME | EFER_LMA;

	if (arch_cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_NX)
		can |= EFER_NXE;
	if (*value & ~can)
		return E_INVAL;
	if (((*value ^ old) & EFER_LME) && paging)
		return E_INVAL;
	*value = (*value & ~EFER_LMA) | (old & EFER_LMA);
	return 0;
}

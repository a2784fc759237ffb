/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vrules.h - rules of the architecture that a backend applies in the processor's place, the same on
 * VMX and SVM: starting states, what two exceptions amount to, what an MSR accepts. Pure functions.
 * Sources: Intel SDM vol. 3, "Processor State After Reset", "Interrupt 8 - Double Fault Exception";
 * vol. 2, "WRMSR"; the boot protocols' flat segments.
 */
#ifndef VIRT_VRULES_H
#define VIRT_VRULES_H

#include "arch/x86_64/virt/virt.h"

/* Exception vectors that backends tell apart. */
#define VECTOR_DE 0
#define VECTOR_DB 1
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_DF 8
#define VECTOR_TS 10
#define VECTOR_NP 11
#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_AC 17
#define VECTOR_MC 18

#define SEG_AR_DPL(ar) ((u8)((ar) >> 5) & 3)
#define SEG_AR_PRESENT BIT(7)
#define SEG_AR_LONG BIT(13)
#define SEG_AR_UNUSABLE BIT(16)

#define PAT_RESET 0x0007040600070406ull
#define DR6_RESET 0xffff0ff0ull
#define DR7_RESET 0x400
#define IDT_LIMIT_RESET 0x3ff

/* Registers with a value of their own at a start; all others are zero or in the #defines above. */
struct vrules_start {
	u64 cr0, cr3, cr4, efer, rip;
	struct guest_seg seg[SEG_COUNT];
};
void vrules_start(const struct virt_entry *e, struct vrules_start *s);

/* A second exception during the delivery of a first: one after the other, #DF, or shutdown. */
enum vrules_combined { VRULES_SERIAL, VRULES_DOUBLE, VRULES_TRIPLE };
enum vrules_combined vrules_combine(u8 first, u8 second);

/* The check that WRMSR makes: 0, or E_INVAL: #GP(0). */
enum vrules_msr { VRULES_ANY, VRULES_LOW32, VRULES_CANONICAL, VRULES_PAT };
int vrules_msr(enum vrules_msr check, u64 value) MUST_CHECK;
/* EFER: old and *value as the guest sees them. Keeps LMA, which only the processor changes. */
int vrules_efer(u64 old, bool paging, u64 *value) MUST_CHECK;

#endif

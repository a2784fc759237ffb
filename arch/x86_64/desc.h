/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * desc.h - what each CPU needs to run at all: segments, task state, stacks. There is
 * one CPU so far, and one static struct percpu.
 * Source: Intel SDM vol. 3, "64-Bit Mode Task Management".
 */
#ifndef ARCH_X86_64_DESC_H
#define ARCH_X86_64_DESC_H

#include "arch/x86_64/layout.h"
#include "kernel/lib/types.h"

enum desc_ist { DESC_IST_NONE, DESC_IST_DF, DESC_IST_NMI, DESC_IST_MC, DESC_IST_COUNT };

struct desc_tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct desc_tss) == 104, "64-bit TSS");

struct percpu {
	u32 index;
	u32 apic_id;
	u64 gdt[5]; /* null, code, data, TSS (two) */
	struct desc_tss tss;
};
extern struct percpu percpu_boot;
static inline struct percpu *percpu_this(void) { return &percpu_boot; }

/* The page below each stack is never mapped: an overflow faults instead of corrupting. */
struct stack_main { u8 guard[LAYOUT_GUARD], mem[LAYOUT_STACK_MAIN]; };
struct stack_ist { u8 guard[LAYOUT_GUARD], mem[LAYOUT_STACK_IST]; };
extern struct stack_main stack_main;
extern struct stack_ist stack_ist[DESC_IST_COUNT - 1];

/* Loads GDT, TSS and the segment registers. The TSS's address, for the VMCS host state. */
void desc_init(void);

/* True if [p, p+n) lies in one of the stacks: what a backtrace may read. */
bool desc_in_stack(u64 p, u64 n);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trap.h - exceptions and interrupts as they arrive, and the last words of a panic.
 */
#ifndef ARCH_X86_64_TRAP_H
#define ARCH_X86_64_TRAP_H

#include "kernel/lib/types.h"

/* What trap.S leaves on the stack. */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};
_Static_assert(offsetof(struct trap_frame, vector) == 15 * 8, "trap.S pushes 15 registers");
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "no padding");

#define TRAP_DB 1
#define TRAP_NMI 2
#define TRAP_DF 8
#define TRAP_PF 14
#define TRAP_MC 18
#define TRAP_FIRST_IRQ 32

/* Builds and loads the IDT. Needs desc_init(). */
void trap_init(void);
void trap_handle(struct trap_frame *f); /* from trap.S only */

/* panic.c: an exception nobody expects. */
void panic_trap(const struct trap_frame *f) NORETURN;
/* An upward port: writes text without interrupts. NULL: silent. */
extern void (*panic_write)(const char *text, size_t n);
/* Seconds until a reboot after a panic; 0: halt (the default). */
extern u32 panic_reboot_s;

#endif

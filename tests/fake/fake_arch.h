/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_arch.h - the fake board, as tests hold it: its clock, memory and interrupts.
 */
#ifndef TESTS_FAKE_FAKE_ARCH_H
#define TESTS_FAKE_FAKE_ARCH_H

#include "arch/x86_64/arch.h"

/* The clock: advances only when a test says so, and by arch_idle() to its deadline. 1 GHz: a tick is a ns. */
extern u64 fake_tsc;
#define FAKE_TSC_HZ 1000000000ull

/* "RAM": maps `frames` zeroed frames at arch_direct_map, frame 0 first. Again: a new, empty one. */
void fake_arena(u32 frames);
extern u32 fake_arena_frames;

/* Called by arch_irq_window(), and by arch_idle() before time jumps to the deadline. May be NULL. */
extern void (*fake_irq_hook)(void);

/* When the next interrupt comes, TSC; arch_idle() ends then. May be NULL: never. */
extern u64 (*fake_irq_due)(void);

/* What arch_cpuid() answers, NULL: all zero. */
extern struct arch_cpuid (*fake_cpuid)(u32 leaf, u32 subleaf);
extern u64 fake_xcr0;

/* The handler that was registered for a GSI is called; false if there is none or it was not its interrupt. */
bool fake_irq_raise(u32 gsi);

/* If set, panic(), reboot, power-off and halt jump here (longjmp value 1..4) instead of aborting. */
#include <setjmp.h>
extern jmp_buf *fake_panic_jump;
extern char fake_panic_text[256];

#endif

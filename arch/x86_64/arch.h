/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * arch.h - the CPU and the board as kernel/, mm/ and vdev/ see them. No inline
 * assembly here: on Linux tests/fake/fake_arch.c implements the same functions.
 *
 * Interrupts: the hypervisor runs with IF=0 always, except inside arch_irq_window()
 * and arch_idle(). Interrupt handlers run only there, so they may touch any state;
 * callers of these two hold no half-updated structure.
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include "kernel/lib/types.h"

/* All RAM is mapped writable, not executable, at this address (64-bit: a constant
 * high address; tests: an arena). */
extern u8 *arch_direct_map;
static inline void *pfn_ptr(pfn_t p) { return arch_direct_map + ((u64)p.n << PAGE_SHIFT); }
static inline void *hpa_ptr(hpa_t h) { return arch_direct_map + h.a; }
static inline pfn_t ptr_pfn(const void *p)
{
	return (pfn_t){ (u32)(((const u8 *)p - arch_direct_map) >> PAGE_SHIFT) };
}

u64 arch_tsc(void);          /* ticks, monotonic */
u64 arch_tsc_hz(void);       /* ticks a second, measured at boot */
u64 arch_ns(void);           /* nanoseconds since boot */
u64 arch_tsc_to_ns(u64 ticks);
u64 arch_ns_to_tsc(u64 ns);

/* Takes the host interrupts that are pending, then returns with IF=0. */
void arch_irq_window(void);
/* Waits for an interrupt or until TSC >= deadline (0: none), then as above.
 * No wake-up is lost between the caller's last look and the wait only if the caller's
 * state is changed by interrupt handlers alone (they can't run before the wait starts). */
void arch_idle(u64 deadline_tsc);

/* A host interrupt line (GSI); level: PCI. The handler returns true if its device asked.
 * Shared lines call every handler. */
typedef bool arch_irq_fn(void *ctx);
int arch_irq_register(u32 gsi, bool level, arch_irq_fn *fn, void *ctx) MUST_CHECK;

void arch_reboot(void) NORETURN;
void arch_poweroff(void) NORETURN; /* ACPI S5 where known, else halts */
void arch_halt(void) NORETURN;

/* Host CPUID, for the guest's tables. */
struct arch_cpuid { u32 eax, ebx, ecx, edx; };
struct arch_cpuid arch_cpuid(u32 leaf, u32 subleaf);
/* XCR0 bits that the host CPU has and that guests may set; 0 without XSAVE. */
u64 arch_xcr0_supported(void);

void arch_zero_page(void *page); /* 4 KiB */
void arch_copy_page(void *dst, const void *src);
bool arch_page_is_zero(const void *page);

#endif

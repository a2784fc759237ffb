/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * irq.h - host interrupts below arch.h: vectors, ISA lines, the wake-up timer.
 */
#ifndef ARCH_X86_64_IRQ_H
#define ARCH_X86_64_IRQ_H

#include "arch/x86_64/arch.h"
#include "kernel/lib/types.h"

struct boot_acpi;

#define IRQ_VECTOR_GSI 0x30      /* first of IRQ_LINES vectors, one a registered line */
#define IRQ_LINES 32
#define IRQ_HANDLERS 4           /* that share one line */
#define IRQ_VECTOR_TIMER 0xf0
#define IRQ_VECTOR_ERROR 0xfe
#define IRQ_VECTOR_SPURIOUS 0xff

/* Masks the 8259, starts the LAPIC and its timer, masks every IOAPIC line. Needs paging and time. */
void irq_init(const struct boot_acpi *acpi);
void irq_dispatch(u8 vector); /* from trap_handle() only */

/* The GSI of an ISA interrupt, and whether it is level-triggered (MADT overrides). */
u32 arch_isa_gsi(u8 isa_irq, bool *level);

/*
 * A vector of its own for a message-signalled interrupt: the device is to write *data to *addr. E_NOMEM: no
 * vector is left; E_NOTSUP: this CPU's APIC id does not fit a message.
 */
int arch_irq_msi(arch_irq_fn *fn, void *ctx, u64 *addr, u32 *data) MUST_CHECK;

/*
 * A host interrupt comes at or soon after this TSC value (0: none): it ends a guest's run on
 * backends without a timer of their own. One timer; arch_idle() takes it over and leaves it disarmed.
 */
void arch_timer_arm(u64 tsc);


#endif

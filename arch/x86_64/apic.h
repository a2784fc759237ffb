/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * apic.h - the host's local APIC (xAPIC or x2APIC) and I/O APICs. Policy is in irq.c.
 */
#ifndef ARCH_X86_64_APIC_H
#define ARCH_X86_64_APIC_H

#include "kernel/lib/types.h"

struct boot_acpi;

/* base: from the MADT, 0: the MSR's. False if it can't be reached. */
bool lapic_init(u64 base);
void lapic_eoi(void);
/* LVT timer in TSC-deadline or one-shot mode; measures the latter against the TSC. */
void lapic_timer_init(void);
void lapic_timer_arm(u64 tsc); /* 0: disarm */

/* Maps what the MADT lists (without one: the address of old), masks every line. Returns the number
 * of lines. */
u32 ioapic_init(const struct boot_acpi *acpi);
/* Routes gsi to vector on this CPU and unmasks it. False if no IOAPIC has that line. */
bool ioapic_route(u32 gsi, u8 vector, bool level, bool active_low);
void ioapic_mask(u32 gsi);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * time.h - the TSC's frequency. Everything else about time is in arch.h.
 */
#ifndef ARCH_X86_64_TIME_H
#define ARCH_X86_64_TIME_H

struct boot_acpi;

/* Measures the TSC against the ACPI PM timer, or the PIT without one. About 60 ms. */
void time_init(const struct boot_acpi *acpi);

#endif

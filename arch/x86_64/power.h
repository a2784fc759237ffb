/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * power.h - the end: reboot, power off (arch.h has the calls).
 */
#ifndef ARCH_X86_64_POWER_H
#define ARCH_X86_64_POWER_H

struct boot_acpi;

/* Keeps what ACPI says about it; maps the reset register if it is memory. Without this call there are still
 * the old ways. */
void power_init(const struct boot_acpi *acpi);

#endif

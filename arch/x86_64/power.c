/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * power.c - reboot, power off, halt. Each tries what ACPI names first, then the ways that
 * PCs have always had.
 * Source: ACPI Specification 6.5, "Reset Register", "PM1 Control Grouping".
 */
#include "arch/x86_64/power.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging.h"
#include "boot/boot_info.h"
#include "kernel/lib/lib.h"

#define SPACE_MEMORY 0
#define SPACE_IO 1
#define PORT_RESET_CONTROL 0xcf9
#define PORT_8042 0x64
#define PM1_SLP_EN BIT(13)
#define PM1_SLP_TYP (7u << 10)
#define WAIT_READS 100000 /* of port 80h, about 1 us each */

static const struct boot_acpi *facts;
static volatile u8 *reset_register;

void power_init(const struct boot_acpi *acpi)
{
	facts = acpi;
	if (acpi->reset_known && acpi->reset_space == SPACE_MEMORY)
		reset_register = arch_mmio_map(acpi->reset_addr, 1);
}

static void pause_a_moment(void)
{
	for (u32 i = 0; i < WAIT_READS; i++)
		(void)cpu_in8(0x80);
}

void arch_halt(void)
{
	for (;;) {
		cpu_cli();
		cpu_hlt();
	}
}

void arch_reboot(void)
{
	struct cpu_dtr none = { 0, 0 };

	cpu_cli();
	if (facts && facts->reset_known) {
		if (facts->reset_space == SPACE_IO)
			cpu_out8((u16)facts->reset_addr, facts->reset_value);
		else if (reset_register)
			*reset_register = facts->reset_value;
		pause_a_moment();
	}
	cpu_out8(PORT_RESET_CONTROL, 0x02);
	cpu_out8(PORT_RESET_CONTROL, 0x06);
	pause_a_moment();
	cpu_out8(PORT_8042, 0xfe);
	pause_a_moment();
	cpu_lidt(&none);
	__asm__ volatile("int3"); /* triple fault */
	arch_halt();
}

static void sleep_by(u32 port, u16 type)
{
	u16 v;

	if (!port)
		return;
	v = (u16)((cpu_in16((u16)port) & ~(PM1_SLP_TYP | PM1_SLP_EN)) | (u32)(type & 7) << 10);
	cpu_out16((u16)port, v);
	cpu_out16((u16)port, (u16)(v | PM1_SLP_EN));
}

void arch_poweroff(void)
{
	cpu_cli();
	if (facts && facts->s5_known) {
		sleep_by(facts->pm1a_cnt, facts->s5_typ_a);
		sleep_by(facts->pm1b_cnt, facts->s5_typ_b);
		pause_a_moment();
	}
	log_info("power off: this machine does not know how; halted");
	arch_halt();
}

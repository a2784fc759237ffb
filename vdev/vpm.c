/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vpm.c - power off, reset, PM timer.
 */
#include "vdev/vpm.h"

#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "vdev/board.h"
#include "vdev/vtime.h"

#define SLP_EN BIT(5)
#define SLP_TYP(v) ((v) >> 2 & 7)

/*
 * A firmware's last word. Linux takes hardware-reduced ACPI for a machine with UEFI: without one it does not
 * try the ACPI reset register or port 64h but jumps to the BIOS's reset vector in real mode.
 */
const u8 vpm_reset_vector[VPM_RESET_VECTOR_BYTES] = {
	0xb0, VPM_RESET_VALUE,                     /* mov al, 6 */
	0xba, VPM_RESET & 0xff, VPM_RESET >> 8,    /* mov dx, 0cf9h */
	0xee,                                      /* out dx, al */
	0xfa, 0xf4, 0xeb, 0xfc,                    /* cli; hlt; jmp to the cli */
};

void vpm_init(struct vpm *p, u64 tsc_hz, u64 now)
{
	p->tsc_hz = tsc_hz;
	p->start = now;
	vpm_reset(p);
}

void vpm_reset(struct vpm *p)
{
	p->cf9 = 0;
	p->sleep_control = 0;
}

u32 vpm_in(struct vboard *b, u16 port, u8 size)
{
	const struct vpm *p = &b->pm;
	u32 shift = (port & 3) * 8u;

	(void)size;
	if (port == VPM_SLEEP_CONTROL)
		return p->sleep_control;
	if (port == VPM_SLEEP_STATUS)
		return 0;
	if ((port & ~3) == VPM_TIMER)
		return (u32)vtime_scale(arch_tsc() - p->start, p->tsc_hz, VPM_TIMER_HZ) >> shift;
	return 0xffffffff;
}

void vpm_out(struct vboard *b, u16 port, u8 size, u32 value)
{
	(void)size;
	if (port != VPM_SLEEP_CONTROL)
		return;
	b->pm.sleep_control = value & ~SLP_EN & 0xff; /* SLP_EN always reads as zero */
	if ((value & SLP_EN) && SLP_TYP(value) == VPM_S5_TYPE)
		vdev_power(b->config.vm, VDEV_POWER_OFF);
}

u32 vpm_in_cf9(struct vboard *b)
{
	return b->pm.cf9;
}

void vpm_out_cf9(struct vboard *b, u8 value)
{
	b->pm.cf9 = value & 0x0a;
	if (value & BIT(2))
		vdev_power(b->config.vm, VDEV_RESET);
}

u32 vpm_in_8042(struct vboard *b, u16 port, u8 size)
{
	(void)b;
	(void)port;
	(void)size;
	return 0xff;
}

void vpm_out_8042(struct vboard *b, u16 port, u8 size, u32 value)
{
	(void)size;
	if (port == 0x64 && (u8)value == 0xfe)
		vdev_power(b->config.vm, VDEV_RESET);
}

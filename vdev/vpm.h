/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vpm.h - what a hardware-reduced ACPI machine has of power management: sleep control and
 * status registers, a reset register, and the PM timer (for guests that have nothing better to
 * calibrate with). Also the two older ways to reset: 64h <- FEh and CF9h.
 * Source: ACPI Specification 6.x, "Sleep Control and Status Registers", "Power Management Timer".
 */
#ifndef VDEV_VPM_H
#define VDEV_VPM_H

#include "kernel/lib/types.h"

struct vboard;

#define VPM_SLEEP_CONTROL 0x600
#define VPM_SLEEP_STATUS 0x601
#define VPM_TIMER 0x608
#define VPM_LAST 0x60f
#define VPM_RESET 0xcf9
#define VPM_RESET_VALUE 6
#define VPM_S5_TYPE 5
/* Where a real-mode jump to F000:FFF0 or FFFF:0, a BIOS's reset vector, arrives. */
#define VPM_RESET_VECTOR 0xffff0u
#define VPM_RESET_VECTOR_BYTES 10
#define VPM_TIMER_HZ 3579545u

struct vpm {
	u64 tsc_hz;
	u64 start;
	u8 cf9;
	u8 sleep_control;
};

/* 16-bit code for that address: it writes VPM_RESET_VALUE to VPM_RESET and halts. */
extern const u8 vpm_reset_vector[VPM_RESET_VECTOR_BYTES];

void vpm_init(struct vpm *p, u64 tsc_hz, u64 now);
void vpm_reset(struct vpm *p);
u32 vpm_in(struct vboard *b, u16 port, u8 size);
void vpm_out(struct vboard *b, u16 port, u8 size, u32 value);
u32 vpm_in_cf9(struct vboard *b);
void vpm_out_cf9(struct vboard *b, u8 value);
/* 60h and 64h: no keyboard controller, but its reset command works. */
u32 vpm_in_8042(struct vboard *b, u16 port, u8 size);
void vpm_out_8042(struct vboard *b, u16 port, u8 size, u32 value);

#endif

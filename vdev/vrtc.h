/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vrtc.h - the guest's real-time clock and CMOS memory, ports 70h and 71h: BCD, 24 hours, no
 * interrupts. Counts from a fixed date, since the hypervisor knows none; the guest may set it.
 * Source: Motorola MC146818A data sheet.
 */
#ifndef VDEV_VRTC_H
#define VDEV_VRTC_H

#include "kernel/lib/types.h"

struct vboard;

struct vrtc {
	u64 tsc_hz;
	u64 start;           /* TSC at `epoch` */
	s64 epoch;           /* seconds since 1970 at start */
	u8 index;
	bool set;            /* register B bit 7: time stands still while it is being set */
	u8 fields[10];       /* the time registers while set */
	u8 ram[128];
};

void vrtc_init(struct vrtc *r, u64 tsc_hz, u64 ram_bytes, u64 now);
void vrtc_reset(struct vrtc *r); /* time goes on */
u32 vrtc_in(struct vboard *b, u16 port, u8 size);
void vrtc_out(struct vboard *b, u16 port, u8 size, u32 value);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vpit.h - the guest's 8254 interval timer: channel 0 (interrupt 0), channel 2 with its gate and
 * output in port 61h. Channel 1 stores what is written. Nothing counts: values follow from the TSC.
 * Source: Intel 8254 data sheet.
 */
#ifndef VDEV_VPIT_H
#define VDEV_VPIT_H

#include "kernel/lib/types.h"

struct vboard;

#define VPIT_HZ 1193182u

struct vpit_channel {
	u16 count;           /* as loaded; 0 means 65536 */
	u8 mode, access;     /* access: 1 low, 2 high, 3 low then high */
	bool bcd;
	bool loaded;         /* a count was written since the mode */
	bool gate;
	bool write_high, read_high; /* second byte of access 3 is next */
	u8 write_low;
	bool latched, status_latched;
	u16 latch;
	u8 status;
	u64 start;           /* TSC when the count began */
};

struct vpit {
	struct vboard *board;
	u64 tsc_hz;
	struct vpit_channel ch[3];
	u8 port61;           /* bits 0 gate, 1 speaker */
	u64 deadline;        /* TSC of channel 0's next interrupt, 0: none */
};

void vpit_init(struct vpit *p, struct vboard *board, u64 tsc_hz);
void vpit_reset(struct vpit *p);
u32 vpit_in(struct vboard *b, u16 port, u8 size);
void vpit_out(struct vboard *b, u16 port, u8 size, u32 value);
u32 vpit_in61(struct vboard *b, u16 port, u8 size);
void vpit_out61(struct vboard *b, u16 port, u8 size, u32 value);
u64 vpit_deadline(const struct vpit *p);
void vpit_tick(struct vpit *p, u64 now);

#endif

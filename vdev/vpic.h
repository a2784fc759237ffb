/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vpic.h - the guest's pair of 8259A interrupt controllers, ports 20/21, A0/A1 and the
 * edge/level control registers 4D0/4D1.
 * Source: Intel 8259A data sheet.
 */
#ifndef VDEV_VPIC_H
#define VDEV_VPIC_H

#include "kernel/lib/types.h"

struct vboard;

struct vpic_chip {
	u8 irr, imr, isr;
	u8 lines;            /* last level of each input */
	u8 elcr;             /* 1: level-triggered */
	u8 base;             /* ICW2 */
	u8 lowest;           /* the input with the lowest priority; 7 after ICW1 */
	u8 init;             /* which ICW comes next: 0 none, 2, 3, 4 */
	bool need_icw4, single;
	bool auto_eoi, rotate_aeoi, nested, special_mask, poll, read_isr;
};

struct vpic {
	struct vboard *board;
	bool out;            /* the master's INT line */
	struct vpic_chip chip[2];
};

void vpic_init(struct vpic *p, struct vboard *board);
void vpic_reset(struct vpic *p);
u32 vpic_in(struct vboard *b, u16 port, u8 size);
void vpic_out(struct vboard *b, u16 port, u8 size, u32 value);
u32 vpic_elcr_in(struct vboard *b, u16 port, u8 size);
void vpic_elcr_out(struct vboard *b, u16 port, u8 size, u32 value);
void vpic_line(struct vpic *p, u8 irq, bool level);
/* The vector that INTA would deliver now, or -1 when INT is not asserted. */
int vpic_vector(const struct vpic *p);
void vpic_ack(struct vpic *p);
bool vpic_masked(const struct vpic *p, u8 irq);

#endif

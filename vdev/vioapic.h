/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vioapic.h - the guest's I/O APIC: 24 pins, GSIs 0..23.
 * Source: Intel 82093AA I/O Advanced Programmable Interrupt Controller data sheet.
 */
#ifndef VDEV_VIOAPIC_H
#define VDEV_VIOAPIC_H

#include "kernel/lib/types.h"

struct vboard;

#define VIOAPIC_PINS 24

struct vioapic {
	struct vboard *board;
	u32 lines;                   /* level of each pin, asserted = 1 */
	u8 select;                   /* IOREGSEL */
	u8 id;
	u64 redir[VIOAPIC_PINS];
};

void vioapic_init(struct vioapic *a, struct vboard *board);
void vioapic_reset(struct vioapic *a); /* the lines keep their levels */
/* offset within the page; 32-bit registers IOREGSEL (00h) and IOWIN (10h) */
u32 vioapic_read(const struct vioapic *a, u16 offset);
void vioapic_write(struct vioapic *a, u16 offset, u32 value);
void vioapic_line(struct vioapic *a, u8 pin, bool level);
void vioapic_eoi(struct vioapic *a, u8 vector);
/* Is pin 0 (wired to the 8259's INT) unmasked as ExtINT? */
bool vioapic_extint(const struct vioapic *a);
bool vioapic_masked(const struct vioapic *a, u8 pin);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vuart.h - the guest's only serial port: a 16550A at 3F8h, interrupt 4. It transmits at once.
 * Source: National Semiconductor PC16550D data sheet.
 */
#ifndef VDEV_VUART_H
#define VDEV_VUART_H

#include "kernel/lib/types.h"

struct vboard;

#define VUART_PORT 0x3f8
#define VUART_IRQ 4
#define VUART_FIFO 16

struct vuart {
	struct vboard *board;
	u8 ier, fcr, lcr, mcr, scr, dll, dlm;
	u8 overrun;          /* LSR bit 1 until LSR is read */
	u8 msr_delta;        /* low half of MSR */
	bool thre;           /* a transmitter-empty interrupt waits */
	bool line;           /* the interrupt line */
	u8 head, count;
	u8 fifo[VUART_FIFO];
};

void vuart_init(struct vuart *u, struct vboard *board);
void vuart_reset(struct vuart *u);
u32 vuart_in(struct vboard *b, u16 port, u8 size);
void vuart_out(struct vboard *b, u16 port, u8 size, u32 value);
/* Bytes from outside; returns how many the receiver had room for. */
u32 vuart_rx(struct vuart *u, const u8 *bytes, u32 n);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * serial.h - 16550A serial ports COM1 and COM2 of the host.
 *
 * Output goes into a ring that THRE interrupts drain; nothing is lost: when the ring is full the
 * writer feeds the port itself until there is room. Before serial_start() everything is
 * polled. Ports are numbered from 0. Source: National Semiconductor, "PC16550D".
 */
#ifndef DRIVERS_SERIAL_H
#define DRIVERS_SERIAL_H

#include "kernel/lib/types.h"

/*
 * spec: "com1", "com2,9600", "com1,115200" or "none". Programs the port, polled mode. Returns its number,
 * E_NOENT for "none" or no such UART, E_INVAL for anything else.
 */
int serial_init(const char *spec);

/* The same for a port beside the console's: panics go on to the one of serial_init(). */
int serial_init_second(const char *spec);

/* Interrupts on (needs arch_irq_register). rx, if not NULL, is called in interrupt
 * windows after bytes arrived. */
int serial_start(int port, void (*rx)(void *ctx), void *ctx);

void serial_write(int port, const char *buf, size_t n);
int serial_read(int port);       /* next byte, or -1 when none waits */
/* empties the receiver's FIFO of 16 bytes into the ring: in long work without interrupts */
void serial_poll(int port);
size_t serial_tx_room(int port); /* bytes that serial_write() takes without waiting */
void serial_flush(int port);     /* waits until all is sent: before power-off */
u64 serial_overruns(int port);   /* received bytes that were lost */

/* Polled, for panics and before there is a console: first drains the ring, then writes. Uses the port of
 * the last successful serial_init(); fits panic_write. */
void serial_write_polled(const char *buf, size_t n);

#endif

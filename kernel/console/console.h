/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * console.h - the operator's serial console: line editor, command table, guests' terminals.
 * Implemented in kernel/console/. Called from the main loop only.
 */
#ifndef KERNEL_CONSOLE_CONSOLE_H
#define KERNEL_CONSOLE_CONSOLE_H

#include "kernel/lib/types.h"

struct vm;

void console_init(void);                 /* sets log_sink; prints the banner and the prompt */
/* handles what was typed and prints what guests wrote; true: did something */
bool console_poll(void);
void console_guest_tx(struct vm *vm, u8 byte); /* from vdev_uart_tx */
/* The operator watches this guest's console, and it prints faster than the wire: let it wait. */
bool console_holds(const struct vm *vm);
bool console_free(void);                 /* the operator's line has the terminal: lines of the log are seen */
int console_vm_init(struct vm *vm) MUST_CHECK; /* its output ring */

/* Upward ports: the wire. kernel/main.c connects them to drivers/serial.h; the simulation to memory. */
void console_port_write(const char *bytes, u32 n);
u32 console_port_queued(void);           /* bytes written that are not on the wire yet */
int console_port_read(void);             /* a byte, or -1 */
u64 console_port_lost(void);             /* bytes that were typed and lost, since boot */
void console_port_flush(void);           /* waits until all is on the wire: before power-off */

#endif

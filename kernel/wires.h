/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wires.h - which serial ports the console and recordings use.
 */
#ifndef KERNEL_WIRES_H
#define KERNEL_WIRES_H

#include "kernel/lib/types.h"

/* The console's port, com 1 to 4; 0: none. From here on console_port_*() (kernel/console/console.h)
 * reach it. */
void wires_open(u32 com, u32 baud);

#endif

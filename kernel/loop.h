/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loop.h - the main loop: what is due, then one guest's slice or a wait. ARCHITECTURE.md, "No threads".
 */
#ifndef KERNEL_LOOP_H
#define KERNEL_LOOP_H

#include "kernel/lib/types.h"

/* Called every round of the main loop where set: host drivers' timeouts. */
extern void (*loop_housekeeping)(u64 now_ns);

/* Never returns: the hypervisor's life after boot. */
void loop_run(void) NORETURN;
/* One round of it. */
void loop_once(void);

#endif

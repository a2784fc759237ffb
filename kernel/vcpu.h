/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcpu.h - a guest's processor: its start, its parking, and the hot path from an exit to the next entry.
 *
 * The hot path (enter, handle, enter again) is left only when pcpu_this()->work is set: everything that
 * changes who should run, or leaves something for the main loop, sets it.
 */
#ifndef KERNEL_VCPU_H
#define KERNEL_VCPU_H

#include "kernel/vm.h"

/* As at power-on, or where a loader starts it. */
void vcpu_reset(struct vcpu *v, const struct virt_entry *e);
/* Parks the vCPU until pager_wake(). */
void vcpu_block(struct vcpu *v);
/* Runs it, handling its exits, until pcpu_this()->work is set: by its own exits, an interrupt's work, or the
 * end of the slice (pcpu_this()->slice_end). */
void vcpu_run(struct vcpu *v);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vdma.h - copies between a device and guest memory that may cross pages. Each page is pinned
 * only for its copy. All or nothing on E_AGAIN is not promised: repeat the whole copy.
 * Errors: those of guest_pin(); E_RANGE too if the range wraps around.
 */
#ifndef VDEV_VDMA_H
#define VDEV_VDMA_H

#include "vdev/ports.h"

int vdma_read(struct vm *vm, u64 gpa, void *to, u32 len) MUST_CHECK;
int vdma_write(struct vm *vm, u64 gpa, const void *from, u32 len) MUST_CHECK;

#endif

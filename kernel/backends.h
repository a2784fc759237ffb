/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backends.h - which hardware virtualization this machine offers.
 */
#ifndef KERNEL_BACKENDS_H
#define KERNEL_BACKENDS_H

#include "arch/x86_64/virt/virt.h"

extern const struct virt_ops *const backends[]; /* in order of preference, NULL at the end */

/* Takes the first that this CPU can run, turns it on and sets backend (virt.h). E_NOTSUP: why says for each
 * what is missing. */
int backend_select(char *why, size_t size) MUST_CHECK;

#endif

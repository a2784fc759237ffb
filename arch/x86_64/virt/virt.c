/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virt.c - which backend is in use, for whoever enters guests or touches their state. kernel/backends.c sets
 * it once.
 */
#include "arch/x86_64/virt/virt.h"

const struct virt_ops *backend;

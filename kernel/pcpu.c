/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pcpu.c - the block of the processor that runs us.
 */
#include "kernel/pcpu.h"

struct pcpu pcpu_boot;

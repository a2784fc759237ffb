/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * range.h - a range of physical addresses, as boot/ finds them and mm/ takes them.
 */
#ifndef LIB_RANGE_H
#define LIB_RANGE_H

#include "kernel/lib/types.h"

struct boot_range { u64 start, end; bool usable; }; /* bytes, end exclusive; sorted, not overlapping */

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lz4.h - LZ4's block format (lz4_Block_format.md, 2022) for pages: no frame, no checksum, no dictionary.
 *
 * Pure: nothing is allocated, nothing but the arguments is touched. Bounded: both are linear in the bytes
 * given.
 */
#ifndef MM_PAGER_LZ4_H
#define MM_PAGER_LZ4_H

#include "kernel/lib/types.h"

#define LZ4_HASH_BITS 11
#define LZ4_MOST 65535u /* bytes a call */

/* Where four bytes were seen last. Its content between calls does not matter. */
struct lz4_work { u16 place[BIT(LZ4_HASH_BITS)]; };

/*
 * The compressed length of src[0..n), written to dst; 0: more than room bytes (dst then holds anything). n in
 * [1, LZ4_MOST]. Incompressible content is found out early: the search takes longer steps the longer it finds
 * nothing.
 */
u32 lz4_compress(struct lz4_work *w, const void *src, u32 n, void *dst, u32 room) MUST_CHECK;
/*
 * Bytes written to dst, at most room; E_INVAL: no block of this format, or more than room bytes (dst then
 * holds anything). Safe on any input: reads src[0..n), writes dst[0..room), nothing else.
 */
int lz4_decompress(const void *src, u32 n, void *dst, u32 room) MUST_CHECK;

#endif

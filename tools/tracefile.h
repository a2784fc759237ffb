/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tracefile.h - reads a recording (kernel/trace/trace_format.h) for the tools in C. Whatever is no whole,
 * right frame is skipped and counted; any bytes will do.
 */
#ifndef TOOLS_TRACEFILE_H
#define TOOLS_TRACEFILE_H

#include "kernel/trace/trace_format.h"

struct tracefile {
	struct trace_rec *rec;
	u64 *us;           /* whole time of each; of a set of pages: that of the record before */
	u32 n;
	u32 frames, missing; /* numbers that never came */
	u64 bad;           /* bytes */
	u64 lost;          /* records, as LOST ones tell */
	bool whole;        /* from its first record to its end */
};

void tracefile_parse(struct tracefile *t, const u8 *bytes, size_t n);
/* False: it can't be read or there is no frame in it; said on stderr. */
bool tracefile_load(struct tracefile *t, const char *path);
void tracefile_free(struct tracefile *t);

#endif

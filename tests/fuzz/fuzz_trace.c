/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: tools/tracefile.c tools/whatif_events.c tools/whatif_start.c tools/oracle.c kernel/trace/trace.c kernel/lib/fmt.c tests/fake/fake_arch.c */
/*
 * fuzz_trace.c - any records as a recording: the first byte says how many a frame holds, the rest become
 * frames with right checksums, so that what lies behind the reader is reached; then the same bytes as they
 * are.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/lib/lib.h"
#include "kernel/trace/trace.h"
#include "tools/whatif_events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_it(const u8 *bytes, size_t n)
{
	struct tracefile t;
	struct wi w;
	u64 touches = 0;

	tracefile_parse(&t, bytes, n);
	BUG_ON((u64)t.n * sizeof(struct trace_rec) > n);
	for (u32 i = 0; i < t.n; i++)
		touches += t.rec[i].kind == TRACE_RUN ? MIN(t.rec[i].value, 1u << 20) : 64;
	if (touches > 4u << 20) { /* only much memory and time */
		tracefile_free(&t);
		return;
	}
	wi_build(&w, &t);
	for (u32 i = 0; i < w.n; i++) {
		const struct wi_event *e = &w.e[i];

		BUG_ON(e->vm >= WI_VMS || (i && e->us < w.e[i - 1].us));
		if (e->kind == WI_GUEST)
			BUG_ON(e->item >= w.changes);
		else if (e->kind != WI_MACHINE && e->kind != WI_PASS && e->kind != WI_TARGET &&
			 e->kind != WI_PHASE)
			BUG_ON(e->item >= w.vm[e->vm].items || e->other >= w.vm[e->vm].ram);
	}
	wi_free(&w);
	tracefile_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u32 a_frame, n, seq = 0;
	size_t len = 0;
	u8 *out;

	read_it(data, size);
	if (size < 1 + sizeof(struct trace_rec) || size > 16384)
		return 0;
	a_frame = 1 + data[0] % TRACE_FRAME_RECORDS;
	n = (u32)((size - 1) / sizeof(struct trace_rec));
	out = malloc((n / a_frame + 1) * TRACE_FRAME_BYTES(a_frame));
	for (u32 i = 0; i < n; i += a_frame) {
		struct trace_head h = { .magic = TRACE_MAGIC, .seq = seq++, .version = TRACE_VERSION,
					.records = (u16)MIN(a_frame, n - i), .time_lo = i * 1000 };
		u32 bytes = (u32)TRACE_FRAME_BYTES(h.records), crc;

		memcpy(out + len, &h, sizeof(h));
		memcpy(out + len + sizeof(h), data + 1 + i * sizeof(struct trace_rec),
		       h.records * sizeof(struct trace_rec));
		crc = trace_crc(0, out + len + 4, bytes - 8);
		memcpy(out + len + bytes - 4, &crc, 4);
		len += bytes;
	}
	read_it(out, len);
	free(out);
	return 0;
}

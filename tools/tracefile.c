/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tracefile.c - recordings from files. Contract: tracefile.h.
 */
#include "tools/tracefile.h"
#include "kernel/trace/trace.h"
#include "tools/oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool whole_frame(const u8 *p, size_t n, struct trace_head *h)
{
	size_t bytes;
	u32 crc;

	if (n < sizeof(*h))
		return false;
	memcpy(h, p, sizeof(*h));
	if (h->magic != TRACE_MAGIC || h->version != TRACE_VERSION || !h->records ||
	    h->records > TRACE_FRAME_RECORDS)
		return false;
	bytes = TRACE_FRAME_BYTES(h->records);
	if (n < bytes)
		return false;
	memcpy(&crc, p + bytes - sizeof(crc), sizeof(crc));
	return crc == trace_crc(0, p + sizeof(h->magic), bytes - sizeof(h->magic) - sizeof(crc));
}

static void add_frame(struct tracefile *t, const u8 *p, const struct trace_head *h)
{
	u64 us = h->time_lo | (u64)h->time_hi << 32;

	if (t->n)
		us = MAX(us, t->us[t->n - 1]); /* it never goes back */
	for (u32 i = 0; i < h->records; i++) {
		struct trace_rec *r = &t->rec[t->n];

		memcpy(r, p + sizeof(*h) + i * sizeof(*r), sizeof(*r));
		if (trace_timed(r))
			us += (u32)(r->time - (u32)us);
		t->us[t->n++] = us;
		t->lost += r->kind == TRACE_LOST ? r->value : 0;
		if (r->kind == TRACE_END)
			t->whole = t->n == (r->page | (u64)r->value << 32);
	}
}

void tracefile_parse(struct tracefile *t, const u8 *bytes, size_t n)
{
	size_t most = n / sizeof(struct trace_rec) + 1, at = 0;
	struct trace_head h;
	u32 next = 0;

	memset(t, 0, sizeof(*t));
	t->rec = oracle_alloc(most, sizeof(*t->rec));
	t->us = oracle_alloc(most, sizeof(*t->us));
	while (at < n) {
		if (!whole_frame(bytes + at, n - at, &h)) {
			at++;
			t->bad++;
			continue;
		}
		add_frame(t, bytes + at, &h);
		at += TRACE_FRAME_BYTES(h.records);
		t->frames++;
		if (h.seq > next)
			t->missing += h.seq - next;
		next = h.seq >= next ? h.seq + 1 : next;
	}
	t->whole &= !t->missing && !t->lost;
}

bool tracefile_load(struct tracefile *t, const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t room = 1 << 20, n = 0, got;
	u8 *bytes = malloc(room);

	if (!f || !bytes) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		free(bytes);
		return false;
	}
	while ((got = fread(bytes + n, 1, room - n, f)) > 0) {
		n += got;
		if (n == room) {
			bytes = realloc(bytes, room *= 2);
			if (!bytes)
				exit(1);
		}
	}
	fclose(f);
	tracefile_parse(t, bytes, n);
	free(bytes);
	if (!t->n) {
		fprintf(stderr,
			"%s: no frame of a recording in it; lines of trace dump: tools/trace drain first\n",
			path);
		tracefile_free(t);
	}
	return t->n > 0;
}

void tracefile_free(struct tracefile *t)
{
	free(t->rec);
	free(t->us);
	memset(t, 0, sizeof(*t));
}

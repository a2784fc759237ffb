/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log.c - a ring of the last log lines, and the sink that shows them as they come.
 *
 * Contract: lib.h. Lines live in a ring of bytes, each ended by a zero byte; the oldest are
 * overwritten. What a guest or GRUB wrote may end up in a line, so bytes that could drive a
 * terminal are shown as '?'. A sink that logs is not called again from inside itself.
 * File-scope state because it must work before the first allocation and inside panic().
 */
#include "kernel/lib/lib.h"

#define LINE_MAX_BYTES 512

log_sink_fn *log_sink;
u64 (*log_clock_ms)(void);

static char ring[LOG_RING_BYTES];
static u64 ring_end; /* bytes ever written; the ring holds the last LOG_RING_BYTES */
static bool in_sink;

static char ring_at(u64 pos)
{
	return ring[pos % LOG_RING_BYTES];
}

static void ring_add(const char *line)
{
	do
		ring[ring_end++ % LOG_RING_BYTES] = *line;
	while (*line++);
}

static void make_printable(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

static void to_sink(enum log_level level, const char *line)
{
	if (!log_sink || in_sink)
		return;
	in_sink = true;
	log_sink(level, line);
	in_sink = false;
}

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const prefix[] = { "error: ", "warning: ", "", "" };
	u64 ms = log_clock_ms ? log_clock_ms() : 0;
	char line[LINE_MAX_BYTES];
	va_list ap;
	int n;

	n = fmt(line, sizeof(line), "[%5lu.%03lu] %s", ms / 1000, ms % 1000, prefix[level]);
	va_start(ap, format);
	vfmt(line + n, sizeof(line) - (size_t)n, format, ap);
	va_end(ap);
	make_printable(line);
	ring_add(line);
	to_sink(level, line);
}

void log_note(const char *line)
{
	to_sink(LOG_NOTE, line);
}

/* Where the last `lines` whole lines begin. */
static u64 find_start(unsigned int lines)
{
	u64 oldest = ring_end > LOG_RING_BYTES ? ring_end - LOG_RING_BYTES : 0;
	u64 pos = ring_end, start = ring_end;

	while (lines && pos > oldest) {
		pos--; /* the zero that ends a line */
		while (pos > oldest && ring_at(pos - 1))
			pos--;
		/* A line that begins where the ring does may have lost its head. */
		if (pos == oldest && oldest)
			break;
		start = pos;
		lines--;
	}
	return start;
}

void log_last(unsigned int lines, void (*fn)(void *ctx, const char *line), void *ctx)
{
	u64 end = ring_end; /* fn may log */
	char line[LINE_MAX_BYTES];

	for (u64 pos = find_start(lines); pos < end; pos++) {
		size_t n = 0;

		for (; pos < end && ring_at(pos); pos++)
			if (n + 1 < sizeof(line))
				line[n++] = ring_at(pos);
		line[n] = 0;
		fn(ctx, line);
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lib.h - what freestanding C lacks here: memory and string functions,
 * formatting, parsing of quantities, the log ring, assertions.
 */
#ifndef LIB_LIB_H
#define LIB_LIB_H

#include <stdarg.h>
#include "kernel/lib/types.h"

/* string.c (on Linux the C library's own are used) */
void *memcpy(void *d, const void *s, size_t n);
void *memmove(void *d, const void *s, size_t n);
void *memset(void *d, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
/* Copies at most size-1 bytes and always terminates; false if it was cut. */
bool str_copy(char *dst, size_t size, const char *src);
/* -ffreestanding takes the compiler's knowledge of these two away: a copy of 2 or 16 bytes would be
 * a call. */
#ifndef VMMB_HOST
#define memcpy(d, s, n) __builtin_memcpy(d, s, n)
#define memset(d, c, n) __builtin_memset(d, c, n)
#endif

/*
 * fmt.c: %d %i %u %x %X %p %s %c %% with l, ll, z, width, 0, -, .precision (strings, also *);
 * no floating point. Returns the length that the whole text would have had.
 */
int fmt(char *buf, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
int vfmt(char *buf, size_t size, const char *format, va_list ap);

/*
 * parse.c: whole-string parsers; E_INVAL or E_RANGE on anything else.
 * parse_size: "64K", "256M", "2G" (binary units, required; "0" needs none).
 * parse_rate: "50/s", "3/min" -> events a 1000 seconds.
 * parse_percent: "2%", "0.5%", at most four decimals -> parts in 1,000,000.
 */
int parse_u64(const char *s, u64 *out) MUST_CHECK;
int parse_size(const char *s, u64 *bytes) MUST_CHECK;
int parse_rate(const char *s, u64 *per_1000s) MUST_CHECK;
int parse_percent(const char *s, u64 *ppm) MUST_CHECK;
/* "256 MiB", "4 KiB": the largest unit that is exact to 0.1; returns buf. */
const char *fmt_size(char *buf, size_t size, u64 bytes);
const char *err_str(int err);

/*
 * log.c: a ring of the last lines (LOG_RING_BYTES), each stamped with ms since boot.
 * log_sink (an upward port: kernel/console sets it; NULL: silent) gets each whole line without '\n'.
 * Each call is one line.
 */
#define LOG_RING_BYTES (64 * 1024)
enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_NOTE };
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
#define log_err(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
typedef void log_sink_fn(enum log_level level, const char *line);
extern log_sink_fn *log_sink;
/* A line for whoever looks at the terminal now (LOG_NOTE): as it is, without a stamp, and not kept in the
 * ring. */
void log_note(const char *line);
extern u64 (*log_clock_ms)(void); /* an upward port: set once time is known */
/* Calls fn for the last `lines` lines, oldest first. */
void log_last(unsigned int lines, void (*fn)(void *ctx, const char *line), void *ctx);

/* Our own bug: prints version, registers, backtrace, last log lines; never returns (arch/x86_64/panic.c,
 * fakes). */
void panic(const char *format, ...) PRINTF_LIKE(1, 2) NORETURN;
#define BUG_ON(cond)                                                              \
	do {                                                                      \
		if (unlikely(cond))                                               \
			panic("%s:%d: " #cond, __FILE__, __LINE__);               \
	} while (0)

extern const char vmmb_version[];

#endif

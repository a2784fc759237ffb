/* SPDX-License-Identifier: GPL-2.0-only */
/* rt.c - the runtime of hostile guests, but for the processor (cpu.c): their words, lines and random numbers;
 * see rt.h. */
#include <stdarg.h>

#include "rt.h"

#define UART 0x3f8
#define RESTART_MS 300 /* whoever begins later than this has been reset */
#define MB_FLAG_MEMORY 1u
#define MB_FLAG_CMDLINE 4u

u64 ram, tsc_mhz;

static char cmdline[1024];
static u64 random_state, next_beat;

void *memset(void *p, int c, size_t n)
{
	void *d = p;

	asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return p;
}

void *memcpy(void *to, const void *from, size_t n)
{
	void *d = to;

	asm volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
	return to;
}

/* ---- words of the command line ---- */

static const char *word(const char *name)
{
	for (const char *p = cmdline; *p; p++) {
		const char *n = name, *q = p;

		if (p != cmdline && p[-1] != ' ')
			continue;
		while (*n && *n == *q)
			n++, q++;
		if (!*n && *q == '=')
			return q + 1;
	}
	return NULL;
}

u64 arg(const char *name, u64 otherwise)
{
	const char *p = word(name);
	u64 v = 0;

	if (!p)
		return otherwise;
	for (; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (u64)(*p - '0');
	return v;
}

bool arg_is(const char *name, const char *value)
{
	const char *p = word(name);

	if (!p)
		return false;
	while (*value && *p == *value)
		p++, value++;
	return !*value && (!*p || *p == ' ');
}

/* ---- the serial port ---- */

/* Attacks may have left anything in its registers. */
static void uart_init(void)
{
	out8(UART + 3, 3);
	out8(UART + 1, 0);
	out8(UART + 2, 7);
	out8(UART + 4, 3);
}

static void put(char c)
{
	for (u32 i = 0; i < 100000 && !(in8(UART + 5) & 0x20); i++)
		;
	out8(UART, (u8)c);
}

static void put_number(u64 v, u32 base)
{
	char text[24];
	u32 n = 0;

	do
		text[n++] = "0123456789abcdef"[v % base];
	while ((v /= base));
	while (n)
		put(text[--n]);
}

void say(const char *format, ...)
{
	va_list ap;

	uart_init();
	va_start(ap, format);
	for (const char *p = format; *p; p++) {
		if (*p != '%') {
			put(*p);
			continue;
		}
		while (*++p == 'l') /* every number is 64 bits wide */
			;
		if (*p == 's')
			for (const char *s = va_arg(ap, const char *); *s; s++)
				put(*s);
		else if (*p == 'c')
			put((char)va_arg(ap, int));
		else
			put_number(va_arg(ap, u64), *p == 'x' ? 16 : 10);
	}
	va_end(ap);
	put('\r');
	put('\n');
}

void beat(u64 n)
{
	u64 now = rdtsc();

	if (now < next_beat)
		return;
	next_beat = now + tsc_mhz * 1000000;
	say("round %lu", n);
}

/* ---- random numbers (xorshift64*) ---- */

u64 rnd(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dull;
}

void mix_time(void)
{
	if (rdtsc() < (arg("from", 0) + RESTART_MS) * 1000 * tsc_mhz)
		return;
	random_state ^= rdtsc() * 0x9e3779b97f4a7c15ull;
	random_state |= !random_state;
}

u64 odd_number(void)
{
	u64 v = 1ull << below(64);

	switch (below(8)) {
	case 0: return rnd();
	case 1: return v;
	case 2: return v - 1;
	case 3: return ~v;
	case 4: return below(256);
	case 5: return (u32)rnd();
	case 6: return -v;
	default: return rnd() & rnd() & rnd();
	}
}

u64 odd_address(void)
{
	u64 near = below(64) - 32, inside = SCRATCH + PAGE + below(ram - SCRATCH - 2 * PAGE);

	switch (below(12)) {
	case 0: return APIC + below(PAGE);
	case 1: return IOAPIC + below(PAGE);
	case 2: return HOLE + below(1 << 20);
	case 3: return ram + near;
	case 4: return (inside & ~(PAGE - 1)) + near; /* across a page's end */
	case 5: return 0x100000000ull + near;
	case 6: return odd_number();
	case 7: return 0xa0000 + below(0x60000);
	default: return inside;
	}
}

/* ---- start ---- */

static void read_info(void)
{
	const u32 *info = (const u32 *)(u64)multiboot_info;

	ram = info[0] & MB_FLAG_MEMORY ? (info[2] + 1024ull) * 1024 : 16ull << 20;
	ram &= ~(PAGE - 1);
	if (!(info[0] & MB_FLAG_CMDLINE))
		return;
	for (u32 i = 0; i < sizeof(cmdline) - 1 && ((const char *)(u64)info[4])[i]; i++)
		cmdline[i] = ((const char *)(u64)info[4])[i];
}

void rt_init(void)
{
	read_info();
	tsc_mhz = arg("mhz", 1000);
	random_state = arg("seed", 1) * 0x9e3779b97f4a7c15ull | 1;
	cpu_start();
}

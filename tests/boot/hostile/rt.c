/* SPDX-License-Identifier: GPL-2.0-only */
/* rt.c - the runtime of hostile guests; see rt.h. One processor, no heap, nothing is given back. */
#include <stdarg.h>

#include "rt.h"

#define UART 0x3f8
#define IST_BYTES 8192
#define TSS_SELECTOR 0x38
#define MB_FLAG_MEMORY 1u
#define MB_FLAG_CMDLINE 4u
#define EFER 0xc0000080u
#define EFER_SCE 1u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u
#define EFER_NXE 0x800u
#define PD_FIRST 2 /* of page_tables: the tables of 2 MiB pages */
#define PRESENT 1ull
#define USER 4ull

u64 ram, tsc_mhz, good_cr0, good_cr3, good_cr4, steps;
bool irq_ends;
volatile u64 irqs[256], faults[32];
void (*irq_hook)(u8 vector);

static char cmdline[1024];
static u64 random_state, next_beat;
static char ist[IST_BYTES] __attribute__((aligned(16)));
static struct { u64 lo, hi; } idt[256] __attribute__((aligned(16)));
static u8 tss[104] __attribute__((aligned(16)));
static struct { u16 limit; u64 base; } __attribute__((packed)) idt_pointer;

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

/* ---- exceptions ---- */

static void cr_set(void)
{
	asm volatile("mov %0, %%cr4" : : "r"(good_cr4) : "memory");
	asm volatile("mov %0, %%cr0" : : "r"(good_cr0) : "memory");
}

void sane(void)
{
	u64 v;

	asm volatile("mov %%cr3, %0" : "=r"(v));
	if (v != good_cr3)
		asm volatile("mov %0, %%cr3" : : "r"(good_cr3) : "memory");
	cr_set();
	asm volatile("mov %0, %%dr7" : : "r"(0x400ull));
	wrmsr(EFER, EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE);
	set_segments();
	asm volatile("lidt %0" : : "m"(idt_pointer));
}

static _Noreturn void unexpected(const struct trap_frame *f)
{
	sane();
	recover_rsp = 0;
	say("exception %lu at %lx: starts again", f->vector, f->rip);
	reset(0);
}

/* From the stub of each vector; other than 0: the attempt is over. */
u64 trap(struct trap_frame *f);
u64 trap(struct trap_frame *f)
{
	u8 v = (u8)f->vector;

	if (v >= 32) {
		irqs[v]++;
		if (irq_hook)
			irq_hook(v);
		apic_write(0xb0, 0);
		if (!irq_ends || !recover_rsp)
			return 0;
	} else {
		faults[v]++;
		if (v == 1 && steps) {
			steps--;
			return 0;
		}
		if (!recover_rsp)
			unexpected(f);
	}
	sane();
	return v + 1ull;
}

static void idt_init(void)
{
	for (u32 i = 0; i < 256; i++) {
		u64 at = (u64)vectors + 16 * i;

		idt[i].lo = (at & 0xffff) | (u64)CODE0 << 16 | 1ull << 32 | 0x8eull << 40 | (at >> 16 & 0xffff) << 48;
		idt[i].hi = at >> 32;
	}
	idt_pointer.limit = sizeof(idt) - 1;
	idt_pointer.base = (u64)idt;
	asm volatile("lidt %0" : : "m"(idt_pointer));
}

static void tss_init(void)
{
	u64 base = (u64)tss, top = (u64)ist + IST_BYTES;

	memcpy(tss + 4, &top, 8);  /* RSP0 */
	memcpy(tss + 36, &top, 8); /* IST 1 */
	tss[102] = 104;            /* no I/O bitmap */
	gdt[TSS_SELECTOR / 8] = 0x0000890000000067 | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
	gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
	asm volatile("ltr %0" : : "r"((u16)TSS_SELECTOR));
}

/* ---- interrupts and time ---- */

void timer_once(u64 us)
{
	apic_write(0x3e0, 0xb);             /* divide by 1 */
	apic_write(0x320, TIMER_VECTOR);    /* one-shot */
	apic_write(0x380, (u32)(us * tsc_mhz));
}

static void apic_init(void)
{
	wrmsr(0x1b, APIC | 0x900);
	apic_write(0xf0, 0x1ff);
	apic_write(0x80, 0);
	apic_write(0x350, 0x10000);
	out8(0x20, 0x11); /* the 8259s: vectors from PIC_VECTOR, all masked */
	out8(0x21, PIC_VECTOR);
	out8(0x21, 4);
	out8(0x21, 1);
	out8(0xa0, 0x11);
	out8(0xa1, PIC_VECTOR + 8);
	out8(0xa1, 2);
	out8(0xa1, 1);
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
}

/* PCI's: level, active low. */
void route_irq(u32 gsi, u8 vector)
{
	*(volatile u32 *)IOAPIC = 0x11 + 2 * gsi;
	*(volatile u32 *)(IOAPIC + 16) = 0;
	*(volatile u32 *)IOAPIC = 0x10 + 2 * gsi;
	*(volatile u32 *)(IOAPIC + 16) = 0xa000u | vector;
}

void sleep_until(u64 tsc)
{
	for (u64 now = rdtsc(); now < tsc; now = rdtsc()) {
		u64 us = (tsc - now) / tsc_mhz + 1;

		timer_once(us < 1000000 ? us : 1000000);
		halt();
	}
}

_Noreturn void reset(u32 how)
{
	for (;; how++) {
		switch (how % 3) {
		case 0:
			out8(0xcf9, 6);
			break;
		case 1:
			out8(0x64, 0xfe);
			break;
		default:
			idt_pointer.limit = 0;
			asm volatile("lidt %0; ud2" : : "m"(idt_pointer));
		}
	}
}

/* ---- start ---- */

/* Pages that are neither RAM nor the APICs': present only where an attack wants to reach for them. */
void map_holes(bool on)
{
	u64 *pd = page_tables[PD_FIRST];

	for (u64 i = ram >> 21; i < 5 * 512; i++)
		if (on)
			pd[i] |= PRESENT | USER;
		else if (i == APIC >> 21 || i == IOAPIC >> 21)
			pd[i] = (pd[i] | PRESENT) & ~USER;
		else
			pd[i] &= ~PRESENT;
	asm volatile("mov %0, %%cr3" : : "r"(good_cr3) : "memory");
}

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

/* What random instructions may use. */
static void cpu_init(void)
{
	u32 r[4];

	cpuid(1, 0, r);
	good_cr0 = 0x80000033;
	good_cr4 = 0x620 | (r[2] >> 26 & 1) << 18; /* PAE, OSFXSR, OSXMMEXCPT; OSXSAVE */
	good_cr3 = (u64)page_tables;
	cr_set();
	wrmsr(EFER, EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE);
	if (good_cr4 >> 18 & 1)
		asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
}

static void avx(void *unused)
{
	(void)unused;
	cpu_init();
}

void rt_init(void)
{
	read_info();
	tsc_mhz = arg("mhz", 1000);
	random_state = arg("seed", 1) * 0x9e3779b97f4a7c15ull | 1;
	tss_init();
	idt_init();
	(void)attempt(avx, NULL);
	apic_init();
	map_holes(false);
}

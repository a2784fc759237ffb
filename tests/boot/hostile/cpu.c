/* SPDX-License-Identifier: GPL-2.0-only */
/* cpu.c - the processor of a hostile guest: exceptions, interrupts, what is mapped, and how all is put right;
 * see rt.h. */
#include "rt.h"

#define IST_BYTES 8192
#define TSS_SELECTOR 0x38
#define EFER 0xc0000080u
#define EFER_SCE 1u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u
#define EFER_NXE 0x800u
#define PD_FIRST 2 /* of page_tables: the tables of 2 MiB pages */
#define PRESENT 1ull
#define USER 4ull

u64 good_cr0, good_cr3, good_cr4, steps;
bool irq_ends;
volatile u64 irqs[256], faults[32];
void (*irq_hook)(u8 vector);

static char ist[IST_BYTES] __attribute__((aligned(16)));
static struct { u64 lo, hi; } idt[256] __attribute__((aligned(16)));
static u8 tss[104] __attribute__((aligned(16)));
static struct { u16 limit; u64 base; } __attribute__((packed)) idt_pointer;

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

		idt[i].lo = (at & 0xffff) | (u64)CODE0 << 16 | 1ull << 32 | 0x8eull << 40 |
			    (at >> 16 & 0xffff) << 48;
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

void cpu_start(void)
{
	tss_init();
	idt_init();
	(void)attempt(avx, NULL);
	apic_init();
	map_holes(false);
}

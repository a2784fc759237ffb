/* SPDX-License-Identifier: GPL-2.0-only */
/* machine.c - attacks on what a processor reaches by one instruction: ports, MSRs, CPUID, APICs, control
 * registers. */
#include "modes.h"

/* ---- ports ---- */

static u16 port;
static u64 port_address, port_count;

/* What resets the machine or switches it off: 64h, CF9h, the sleep control; not with all=1. */
static bool deadly(u32 first, u32 bytes)
{
	static const u16 list[] = { 0x64, 0xcf9, 0x600, 0x601 };

	for (u32 i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i] >= first && list[i] < first + bytes && !(first == 0xcf8 && bytes == 4))
			return true;
	return false;
}

static u16 some_port(void)
{
	static const u16 known[] = { 0x20,  0x21,  0xa0,  0xa1,  0x40,  0x41,  0x42,  0x43,  0x60,
				     0x61,  0x64,  0x70,  0x71,  0x80,  0x3f8, 0x3f9, 0x3fa, 0x3fb,
				     0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x4d0, 0x4d1, 0x600, 0x604, 0x608,
				     0x60f, 0xcf8, 0xcf9, 0xcfa, 0xcfb, 0xcfc, 0xcfd, 0xcfe, 0xcff };

	switch (below(4)) {
	case 0: return (u16)rnd();
	case 1: return (u16)(0xc000 + below(0x200));
	default: return known[below(sizeof(known) / sizeof(known[0]))];
	}
}

static void one_port(void *kind)
{
	u32 v = (u32)odd_number();
	u64 a = port_address, n = port_count;

	switch ((u64)kind) {
	case 0: in8(port); break;
	case 1: in16(port); break;
	case 2: in32(port); break;
	case 3: out8(port, (u8)v); break;
	case 4: out16(port, (u16)v); break;
	case 5: out32(port, v); break;
	case 6: asm volatile("rep insb" : "+D"(a), "+c"(n) : "d"(port) : "memory"); break;
	case 7: asm volatile("rep insw" : "+D"(a), "+c"(n) : "d"(port) : "memory"); break;
	case 8: asm volatile("rep insl" : "+D"(a), "+c"(n) : "d"(port) : "memory"); break;
	case 9: asm volatile("rep outsb" : "+S"(a), "+c"(n) : "d"(port) : "memory"); break;
	case 10: asm volatile("rep outsw" : "+S"(a), "+c"(n) : "d"(port) : "memory"); break;
	case 11: asm volatile("rep outsl" : "+S"(a), "+c"(n) : "d"(port) : "memory"); break;
	case 12: asm volatile("addr32 rep insl" : "+D"(a), "+c"(n) : "d"(port) : "memory"); break;
	case 13: asm volatile("std; rep insb; cld" : "+D"(a), "+c"(n) : "d"(port) : "memory"); break;
	case 14: asm volatile("std; rep outsl; cld" : "+S"(a), "+c"(n) : "d"(port) : "memory"); break;
	default: asm volatile("insw" : "+D"(a) : "d"(port) : "memory"); break;
	}
}

/* IN, OUT, INS and OUTS of all sizes; string forms with any address and count, with device=1 also in devices
 * and holes. */
void mode_ports(void)
{
	bool all = arg("all", 0), device = arg("device", 0);

	mix_time();
	map_holes(device);
	for (u64 n = 0;; n++) {
		u64 kind = below(16);

		port = some_port();
		/* UARTs are one line of the log a byte: a few only */
		if (port == 0x3f8 && below(16))
			port = 0x3f9;
		if (!all && deadly(port, 4))
			continue;
		do
			port_address = odd_address();
		while (!device && port_address >= 0xa0000 &&
		       (port_address < 0x100000 || port_address + 0x40000 >= ram) &&
		       port_address < 1ull << 34);
		port_count = below(1024) ? below(40) : odd_number() & 0xffff;
		(void)attempt(one_port, (void *)kind);
		beat(n);
	}
}

/* ---- MSRs, CPUID ---- */

static u32 msr;
static u64 msr_value;

static void msr_read(void *unused)
{
	(void)unused;
	msr_value = rdmsr(msr);
}

static void msr_write(void *unused)
{
	(void)unused;
	wrmsr(msr, msr_value);
}

static u32 some_msr(void)
{
	switch (below(8)) {
	case 0: return (u32)rnd();
	case 1: return 0xc0010000u + (u32)below(0x400);
	case 2: return 0xc0000080u + (u32)below(0x90);
	case 3: return 0x800 + (u32)below(0x100);
	case 4: return 0x480 + (u32)below(0x20);
	case 5: return 0x200 + (u32)below(0x100);
	case 6: return 0x40000000u + (u32)below(0x200);
	default: return (u32)below(0x1000);
	}
}

/* Reads any, writes any: what was read with one bit changed, or any number. */
void mode_msrs(void)
{
	mix_time();
	for (u64 n = 0;; n++) {
		u64 was;
		bool readable;

		msr = some_msr();
		readable = !attempt(msr_read, NULL);
		was = msr_value;
		if (below(2))
			msr_value = readable && below(2) ? msr_value ^ 1ull << below(64) : odd_number();
		/* the bases that this program itself stands on */
		if (msr == 0x1b && below(64))
			continue;
		if (!attempt(msr_write, NULL) && readable) {
			msr_value = was;
			(void)attempt(msr_write, NULL);
		}
		sane();
		beat(n);
	}
}

/* Every leaf up to the highest of each range and beyond, each with subleaves. */
void mode_cpuid(void)
{
	static const u32 base[] = { 0, 0x40000000, 0x80000000, 0x8fffffff, 0x20000000 };
	u32 r[4];

	for (u64 n = 0;; n++) {
		u32 leaf = base[below(5)] + (u32)below(64),
		    sub = below(4) ? (u32)below(16) : (u32)odd_number();

		if (!below(16))
			leaf = (u32)rnd();
		cpuid(leaf, sub, r);
		beat(n);
	}
}

/* ---- APICs ---- */

static u64 apic_address;

static void one_apic(void *kind)
{
	volatile u8 *b = (volatile u8 *)apic_address;
	volatile u16 *w = (volatile u16 *)apic_address;
	volatile u32 *d = (volatile u32 *)apic_address;
	volatile u64 *q = (volatile u64 *)apic_address;
	u64 v = odd_number(), a = apic_address, s = SCRATCH + 256, n = below(40);

	switch ((u64)kind) {
	case 0: v = *b; break;
	case 1: v = *w; break;
	case 2: v = *d; break;
	case 3: v = *q; break;
	case 4: *b = (u8)v; break;
	case 5: *w = (u16)v; break;
	case 6: case 7: *d = (u32)v; break;
	case 8: *q = v; break;
	case 9: asm volatile("xchgl %k0, %1" : "+r"(v), "+m"(*d)); break;
	case 10: asm volatile("orl %k1, %0" : "+m"(*d) : "r"(v)); break;
	case 11: asm volatile("addb %b1, %0" : "+m"(*b) : "q"(v)); break;
	case 12: asm volatile("subq %1, %0" : "+m"(*q) : "r"(v)); break;
	case 13: asm volatile("btsl %k1, %0" : "+m"(*d) : "r"(v & 31)); break;
	case 14: asm volatile("cmpw %w1, %0; testl %k1, %0" : : "m"(*d), "r"(v)); break;
	case 15: asm volatile("movzwl %1, %k0; movsbq %1, %0" : "=r"(v) : "m"(*d)); break;
	case 16: asm volatile("rep movsl" : "+D"(a), "+S"(s), "+c"(n) : : "memory"); break;
	case 17: asm volatile("rep movsb" : "+D"(s), "+S"(a), "+c"(n) : : "memory"); break;
	case 18: asm volatile("rep stosq" : "+D"(a), "+c"(n) : "a"(v) : "memory"); break;
	case 19: asm volatile("std; rep movsw; cld" : "+D"(a), "+S"(s), "+c"(n) : : "memory"); break;
	case 20: asm volatile("xorl %k1, %0; andl %k1, %0" : "+m"(*d) : "r"(v)); break;
	/* exotic=1: what no driver does with a device */
	case 21: asm volatile("incl %0; decb %0" : "+m"(*d)); break;
	case 22: asm volatile("adcl %k1, %0; sbbl %k1, %0" : "+m"(*d) : "r"(v)); break;
	case 23: asm volatile("lock cmpxchgl %k1, %0" : "+m"(*d) : "r"(v) : "rax"); break;
	case 24: asm volatile("pushq %0; popq %0" : "+m"(*q)); break;
	case 25: asm volatile("movups %0, %%xmm0; movups %%xmm0, %0" : "+m"(*q)); break;
	case 26: asm volatile("lock xaddl %k1, %0" : "+m"(*d), "+r"(v)); break;
	case 27: asm volatile("fldl %0; fstpl %0" : "+m"(*q)); break;
	case 28: asm volatile("shll $3, %0; notl %0; negl %0" : "+m"(*d)); break;
	default: asm volatile("repe scasb" : "+D"(a), "+c"(n) : "a"(v)); break;
	}
}

/* The local and the I/O APIC at every offset by every width, aligned or not; with exotic=1 by any
 * instruction. */
void mode_apic(void)
{
	u64 kinds = arg("exotic", 0) ? 30 : 21;

	mix_time();
	map_holes(true);
	for (u64 n = 0;; n++) {
		apic_address = (below(2) ? APIC : IOAPIC) + below(PAGE - 8);
		if (below(2))
			apic_address &= ~15ull;
		(void)attempt(one_apic, (void *)below(kinds));
		if (!below(16)) { /* whatever now waits is taken */
			asm volatile("sti; nop; nop; cli");
			apic_write(0xb0, 0);
		}
		beat(n);
	}
}

/* ---- control and debug registers ---- */

#define CR0_KNOWN 0x6005003eull
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR4_KNOWN 0x1707dfull
#define CR3_LOW 0xfffull
static u64 reg_value;

/* QEMU 7.2 takes what a processor answers with #GP: reserved bits of CR0, CR3 and CR4, with which it then
 * refuses to run the guest any more, and the end of paging in 64-bit code. So these only with reserved=1. */
static void keep_to_known(u64 kind)
{
	if (kind == 0) {
		reg_value &= CR0_KNOWN;
		if (((good_cr0 ^ reg_value) & CR0_NW) && !((good_cr0 ^ reg_value) & CR0_CD))
			reg_value ^= CR0_CD;
	} else if (kind == 2) {
		reg_value &= CR3_LOW;
	} else if (kind == 3 || kind == 4) {
		reg_value &= CR4_KNOWN;
	}
}

static void one_reg(void *kind)
{
	u32 r = (u32)below(4);

	switch ((u64)kind) {
	case 0: asm volatile("mov %0, %%cr0" : : "r"(good_cr0 ^ reg_value) : "memory"); break;
	case 1: asm volatile("mov %0, %%cr2; mov %%cr2, %0" : "+r"(reg_value)); break;
	case 2:
		asm volatile("mov %0, %%cr3" : : "r"(good_cr3 ^ (reg_value & ~0xffffff000ull)) : "memory");
		break;
	case 3: case 4: asm volatile("mov %0, %%cr4" : : "r"(good_cr4 ^ reg_value) : "memory"); break;
	case 5: asm volatile("mov %0, %%cr8; mov %%cr8, %0" : "+r"(reg_value)); break;
	case 6: wrmsr(0xc0000080, rdmsr(0xc0000080) ^ reg_value); break;
	case 7:
		asm volatile("xsetbv"
			     :
			     : "a"((u32)reg_value), "d"((u32)(reg_value >> 32)), "c"(r ? 0 : (u32)rnd()));
		break;
	case 8:
		asm volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3"
			     :
			     : "r"(odd_address()));
		break;
	case 9: asm volatile("mov %0, %%dr7; nop; mov %%dr7, %0" : "+r"(reg_value)); break;
	case 10: asm volatile("mov %0, %%dr6; mov %%dr6, %0" : "+r"(reg_value)); break;
	case 11: asm volatile("lmsw %w0; smsw %w0; clts" : "+r"(reg_value)); break;
	case 12: asm volatile("wbinvd; invd; invlpg (%0)" : : "r"(odd_address()) : "memory"); break;
	case 13: asm volatile("vmcall"); break;
	case 14: asm volatile("vmmcall"); break;
	case 15: asm volatile("vmload" : : "a"(odd_address())); break;
	case 16: asm volatile("vmrun" : : "a"(odd_address())); break;
	case 17: asm volatile("clgi; stgi; skinit"); break;
	case 18: asm volatile("vmxon %0" : : "m"(reg_value)); break;
	case 19: asm volatile("monitor; mwait" : : "a"(SCRATCH), "c"(0), "d"(0)); break;
	case 20: asm volatile("rdpmc; rdtscp" : : "c"((u32)reg_value) : "rax", "rdx"); break;
	case 21: asm volatile("lldt %w0" : : "r"(reg_value)); break;
	case 22: asm volatile("invpcid %0, %1" : : "m"(reg_value), "r"(below(6))); break;
	default: asm volatile("rsm"); break;
	}
}

/* CRs, EFER, XCR0, DRs with a few bits changed or any value, and what only hypervisors may; then as it was. A
 * CR3 of any value, one time in 4096 with far=1, ends in a triple fault. */
void mode_regs(void)
{
	bool far = arg("far", 0), reserved = arg("reserved", 0);
	u64 kind, only = arg("only", 24); /* one of the cases above */
	u32 high;

	mix_time();
	for (u64 n = 0;; n++) {
		reg_value = below(2) ? 1ull << below(64) | (below(2) ? 1ull << below(32) : 0) : odd_number();
		kind = only < 24 ? only : below(24);
		if (!reserved)
			keep_to_known(kind);
		(void)attempt(one_reg, (void *)kind);
		if (far && !below(4096))
			asm volatile("mov %0, %%cr3; nop"
				     :
				     : "r"(odd_address() & 0xfffffff000ull)
				     : "memory");
		sane();
		high = good_cr4 >> 18 & 1 ? 7 : 0;
		if (high)
			asm volatile("xsetbv" : : "a"(high), "d"(0), "c"(0));
		beat(n);
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* code.c - attacks by code itself: random instructions, and page tables where none should be. */
#include "modes.h"

#define STEPS_MOST 24
#define STEPS_MOST0 3 /* of ring 0, which can switch off what brings it back */
#define INT3 0xcc
#define RF_IOPL3 0x3000u
#define P 1u
#define W 2u
#define U 4u
#define LARGE 0x80u

/* ---- random instructions ---- */

static struct regs attack;

static void run_attack(void *unused)
{
	(void)unused;
	enter(&attack);
}

/* Bytes that are often instructions that exit: prefixes, 0F, string and port operations. */
static u8 some_byte(void)
{
	static const u8 often[] = { 0x0f, 0x66, 0xf2, 0xf3, 0xf0, 0x48, 0x4c, 0x67, 0x2e, 0x65, 0x6c,
				    0x6d, 0x6e, 0x6f, 0xa4, 0xa5, 0xaa, 0xab, 0x9d, 0xcf, 0xcd, 0xcc,
				    0x8e, 0xc7, 0x20, 0x22, 0x21, 0x23, 0x30, 0x32, 0x01, 0x00, 0xae,
				    0xc4, 0xc5, 0x62, 0xe4, 0xe6, 0xec, 0xee, 0xff, 0xfa, 0xfb, 0xa2 };

	return below(3) ? (u8)rnd() : often[below(sizeof(often))];
}

/* In ring 0: HLT, which with IF clear is for ever; and MOV to a control register, which mode_regs has, since
 * QEMU 7.2 aborts on one to CR8 while a virtual interrupt waits. */
static bool ends_badly(const u8 *b, u64 n)
{
	for (u64 i = 0; i < n; i++)
		if (b[i] == 0xf4 || (b[i] == 0x22 && i && b[i - 1] == 0x0f))
			return true;
	return false;
}

static void fill_registers(bool device)
{
	u64 *r = &attack.r15;

	for (u32 i = 0; i < 15; i++) {
		r[i] = below(3) ? SCRATCH + below(ram - SCRATCH) : odd_number();
		if (device && !below(8))
			r[i] = odd_address();
	}
	attack.rcx = below(2) ? below(64) : attack.rcx;
	attack.rdx = below(2) ? 0x3f8 + below(8) : attack.rdx;
}

/*
 * Random bytes as code, in ring 0 and 3, with TF, AC, any registers, also across the end of a page. ring=0|3:
 * only that. iopl=1: ring 3 may use ports, and CLI, which may be the end. device=1: registers may point to
 * devices and holes, and code may lie there. vex=1: with AVX, some of whose wrong encodings end QEMU 7.2.
 */
void mode_insns(void)
{
	bool device = arg("device", 0);
	bool iopl = arg("iopl", 0);
	u64 ring = arg("ring", 1);

	mix_time();
	map_holes(device);
	if ((good_cr4 >> 18 & 1) && !arg("vex", 0))
		asm volatile("xsetbv" : : "a"(1), "d"(0), "c"(0));
	irq_ends = true;
	memset((void *)SCRATCH, INT3, ram - SCRATCH); /* a wild jump comes back */
	for (u64 n = 0;; n++) {
		u64 bytes = 15 + below(50), at = (SCRATCH + below(ram - SCRATCH - 2 * PAGE)) & ~(PAGE - 1);
		bool user = ring == 3 || (ring && below(2));
		u8 *code;

		at += below(2) ? PAGE - 1 - below(14) : below(PAGE);
		code = (u8 *)at;
		for (u64 i = 0; i < bytes; i++)
			code[i] = some_byte();
		if (!user && ends_badly(code, bytes)) {
			memset(code, INT3, bytes);
			continue;
		}
		fill_registers(device);
		attack.rip = device && !below(64) ? odd_address() : at;
		attack.cs = user ? CODE3 : CODE0;
		attack.ss = user ? DATA3 : DATA0;
		attack.rsp = below(8) ? SCRATCH + below(ram - SCRATCH) :
			     device   ? odd_address() :
					odd_number();
		attack.rflags = 2 | (user || below(2) ? RF_IF : 0) | (below(2) ? RF_TF : 0) |
				(below(4) ? 0 : RF_AC) | (below(4) ? 0 : RF_DF) |
				(iopl && !below(16) ? RF_IOPL3 : 0);
		if (!user)
			attack.rflags |= RF_TF; /* it must come back */
		steps = below(user ? STEPS_MOST : STEPS_MOST0);
		timer_once(100);
		(void)attempt(run_attack, NULL);
		steps = 0;
		memset(code, INT3, bytes);
		apic_write(0x380, 0);
		asm volatile("sti; nop; cli");
		beat(n);
	}
}

/* ---- page tables ---- */

/* A root of the kind: 2-level, PAE or 4-level, that maps the first 8 MiB as they are and has the rest at
 * random: to itself, to large pages, with reserved bits; `beyond`: to any RAM as if it were tables, to
 * devices, to holes. */
static u64 odd_entry(u64 tables, bool pae, bool beyond)
{
	u64 flags = P | (below(4) ? W : 0) | (below(2) ? U : 0) | (below(4) ? 0 : LARGE) | (rnd() & 0xf18);

	switch (below(beyond ? 8 : 4)) {
	case 0: return 0;
	case 1: return tables | flags;
	case 2: return ((SCRATCH + below(ram - SCRATCH)) & ~0x1fffffull) | flags | LARGE;
	case 3: return pae && !below(4) ? (1ull << (52 + below(12))) | flags : tables | flags;
	case 4: return ((SCRATCH + below(ram - SCRATCH)) & ~(PAGE - 1)) | flags;
	case 5: return APIC | flags;
	case 6: return HOLE | flags;
	default: return ((u64)(u32)rnd() & ~(PAGE - 1)) | flags;
	}
}

static void two_level(u64 root, bool beyond)
{
	u32 *t = (u32 *)root;

	for (u32 i = 0; i < 1024; i++)
		t[i] = (u32)odd_entry(root, false, beyond);
	for (u32 i = 0; i < 2; i++)
		t[i] = i << 22 | LARGE | P | W | U;
}

static void many_levels(u64 root, bool pae, bool beyond)
{
	u64 *top = (u64 *)root, *pd = (u64 *)(root + PAGE);

	for (u32 i = 0; i < 512; i++) {
		top[i] = odd_entry(root, true, beyond);
		pd[i] = odd_entry(root, true, beyond);
	}
	if (pae)
		for (u32 i = 0; i < 4; i++) /* no W, no U at the top of PAE */
			top[i] &= below(64) ? 0xfffffe19ull : ~0x1e6ull;
	top[0] = (u64)pd | P | (pae ? 0 : W | U);
	for (u32 i = 0; i < 4; i++)
		pd[i] = (u64)i << 21 | LARGE | P | W | U;
}

static u64 walk_at;

static void touch(void *unused)
{
	volatile u64 *p = (volatile u64 *)walk_at;

	(void)unused;
	*p = *p;
	asm volatile("lock orq $0, %0" : "+m"(*p));
}

/*
 * Tables of its own making. legacy=1: two levels and PAE outside long mode, where a fault resets the guest.
 * beyond=1: tables and pages may lie in devices and holes. far=1: the root itself, too, one time in 64.
 */
void mode_tables(void)
{
	bool old = arg("legacy", 0), beyond = arg("beyond", 0), far = arg("far", 0);
	u64 root = SCRATCH + PAGE;

	mix_time();
	for (u64 n = 0;; n++) {
		u64 kind = old ? below(8) ? below(2) * 2 : 1 : 2; /* PAE is slow to emulate: less of it */

		root = SCRATCH + below((8ull << 20) - SCRATCH - 2 * PAGE) / PAGE * PAGE;
		if (kind == 0) {
			two_level(root, beyond);
			(void)legacy((u32)root, 0x10,
				     below(256) ? (u32)(SCRATCH + below(1 << 21)) & ~3u : (u32)odd_address());
		} else if (kind == 1) {
			many_levels(root, true, beyond);
			(void)legacy((u32)root, 0x20,
				     below(256) ? (u32)(SCRATCH + below(1 << 21)) & ~3u : (u32)odd_address());
		} else {
			/* four levels: only the part from 512 GiB on is odd, so that this program goes on */
			u64 *top = (u64 *)root;

			for (u32 i = 0; i < 512; i++)
				top[i] = odd_entry(root, true, beyond);
			for (u32 k = 0; k < 8; k++) {
				walk_at = (1 + below(255)) << 39 | (rnd() & 0x7fffffffffull & ~7ull);
				page_tables[0][walk_at >> 39 & 511] =
					odd_entry(root, true, beyond) & ~0x80ull;
				(void)attempt(touch, NULL);
				page_tables[0][walk_at >> 39 & 511] = 0;
			}
			asm volatile("mov %0, %%cr3" : : "r"(good_cr3) : "memory");
		}
		if (far && !below(64))
			asm volatile("mov %0, %%cr3; nop"
				     :
				     : "r"(odd_address() & 0xfffffff000ull)
				     : "memory");
		beat(n);
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_cpu.c - the CPU behind tests/fake/arch/x86_64/virt/virt_insn.h; see fake_cpu.h.
 */
#include <assert.h>
#include <string.h>
#include "tests/fake/fake_cpu.h"

#define MSR_MAX 64
#define EXTENDED_OFFSET 160 /* XMM0 in the XSAVE area */

struct fake_cpu fake_cpu;

static struct { u32 msr; u64 value; } msrs[MSR_MAX];
static u8 gdt[64];

void fake_cpu_reset(void)
{
	memset(&fake_cpu, 0, sizeof(fake_cpu));
	memset(msrs, 0, sizeof(msrs));
	fake_cpu.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_PG;
	fake_cpu.cr4 = CR4_PAE | CR4_OSFXSR;
}

u64 fake_cpu_rdtsc(void) { return fake_cpu.tsc; }
u16 fake_cpu_str(void) { return 0x18; }

void fake_cpu_sgdt(struct cpu_dtr *d)
{
	static const u8 tss[16] = { 0x67, 0, 0x11, 0x22, 0x33, 0x8b, 0, 0x44, 0x55, 0x66, 0x77, 0x88 };

	memcpy(gdt + 0x18, tss, sizeof(tss));
	d->limit = sizeof(gdt) - 1;
	d->base = (u64)(uintptr_t)gdt;
}

u64 fake_cpu_rdmsr(u32 msr)
{
	for (int i = 0; i < MSR_MAX; i++)
		if (msrs[i].msr == msr)
			return msrs[i].value;
	return 0;
}

void fake_cpu_wrmsr(u32 msr, u64 v)
{
	int i = 0;

	while (msrs[i].msr && msrs[i].msr != msr)
		assert(++i < MSR_MAX);
	msrs[i].msr = msr;
	msrs[i].value = v;
}

u64 fake_cpu_xgetbv(u32 n)
{
	assert(n == 0);
	return fake_cpu.xcr0;
}

void fake_cpu_xsetbv(u32 n, u64 v)
{
	assert(n == 0 && (v & 1));
	fake_cpu.xcr0 = v;
	fake_cpu.xsetbvs++;
}

/* All of the mask must be enabled, or a component would be left behind. */
void fake_cpu_xsave(void *area, u64 mask)
{
	assert((fake_cpu.xcr0 & mask) == mask && ((uintptr_t)area & 63) == 0);
	fake_cpu_fxsave(area);
}

void fake_cpu_xrstor(const void *area, u64 mask)
{
	assert((fake_cpu.xcr0 & mask) == mask && ((uintptr_t)area & 63) == 0);
	fake_cpu_fxrstor(area);
}

void fake_cpu_fxsave(void *area)
{
	memcpy((u8 *)area + EXTENDED_OFFSET, fake_cpu.extended, sizeof(fake_cpu.extended));
}

void fake_cpu_fxrstor(const void *area)
{
	memcpy(fake_cpu.extended, (const u8 *)area + EXTENDED_OFFSET, sizeof(fake_cpu.extended));
}

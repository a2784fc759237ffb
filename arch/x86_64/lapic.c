/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lapic.c - the local APIC of the CPU we run on. x2APIC where the CPU has it: then no page
 * needs mapping and registers are MSRs.
 * Source: Intel SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)".
 */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/desc.h"
#include "arch/x86_64/irq.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/paging.h"
#include "kernel/lib/lib.h"

#define LAPIC_ID 0x20
#define LAPIC_TPR 0x80
#define LAPIC_EOI 0xb0
#define LAPIC_LDR 0xd0
#define LAPIC_DFR 0xe0
#define LAPIC_SVR 0xf0
#define LAPIC_ESR 0x280
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_LVT_ERROR 0x370
#define LAPIC_INITIAL_COUNT 0x380
#define LAPIC_CURRENT_COUNT 0x390
#define LAPIC_DIVIDE 0x3e0

#define SVR_ENABLE BIT(8)
#define LVT_MASKED BIT(16)
#define LVT_NMI 0x400
#define LVT_TSC_DEADLINE BIT(18)
#define DIVIDE_BY_1 0xb

#define CALIBRATE_NS 10000000ull

static volatile u32 *regs; /* NULL: x2APIC */
static bool deadline_mode;
static u64 count_per_tsc;  /* timer counts a TSC tick, 32.32 fixed point */

static u32 lapic_read(u32 reg)
{
	return regs ? regs[reg / 4] : (u32)cpu_rdmsr(MSR_IA32_X2APIC_FIRST + reg / 16);
}

static void lapic_write(u32 reg, u32 v)
{
	if (regs)
		regs[reg / 4] = v;
	else
		cpu_wrmsr(MSR_IA32_X2APIC_FIRST + reg / 16, v);
}

bool lapic_init(u64 base)
{
	u64 msr = cpu_rdmsr(MSR_IA32_APIC_BASE);

	if (!(msr & APIC_BASE_ENABLE)) {
		msr |= APIC_BASE_ENABLE;
		cpu_wrmsr(MSR_IA32_APIC_BASE, msr);
	}
	if (arch_cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC) {
		cpu_wrmsr(MSR_IA32_APIC_BASE, msr | APIC_BASE_X2APIC);
	} else {
		if (base && base != (msr & APIC_BASE_ADDR))
			log_warn("LAPIC: MADT says %llx, the processor %llx: using the latter",
				 (unsigned long long)base, (unsigned long long)(msr & APIC_BASE_ADDR));
		regs = arch_mmio_map(msr & APIC_BASE_ADDR, PAGE_SIZE);
		if (!regs)
			return false;
		lapic_write(LAPIC_DFR, 0xffffffff);
		lapic_write(LAPIC_LDR, BIT(24));
	}
	percpu_this()->apic_id = regs ? lapic_read(LAPIC_ID) >> 24 : lapic_read(LAPIC_ID);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
	lapic_write(LAPIC_ESR, 0);
	lapic_write(LAPIC_LVT_ERROR, IRQ_VECTOR_ERROR);
	lapic_write(LAPIC_SVR, SVR_ENABLE | IRQ_VECTOR_SPURIOUS);
	log_info("LAPIC: %s, id %u", regs ? "xAPIC" : "x2APIC", percpu_this()->apic_id);
	return true;
}

void lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

static void measure_timer(void)
{
	u64 t0, t1, span = arch_ns_to_tsc(CALIBRATE_NS);
	u32 left;

	lapic_write(LAPIC_INITIAL_COUNT, 0xffffffff);
	t0 = cpu_rdtsc();
	do
		t1 = cpu_rdtsc();
	while (t1 - t0 < span);
	left = lapic_read(LAPIC_CURRENT_COUNT);
	lapic_write(LAPIC_INITIAL_COUNT, 0);
	count_per_tsc = ((u64)(0xffffffff - left) << 32) / (t1 - t0);
	if (!count_per_tsc)
		panic("the local APIC timer does not count");
}

void lapic_timer_init(void)
{
	deadline_mode = arch_cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE;
	lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
	if (deadline_mode) {
		lapic_write(LAPIC_LVT_TIMER, LVT_TSC_DEADLINE | IRQ_VECTOR_TIMER);
		cpu_mfence(); /* the mode is set before the first write of the deadline */
	} else {
		measure_timer();
		lapic_write(LAPIC_LVT_TIMER, IRQ_VECTOR_TIMER);
	}
	log_info("timer: %s", deadline_mode ? "TSC deadline" : "LAPIC one-shot");
}

void lapic_timer_arm(u64 tsc)
{
	u64 now, count;

	if (deadline_mode) {
		cpu_wrmsr(MSR_IA32_TSC_DEADLINE, tsc);
		return;
	}
	if (!tsc) {
		lapic_write(LAPIC_INITIAL_COUNT, 0);
		return;
	}
	now = cpu_rdtsc();
	count = tsc > now ? (u64)((unsigned __int128)(tsc - now) * count_per_tsc >> 32) : 0;
	lapic_write(LAPIC_INITIAL_COUNT, (u32)MIN(count + 1, 0xffffffffull));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_cpu.h - the registers of a CPU for unit tests of both backends: what arch/x86_64/cpu.h's
 * instructions read and write is memory here.
 */
#ifndef FAKE_CPU_H
#define FAKE_CPU_H

#include "arch/x86_64/cpu.h"
#include "kernel/lib/types.h"

struct fake_cpu {
	u64 cr0, cr2, cr3, cr4, dr0, dr1, dr2, dr3, dr6, xcr0, tsc;
	u64 extended[4]; /* stands for the FPU registers */
	unsigned int xsetbvs;
};
extern struct fake_cpu fake_cpu;

/* Back to power-on: no MSR is set. */
void fake_cpu_reset(void);
u64 fake_cpu_rdmsr(u32 msr); /* 0 unless written */
void fake_cpu_wrmsr(u32 msr, u64 v);
u64 fake_cpu_rdtsc(void);
void fake_cpu_sgdt(struct cpu_dtr *d);
u16 fake_cpu_str(void);
u64 fake_cpu_xgetbv(u32 n);
void fake_cpu_xsetbv(u32 n, u64 v);
void fake_cpu_xsave(void *area, u64 mask);
void fake_cpu_xrstor(const void *area, u64 mask);
void fake_cpu_fxsave(void *area);
void fake_cpu_fxrstor(const void *area);

#endif

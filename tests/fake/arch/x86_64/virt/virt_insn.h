/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virt_insn.h - stands in for arch/x86_64/virt/virt_insn.h on Linux: the same functions over the fake CPU of
 * tests/fake/fake_cpu.c. Constants still come from the real headers, whose inline functions are
 * privileged and stay unused.
 */
#ifndef ARCH_VIRT_INSN_H
#define ARCH_VIRT_INSN_H

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"
#include "tests/fake/fake_cpu.h"

#define cpu_rdmsr fake_cpu_rdmsr
#define cpu_wrmsr fake_cpu_wrmsr
#define cpu_rdtsc fake_cpu_rdtsc
#define cpu_sgdt fake_cpu_sgdt
#define cpu_sidt fake_cpu_sgdt
#define cpu_str fake_cpu_str
#define cpu_xgetbv fake_cpu_xgetbv
#define cpu_xsetbv fake_cpu_xsetbv
#define cpu_xsave fake_cpu_xsave
#define cpu_xsaveopt fake_cpu_xsave
#define cpu_xrstor fake_cpu_xrstor
#define cpu_fxsave fake_cpu_fxsave
#define cpu_fxrstor fake_cpu_fxrstor

#define FAKE_CPU_REG(reg)                                                              \
	static inline u64 fake_cpu_read_##reg(void) { return fake_cpu.reg; }           \
	static inline void fake_cpu_write_##reg(u64 v) { fake_cpu.reg = v; }
FAKE_CPU_REG(cr0)
FAKE_CPU_REG(cr2)
FAKE_CPU_REG(cr3)
FAKE_CPU_REG(cr4)
FAKE_CPU_REG(dr0)
FAKE_CPU_REG(dr1)
FAKE_CPU_REG(dr2)
FAKE_CPU_REG(dr3)
FAKE_CPU_REG(dr6)
#define cpu_read_cr0 fake_cpu_read_cr0
#define cpu_read_cr2 fake_cpu_read_cr2
#define cpu_read_cr3 fake_cpu_read_cr3
#define cpu_read_cr4 fake_cpu_read_cr4
#define cpu_write_cr0 fake_cpu_write_cr0
#define cpu_write_cr2 fake_cpu_write_cr2
#define cpu_write_cr4 fake_cpu_write_cr4
#define cpu_read_dr0 fake_cpu_read_dr0
#define cpu_read_dr1 fake_cpu_read_dr1
#define cpu_read_dr2 fake_cpu_read_dr2
#define cpu_read_dr3 fake_cpu_read_dr3
#define cpu_read_dr6 fake_cpu_read_dr6
#define cpu_write_dr0 fake_cpu_write_dr0
#define cpu_write_dr1 fake_cpu_write_dr1
#define cpu_write_dr2 fake_cpu_write_dr2
#define cpu_write_dr3 fake_cpu_write_dr3
#define cpu_write_dr6 fake_cpu_write_dr6

#endif

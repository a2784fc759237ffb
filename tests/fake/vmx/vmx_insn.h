/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmx_insn.h - stands in for vmx/vmx_insn.h on Linux: the same functions over the fake CPU of
 * tests/fake/fake_vmx.c. Constants still come from the real headers, whose inline functions
 * are privileged and stay unused.
 */
#ifndef VMX_INSN_H
#define VMX_INSN_H

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"
#include "tests/fake/fake_vmx.h"

#define vmread fake_vmx_read
#define vmwrite fake_vmx_write
#define vmx_insn_vmxon fake_vmx_vmxon
#define vmx_insn_vmclear fake_vmx_vmclear
#define vmx_insn_vmptrld fake_vmx_vmptrld
#define vmx_insn_vmxoff fake_vmx_vmxoff
#define vmx_insn_invept fake_vmx_invept
#define vmx_insn_invvpid fake_vmx_invvpid
#define vmx_insn_unblock_nmi fake_vmx_unblock_nmi
#define vmx_insn_cs fake_vmx_selector
#define vmx_insn_ss fake_vmx_selector
#define vmx_insn_ds fake_vmx_selector
#define vmx_insn_es fake_vmx_selector
#define vmx_insn_fs fake_vmx_selector
#define vmx_insn_gs fake_vmx_selector

#define cpu_rdmsr fake_vmx_rdmsr
#define cpu_wrmsr fake_vmx_wrmsr
#define cpu_rdtsc fake_vmx_rdtsc
#define cpu_sgdt fake_vmx_sgdt
#define cpu_sidt fake_vmx_sgdt
#define cpu_str fake_vmx_str
#define cpu_xsetbv fake_vmx_xsetbv
#define cpu_xsave fake_vmx_xsave
#define cpu_xsaveopt fake_vmx_xsave
#define cpu_xrstor fake_vmx_xrstor
#define cpu_fxsave fake_vmx_fxsave
#define cpu_fxrstor fake_vmx_fxrstor

#define FAKE_VMX_REG(reg)                                                              \
	static inline u64 fake_vmx_read_##reg(void) { return fake_vmx.reg; }           \
	static inline void fake_vmx_write_##reg(u64 v) { fake_vmx.reg = v; }
FAKE_VMX_REG(cr0)
FAKE_VMX_REG(cr2)
FAKE_VMX_REG(cr3)
FAKE_VMX_REG(cr4)
FAKE_VMX_REG(dr0)
FAKE_VMX_REG(dr1)
FAKE_VMX_REG(dr2)
FAKE_VMX_REG(dr3)
FAKE_VMX_REG(dr6)
#define cpu_read_cr0 fake_vmx_read_cr0
#define cpu_read_cr2 fake_vmx_read_cr2
#define cpu_read_cr3 fake_vmx_read_cr3
#define cpu_read_cr4 fake_vmx_read_cr4
#define cpu_write_cr0 fake_vmx_write_cr0
#define cpu_write_cr2 fake_vmx_write_cr2
#define cpu_write_cr4 fake_vmx_write_cr4
#define cpu_read_dr0 fake_vmx_read_dr0
#define cpu_read_dr1 fake_vmx_read_dr1
#define cpu_read_dr2 fake_vmx_read_dr2
#define cpu_read_dr3 fake_vmx_read_dr3
#define cpu_read_dr6 fake_vmx_read_dr6
#define cpu_write_dr0 fake_vmx_write_dr0
#define cpu_write_dr1 fake_vmx_write_dr1
#define cpu_write_dr2 fake_vmx_write_dr2
#define cpu_write_dr3 fake_vmx_write_dr3
#define cpu_write_dr6 fake_vmx_write_dr6

#endif

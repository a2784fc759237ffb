/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmx_insn.h - the VMX instructions and the few others that only vmx/ needs. The C files here
 * execute nothing that is not declared here or in arch/x86_64/cpu.h; on Linux tests/fake/vmx/vmx_insn.h
 * stands in for both.
 *
 * VMREAD and VMWRITE check nothing: every field used exists on a CPU that passed vmx_caps_probe,
 * and a current VMCS is the callers' duty (vmx_use). The rest say whether they succeeded.
 * Source: Intel SDM vol. 3, "VMX Instruction Reference".
 */
#ifndef VMX_INSN_H
#define VMX_INSN_H

#include "arch/x86_64/virt/virt_insn.h"
#include "kernel/lib/types.h"

static inline u64 vmread(u64 field)
{
	u64 v;

	__asm__ volatile("vmread %1, %0" : "=r"(v) : "r"(field) : "cc");
	return v;
}

static inline void vmwrite(u64 field, u64 v)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"(field), "r"(v) : "cc");
}

/* VMXON, VMCLEAR, VMPTRLD: operand is a physical address in memory; CF or ZF means failure. */
#define VMX_REGION_INSN(name)                                                          \
	static inline bool vmx_insn_##name(hpa_t region)                               \
	{                                                                              \
		bool ok;                                                               \
		__asm__ volatile(#name " %1; seta %0" : "=qm"(ok) : "m"(region.a) : "cc", "memory"); \
		return ok;                                                             \
	}
VMX_REGION_INSN(vmxon)
VMX_REGION_INSN(vmclear)
VMX_REGION_INSN(vmptrld)

static inline void vmx_insn_vmxoff(void) { __asm__ volatile("vmxoff" : : : "cc", "memory"); }

static inline void vmx_insn_invept(u64 type, u64 eptp)
{
	struct { u64 eptp, zero; } d = { eptp, 0 };

	__asm__ volatile("invept %0, %1" : : "m"(d), "r"(type) : "cc", "memory");
}

static inline void vmx_insn_invvpid(u64 type, u16 vpid)
{
	struct { u64 vpid, linear; } d = { vpid, 0 };

	__asm__ volatile("invvpid %0, %1" : : "m"(d), "r"(type) : "cc", "memory");
}

/* An exit caused by an NMI leaves NMIs blocked until the next IRET: this one returns to the next line. */
static inline void vmx_insn_unblock_nmi(void)
{
	u64 tmp;

	__asm__ volatile("mov %%ss, %k0; push %0; lea 8(%%rsp), %0; push %0; pushfq;"
			 "mov %%cs, %k0; push %0; lea 1f(%%rip), %0; push %0; iretq; 1:"
			 : "=&r"(tmp) : : "cc", "memory");
}

#define VMX_SELECTOR(reg)                                                              \
	static inline u64 vmx_insn_##reg(void)                                         \
	{                                                                              \
		u32 v;                                                                 \
		__asm__ volatile("mov %%" #reg ", %0" : "=r"(v));                      \
		return v & 0xfff8; /* the host's RPL and TI must be 0 */               \
	}
VMX_SELECTOR(cs)
VMX_SELECTOR(ss)
VMX_SELECTOR(ds)
VMX_SELECTOR(es)
VMX_SELECTOR(fs)
VMX_SELECTOR(gs)

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpu.h - the instructions that C has no words for, one inline function each, and the
 * control-register and CPUID bits that arch/, vmx/ and svm/ use. Nothing here decides
 * anything. Privileged ones fault outside ring 0.
 * Source: Intel SDM vol. 2, "Instruction Set Reference"; vol. 3, "Control Registers".
 */
#ifndef ARCH_X86_64_CPU_H
#define ARCH_X86_64_CPU_H

#include "kernel/lib/types.h"

/* The hypervisor's own selectors (arch/x86_64/desc.c builds the table). */
#define CPU_SEL_CODE 0x08
#define CPU_SEL_DATA 0x10
#define CPU_SEL_TSS 0x18

#define CR0_PE BIT64(0)
#define CR0_MP BIT64(1)
#define CR0_EM BIT64(2)
#define CR0_TS BIT64(3)
#define CR0_ET BIT64(4)
#define CR0_NE BIT64(5)
#define CR0_WP BIT64(16)
#define CR0_AM BIT64(18)
#define CR0_NW BIT64(29)
#define CR0_CD BIT64(30)
#define CR0_PG BIT64(31)

#define CR4_VME BIT64(0)
#define CR4_PVI BIT64(1)
#define CR4_TSD BIT64(2)
#define CR4_DE BIT64(3)
#define CR4_PSE BIT64(4)
#define CR4_PAE BIT64(5)
#define CR4_MCE BIT64(6)
#define CR4_PGE BIT64(7)
#define CR4_PCE BIT64(8)
#define CR4_OSFXSR BIT64(9)
#define CR4_OSXMMEXCPT BIT64(10)
#define CR4_UMIP BIT64(11)
#define CR4_LA57 BIT64(12)
#define CR4_VMXE BIT64(13)
#define CR4_SMXE BIT64(14)
#define CR4_FSGSBASE BIT64(16)
#define CR4_PCIDE BIT64(17)
#define CR4_OSXSAVE BIT64(18)
#define CR4_SMEP BIT64(20)
#define CR4_SMAP BIT64(21)
#define CR4_PKE BIT64(22)
#define CR4_CET BIT64(23)

#define RFLAGS_CF BIT64(0)
#define RFLAGS_FIXED BIT64(1)
#define RFLAGS_PF BIT64(2)
#define RFLAGS_AF BIT64(4)
#define RFLAGS_ZF BIT64(6)
#define RFLAGS_SF BIT64(7)
#define RFLAGS_TF BIT64(8)
#define RFLAGS_IF BIT64(9)
#define RFLAGS_DF BIT64(10)
#define RFLAGS_OF BIT64(11)
#define RFLAGS_VM BIT64(17)

#define CPUID_1_ECX_VMX BIT(5)
#define CPUID_1_ECX_X2APIC BIT(21)
#define CPUID_1_ECX_TSC_DEADLINE BIT(24)
#define CPUID_1_ECX_XSAVE BIT(26)
#define CPUID_1_ECX_OSXSAVE BIT(27)
#define CPUID_1_ECX_HYPERVISOR BIT(31)
#define CPUID_1_EDX_APIC BIT(9)
#define CPUID_1_EDX_PGE BIT(13)
#define CPUID_1_EDX_PAT BIT(16)
#define CPUID_7_EBX_FSGSBASE BIT(0)
#define CPUID_7_EBX_SMEP BIT(7)
#define CPUID_7_EBX_INVPCID BIT(10)
#define CPUID_7_EBX_SMAP BIT(20)
#define CPUID_7_ECX_UMIP BIT(2)
#define CPUID_80000001_ECX_SVM BIT(2)
#define CPUID_80000001_EDX_NX BIT(20)
#define CPUID_80000001_EDX_1GB BIT(26)
#define CPUID_80000001_EDX_RDTSCP BIT(27)
#define CPUID_80000007_EDX_INVARIANT_TSC BIT(8)

struct cpu_dtr { /* what SGDT, SIDT, LGDT and LIDT move */
	u16 limit;
	u64 base;
} __attribute__((packed));
_Static_assert(sizeof(struct cpu_dtr) == 10, "pseudo-descriptor");

static inline u64 cpu_rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (u64)hi << 32 | lo;
}

static inline void cpu_wrmsr(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static inline void cpu_cpuid(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d)
{
	__asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(sub));
}

static inline u64 cpu_rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

#define CPU_CR(n)                                                                   \
	static inline u64 cpu_read_cr##n(void)                                      \
	{                                                                           \
		u64 v;                                                              \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v) : : "memory");      \
		return v;                                                           \
	}                                                                           \
	static inline void cpu_write_cr##n(u64 v)                                   \
	{                                                                           \
		__asm__ volatile("mov %0, %%cr" #n : : "r"(v) : "memory");          \
	}
CPU_CR(0)
CPU_CR(2)
CPU_CR(3)
CPU_CR(4)
CPU_CR(8)

#define CPU_DR(n)                                                                   \
	static inline u64 cpu_read_dr##n(void)                                      \
	{                                                                           \
		u64 v;                                                              \
		__asm__ volatile("mov %%dr" #n ", %0" : "=r"(v));                   \
		return v;                                                           \
	}                                                                           \
	static inline void cpu_write_dr##n(u64 v)                                   \
	{                                                                           \
		__asm__ volatile("mov %0, %%dr" #n : : "r"(v));                     \
	}
CPU_DR(0)
CPU_DR(1)
CPU_DR(2)
CPU_DR(3)
CPU_DR(6)
CPU_DR(7)

static inline u8 cpu_in8(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline u16 cpu_in16(u16 port)
{
	u16 v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline u32 cpu_in32(u16 port)
{
	u32 v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void cpu_out8(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void cpu_out16(u16 port, u16 v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void cpu_out32(u16 port, u32 v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void cpu_cli(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void cpu_sti(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void cpu_pause(void) { __asm__ volatile("pause" : : : "memory"); }
/* IF=1 for exactly one instruction boundary: pending interrupts are taken here. */
static inline void cpu_sti_nop_cli(void) { __asm__ volatile("sti; nop; cli" : : : "memory"); }
/* STI's shadow covers HLT: no interrupt slips in between and is slept over. */
static inline void cpu_sti_hlt_cli(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }
static inline void cpu_hlt(void) { __asm__ volatile("hlt" : : : "memory"); }

static inline u64 cpu_rflags(void)
{
	u64 v;

	__asm__ volatile("pushfq; popq %0" : "=r"(v) : : "memory");
	return v;
}

static inline void cpu_invlpg(const void *p)
{
	__asm__ volatile("invlpg (%0)" : : "r"(p) : "memory");
}

static inline void cpu_wbinvd(void) { __asm__ volatile("wbinvd" : : : "memory"); }
static inline void cpu_clts(void) { __asm__ volatile("clts" : : : "memory"); }

static inline void cpu_lgdt(const struct cpu_dtr *d) { __asm__ volatile("lgdt %0" : : "m"(*d) : "memory"); }
static inline void cpu_lidt(const struct cpu_dtr *d) { __asm__ volatile("lidt %0" : : "m"(*d) : "memory"); }
static inline void cpu_sgdt(struct cpu_dtr *d) { __asm__ volatile("sgdt %0" : "=m"(*d)); }
static inline void cpu_sidt(struct cpu_dtr *d) { __asm__ volatile("sidt %0" : "=m"(*d)); }
static inline void cpu_ltr(u16 sel) { __asm__ volatile("ltr %0" : : "r"(sel) : "memory"); }
static inline void cpu_lldt(u16 sel) { __asm__ volatile("lldt %0" : : "r"(sel) : "memory"); }

static inline u16 cpu_str(void)
{
	u16 v;

	__asm__ volatile("str %0" : "=r"(v));
	return v;
}

static inline void cpu_stosq(void *d, u64 v, u64 n)
{
	__asm__ volatile("rep stosq" : "+D"(d), "+c"(n) : "a"(v) : "memory");
}

static inline void cpu_movsq(void *d, const void *s, u64 n)
{
	__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
}

static inline void cpu_insw(u16 port, void *d, u64 n)
{
	__asm__ volatile("rep insw" : "+D"(d), "+c"(n) : "d"(port) : "memory");
}

static inline void cpu_mfence(void) { __asm__ volatile("mfence" : : : "memory"); }

/* XCR and extended state: CR4.OSXSAVE must be set (arch_start does, where there is XSAVE). */
static inline u64 cpu_xgetbv(u32 n)
{
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(n));
	return (u64)hi << 32 | lo;
}

static inline void cpu_xsetbv(u32 n, u64 v)
{
	__asm__ volatile("xsetbv" : : "c"(n), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

/* area: 64-byte aligned */
static inline void cpu_xsave(void *area, u64 mask)
{
	__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"((u32)mask), "d"((u32)(mask >> 32)) : "memory");
}

static inline void cpu_xsaveopt(void *area, u64 mask)
{
	__asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"((u32)mask), "d"((u32)(mask >> 32)) : "memory");
}

static inline void cpu_xrstor(const void *area, u64 mask)
{
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"((u32)mask), "d"((u32)(mask >> 32)) : "memory");
}

/* area: 512 bytes, 16-byte aligned */
static inline void cpu_fxsave(void *area) { __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory"); }
static inline void cpu_fxrstor(const void *area)
{
	__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

#endif

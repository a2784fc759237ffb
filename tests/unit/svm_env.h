/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * svm_env.h - what the unit tests of svm/ share: frames, CPUID, a vCPU ready to enter.
 * Included by one .c file of each program: it defines the ports that svm/ needs.
 */
#ifndef SVM_ENV_H
#define SVM_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef skip /* an operation of ours has that name */
#include "arch/x86_64/arch.h"
#include "arch/x86_64/irq.h"
#include "arch/x86_64/paging.h"
#include "kernel/lib/lib.h"
#include "mm/slat.h"
#include "svm/svm.h"

#define ENV_FRAMES 64
#define ENV_APIC_FRAME 41
static _Alignas(4096) u8 env_memory[ENV_FRAMES * PAGE_SIZE];
static u32 env_next = 1, env_puts; /* frame 0 stays unused */
u8 *arch_direct_map = env_memory;

static u64 env_xcr0 = 7;
/* Leaves 80000001h and 8000000Ah, and what component 9 of XSAVE offers. */
static struct arch_cpuid env_ext, env_svm, env_hypervisor;
static u32 env_pkru;

static inline void env_cpuid_reset(void)
{
	env_ext = (struct arch_cpuid){ .ecx = CPUID_80000001_ECX_SVM,
				       .edx = CPUID_80000001_EDX_NX | CPUID_80000001_EDX_RDTSCP };
	env_svm = (struct arch_cpuid){ .ebx = 16, .edx = SVM_EDX_NP };
	env_hypervisor = (struct arch_cpuid){ 0 };
	env_pkru = 0;
}

pfn_t virt_frame_get(void)
{
	if (env_next == ENV_APIC_FRAME)
		return NO_PFN;
	memset(env_memory + env_next * PAGE_SIZE, 0, PAGE_SIZE);
	return (pfn_t){ env_next++ };
}

void virt_frame_put(pfn_t pfn)
{
	assert_in_range(pfn.n, 1, ENV_FRAMES - 1);
	env_puts++;
}

struct arch_cpuid arch_cpuid(u32 leaf, u32 subleaf)
{
	switch (leaf) {
	case 0: return (struct arch_cpuid){ .eax = 0xd };
	case 1: return (struct arch_cpuid){ .ecx = env_hypervisor.eax ? BIT(31) : 0, .edx = BIT(14) };
	case 0x40000000: return env_hypervisor;
	case 0xd:
		switch (subleaf) {
		case 0: return (struct arch_cpuid){ .eax = 7 | env_pkru << 9 };
		case 1: return (struct arch_cpuid){ .eax = 1 };
		case 2: return (struct arch_cpuid){ .eax = 256, .ebx = 576 };
		case 9: return (struct arch_cpuid){ .eax = 8, .ebx = 2688 };
		}
		break;
	case 0x80000000: return (struct arch_cpuid){ .eax = SVM_LEAF };
	case 0x80000001: return env_ext;
	case SVM_LEAF: return env_svm;
	}
	return (struct arch_cpuid){ 0 };
}

u64 arch_xcr0_supported(void) { return env_xcr0; }
u64 arch_image_phys(const void *p) { return (u64)(uintptr_t)p; }
u64 arch_ns_to_tsc(u64 ns) { return ns; }
void arch_timer_arm(u64 tsc) { fake_svm.armed = tsc; }

int virt_guest_fetch(struct vcpu_hw *v, u8 bytes[15], u32 *n)
{
	(void)v;
	fake_svm.fetches++;
	if (!fake_svm.insn_bytes)
		return E_AGAIN;
	memcpy(bytes, fake_svm.insn, fake_svm.insn_bytes);
	*n = fake_svm.insn_bytes;
	return 0;
}

static inline void env_cpu_on(void)
{
	char why[256];

	fake_svm_reset();
	memset(&svm_cpu, 0, sizeof(svm_cpu));
	env_next = 1;
	env_puts = 0;
	assert_int_equal(svm_ops.probe(why, sizeof(why)), 0);
	assert_int_equal(svm_ops.cpu_on(why, sizeof(why)), 0);
}

static inline struct vcpu_hw *env_vcpu(int mode)
{
	struct virt_entry e = { .rip = 0x100200, .cr3 = 0x9000, .rsi = 0x90000, .gdtr_base = 0x500,
				.gdtr_limit = 0x1f };
	struct vcpu_hw *v = svm_ops.vcpu_create((pfn_t){ 40 }, (pfn_t){ ENV_APIC_FRAME }, (u16)env_next);

	e.mode = mode;
	assert_non_null(v);
	svm_ops.vcpu_reset(v, &e);
	return v;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmx_env.h - what the unit tests of vmx/ share: frames, CPUID, a vCPU ready to enter.
 * Included by one .c file of each program: it defines the ports that vmx/ needs.
 */
#ifndef VMX_ENV_H
#define VMX_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef skip /* an operation of ours has that name */
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "vmx/vmx.h"

#define ENV_FRAMES 64
static _Alignas(4096) u8 env_memory[ENV_FRAMES * PAGE_SIZE];
static u32 env_next = 1, env_puts; /* frame 0 stays unused */
u8 *arch_direct_map = env_memory;

static u64 env_xcr0 = 7;
static struct arch_cpuid env_leaf1 = { .ecx = CPUID_1_ECX_VMX };

pfn_t virt_frame_get(void)
{
	if (env_next == ENV_FRAMES)
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
	if (leaf == 1)
		return env_leaf1;
	if (leaf == 0xd && subleaf == 1)
		return (struct arch_cpuid){ .eax = 1 };
	if (leaf == 0xd && subleaf == 2)
		return (struct arch_cpuid){ .eax = 256, .ebx = 576 };
	if (leaf == 0xd)
		return (struct arch_cpuid){ .eax = 1024, .ebx = 1152 + 1024 * (subleaf - 5) };
	if (leaf == 0x80000001)
		return (struct arch_cpuid){ .edx = CPUID_80000001_EDX_NX };
	return (struct arch_cpuid){ 0 };
}

u64 arch_xcr0_supported(void) { return env_xcr0; }

void panic(const char *format, ...)
{
	(void)format;
	abort();
}

static inline void env_cpu_on(void)
{
	char why[256];

	fake_vmx_reset();
	memset(&vmx_cpu, 0, sizeof(vmx_cpu));
	env_next = 1;
	env_puts = 0;
	assert_int_equal(vmx_ops.probe(why, sizeof(why)), 0);
	assert_int_equal(vmx_ops.cpu_on(why, sizeof(why)), 0);
}

static inline struct vcpu_hw *env_vcpu(int mode)
{
	struct virt_entry e = { .rip = 0x100200, .cr3 = 0x9000, .rsi = 0x90000, .gdtr_base = 0x500,
				.gdtr_limit = 0x1f };
	struct vcpu_hw *v = vmx_ops.vcpu_create((pfn_t){ 40 }, (pfn_t){ 41 }, (u16)env_next);

	e.mode = mode;
	assert_non_null(v);
	vmx_ops.vcpu_reset(v, &e);
	return v;
}

/* What the next exit finds in the VMCS: pairs of field and value, applied by env_guest. */
struct env_field { u32 field; u64 value; };
static struct env_field env_exit[16];
static u32 env_exit_count;

static inline int env_guest(struct vcpu_hw *v)
{
	(void)v;
	for (u32 i = 0; i < env_exit_count; i++)
		fake_vmx_write(env_exit[i].field, env_exit[i].value);
	return 0;
}

#define env_exits_with(...) env_exits_with_((struct env_field[]){ __VA_ARGS__ }, \
	sizeof((struct env_field[]){ __VA_ARGS__ }) / sizeof(struct env_field))
static inline void env_exits_with_(const struct env_field *f, size_t n)
{
	memcpy(env_exit, f, n * sizeof(*f));
	env_exit_count = (u32)n;
	fake_vmx.guest = env_guest;
}

#endif

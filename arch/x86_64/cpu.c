/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpu.c - what the processor can do, and whole-page operations.
 * Source: Intel SDM vol. 1, "Enumeration of CPU Support for XSAVE Instructions".
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/arch.h"

/* x87, SSE, AVX, AVX-512 (three): states whose use needs nothing else of us. */
#define XCR0_WANTED 0xe7ull

struct arch_cpuid arch_cpuid(u32 leaf, u32 subleaf)
{
	struct arch_cpuid r;

	cpu_cpuid(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
	return r;
}

u64 arch_xcr0_supported(void)
{
	struct arch_cpuid r;

	if (arch_cpuid(0, 0).eax < 0xd || !(arch_cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
		return 0;
	r = arch_cpuid(0xd, 0);
	return ((u64)r.edx << 32 | r.eax) & XCR0_WANTED;
}

void arch_zero_page(void *page)
{
	cpu_stosq(page, 0, PAGE_SIZE / 8);
}

void arch_copy_page(void *dst, const void *src)
{
	cpu_movsq(dst, src, PAGE_SIZE / 8);
}

bool arch_page_is_zero(const void *page)
{
	const u64 *p = page;

	for (u32 i = 0; i < PAGE_SIZE / 8; i += 8)
		if (p[i] | p[i + 1] | p[i + 2] | p[i + 3] | p[i + 4] | p[i + 5] | p[i + 6] | p[i + 7])
			return false;
	return true;
}

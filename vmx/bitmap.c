/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bitmap.c - the frames that all vCPUs share: the I/O and MSR bitmaps, and the page that
 * stands behind every guest's xAPIC (its content is never seen: the processor redirects).
 * Source: Intel SDM vol. 3, "I/O-Bitmap Addresses", "MSR-Bitmap Address", "APIC-Access Address".
 */
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "vmx/vmx.h"

struct vmx_bitmaps vmx_bitmaps;

#define PORT_POST 0x80 /* Linux writes it as a delay; nothing reads it */

/* The MSR bitmap has four parts of 1 KiB: read low, read high, write low, write high. */
#define MSR_BITMAP_WRITES 2048
#define MSR_BITMAP_HIGH 1024
#define MSR_HIGH_FIRST 0xc0000000u

/* In the VMCS or in vmx_context_msrs, so a guest's are its own. */
static const u32 passed_through[] = {
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
	MSR_IA32_STAR, MSR_IA32_LSTAR, MSR_IA32_CSTAR, MSR_IA32_FMASK,
	MSR_IA32_FS_BASE, MSR_IA32_GS_BASE, MSR_IA32_KERNEL_GS_BASE,
};

static void msr_pass(u8 *map, u32 msr)
{
	u32 n = msr & 0x1fff, part = msr >= MSR_HIGH_FIRST ? MSR_BITMAP_HIGH : 0;

	map[part + n / 8] &= (u8)~(1u << (n % 8));
	map[part + MSR_BITMAP_WRITES + n / 8] &= (u8)~(1u << (n % 8));
}

int vmx_bitmap_init(void)
{
	pfn_t *frames[] = { &vmx_bitmaps.io_a, &vmx_bitmaps.io_b, &vmx_bitmaps.msr };
	u8 *map;

	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		*frames[i] = virt_frame_get();
		if (pfn_none(*frames[i]))
			return E_NOMEM;
		memset(pfn_ptr(*frames[i]), 0xff, PAGE_SIZE);
	}
	vmx_bitmaps.apic_access = virt_frame_get();
	if (pfn_none(vmx_bitmaps.apic_access))
		return E_NOMEM;
	map = pfn_ptr(vmx_bitmaps.io_a);
	map[PORT_POST / 8] &= (u8)~(1u << (PORT_POST % 8));
	map = pfn_ptr(vmx_bitmaps.msr);
	for (size_t i = 0; i < ARRAY_SIZE(passed_through); i++)
		msr_pass(map, passed_through[i]);
	if (vmx_caps.rdtscp)
		msr_pass(map, MSR_IA32_TSC_AUX);
	return 0;
}

pfn_t vmx_apic_access_page(void)
{
	return vmx_bitmaps.apic_access;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcontext.c - saves and loads what vcontext.h names. All components that a guest may ever touch
 * are moved, enabled in its XCR0 or not, so that none leaks to the next one.
 */
#include "arch/x86_64/virt/vcontext.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/virt/virt_insn.h"
#include "kernel/lib/lib.h"

#define XSAVE_LEAF 0xd
#define XCR0_X87 BIT64(0)
#define XCR0_SSE BIT64(1)
#define XCR0_AVX BIT64(2)
#define XCR0_AVX512 (7ull << 5)
#define XCR0_PKRU BIT64(9)
#define XCR0_GUEST (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512)
#define FCW_RESET 0x37f
#define FCW_OFFSET 0
#define MXCSR_RESET 0x1f80
#define MXCSR_OFFSET 24

struct vcontext_caps vcontext_caps;

/* The standard format puts each component at a fixed offset. */
static bool fits(u32 component)
{
	struct arch_cpuid c = arch_cpuid(XSAVE_LEAF, component);

	return (u64)c.ebx + c.eax <= VCONTEXT_BYTES;
}

void vcontext_probe(void)
{
	u64 mask = arch_xcr0_supported() & XCR0_GUEST;

	for (u32 i = 2; i < 8; i++)
		if ((mask & BIT64(i)) && !fits(i))
			mask &= BIT64(i) - 1;
	if ((mask & XCR0_AVX512) != XCR0_AVX512)
		mask &= ~XCR0_AVX512; /* all three or none */
	vcontext_caps.xcr0 = vcontext_caps.switched = mask;
	vcontext_caps.xsaveopt = mask && (arch_cpuid(XSAVE_LEAF, 1).eax & 1);
	/* Hidden from guests, but no processor stops one from setting CR4.PKE under SVM. */
	if (mask && (arch_cpuid(XSAVE_LEAF, 0).eax & XCR0_PKRU) && fits(9))
		vcontext_caps.switched |= XCR0_PKRU;
}

void vcontext_reset(struct vcontext *c)
{
	memset(c, 0, sizeof(*c)); /* XSTATE_BV = 0: every component as after reset */
	*(u16 *)(c->area + FCW_OFFSET) = FCW_RESET;
	*(u32 *)(c->area + MXCSR_OFFSET) = MXCSR_RESET;
	c->xcr0 = XCR0_X87;
}

static void extended_save(struct vcontext *c)
{
	if (!vcontext_caps.xcr0) {
		cpu_fxsave(c->area);
		return;
	}
	c->xcr0 = vcontext_read_xcr0(c, true);
	if (c->xcr0 != vcontext_caps.switched)
		cpu_xsetbv(0, vcontext_caps.switched);
	if (vcontext_caps.xsaveopt)
		cpu_xsaveopt(c->area, vcontext_caps.switched);
	else
		cpu_xsave(c->area, vcontext_caps.switched);
}

static void extended_load(const struct vcontext *c)
{
	if (!vcontext_caps.xcr0) {
		cpu_fxrstor(c->area);
		return;
	}
	cpu_xsetbv(0, vcontext_caps.switched);
	cpu_xrstor(c->area, vcontext_caps.switched);
	if (c->xcr0 != vcontext_caps.switched)
		cpu_xsetbv(0, c->xcr0);
}

void vcontext_save(struct vcontext *c)
{
	extended_save(c);
	c->dr[0] = cpu_read_dr0();
	c->dr[1] = cpu_read_dr1();
	c->dr[2] = cpu_read_dr2();
	c->dr[3] = cpu_read_dr3();
}

void vcontext_load(const struct vcontext *c)
{
	extended_load(c);
	cpu_write_dr0(c->dr[0]);
	cpu_write_dr1(c->dr[1]);
	cpu_write_dr2(c->dr[2]);
	cpu_write_dr3(c->dr[3]);
}

/* Asked of the CPU itself: QEMU's TCG lets XSETBV through without an exit. */
u64 vcontext_read_xcr0(const struct vcontext *c, bool loaded)
{
	return loaded && vcontext_caps.xcr0 ? cpu_xgetbv(0) : c->xcr0;
}

int vcontext_write_xcr0(struct vcontext *c, u64 value, bool loaded)
{
	u64 avx512 = value & XCR0_AVX512;

	if (!(value & XCR0_X87) || (value & ~vcontext_caps.xcr0))
		return E_INVAL;
	if ((value & XCR0_AVX) && !(value & XCR0_SSE))
		return E_INVAL;
	if (avx512 && (avx512 != XCR0_AVX512 || !(value & XCR0_AVX)))
		return E_INVAL;
	c->xcr0 = value;
	if (loaded)
		cpu_xsetbv(0, value);
	return 0;
}

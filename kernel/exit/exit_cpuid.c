/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit_cpuid.c - the processor that guests see: the host's, through one const table of masks and
 * overrides. A leaf without a row reads as zeros, so what nobody thought of is hidden. The table is
 * applied once at boot; an exit is a lookup by index, since guests ask more than a thousand times a boot.
 * Sources: Intel SDM vol. 2, "CPUID - CPU Identification"; AMD APM vol. 3, "Obtaining Processor
 * Information Via the CPUID Instruction".
 */
#include "arch/x86_64/arch.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/exit/exit.h"
#include "kernel/lib/lib.h"

#define ALL 0xffffffffu
#define CR4_OSXSAVE BIT64(18)

/* 1.EDX without MCA (14), serial number (18), DS, ACPI (21, 22), HTT, TM (28, 29), PBE (31). */
#define F1_EDX 0x079bbfffu
/* 1.ECX: SSE3 PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND. */
#define F1_ECX 0x76d83203u
#define F1_ECX_SET (BIT(31) /* a hypervisor */)
#define F1_ECX_PCID BIT(17)
#define F1_ECX_DEADLINE BIT(24)
#define F1_ECX_XSAVE BIT(26)
#define F1_ECX_OSXSAVE BIT(27)
#define F1_ECX_AVX BIT(28)
#define F1_EDX_APIC BIT(9)
/* 7.EBX: FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT CLWB SHA; AVX-512 and INVPCID
 * conditional. */
#define F7_EBX 0x219c03a9u
#define F7_EBX_SET (BIT(1) /* TSC_ADJUST */)
#define F7_EBX_INVPCID BIT(10)
#define F7_EBX_AVX512 0xd0230000u
/* 7.ECX: UMIP GFNI VAES VPCLMULQDQ; 7.EDX: FSRM. */
#define F7_ECX 0x00000704u
#define F7_EDX BIT(4)
/* 80000001.ECX: LAHF ABM SSE4A MISALIGNSSE PREFETCHW; EDX: SYSCALL NX 1GB RDTSCP LM, and AMD's copies.
 * Not FXSR_OPT: EFER.FFXSR is none of the bits that a guest can set. */
#define FE1_ECX 0x000001e1u
#define FE1_EDX 0x2d93bb7fu
#define FE1_EDX_RDTSCP BIT(27)
#define XCR0_AVX512 0xe0ull
#define ARAT BIT(2)
#define INVARIANT_TSC BIT(8)

enum fix {
	NONE,
	MAX_BASIC,
	FEATURES,
	CACHES,
	FEATURES7,
	XSAVE,
	TSC_RATIO,
	TSC_MHZ,
	MAX_EXTENDED,
	EXTENDED,
	ADDRESSES
};

static const struct cpuid_row {
	u32 leaf, sub;
	u32 and[4], or[4]; /* EAX EBX ECX EDX */
	u8 fix;
} rows[] = {
	{ 0, 0, { ALL, ALL, ALL, ALL }, { 0 }, MAX_BASIC },
	{ 1, 0, { ALL, 0xff00, F1_ECX, F1_EDX }, { 0, 1 << 16, F1_ECX_SET, 0 }, FEATURES },
	{ 2, 0, { ALL, ALL, ALL, ALL }, { 0 }, NONE },
	{ 4, 0, { 0x3ff, ALL, ALL, ALL }, { 0 }, CACHES },
	{ 4, 1, { 0x3ff, ALL, ALL, ALL }, { 0 }, CACHES },
	{ 4, 2, { 0x3ff, ALL, ALL, ALL }, { 0 }, CACHES },
	{ 4, 3, { 0x3ff, ALL, ALL, ALL }, { 0 }, CACHES },
	{ 6, 0, { 0 }, { ARAT, 0, 0, 0 }, NONE },
	{ 7, 0, { 0, F7_EBX, F7_ECX, F7_EDX }, { 0, F7_EBX_SET, 0, 0 }, FEATURES7 },
	/* Topology: one thread, one core. */
	{ 0xb, 0, { 0 }, { 0, 1, 0x100, 0 }, NONE },
	{ 0xb, 1, { 0 }, { 0, 1, 0x201, 0 }, NONE },
	{ 0xd, 0, { 0 }, { 0 }, XSAVE },
	{ 0xd, 1, { 0x7, 0, 0, 0 }, { 0 }, XSAVE },
	{ 0xd, 2, { ALL, ALL, 0x2, 0 }, { 0 }, XSAVE },
	{ 0xd, 5, { ALL, ALL, 0x2, 0 }, { 0 }, XSAVE },
	{ 0xd, 6, { ALL, ALL, 0x2, 0 }, { 0 }, XSAVE },
	{ 0xd, 7, { ALL, ALL, 0x2, 0 }, { 0 }, XSAVE },
	{ 0x15, 0, { 0 }, { 0 }, TSC_RATIO },
	{ 0x16, 0, { 0 }, { 0 }, TSC_MHZ },
	/* "VMMBVMMBVMMB" in EBX, ECX, EDX */
	{ 0x40000000, 0, { 0 }, { 0x40000000, 0x424d4d56, 0x424d4d56, 0x424d4d56 }, NONE },
	{ 0x80000000, 0, { ALL, ALL, ALL, ALL }, { 0 }, MAX_EXTENDED },
	{ 0x80000001, 0, { ALL, 0, FE1_ECX, FE1_EDX }, { 0 }, EXTENDED },
	{ 0x80000002, 0, { ALL, ALL, ALL, ALL }, { 0 }, NONE },
	{ 0x80000003, 0, { ALL, ALL, ALL, ALL }, { 0 }, NONE },
	{ 0x80000004, 0, { ALL, ALL, ALL, ALL }, { 0 }, NONE },
	{ 0x80000005, 0, { ALL, ALL, ALL, ALL }, { 0 }, NONE },
	{ 0x80000006, 0, { ALL, ALL, ALL, ALL }, { 0 }, NONE },
	{ 0x80000007, 0, { 0 }, { 0, 0, 0, INVARIANT_TSC }, NONE },
	{ 0x80000008, 0, { 0xffff, 0, 0, 0 }, { 0 }, ADDRESSES },
};

#define BASIC_MAX 0x16u
#define EXTENDED_MAX 8u
#define SUBS 8

/* cells: the first cell of a leaf's sub-leaves in pool + 1, 0: zeros. */
struct cpuid_leaf { u8 first, count; };
static struct {
	struct arch_cpuid pool[40];
	struct cpuid_leaf basic[BASIC_MAX + 1], extended[EXTENDED_MAX + 1], signature;
	u32 used;
	u64 xcr0;
	u32 xsave_end[64]; /* of component n, standard format: filled for those in xcr0 */
	u64 tsc_hz;
	bool amd;
} cpuid;

/* Bytes of XSAVE area for these components (standard format). */
static u32 xsave_bytes(u64 xcr0)
{
	u32 bytes = 576;

	for (u32 n = 2; n < 64; n++)
		if (xcr0 >> n & 1)
			bytes = MAX(bytes, cpuid.xsave_end[n]);
	return bytes;
}

/* What XSAVEC needs: components one after another. */
static u32 compacted_bytes(u64 xcr0)
{
	u32 bytes = 576;

	for (u32 n = 2; n < 64; n++) {
		struct arch_cpuid c;

		if (!(xcr0 >> n & 1))
			continue;
		c = arch_cpuid(0xd, n);
		bytes = (c.ecx & 2 ? ALIGN_UP(bytes, 64u) : bytes) + c.eax;
	}
	return bytes;
}

static void fix_xsave(u32 sub, struct arch_cpuid *c)
{
	if (!cpuid.xcr0 || (sub >= 2 && !(cpuid.xcr0 >> sub & 1))) {
		*c = (struct arch_cpuid){ 0, 0, 0, 0 };
	} else if (sub == 0) {
		c->eax = (u32)cpuid.xcr0;
		c->ecx = xsave_bytes(cpuid.xcr0);
		c->edx = (u32)(cpuid.xcr0 >> 32);
	} else if (sub == 1) {
		c->ebx = c->eax & 2 ? compacted_bytes(cpuid.xcr0) : 0;
	}
}

/* PCID goes with INVPCID: together they spare TLB flushes, apart Linux complains. */
static void fix_features(struct arch_cpuid *c)
{
	c->ecx |= F1_ECX_DEADLINE;
	if (!cpuid.xcr0)
		c->ecx &= ~(F1_ECX_XSAVE | F1_ECX_AVX | BIT(12) | BIT(29));
	if (backend_has(VIRT_INVPCID))
		c->ecx |= arch_cpuid(1, 0).ecx & F1_ECX_PCID;
}

static void fix_features7(struct arch_cpuid *c)
{
	u32 host = arch_cpuid(7, 0).ebx;

	if (backend_has(VIRT_INVPCID))
		c->ebx |= host & F7_EBX_INVPCID;
	if ((cpuid.xcr0 & XCR0_AVX512) == XCR0_AVX512)
		c->ebx |= host & F7_EBX_AVX512;
	if (!(cpuid.xcr0 & 4)) {
		c->ebx &= ~BIT(5);
		c->ecx &= ~0x700u;
	}
}

/* The crystal is the TSC itself (halved until it fits), so that LAPIC timer and TSC agree. */
static void fix_tsc(bool ratio, struct arch_cpuid *c)
{
	u64 crystal = cpuid.tsc_hz;

	*c = (struct arch_cpuid){ 0, 0, 0, 0 };
	if (cpuid.amd)
		return;
	if (!ratio) {
		c->eax = c->ebx = (u32)(cpuid.tsc_hz / 1000000);
		return;
	}
	c->eax = c->ebx = 1;
	for (; crystal >> 32; crystal /= 2)
		c->ebx *= 2;
	c->ecx = (u32)crystal;
}

static void fix(const struct cpuid_row *row, struct arch_cpuid *c)
{
	switch (row->fix) {
	case MAX_BASIC: c->eax = cpuid.amd ? MIN(c->eax, 0xdu) : BASIC_MAX; break;
	case FEATURES: fix_features(c); break;
	case CACHES:
		if (!(c->eax & 0x1f)) /* no more caches */
			*c = (struct arch_cpuid){ 0, 0, 0, 0 };
		break;
	case FEATURES7: fix_features7(c); break;
	case XSAVE: fix_xsave(row->sub, c); break;
	case TSC_RATIO: fix_tsc(true, c); break;
	case TSC_MHZ: fix_tsc(false, c); break;
	case MAX_EXTENDED: c->eax = MIN(c->eax, 0x80000000u + EXTENDED_MAX); break;
	case ADDRESSES: /* 57 linear bits go with LA57, which guests do not have */
		c->eax = (c->eax & 0xff) | MIN(c->eax >> 8, 48u) << 8;
		break;
	case EXTENDED:
		if (!backend_has(VIRT_RDTSCP))
			c->edx &= ~FE1_EDX_RDTSCP;
		break;
	}
}

bool exit_cpuid_tells_tsc(void)
{
	return !cpuid.amd;
}

static struct cpuid_leaf *leaf_of(u32 leaf)
{
	if (leaf <= BASIC_MAX)
		return &cpuid.basic[leaf];
	if (leaf - 0x80000000u <= EXTENDED_MAX)
		return &cpuid.extended[leaf - 0x80000000u];
	return leaf == 0x40000000 ? &cpuid.signature : NULL;
}

static struct arch_cpuid *cell(struct cpuid_leaf *l, u32 sub)
{
	BUG_ON(sub >= SUBS);
	if (!l->first) {
		l->first = (u8)(cpuid.used + 1);
	}
	while (l->count <= sub) {
		BUG_ON(cpuid.used >= ARRAY_SIZE(cpuid.pool));
		l->count++;
		cpuid.used++;
	}
	return &cpuid.pool[l->first - 1 + sub];
}

void exit_cpuid_init(u64 tsc_hz)
{
	u32 max_basic = arch_cpuid(0, 0).eax;
	u32 max_extended = arch_cpuid(0x80000000, 0).eax;

	memset(&cpuid, 0, sizeof(cpuid));
	cpuid.tsc_hz = tsc_hz;
	cpuid.amd = arch_cpuid(0, 0).ecx == 0x444d4163; /* "cAMD" */
	cpuid.xcr0 = arch_xcr0_supported();
	for (u32 n = 2; n < 63; n++)
		if (cpuid.xcr0 >> n & 1)
			cpuid.xsave_end[n] = arch_cpuid(0xd, n).ebx + arch_cpuid(0xd, n).eax;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct cpuid_row *row = &rows[i];
		struct arch_cpuid c = { 0, 0, 0, 0 };

		/* Beyond its last leaf a processor answers with another leaf's data. */
		if (row->leaf <= max_basic || (row->leaf >> 31 && row->leaf <= max_extended))
			c = arch_cpuid(row->leaf, row->sub);
		c.eax = (c.eax & row->and[0]) | row->or[0];
		c.ebx = (c.ebx & row->and[1]) | row->or[1];
		c.ecx = (c.ecx & row->and[2]) | row->or[2];
		c.edx = (c.edx & row->and[3]) | row->or[3];
		fix(row, &c);
		*cell(leaf_of(row->leaf), row->sub) = c;
	}
}

/* Bits that follow the guest's own state. */
static void dynamic(struct vcpu *v, u32 leaf, u32 sub, u64 *gpr)
{
	u64 base = 0;

	if (leaf == 1) {
		if ((gpr[REG_RCX] & F1_ECX_XSAVE) && (backend->read_cr(v->hw, 4) & CR4_OSXSAVE))
			gpr[REG_RCX] |= F1_ECX_OSXSAVE;
		if (vboard_read_msr(v->vm->board, MSR_IA32_APIC_BASE, &base) || !(base & APIC_BASE_ENABLE))
			gpr[REG_RDX] &= ~(u64)F1_EDX_APIC;
	} else if (leaf == 0xd && sub == 0 && cpuid.xcr0) {
		if (backend->read_xcr0)
			v->xcr0 = backend->read_xcr0(v->hw);
		gpr[REG_RBX] = xsave_bytes(v->xcr0);
	}
}

enum verdict exit_cpuid(struct vcpu *v, struct vmexit *x)
{
	static const struct arch_cpuid zeros;
	u64 *gpr = v->regs->gpr;
	u32 leaf = (u32)gpr[REG_RAX], sub = (u32)gpr[REG_RCX];
	const struct cpuid_leaf *l = leaf_of(leaf);
	const struct arch_cpuid *c = &zeros;

	(void)x;
	if (l && l->count > 1) {
		if (sub < l->count)
			c = &cpuid.pool[l->first - 1 + sub];
	} else if (l && l->count) {
		c = &cpuid.pool[l->first - 1]; /* these leaves do not look at ECX */
	}
	gpr[REG_RAX] = c->eax;
	gpr[REG_RBX] = c->ebx;
	gpr[REG_RCX] = leaf == 0xb ? c->ecx | (sub & 0xff) : c->ecx;
	gpr[REG_RDX] = c->edx;
	if (unlikely(leaf == 1 || leaf == 0xd))
		dynamic(v, leaf, sub, gpr);
	return V_NEXT;
}

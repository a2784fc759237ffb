/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmcb.c - fills a VMCB: controls once, guest state at each reset; and the I/O and MSR permission maps
 * that all vCPUs share.
 * Source: AMD APM vol. 2, "VMRUN", "IOIO Intercepts", "MSR Intercepts".
 */
#include "arch/x86_64/paging.h"
#include "kernel/lib/lib.h"
#include "svm/svm.h"

#define PORT_POST 0x80 /* Linux writes it as a delay; nothing reads it */

/* Contiguous in physical memory, as the image is. */
static u8 iopm[3 * PAGE_SIZE] __attribute__((aligned(4096)));
/* Two bits an MSR, read and write: 2 KiB for each of three ranges. */
static u8 msrpm[2 * PAGE_SIZE] __attribute__((aligned(4096)));

#define MSRPM_RANGE 2048
#define MSR_HIGH_FIRST 0xc0000000u

/* In the VMCB, so a guest's are its own; TSC_AUX is switched with the vCPU. */
static const u32 passed_through[] = {
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
	MSR_IA32_STAR, MSR_IA32_LSTAR, MSR_IA32_CSTAR, MSR_IA32_FMASK,
	MSR_IA32_FS_BASE, MSR_IA32_GS_BASE, MSR_IA32_KERNEL_GS_BASE,
};

static void msr_pass(u32 msr)
{
	u32 n = msr & 0x1fff;
	u8 *map = msrpm + (msr >= MSR_HIGH_FIRST ? MSRPM_RANGE : 0);

	map[n / 4] &= (u8)~(3u << (n % 4 * 2));
}

int svm_vmcb_init(void)
{
	memset(iopm, 0xff, sizeof(iopm));
	memset(msrpm, 0xff, sizeof(msrpm));
	iopm[PORT_POST / 8] &= (u8)~(1u << (PORT_POST % 8));
	for (size_t i = 0; i < ARRAY_SIZE(passed_through); i++)
		msr_pass(passed_through[i]);
	if (svm_caps.rdtscp)
		msr_pass(MSR_IA32_TSC_AUX);
	return 0;
}

void svm_vmcb_setup(struct vcpu_hw *v, pfn_t slat_root, u32 asid)
{
	struct vmcb *b = v->vmcb;

	memset(b, 0, sizeof(*b));
	for (u32 code = 0; code < sizeof(b->intercept) * 8; code++)
		if (svm_exit_intercepted(code))
			b->intercept[code / 32] |= BIT(code % 32);
	b->iopm = arch_image_phys(iopm);
	b->msrpm = arch_image_phys(msrpm);
	b->asid = asid;
	b->int_ctl = INT_V_MASKING;
	b->nested_ctl = NESTED_NP_ENABLE;
	b->n_cr3 = pfn_hpa(slat_root).a;
}

static void write_segment(struct vmcb_seg *d, const struct guest_seg *s)
{
	d->sel = s->sel;
	d->attr = ATTR_OF_AR(s->attr & SEG_AR_UNUSABLE ? s->attr & ~SEG_AR_PRESENT : s->attr);
	d->limit = s->limit;
	d->base = s->base;
}

void svm_vmcb_reset(struct vcpu_hw *v, const struct virt_entry *e)
{
	struct vmcb *b = v->vmcb;
	struct vrules_start s;

	vrules_start(e, &s);
	memset(&b->es, 0, sizeof(*b) - offsetof(struct vmcb, es));
	write_segment(&b->es, &s.seg[SEG_ES]);
	write_segment(&b->cs, &s.seg[SEG_CS]);
	write_segment(&b->ss, &s.seg[SEG_SS]);
	write_segment(&b->ds, &s.seg[SEG_DS]);
	write_segment(&b->fs, &s.seg[SEG_FS]);
	write_segment(&b->gs, &s.seg[SEG_GS]);
	write_segment(&b->ldtr, &s.seg[SEG_LDTR]);
	write_segment(&b->tr, &s.seg[SEG_TR]);
	b->gdtr.base = e->gdtr_base;
	b->gdtr.limit = e->gdtr_limit;
	b->idtr.limit = IDT_LIMIT_RESET;
	b->efer = s.efer | EFER_SVME; /* VMRUN insists */
	b->cr0 = s.cr0;
	b->cr3 = s.cr3;
	b->cr4 = s.cr4;
	b->dr6 = DR6_RESET;
	b->dr7 = DR7_RESET;
	b->g_pat = PAT_RESET;
	v->regs.rip = s.rip;
	b->int_shadow = 0;
	b->event_inj = 0;
	b->clean = 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_svm.c - the CPU behind tests/fake/svm/svm_insn.h and svm/enter.S; see fake_svm.h.
 */
#include <assert.h>
#include <string.h>
#include "svm/svm.h"

struct fake_svm fake_svm;

static struct vmcb kept; /* as the processor saw it last */
static const struct vmcb *kept_of;

void fake_svm_reset(void)
{
	fake_cpu_reset();
	memset(&fake_svm, 0, sizeof(fake_svm));
	kept_of = NULL;
}

void fake_svm_vmsave(hpa_t page)
{
	assert(fake_cpu_rdmsr(MSR_IA32_EFER) & EFER_SVME);
	fake_svm.vmsaved = page.a;
}

/* What VMRUN refuses. */
static bool legal(const struct vmcb *b)
{
	if (!(b->efer & EFER_SVME) || !b->asid || !(b->intercept[EXIT_VMRUN / 32] & BIT(EXIT_VMRUN % 32)))
		return false;
	if ((b->cr0 & CR0_NW) && !(b->cr0 & CR0_CD))
		return false;
	if ((b->efer & EFER_LME) && (b->cr0 & CR0_PG) && !((b->cr4 & CR4_PAE) && (b->cr0 & CR0_PE)))
		return false;
	return !(b->cr0 >> 32) && !(b->dr6 >> 32) && !(b->dr7 >> 32);
}

static void check_clean(const struct vmcb *b)
{
	static const struct { u32 bit; u16 from, to; } groups[] = {
		{ CLEAN_INTERCEPTS, 0x000, 0x014 }, { CLEAN_TPR, 0x060, 0x068 }, { CLEAN_NP, 0x0b0, 0x0b8 },
		{ CLEAN_NP, 0x668, 0x670 }, { CLEAN_CR, 0x4d0, 0x4d8 }, { CLEAN_CR, 0x548, 0x560 },
		{ CLEAN_DR, 0x560, 0x570 }, { CLEAN_CR2, 0x640, 0x648 }, { BIT(2), 0x058, 0x05c },
		{ BIT(8), 0x400, 0x440 }, { BIT(7), 0x460, 0x470 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if ((b->clean & groups[i].bit) &&
		    memcmp((const u8 *)b + groups[i].from, (const u8 *)&kept + groups[i].from,
			   groups[i].to - groups[i].from))
			fake_svm.stale = true;
}

static bool takes_virq(const struct vmcb *b)
{
	return (b->int_ctl & INT_V_IRQ) && !(b->intercept[3] & BIT(4)) && (b->rflags & BIT(9)) &&
	       !(b->int_shadow & INT_SHADOW);
}

void svm_run(struct vcpu_hw *v, u64 host)
{
	struct vmcb *b = v->vmcb;

	assert(host == fake_svm.vmsaved && (fake_cpu_rdmsr(MSR_IA32_EFER) & EFER_SVME));
	assert(fake_cpu_rdmsr(MSR_AMD_VM_HSAVE_PA));
	fake_svm.entries++;
	fake_svm.flushes += b->tlb_control != TLB_DO_NOTHING;
	fake_svm.entered_event = b->event_inj;
	fake_svm.entered_virq = takes_virq(b) ? b->int_vector : 0;
	fake_svm.entered_tlb = b->tlb_control;
	fake_svm.entered_asid = b->asid;
	if (b == kept_of)
		check_clean(b);
	b->exit_int_info = 0;
	if (!legal(b)) {
		b->exit_code = b->exit_code_high = EXIT_INVALID;
	} else {
		b->exit_code_high = 0;
		if (takes_virq(b) && !fake_svm.host_first)
			b->int_ctl &= ~INT_V_IRQ;
		if (fake_svm.guest)
			fake_svm.guest(b);
		b->event_inj &= ~(u64)EVENT_VALID;
	}
	kept = *b;
	kept_of = b;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcpu.c - the life of a vCPU on SVM and the face that kernel/ sees (svm_ops).
 *
 * A vCPU takes two frames: its VMCB, and struct vcpu_hw with the XSAVE area.
 */
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "svm/svm.h"

_Static_assert(sizeof(struct vcpu_hw) <= PAGE_SIZE, "one frame");

#define DR6_BS BIT64(14)

static void vcpu_reset(struct vcpu_hw *v, const struct virt_entry *e)
{
	memset(&v->regs, 0, sizeof(v->regs));
	v->regs.gpr[REG_RSI] = e->rsi;
	v->regs.gpr[REG_RBX] = e->rbx;
	v->regs.gpr[REG_RAX] = e->rax;
	v->regs.rflags = RFLAGS_FIXED;
	v->event = 0;
	v->todo = TODO_FLUSH | TODO_SWITCH;
	if (svm_cpu.owner == v)
		svm_cpu.owner = NULL; /* what the CPU holds is nobody's */
	vcontext_reset(&v->context);
	v->tsc_aux = 0;
	svm_vmcb_reset(v, e);
	v->shadow_rip = SVM_NO_RIP;
	svm_event_want_irq_window(v, false);
}

static struct vcpu_hw *vcpu_create(pfn_t slat_root, pfn_t apic_page, u16 id)
{
	static const struct virt_entry at_reset_vector = { .mode = VIRT_ENTRY_REAL, .rip = 0xfffffff0 };
	pfn_t frame = virt_frame_get(), vmcb = virt_frame_get();
	struct vcpu_hw *v;

	if (pfn_none(frame) || pfn_none(vmcb)) {
		if (!pfn_none(frame))
			virt_frame_put(frame);
		if (!pfn_none(vmcb))
			virt_frame_put(vmcb);
		return NULL;
	}
	v = pfn_ptr(frame);
	v->frame = frame;
	v->vmcb = pfn_ptr(vmcb);
	v->vmcb_pa = pfn_hpa(vmcb).a;
	v->apic_page = pfn_ptr(apic_page);
	if (id + 1u >= svm_caps.asids)
		svm_cpu.asids_shared = true;
	svm_vmcb_setup(v, slat_root, 1 + id % (svm_caps.asids - 1));
	vcpu_reset(v, &at_reset_vector);
	return v;
}

static void vcpu_destroy(struct vcpu_hw *v)
{
	pfn_t frame = v->frame;

	if (svm_cpu.owner == v)
		svm_cpu.owner = NULL;
	virt_frame_put(hpa_pfn((hpa_t){ v->vmcb_pa }));
	virt_frame_put(frame);
}

static struct guest_regs *vcpu_regs(struct vcpu_hw *v)
{
	return &v->regs;
}

static struct guest_seg segment(const struct vmcb_seg *s)
{
	u32 ar = AR_OF_ATTR(s->attr);

	return (struct guest_seg){ s->sel, ar & SEG_AR_PRESENT ? ar : ar | SEG_AR_UNUSABLE, s->limit,
				   s->base };
}

static void vcpu_mode(struct vcpu_hw *v, struct guest_mode *m)
{
	const struct vmcb *b = v->vmcb;

	m->cr0 = b->cr0;
	m->cr3 = b->cr3;
	m->cr4 = b->cr4;
	m->efer = b->efer & ~EFER_SVME;
	m->dr7 = b->dr7;
	m->cs = segment(&b->cs);
	m->ss = segment(&b->ss);
	m->ds = segment(&b->ds);
	m->es = segment(&b->es);
	m->cpl = b->cpl;
	m->fs_base = b->fs.base;
	m->gs_base = b->gs.base;
}

static void vcpu_skip(struct vcpu_hw *v, u8 len)
{
	u64 rip = v->regs.rip + len;

	if (unlikely((rip ^ v->regs.rip) >> 32) && !(AR_OF_ATTR(v->vmcb->cs.attr) & SEG_AR_LONG))
		rip = (u32)rip; /* outside 64-bit code EIP wraps at 4 GiB */
	v->regs.rip = rip;
	v->vmcb->int_shadow = 0;
	v->shadow_rip = SVM_NO_RIP;
	if (unlikely(v->regs.rflags & RFLAGS_TF)) { /* the instruction we did is a single step */
		v->vmcb->dr6 |= DR6_BS;
		v->vmcb->clean &= ~CLEAN_DR;
		svm_event_inject_exception(v, VECTOR_DB, false, 0);
	}
}

static void vcpu_wake_from_hlt(struct vcpu_hw *v)
{
	v->vmcb->int_shadow = 0;
	v->shadow_rip = SVM_NO_RIP;
}

static int vcpu_write_xcr0(struct vcpu_hw *v, u64 value)
{
	return vcontext_write_xcr0(&v->context, value, svm_cpu.owner == v);
}

static u64 vcpu_read_xcr0(struct vcpu_hw *v)
{
	return vcontext_read_xcr0(&v->context, svm_cpu.owner == v);
}

const struct virt_ops svm_ops = {
	.name = "SVM",
	.slat = &svm_slat,
	.probe = svm_cpu_probe,
	.cpu_on = svm_cpu_on,
	.cpu_off = svm_cpu_off,
	.has = svm_cpu_has,
	.vcpu_create = vcpu_create,
	.vcpu_destroy = vcpu_destroy,
	.vcpu_reset = vcpu_reset,
	.regs = vcpu_regs,
	.mode = vcpu_mode,
	.insn_bytes = svm_exit_insn_bytes,
	.enter = svm_entry_enter,
	.vcpu_put = svm_entry_put,
	.can_take_irq = svm_event_can_take_irq,
	.inject_irq = svm_event_inject_irq,
	.want_irq_window = svm_event_want_irq_window,
	.inject_exception = svm_event_inject_exception,
	.skip = vcpu_skip,
	.wake_from_hlt = vcpu_wake_from_hlt,
	.write_cr = svm_reg_write_cr,
	.read_cr = svm_reg_read_cr,
	.write_xcr0 = vcpu_write_xcr0,
	.read_xcr0 = vcpu_read_xcr0,
	.read_msr = svm_reg_read_msr,
	.write_msr = svm_reg_write_msr,
	.flush = svm_npt_flush,
	.describe = svm_exit_describe,
};

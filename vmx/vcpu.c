/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcpu.c - the life of a vCPU on VMX and the face that kernel/ sees (vmx_ops).
 *
 * A vCPU takes two frames: its VMCS, and struct vcpu_hw with the XSAVE area.
 */
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "vmx/vmx.h"

_Static_assert(sizeof(struct vcpu_hw) <= PAGE_SIZE, "one frame");

static void vcpu_reset(struct vcpu_hw *v, const struct virt_entry *e)
{
	vmx_use(v);
	memset(&v->regs, 0, sizeof(v->regs));
	v->regs.gpr[REG_RSI] = e->rsi;
	v->regs.gpr[REG_RBX] = e->rbx;
	v->regs.gpr[REG_RAX] = e->rax;
	v->regs.rflags = RFLAGS_FIXED;
	v->regs.dirty = true;
	v->event = 0;
	v->fail = 0;
	v->todo = TODO_FLUSH_EPT | TODO_FLUSH_VPID | TODO_SWITCH;
	vmx_event_want_irq_window(v, false);
	vmx_context_reset(v);
	vmx_vmcs_reset(v, e);
}

static struct vcpu_hw *vcpu_create(pfn_t slat_root, pfn_t apic_page, u16 id)
{
	static const struct virt_entry at_reset_vector = { .mode = VIRT_ENTRY_REAL, .rip = 0xfffffff0 };
	pfn_t frame = virt_frame_get(), vmcs = virt_frame_get();
	struct vcpu_hw *v;

	if (pfn_none(frame) || pfn_none(vmcs)) {
		if (!pfn_none(frame))
			virt_frame_put(frame);
		if (!pfn_none(vmcs))
			virt_frame_put(vmcs);
		return NULL;
	}
	v = pfn_ptr(frame);
	v->frame = frame;
	v->vmcs = vmcs;
	v->apic_page = apic_page;
	v->eptp = vmx_ept_pointer(slat_root);
	v->vpid = (u16)(id + 1); /* 0 is the host's */
	*(u32 *)pfn_ptr(vmcs) = vmx_caps.revision;
	BUG_ON(!vmx_insn_vmclear(pfn_hpa(vmcs)));
	vmx_use(v);
	vmx_vmcs_setup(v);
	vcpu_reset(v, &at_reset_vector);
	return v;
}

static void vcpu_destroy(struct vcpu_hw *v)
{
	pfn_t frame = v->frame;

	if (vmx_cpu.owner == v)
		vmx_cpu.owner = NULL;
	if (vmx_cpu.loaded == v)
		vmx_cpu.loaded = NULL;
	BUG_ON(!vmx_insn_vmclear(pfn_hpa(v->vmcs)));
	virt_frame_put(v->vmcs);
	virt_frame_put(frame);
}

static struct guest_regs *vcpu_regs(struct vcpu_hw *v)
{
	return &v->regs;
}

static void read_segment(enum seg seg, struct guest_seg *s)
{
	s->sel = (u16)vmread(VMCS_GUEST_SELECTOR(seg));
	s->attr = (u32)vmread(VMCS_GUEST_AR(seg));
	s->limit = (u32)vmread(VMCS_GUEST_LIMIT(seg));
	s->base = vmread(VMCS_GUEST_BASE(seg));
}

static void vcpu_mode(struct vcpu_hw *v, struct guest_mode *m)
{
	m->cr0 = vmx_cr_read(v, 0);
	m->cr3 = vmread(VMCS_GUEST_CR3);
	m->cr4 = vmx_cr_read(v, 4);
	m->efer = vmread(VMCS_GUEST_EFER);
	m->dr7 = vmread(VMCS_GUEST_DR7);
	read_segment(SEG_CS, &m->cs);
	read_segment(SEG_SS, &m->ss);
	read_segment(SEG_DS, &m->ds);
	read_segment(SEG_ES, &m->es);
	m->cpl = SEG_AR_DPL(m->ss.attr);
	m->fs_base = vmread(VMCS_GUEST_FS_BASE);
	m->gs_base = vmread(VMCS_GUEST_GS_BASE);
}

static void clear_shadow(void)
{
	u64 i = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	if (unlikely(i & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			i & ~(u64)(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
}

/* Outside 64-bit code EIP wraps at 4 GiB. */
static u64 wrapped(u64 rip)
{
	return vmread(VMCS_GUEST_AR(SEG_CS)) & SEG_AR_LONG ? rip : (u32)rip;
}

/* On the hot path: nothing here but tail calls, so that no register needs saving. */
static void vcpu_skip(struct vcpu_hw *v, u8 len)
{
	u64 rip = v->regs.rip + len;

	if (unlikely(vmx_cpu.loaded != v)) {
		vmx_cpu_load(v);
		vcpu_skip(v, len);
		return;
	}
	if (unlikely((rip ^ v->regs.rip) >> 32))
		rip = wrapped(rip);
	v->regs.rip = rip;
	vmwrite(VMCS_GUEST_RIP, rip);
	clear_shadow();
	if (unlikely(v->regs.rflags & RFLAGS_TF)) /* the instruction we did is a single step */
		vmwrite(VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS);
}

static void vcpu_wake_from_hlt(struct vcpu_hw *v)
{
	vmx_use(v);
	vmwrite(VMCS_GUEST_ACTIVITY, 0);
	clear_shadow();
}

static bool vcpu_has(enum virt_feature f)
{
	return vmx_caps.ctl[CTL_PROC2] & (f == VIRT_RDTSCP ? PROC2_RDTSCP : PROC2_INVPCID);
}

const struct virt_ops vmx_ops = {
	.name = "VMX",
	.slat = &vmx_slat,
	.apic_virtualized = true,
	.probe = vmx_caps_probe,
	.cpu_on = vmx_cpu_on,
	.cpu_off = vmx_cpu_off,
	.apic_access_page = vmx_apic_access_page,
	.has = vcpu_has,
	.vcpu_create = vcpu_create,
	.vcpu_destroy = vcpu_destroy,
	.vcpu_reset = vcpu_reset,
	.regs = vcpu_regs,
	.mode = vcpu_mode,
	.enter = vmx_entry_enter,
	.vcpu_put = vmx_context_save,
	.can_take_irq = vmx_event_can_take_irq,
	.inject_irq = vmx_event_inject_irq,
	.want_irq_window = vmx_event_want_irq_window,
	.inject_exception = vmx_event_inject_exception,
	.skip = vcpu_skip,
	.wake_from_hlt = vcpu_wake_from_hlt,
	.write_cr = vmx_cr_write,
	.read_cr = vmx_cr_read,
	.write_xcr0 = vmx_context_write_xcr0,
	.read_msr = vmx_msr_read,
	.write_msr = vmx_msr_write,
	.flush = vmx_ept_flush,
	.describe = vmx_exit_describe,
};

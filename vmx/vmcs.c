/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmcs.c - fills a VMCS from tables: controls and host state once, guest state at each reset.
 * The vCPU's VMCS is current (vmx_use).
 * Source: Intel SDM vol. 3, "Initializing a VMCS", "Checks on VMX Controls and Host-State Area".
 */
#include "arch/x86_64/arch.h"
#include "vmx/vmx.h"

/* ---- the host: what the processor goes back to ---- */

static u64 host_gdt_base(void)
{
	struct cpu_dtr d;

	cpu_sgdt(&d);
	return d.base;
}

static u64 host_idt_base(void)
{
	struct cpu_dtr d;

	cpu_sidt(&d);
	return d.base;
}

/* A system descriptor keeps its base in four pieces. */
static u64 host_tr_base(void)
{
	const u8 *d = (const u8 *)(uintptr_t)(host_gdt_base() + (cpu_str() & 0xfff8));

	return d[2] | (u64)d[3] << 8 | (u64)d[4] << 16 | (u64)d[7] << 24 | (u64)d[8] << 32 |
	       (u64)d[9] << 40 | (u64)d[10] << 48 | (u64)d[11] << 56;
}

static u64 host_tr(void) { return cpu_str(); }
static u64 host_pat(void) { return cpu_rdmsr(MSR_IA32_PAT); }
static u64 host_efer(void) { return cpu_rdmsr(MSR_IA32_EFER); }
static u64 host_fs_base(void) { return cpu_rdmsr(MSR_IA32_FS_BASE); }
static u64 host_gs_base(void) { return cpu_rdmsr(MSR_IA32_GS_BASE); }
static u64 host_rip(void) { return (u64)(uintptr_t)vmx_run_exit; }
static u64 zero(void) { return 0; }

static const struct { u32 field; u64 (*get)(void); } host_state[] = {
	{ VMCS_HOST_CR0, cpu_read_cr0 },
	{ VMCS_HOST_CR3, cpu_read_cr3 },
	{ VMCS_HOST_CR4, cpu_read_cr4 },
	{ VMCS_HOST_CS_SELECTOR, vmx_insn_cs },
	{ VMCS_HOST_SS_SELECTOR, vmx_insn_ss },
	{ VMCS_HOST_DS_SELECTOR, vmx_insn_ds },
	{ VMCS_HOST_ES_SELECTOR, vmx_insn_es },
	{ VMCS_HOST_FS_SELECTOR, vmx_insn_fs },
	{ VMCS_HOST_GS_SELECTOR, vmx_insn_gs },
	{ VMCS_HOST_TR_SELECTOR, host_tr },
	{ VMCS_HOST_FS_BASE, host_fs_base },
	{ VMCS_HOST_GS_BASE, host_gs_base },
	{ VMCS_HOST_TR_BASE, host_tr_base },
	{ VMCS_HOST_GDTR_BASE, host_gdt_base },
	{ VMCS_HOST_IDTR_BASE, host_idt_base },
	{ VMCS_HOST_PAT, host_pat },
	{ VMCS_HOST_EFER, host_efer },
	{ VMCS_HOST_SYSENTER_CS, zero },
	{ VMCS_HOST_SYSENTER_ESP, zero },
	{ VMCS_HOST_SYSENTER_EIP, zero },
	{ VMCS_HOST_RIP, host_rip },
};

/* ---- controls ---- */

/* #MC is the host's. #DB and #AC: a guest can arrange for their delivery to raise them again
 * for ever, inside one instruction; each round must leave the guest. */
#define EXCEPTIONS (BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC))

static const struct { u32 field; u32 value; } constant_controls[] = {
	{ VMCS_EXCEPTION_BITMAP, EXCEPTIONS },
	{ VMCS_PF_ERROR_MASK, 0 },
	{ VMCS_PF_ERROR_MATCH, 0 },
	{ VMCS_CR3_TARGET_COUNT, 0 },
	{ VMCS_EXIT_MSR_STORE_COUNT, 0 },
	{ VMCS_EXIT_MSR_LOAD_COUNT, 0 },
	{ VMCS_ENTRY_MSR_LOAD_COUNT, 0 },
	{ VMCS_TPR_THRESHOLD, 0 },
};

void vmx_vmcs_setup(struct vcpu_hw *v)
{
	v->proc_ctl = vmx_caps.ctl[CTL_PROC];
	vmwrite(VMCS_PIN_CONTROLS, vmx_caps.ctl[CTL_PIN]);
	vmwrite(VMCS_PROC_CONTROLS, v->proc_ctl);
	vmwrite(VMCS_PROC2_CONTROLS, vmx_caps.ctl[CTL_PROC2]);
	vmwrite(VMCS_EXIT_CONTROLS, vmx_caps.ctl[CTL_EXIT]);
	for (size_t i = 0; i < ARRAY_SIZE(constant_controls); i++)
		vmwrite(constant_controls[i].field, constant_controls[i].value);
	vmwrite(VMCS_IO_BITMAP_A, pfn_hpa(vmx_bitmaps.io_a).a);
	vmwrite(VMCS_IO_BITMAP_B, pfn_hpa(vmx_bitmaps.io_b).a);
	vmwrite(VMCS_MSR_BITMAP, pfn_hpa(vmx_bitmaps.msr).a);
	vmwrite(VMCS_APIC_ACCESS_ADDR, pfn_hpa(vmx_bitmaps.apic_access).a);
	vmwrite(VMCS_VIRTUAL_APIC_ADDR, pfn_hpa(v->apic_page).a);
	vmwrite(VMCS_EPTP, v->eptp);
	vmwrite(VMCS_VPID, v->vpid);
	for (size_t i = 0; i < ARRAY_SIZE(host_state); i++)
		vmwrite(host_state[i].field, host_state[i].get());
}

/* ---- the guest: how it starts ---- */

static const struct { u32 field; u64 value; } reset_state[] = {
	{ VMCS_LINK_POINTER, ~0ull },
	{ VMCS_GUEST_DEBUGCTL, 0 },
	{ VMCS_GUEST_PAT, PAT_RESET },
	{ VMCS_GUEST_DR7, DR7_RESET },
	{ VMCS_GUEST_IDTR_BASE, 0 },
	{ VMCS_GUEST_IDTR_LIMIT, IDT_LIMIT_RESET },
	{ VMCS_GUEST_INTERRUPTIBILITY, 0 },
	{ VMCS_GUEST_ACTIVITY, 0 },
	{ VMCS_GUEST_SMBASE, 0 },
	{ VMCS_GUEST_PENDING_DEBUG, 0 },
	{ VMCS_GUEST_SYSENTER_CS, 0 },
	{ VMCS_GUEST_SYSENTER_ESP, 0 },
	{ VMCS_GUEST_SYSENTER_EIP, 0 },
	{ VMCS_ENTRY_INTR_INFO, 0 },
};

static void write_segment(enum seg seg, const struct guest_seg *s)
{
	vmwrite(VMCS_GUEST_SELECTOR(seg), s->sel);
	vmwrite(VMCS_GUEST_LIMIT(seg), s->limit);
	vmwrite(VMCS_GUEST_AR(seg), s->attr);
	vmwrite(VMCS_GUEST_BASE(seg), s->base);
}

void vmx_vmcs_reset(struct vcpu_hw *v, const struct virt_entry *e)
{
	struct vrules_start s;

	vrules_start(e, &s);
	for (size_t i = 0; i < ARRAY_SIZE(reset_state); i++)
		vmwrite(reset_state[i].field, reset_state[i].value);
	for (enum seg i = SEG_ES; i < SEG_COUNT; i++)
		write_segment(i, &s.seg[i]);
	v->regs.rip = s.rip;
	vmwrite(VMCS_GUEST_GDTR_BASE, e->gdtr_base);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, e->gdtr_limit);
	vmwrite(VMCS_GUEST_CR3, s.cr3);
	vmwrite(VMCS_GUEST_EFER, s.efer);
	vmwrite(VMCS_ENTRY_CONTROLS, vmx_caps.ctl[CTL_ENTRY] |
		(s.efer & EFER_LMA ? ENTRY_IA32E_GUEST : 0));
	vmx_cr_reset(s.cr0, s.cr4);
}

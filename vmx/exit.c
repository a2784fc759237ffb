/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit.c - why the guest came back, in plain data: one row a basic exit reason, a small
 * decoder where the reason has details. Reads only the VMCS fields that the reason needs.
 * Source: Intel SDM vol. 3, "Basic VM-Exit Information", appendix "VMX Basic Exit Reasons".
 */
#include "kernel/lib/lib.h"
#include "vmx/vmx.h"

#define X_KNOWN 1 /* every row that is one */
#define X_LEN 2   /* caused by an instruction: its length is valid */
#define X_EVENT 4 /* may have interrupted the delivery of an event */
#define X_MORE 8  /* has a decoder */

#define DR6_TRAPS 0xfull
#define SHADOW (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)
#define DR7_GD BIT64(13)

typedef bool decode_fn(struct vcpu_hw *v, struct vmexit *x);

/*
 * What its delivery would have done to the debug registers; INT1 is a trap: RIP is past it. This exit leaves
 * no pending debug exception, but behind MOV SS or STI an entry with TF set is refused without one: any
 * program of a guest could end it with MOV SS, INT1 under TF.
 */
static void finish_debug_exception(struct vcpu_hw *v, u32 info, u64 qual)
{
	u64 shadow;

	cpu_write_dr6((cpu_read_dr6() & ~DR6_TRAPS) | (qual & QUAL_DEBUG_DR6));
	vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_GD);
	shadow = vmread(VMCS_GUEST_INTERRUPTIBILITY);
	if ((info & INTR_INFO_TYPE) == INTR_TYPE_PRIV_SW_EXCEPTION) {
		v->regs.rip += vmread(VMCS_EXIT_INSN_LEN);
		v->regs.dirty = true;
		if (shadow & SHADOW)
			vmwrite(VMCS_GUEST_INTERRUPTIBILITY, shadow & ~(u64)SHADOW);
	} else if ((shadow & SHADOW) && (v->regs.rflags & RFLAGS_TF)) {
		vmwrite(VMCS_GUEST_PENDING_DEBUG, vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
	}
}

static bool decode_exception(struct vcpu_hw *v, struct vmexit *x)
{
	u32 info = (u32)vmread(VMCS_EXIT_INTR_INFO);
	u8 vector = (u8)(info & INTR_INFO_VECTOR);

	if ((info & INTR_INFO_TYPE) == INTR_TYPE_NMI) {
		vmx_insn_unblock_nmi();
		x->kind = VMEXIT_NMI;
		return false;
	}
	if ((info & INTR_INFO_NMI_UNBLOCKED) && vector != VECTOR_DF)
		vmx_event_nmi_unblocked(v);
	if (vector == VECTOR_MC) {
		x->kind = VMEXIT_MCE;
		return false;
	}
	x->exc.vector = vector;
	x->exc.has_code = info & INTR_INFO_CODE_VALID;
	x->exc.code = x->exc.has_code ? (u32)vmread(VMCS_EXIT_INTR_CODE) : 0;
	x->exc.qual = vmread(VMCS_EXIT_QUALIFICATION);
	if (vector == VECTOR_DB)
		finish_debug_exception(v, info, x->exc.qual);
	return false;
}

static bool decode_rdpmc(struct vcpu_hw *v, struct vmexit *x)
{
	(void)v;
	x->exc.vector = VECTOR_GP; /* guests have no performance counters */
	x->exc.has_code = true;
	x->exc.code = 0;
	x->exc.qual = 0;
	return false;
}

static bool decode_cr(struct vcpu_hw *v, struct vmexit *x)
{
	u64 q = vmread(VMCS_EXIT_QUALIFICATION);
	u8 access = QUAL_CR_ACCESS(q);
	u64 cr0 = vmx_cr_read(v, 0);

	x->cr.cr = QUAL_CR_NUMBER(q);
	x->cr.gpr = QUAL_CR_GPR(q);
	x->cr.read = access == QUAL_CR_MOV_FROM;
	x->cr.has_value = access == QUAL_CR_CLTS || access == QUAL_CR_LMSW;
	if (access == QUAL_CR_CLTS)
		x->cr.value = cr0 & ~CR0_TS;
	else if (access == QUAL_CR_LMSW) /* sets PE, MP, EM, TS; never clears PE */
		x->cr.value = (cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | (QUAL_CR_LMSW_VALUE(q) & 15);
	else
		x->cr.value = v->regs.gpr[x->cr.gpr];
	return vmx_cr_exit(v, x);
}

static bool decode_io(struct vcpu_hw *v, struct vmexit *x)
{
	u64 q = vmread(VMCS_EXIT_QUALIFICATION);

	(void)v;
	x->io.port = QUAL_IO_PORT(q);
	x->io.size = QUAL_IO_SIZE(q);
	x->io.in = q & QUAL_IO_IN;
	x->io.string = q & QUAL_IO_STRING;
	x->io.rep = q & QUAL_IO_REP;
	return false;
}

static bool decode_ept_violation(struct vcpu_hw *v, struct vmexit *x)
{
	u64 q = vmread(VMCS_EXIT_QUALIFICATION);

	x->slat.gpa.a = vmread(VMCS_GUEST_PHYSICAL_ADDR);
	x->slat.read = q & QUAL_EPT_READ;
	x->slat.write = q & QUAL_EPT_WRITE;
	x->slat.fetch = q & QUAL_EPT_FETCH;
	x->slat.gla_valid = q & QUAL_EPT_LINEAR_VALID;
	x->slat.in_walk = x->slat.gla_valid && !(q & QUAL_EPT_FINAL);
	x->slat.gla = x->slat.gla_valid ? vmread(VMCS_GUEST_LINEAR_ADDR) : 0;
	if (q & QUAL_EPT_NMI_UNBLOCKED)
		vmx_event_nmi_unblocked(v);
	return false;
}

static bool decode_apic_access(struct vcpu_hw *v, struct vmexit *x)
{
	u64 q = vmread(VMCS_EXIT_QUALIFICATION);
	u8 type = QUAL_APIC_TYPE(q);

	(void)v;
	x->apic.offset = QUAL_APIC_OFFSET(q);
	x->apic.write = type == QUAL_APIC_LINEAR_WRITE;
	/* Code, stacks, descriptor or page tables inside the xAPIC page: no system does that. */
	if (type > QUAL_APIC_LINEAR_WRITE)
		x->kind = VMEXIT_BAD;
	return false;
}

static bool decode_apic_write(struct vcpu_hw *v, struct vmexit *x)
{
	(void)v;
	x->apic.offset = QUAL_APIC_OFFSET(vmread(VMCS_EXIT_QUALIFICATION));
	x->apic.write = true;
	return false;
}

static bool decode_eoi(struct vcpu_hw *v, struct vmexit *x)
{
	(void)v;
	x->eoi.vector = QUAL_EOI_VECTOR(vmread(VMCS_EXIT_QUALIFICATION));
	return false;
}

static const struct exit_row { u8 kind, flags; decode_fn *decode; const char *name; } exits[] = {
	[EXIT_REASON_EXCEPTION_NMI] = {
		VMEXIT_EXCEPTION, X_KNOWN | X_EVENT | X_MORE, decode_exception, "exception or NMI" },
	[EXIT_REASON_EXTERNAL_INTERRUPT] = { VMEXIT_INTR, X_KNOWN, NULL, "external interrupt" },
	[EXIT_REASON_TRIPLE_FAULT] = { VMEXIT_TRIPLE, X_KNOWN, NULL, "triple fault" },
	[EXIT_REASON_INIT] = { VMEXIT_INIT, X_KNOWN, NULL, "INIT signal" },
	[EXIT_REASON_SIPI] = { VMEXIT_BAD, X_KNOWN, NULL, "start-up IPI" },
	[EXIT_REASON_IO_SMI] = { VMEXIT_BAD, X_KNOWN, NULL, "I/O SMI" },
	[EXIT_REASON_OTHER_SMI] = { VMEXIT_BAD, X_KNOWN, NULL, "SMI" },
	[EXIT_REASON_INTR_WINDOW] = { VMEXIT_IRQ_WINDOW, X_KNOWN, NULL, "interrupt window" },
	[EXIT_REASON_NMI_WINDOW] = { VMEXIT_NMI_WINDOW, X_KNOWN, NULL, "NMI window" },
	[EXIT_REASON_TASK_SWITCH] = { VMEXIT_BAD, X_KNOWN | X_EVENT, NULL, "hardware task switch" },
	[EXIT_REASON_CPUID] = { VMEXIT_CPUID, X_KNOWN | X_LEN, NULL, "CPUID" },
	[EXIT_REASON_GETSEC] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "GETSEC" },
	[EXIT_REASON_HLT] = { VMEXIT_HLT, X_KNOWN | X_LEN, NULL, "HLT" },
	[EXIT_REASON_INVD] = { VMEXIT_WBINVD, X_KNOWN | X_LEN, NULL, "INVD" },
	[EXIT_REASON_RDPMC] = { VMEXIT_EXCEPTION, X_KNOWN | X_MORE, decode_rdpmc, "RDPMC" },
	[EXIT_REASON_RSM] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "RSM" },
	[EXIT_REASON_VMCALL] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "VMCALL" },
	[EXIT_REASON_VMCLEAR] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "VMCLEAR" },
	[EXIT_REASON_VMLAUNCH] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "VMLAUNCH" },
	[EXIT_REASON_VMPTRLD] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "VMPTRLD" },
	[EXIT_REASON_VMPTRST] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "VMPTRST" },
	[EXIT_REASON_VMREAD] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "VMREAD" },
	[EXIT_REASON_VMRESUME] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "VMRESUME" },
	[EXIT_REASON_VMWRITE] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "VMWRITE" },
	[EXIT_REASON_VMXOFF] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "VMXOFF" },
	[EXIT_REASON_VMXON] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "VMXON" },
	[EXIT_REASON_CR_ACCESS] = {
		VMEXIT_CR, X_KNOWN | X_LEN | X_MORE, decode_cr, "control-register access" },
	[EXIT_REASON_IO_INSTRUCTION] = {
		VMEXIT_IO, X_KNOWN | X_LEN | X_MORE, decode_io, "I/O instruction" },
	[EXIT_REASON_RDMSR] = { VMEXIT_RDMSR, X_KNOWN | X_LEN, NULL, "RDMSR" },
	[EXIT_REASON_WRMSR] = { VMEXIT_WRMSR, X_KNOWN | X_LEN, NULL, "WRMSR" },
	[EXIT_REASON_BAD_GUEST_STATE] = { VMEXIT_BAD, X_KNOWN, NULL, "invalid guest state" },
	[EXIT_REASON_MSR_LOADING] = { VMEXIT_BAD, X_KNOWN, NULL, "MSR loading" },
	[EXIT_REASON_MWAIT] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "MWAIT" },
	[EXIT_REASON_MONITOR] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "MONITOR" },
	[EXIT_REASON_PAUSE] = { VMEXIT_PAUSE, X_KNOWN | X_LEN, NULL, "PAUSE" },
	[EXIT_REASON_MACHINE_CHECK_AT_ENTRY] = { VMEXIT_MCE, X_KNOWN, NULL, "machine check at entry" },
	[EXIT_REASON_TPR_BELOW_THRESHOLD] = { VMEXIT_BAD, X_KNOWN, NULL, "TPR below threshold" },
	[EXIT_REASON_APIC_ACCESS] = {
		VMEXIT_APIC_ACCESS, X_KNOWN | X_LEN | X_EVENT | X_MORE, decode_apic_access, "APIC access" },
	[EXIT_REASON_VIRTUALIZED_EOI] = { VMEXIT_EOI, X_KNOWN | X_MORE, decode_eoi, "virtualized EOI" },
	[EXIT_REASON_EPT_VIOLATION] = {
		VMEXIT_SLAT, X_KNOWN | X_EVENT | X_MORE, decode_ept_violation, "EPT violation" },
	[EXIT_REASON_EPT_MISCONFIGURATION] = {
		VMEXIT_BAD, X_KNOWN | X_EVENT, NULL, "EPT misconfiguration" },
	[EXIT_REASON_INVEPT] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "INVEPT" },
	[EXIT_REASON_PREEMPTION_TIMER] = { VMEXIT_TIMER, X_KNOWN, NULL, "preemption timer" },
	[EXIT_REASON_INVVPID] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "INVVPID" },
	[EXIT_REASON_WBINVD] = { VMEXIT_WBINVD, X_KNOWN | X_LEN, NULL, "WBINVD" },
	[EXIT_REASON_XSETBV] = { VMEXIT_XSETBV, X_KNOWN | X_LEN, NULL, "XSETBV" },
	[EXIT_REASON_APIC_WRITE] = {
		VMEXIT_APIC_WRITE, X_KNOWN | X_MORE, decode_apic_write, "APIC write" },
	[EXIT_REASON_VMFUNC] = { VMEXIT_VIRT_INSN, X_KNOWN | X_LEN, NULL, "VMFUNC" },
};

/* The rarer half: details, and events that must be delivered again. */
static bool decode_more(struct vcpu_hw *v, struct vmexit *x, const struct exit_row *row)
{
	if (row->flags & X_EVENT)
		vmx_event_collect(v);
	return row->decode ? row->decode(v, x) : false;
}

bool vmx_exit_decode(struct vcpu_hw *v, struct vmexit *x)
{
	u32 reason = (u32)vmread(VMCS_EXIT_REASON);
	const struct exit_row *row;

	v->regs.rip = vmread(VMCS_GUEST_RIP);
	v->regs.gpr[REG_RSP] = vmread(VMCS_GUEST_RSP);
	v->regs.rflags = vmread(VMCS_GUEST_RFLAGS);
	v->reason = reason;
	x->raw = reason;
	x->insn_len = 0;
	/* Every failed entry lands here too: its bit 31 makes it large. */
	if (unlikely(reason >= ARRAY_SIZE(exits) || !exits[reason].flags)) {
		x->kind = VMEXIT_BAD;
		return false;
	}
	v->launched = true;
	row = &exits[reason];
	x->kind = row->kind;
	if (row->flags & X_LEN)
		x->insn_len = (u8)vmread(VMCS_EXIT_INSN_LEN);
	return row->flags & (X_EVENT | X_MORE) ? decode_more(v, x, row) : false;
}

/* VMLAUNCH or VMRESUME did not even try. */
#define RAW_REFUSED BIT64(32)

void vmx_exit_refused(struct vcpu_hw *v, struct vmexit *x)
{
	v->fail = vmread(VMCS_INSN_ERROR);
	x->kind = VMEXIT_BAD;
	x->insn_len = 0;
	x->raw = RAW_REFUSED | v->fail;
}

static const char *const insn_errors[] = {
	[2] = "VMCLEAR with an invalid address", [4] = "VMLAUNCH of a launched VMCS",
	[5] = "VMRESUME of a VMCS not launched", [7] = "invalid control fields",
	[8] = "invalid host state", [12] = "unsupported VMCS component",
	[13] = "write to a read-only VMCS component", [26] = "events blocked by MOV SS",
};

int vmx_exit_describe(struct vcpu_hw *v, char *buf, size_t size)
{
	u32 reason = v->reason & 0xffff;
	const char *what = reason < ARRAY_SIZE(exits) ? exits[reason].name : NULL, *how = "exit";

	vmx_use(v);
	if (v->fail) {
		how = "entry refused";
		what = v->fail < ARRAY_SIZE(insn_errors) ? insn_errors[v->fail] : NULL;
	} else if (v->reason & EXIT_REASON_ENTRY_FAILURE) {
		how = "entry failed";
	}
	return fmt(buf, size,
		   "VMX %s: %s (%llu), qual %llx, cs:rip %x:%llx rsp %llx rflags %llx cr0 %llx cr3 %llx cr4 "
		   "%llx "
		   "efer %llx gpa %llx intr %x vectoring %x",
		   how, what ? what : "number", (unsigned long long)(v->fail ? v->fail : reason),
		   (unsigned long long)vmread(VMCS_EXIT_QUALIFICATION),
		   (unsigned int)vmread(VMCS_GUEST_SELECTOR(SEG_CS)), (unsigned long long)v->regs.rip,
		   (unsigned long long)v->regs.gpr[REG_RSP], (unsigned long long)v->regs.rflags,
		   (unsigned long long)vmread(VMCS_GUEST_CR0), (unsigned long long)vmread(VMCS_GUEST_CR3),
		   (unsigned long long)vmread(VMCS_GUEST_CR4), (unsigned long long)vmread(VMCS_GUEST_EFER),
		   (unsigned long long)vmread(VMCS_GUEST_PHYSICAL_ADDR),
		   (unsigned int)vmread(VMCS_EXIT_INTR_INFO), (unsigned int)vmread(VMCS_IDT_VECTORING_INFO));
}

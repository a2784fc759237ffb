/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit.c - why the guest came back, in plain data: one row an exit code, a small decoder where the
 * code has details. What has a row is intercepted.
 * Source: AMD APM vol. 2, "Intercept Operation" and the sections after it; appendix "SVM Intercept
 * Exit Codes".
 */
#include "kernel/lib/lib.h"
#include "svm/svm.h"

typedef bool decode_fn(struct vcpu_hw *v, struct vmexit *x);

#define INSN_MAX 15
#define MCG_STATUS_MCIP BIT64(2)

/* ---- how long the instruction is ---- */

static bool is_prefix(u8 byte, bool long_mode)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
	case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3:
		return true;
	default:
		return long_mode && (byte & 0xf0) == 0x40; /* REX */
	}
}

/*
 * Where the processor does not save it: opcode bytes plus the prefixes before them. The bytes are those that
 * just ran. If they can't be read any more, the guest moves its own code about: take it without prefixes.
 */
static u8 length(struct vcpu_hw *v, u8 opcode_bytes)
{
	bool long_mode = (v->vmcb->efer & EFER_LMA) && (AR_OF_ATTR(v->vmcb->cs.attr) & SEG_AR_LONG);
	u8 bytes[INSN_MAX];
	u32 n = 0, i = 0;

	if (svm_caps.nrips)
		return (u8)(v->vmcb->nrip - v->vmcb->rip);
	if (virt_guest_fetch(v, bytes, &n))
		return opcode_bytes;
	while (i < n && i + opcode_bytes < INSN_MAX && is_prefix(bytes[i], long_mode))
		i++;
	return (u8)(i + opcode_bytes);
}

/* ---- details ---- */

static bool decode_exception(struct vcpu_hw *v, struct vmexit *x)
{
	x->exc.vector = (u8)(v->vmcb->exit_code - EXIT_EXCEPTION);
	x->exc.has_code = x->exc.vector == VECTOR_AC;
	x->exc.code = x->exc.has_code ? (u32)v->vmcb->exit_info1 : 0;
	x->exc.qual = v->vmcb->dr6; /* of #DB: already as its handler shall see it */
	return false;
}

static bool decode_smi(struct vcpu_hw *v, struct vmexit *x)
{
	(void)v;
	(void)x;
	return true; /* the firmware has had it by now: STGI let it in */
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

static bool decode_ioio(struct vcpu_hw *v, struct vmexit *x)
{
	u64 info = v->vmcb->exit_info1;

	x->io.port = IOIO_PORT(info);
	x->io.size = IOIO_SIZE(info);
	x->io.in = info & IOIO_IN;
	x->io.string = info & IOIO_STRING;
	x->io.rep = info & IOIO_REP;
	x->insn_len = (u8)(v->vmcb->exit_info2 - v->vmcb->rip);
	return false;
}

static bool decode_msr(struct vcpu_hw *v, struct vmexit *x)
{
	x->kind = v->vmcb->exit_info1 & MSR_IS_WRITE ? VMEXIT_WRMSR : VMEXIT_RDMSR;
	return false;
}

/* A guest without CR4.MCE turns a machine check into shutdown; the machine's trouble it is all the same. */
static bool decode_shutdown(struct vcpu_hw *v, struct vmexit *x)
{
	(void)v;
	if (svm_caps.mca && (cpu_rdmsr(MSR_IA32_MCG_STATUS) & MCG_STATUS_MCIP))
		x->kind = VMEXIT_MCE;
	return false;
}

static bool decode_npf(struct vcpu_hw *v, struct vmexit *x)
{
	u64 info = v->vmcb->exit_info1;

	x->slat.gpa.a = v->vmcb->exit_info2;
	x->slat.write = info & NPF_WRITE;
	x->slat.fetch = info & NPF_FETCH;
	x->slat.in_walk = info & NPF_IN_WALK;
	x->slat.read = !x->slat.write && !x->slat.fetch;
	x->slat.gla_valid = false;
	x->slat.gla = 0;
	return false;
}

/* #MC is the host's. #DB and #AC: a guest can arrange for their delivery to raise them again
 * for ever, inside one instruction; each round must leave the guest. */
static const struct exit_row { u8 kind, opcode_bytes; decode_fn *decode; const char *name; } exits[] = {
	[EXIT_EXCEPTION + VECTOR_DB] = { VMEXIT_EXCEPTION, 0, decode_exception, "#DB" },
	[EXIT_EXCEPTION + VECTOR_AC] = { VMEXIT_EXCEPTION, 0, decode_exception, "#AC" },
	[EXIT_EXCEPTION + VECTOR_MC] = { VMEXIT_MCE, 0, NULL, "#MC" },
	[EXIT_INTR] = { VMEXIT_INTR, 0, NULL, "interrupt" },
	[EXIT_NMI] = { VMEXIT_NMI, 0, NULL, "NMI" }, /* the host had it at STGI */
	[EXIT_SMI] = { VMEXIT_BAD, 0, decode_smi, "SMI" },
	[EXIT_INIT] = { VMEXIT_INIT, 0, NULL, "INIT" },
	[EXIT_VINTR] = { VMEXIT_IRQ_WINDOW, 0, NULL, "virtual interrupt" },
	[EXIT_RDPMC] = { VMEXIT_EXCEPTION, 0, decode_rdpmc, "RDPMC" },
	[EXIT_CPUID] = { VMEXIT_CPUID, 2, NULL, "CPUID" },
	[EXIT_RSM] = { VMEXIT_VIRT_INSN, 0, NULL, "RSM" },
	[EXIT_INVD] = { VMEXIT_WBINVD, 2, NULL, "INVD" },
	[EXIT_HLT] = { VMEXIT_HLT, 1, NULL, "HLT" },
	[EXIT_INVLPGA] = { VMEXIT_VIRT_INSN, 0, NULL, "INVLPGA" },
	[EXIT_IOIO] = { VMEXIT_IO, 0, decode_ioio, "I/O instruction" },
	[EXIT_MSR] = { VMEXIT_RDMSR, 2, decode_msr, "RDMSR or WRMSR" },
	[EXIT_TASK_SWITCH] = { VMEXIT_BAD, 0, NULL, "hardware task switch" },
	[EXIT_SHUTDOWN] = { VMEXIT_TRIPLE, 0, decode_shutdown, "shutdown" },
	[EXIT_VMRUN] = { VMEXIT_VIRT_INSN, 0, NULL, "VMRUN" },
	[EXIT_VMMCALL] = { VMEXIT_VIRT_INSN, 0, NULL, "VMMCALL" },
	[EXIT_VMLOAD] = { VMEXIT_VIRT_INSN, 0, NULL, "VMLOAD" },
	[EXIT_VMSAVE] = { VMEXIT_VIRT_INSN, 0, NULL, "VMSAVE" },
	[EXIT_STGI] = { VMEXIT_VIRT_INSN, 0, NULL, "STGI" },
	[EXIT_CLGI] = { VMEXIT_VIRT_INSN, 0, NULL, "CLGI" },
	[EXIT_SKINIT] = { VMEXIT_VIRT_INSN, 0, NULL, "SKINIT" },
	[EXIT_WBINVD] = { VMEXIT_WBINVD, 2, NULL, "WBINVD" },
	[EXIT_MONITOR] = { VMEXIT_VIRT_INSN, 0, NULL, "MONITOR" },
	[EXIT_MWAIT] = { VMEXIT_VIRT_INSN, 0, NULL, "MWAIT" },
	[EXIT_XSETBV] = { VMEXIT_XSETBV, 3, NULL, "XSETBV" },
	[EXIT_RDPRU] = { VMEXIT_VIRT_INSN, 0, NULL, "RDPRU" },
};
static const struct exit_row nested_page_fault = { VMEXIT_SLAT, 0, decode_npf, "nested page fault" };
static const struct exit_row invalid = { VMEXIT_BAD, 0, NULL, "VMRUN refused an invalid VMCB" };
static const struct exit_row unknown = { VMEXIT_BAD, 0, NULL, "unknown" };

static const struct exit_row *row_of(u32 code)
{
	if (code < ARRAY_SIZE(exits) && exits[code].name)
		return &exits[code];
	if (code == EXIT_NPF)
		return &nested_page_fault;
	return code == EXIT_INVALID ? &invalid : &unknown;
}

/* The interrupt window comes and goes (event.c). */
bool svm_exit_intercepted(u32 code)
{
	return code < ARRAY_SIZE(exits) && exits[code].name && code != EXIT_VINTR;
}

bool svm_exit_decode(struct vcpu_hw *v, struct vmexit *x)
{
	struct vmcb *b = v->vmcb;
	const struct exit_row *row = row_of(b->exit_code);

	v->regs.gpr[REG_RAX] = b->rax;
	v->regs.gpr[REG_RSP] = b->rsp;
	v->regs.rip = b->rip;
	v->regs.rflags = b->rflags;
	v->regs.cr2 = b->cr2;
	b->clean = CLEAN_ALL;
	b->tlb_control = TLB_DO_NOTHING;
	b->event_inj = 0;
	svm_event_take_back(v);
	if (unlikely(b->exit_int_info & EVENT_VALID))
		svm_event_collect(v);
	x->raw = b->exit_code;
	x->kind = row->kind;
	x->insn_len = row->opcode_bytes ? length(v, row->opcode_bytes) : 0;
	return row->decode ? row->decode(v, x) : false;
}

/* Saved for intercepted page faults of either level; none if the processor could not fetch them. */
u32 svm_exit_insn_bytes(struct vcpu_hw *v, u8 bytes[15])
{
	const struct vmcb *b = v->vmcb;
	u32 n = MIN((u32)b->fetched, (u32)INSN_MAX);

	if (!svm_caps.decode_assists || b->exit_code != EXIT_NPF)
		return 0;
	memcpy(bytes, b->insn, n);
	return n;
}

int svm_exit_describe(struct vcpu_hw *v, char *buf, size_t size)
{
	const struct vmcb *b = v->vmcb;

	return fmt(buf, size,
		   "SVM exit: %s (%x), info %llx %llx, cs:rip %x:%llx rsp %llx rflags %llx cr0 %llx cr3 %llx "
		   "cr4 %llx "
		   "efer %llx intinfo %llx",
		   row_of(b->exit_code)->name, b->exit_code, (unsigned long long)b->exit_info1,
		   (unsigned long long)b->exit_info2, b->cs.sel, (unsigned long long)v->regs.rip,
		   (unsigned long long)v->regs.gpr[REG_RSP], (unsigned long long)v->regs.rflags,
		   (unsigned long long)b->cr0, (unsigned long long)b->cr3, (unsigned long long)b->cr4,
		   (unsigned long long)b->efer, (unsigned long long)b->exit_int_info);
}

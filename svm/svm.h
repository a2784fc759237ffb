/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * svm.h - what the files of svm/ share: a vCPU's own state, the CPU's capabilities, and what
 * each file offers the others. kernel/ sees none of it, only svm_ops (arch/x86_64/virt/virt.h).
 *
 * One host CPU: nothing here is locked. A VMCB is ordinary memory; whoever changes a field that the
 * processor may keep clears its clean bit.
 */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include "arch/x86_64/virt/vcontext.h"
#include "arch/x86_64/virt/virt.h"
#include "arch/x86_64/virt/vrules.h"
#include "kernel/lib/types.h"
#include "svm/svm_insn.h"
#include "svm/vmcb.h"

/* ---- cpu.c: what this CPU offers, SVM on and off ---- */

struct svm_caps {
	u32 asids;          /* 0 is the host's */
	bool nrips;         /* exits tell where the next instruction is */
	bool flush_by_asid;
	bool decode_assists; /* nested page faults bring the instruction along */
	bool mca;           /* MCG_STATUS exists */
	bool rdtscp, invpcid;
	bool virq;          /* interrupts go in as virtual ones: event.c says why */
};
extern struct svm_caps svm_caps;

struct svm_cpu {
	pfn_t hsave;            /* the processor's own: VM_HSAVE_PA */
	pfn_t host;             /* the host's half of VMLOAD and VMSAVE */
	struct vcpu_hw *owner;  /* its struct vcontext is in the CPU */
	bool asids_shared;      /* more vCPUs than ASIDs: each switch flushes */
};
extern struct svm_cpu svm_cpu;

/* 0, or E_NOTSUP with the reason in why. */
int svm_cpu_probe(char *why, size_t size) MUST_CHECK;
int svm_cpu_on(char *why, size_t size) MUST_CHECK;
void svm_cpu_off(void);
bool svm_cpu_has(enum virt_feature f);

/* ---- a vCPU ---- */

/* What enter() owes before the guest runs. */
#define TODO_EVENT BIT(0)  /* deliver v->event */
#define TODO_FLUSH BIT(1)  /* all translations of this guest, of either level */
#define TODO_TRIPLE BIT(2) /* an injection ended in shutdown */
#define TODO_SWITCH BIT(3) /* the CPU has another vCPU's context, or may have */

#define SVM_NO_RIP (1ull << 62) /* not canonical: no guest runs there */

struct vcpu_hw {
	struct guest_regs regs;  /* offset 0: enter.S */
	u64 vmcb_pa;             /* enter.S */
	struct vmcb *vmcb;
	u32 todo;
	u64 event;               /* EVENTINJ to deliver next; 0: none */
	pfn_t frame;
	u8 *apic_page;
	/* for an exit, while an interrupt goes in, or for the instruction that a shadow covers */
	bool window_waits;
	/* QEMU's TCG: of the last exit, if it was in an interrupt shadow; SVM_NO_RIP */
	u64 shadow_rip;
	u64 tsc_aux;             /* while another vCPU owns the CPU */
	struct vcontext context; /* likewise */
};

/* ---- vmcb.c: the parts of a VMCB that come from tables ---- */

void svm_vmcb_setup(struct vcpu_hw *v, pfn_t slat_root, u32 asid);
void svm_vmcb_reset(struct vcpu_hw *v, const struct virt_entry *e);
int svm_vmcb_init(void) MUST_CHECK; /* the permission maps that all vCPUs share */

/* ---- npt.c ---- */

extern const struct slat_format svm_slat;
void svm_npt_flush(struct vcpu_hw *v);

/* ---- event.c ---- */

void svm_event_collect(struct vcpu_hw *v); /* what the exit interrupted is delivered again */
void svm_event_deliver(struct vcpu_hw *v); /* v->event, by VMCB */
void svm_event_take_back(struct vcpu_hw *v); /* what the guest has not taken */
bool svm_event_can_take_irq(struct vcpu_hw *v);
void svm_event_inject_irq(struct vcpu_hw *v, u8 vector);
void svm_event_inject_exception(struct vcpu_hw *v, u8 vector, bool has_code, u32 code);
void svm_event_want_irq_window(struct vcpu_hw *v, bool on);

/* ---- entry.c ---- */

void svm_run(struct vcpu_hw *v, u64 host); /* enter.S */
void svm_entry_enter(struct vcpu_hw *v, u64 deadline_tsc, struct vmexit *x);
void svm_entry_put(struct vcpu_hw *v);     /* if v owns the CPU, its context goes to memory */

/* ---- exit.c ---- */

bool svm_exit_intercepted(u32 code);
/* True: dealt with here, enter again. */
bool svm_exit_decode(struct vcpu_hw *v, struct vmexit *x);
u32 svm_exit_insn_bytes(struct vcpu_hw *v, u8 bytes[15]);
int svm_exit_describe(struct vcpu_hw *v, char *buf, size_t size);

/* ---- reg.c: control registers and MSRs ---- */

u64 svm_reg_read_cr(struct vcpu_hw *v, u8 cr);
int svm_reg_write_cr(struct vcpu_hw *v, u8 cr, u64 value);
int svm_reg_read_msr(struct vcpu_hw *v, u32 msr, u64 *value);
int svm_reg_write_msr(struct vcpu_hw *v, u32 msr, u64 value);

#endif

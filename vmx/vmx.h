/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmx.h - what the files of vmx/ share: a vCPU's own state, the CPU's capabilities, and what
 * each file offers the others. kernel/ sees none of it, only vmx_ops (arch/x86_64/virt/virt.h).
 *
 * One host CPU: nothing here is locked. Whoever reads or writes a VMCS field calls vmx_use()
 * first; only enter() may rely on the VMCS being current after it.
 */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include "arch/x86_64/virt/vcontext.h"
#include "arch/x86_64/virt/virt.h"
#include "arch/x86_64/virt/vrules.h"
#include "kernel/lib/types.h"
#include "vmx/vmcs.h"
#include "vmx/vmx_insn.h"

/* ---- caps.c: what this CPU offers ---- */

enum vmx_ctl { CTL_PIN, CTL_PROC, CTL_PROC2, CTL_EXIT, CTL_ENTRY, CTL_COUNT };

struct vmx_caps {
	u32 ctl[CTL_COUNT];  /* the value that each control word starts with */
	u32 revision;        /* of the VMCS */
	u8 timer_shift;      /* the preemption timer counts TSC >> this */
	bool rdtscp;         /* TSC_AUX belongs to the guest */
	u64 cr4_guest;       /* CR4 bits that the guest changes without an exit */
	u64 cr4_host;        /* CR4 bits that stay 1 while it runs */
};
extern struct vmx_caps vmx_caps;

/* 0, or E_NOTSUP with everything missing named in why. Executes no VMX instruction. */
int vmx_caps_probe(char *why, size_t size) MUST_CHECK;

/* ---- cpu.c: VMX operation of this CPU, and which vCPU it holds ---- */

struct vcpu_hw;

/* Whoever stops being one of these gets TODO_SWITCH: a vCPU without it is both. */
struct vmx_cpu {
	pfn_t vmxon;
	struct vcpu_hw *loaded; /* its VMCS is current */
	struct vcpu_hw *owner;  /* its FPU, debug registers, syscall MSRs are in the CPU */
};
extern struct vmx_cpu vmx_cpu;

int vmx_cpu_on(char *why, size_t size) MUST_CHECK;
void vmx_cpu_off(void);
void vmx_cpu_load(struct vcpu_hw *v);

/* ---- a vCPU ---- */

/* What enter() owes before the guest runs, besides regs.dirty. */
#define TODO_EVENT BIT(0)      /* deliver v->event */
#define TODO_FLUSH_EPT BIT(1)  /* INVEPT: second-level translations */
#define TODO_FLUSH_VPID BIT(2) /* INVVPID: linear translations */
#define TODO_TRIPLE BIT(3)     /* an injection ended in a triple fault */
#define TODO_SWITCH BIT(4)     /* the CPU has another vCPU's VMCS or context, or may have */

#define VMX_MSR_COUNT 6

struct vcpu_hw {
	struct guest_regs regs;     /* offset 0: enter.S */
	u64 host_rsp;               /* as the VMCS has it */
	bool launched;
	u32 todo;
	u32 timer;                  /* as the VMCS has it */
	u32 proc_ctl;               /* as the VMCS has it */
	u32 event, event_code, event_len; /* interruption information to deliver next; 0: none */
	u32 reason;                 /* of the last exit */
	u64 fail;                   /* VM-instruction error of a refused entry, or 0 */
	u64 eptp;
	u16 vpid;
	pfn_t vmcs, frame, apic_page;
	u64 dr6;                    /* while another vCPU owns the CPU */
	u64 msr[VMX_MSR_COUNT];     /* likewise, in vmx_context_msrs's order */
	struct vcontext context;    /* likewise */
};

static inline void vmx_use(struct vcpu_hw *v)
{
	if (unlikely(vmx_cpu.loaded != v))
		vmx_cpu_load(v);
}

/* ---- bitmap.c: frames that all vCPUs share ---- */

struct vmx_bitmaps { pfn_t io_a, io_b, msr, apic_access; };
extern struct vmx_bitmaps vmx_bitmaps;
int vmx_bitmap_init(void) MUST_CHECK;
pfn_t vmx_apic_access_page(void);

/* ---- vmcs.c: the parts of a VMCS that come from tables ---- */

void vmx_vmcs_setup(struct vcpu_hw *v);
void vmx_vmcs_reset(struct vcpu_hw *v, const struct virt_entry *e);

/* ---- context.c: state that hardware does not switch ---- */

void vmx_context_save(struct vcpu_hw *v);  /* if v owns the CPU */
void vmx_context_load(struct vcpu_hw *v);  /* saves the owner's first */
void vmx_context_reset(struct vcpu_hw *v);
int vmx_context_write_xcr0(struct vcpu_hw *v, u64 value);

/* ---- ept.c ---- */

extern const struct slat_format vmx_slat;
u64 vmx_ept_pointer(pfn_t root);
void vmx_ept_flush(struct vcpu_hw *v);      /* owed until the next entry */
void vmx_ept_flush_now(struct vcpu_hw *v);  /* what todo says */

/* ---- event.c ---- */

void vmx_event_collect(struct vcpu_hw *v);  /* what the exit interrupted is delivered again */
void vmx_event_deliver(struct vcpu_hw *v);  /* v->event into the VMCS */
void vmx_event_nmi_unblocked(struct vcpu_hw *v);
bool vmx_event_can_take_irq(struct vcpu_hw *v);
void vmx_event_inject_irq(struct vcpu_hw *v, u8 vector);
void vmx_event_inject_exception(struct vcpu_hw *v, u8 vector, bool has_code, u32 code);
void vmx_event_want_irq_window(struct vcpu_hw *v, bool on);

/* ---- entry.c ---- */

int vmx_run(struct vcpu_hw *v); /* enter.S */
void vmx_run_exit(void);        /* its address goes into HOST_RIP */
void vmx_entry_enter(struct vcpu_hw *v, u64 deadline_tsc, struct vmexit *x);

/* ---- exit.c ---- */

/* True: dealt with here, enter again. */
bool vmx_exit_decode(struct vcpu_hw *v, struct vmexit *x);
void vmx_exit_refused(struct vcpu_hw *v, struct vmexit *x);
int vmx_exit_describe(struct vcpu_hw *v, char *buf, size_t size);

/* ---- cr.c, msr.c ---- */

/* A write that left the guest because of a bit we hold: true if the guest just goes on. */
bool vmx_cr_exit(struct vcpu_hw *v, const struct vmexit *x);
void vmx_cr_reset(u64 cr0, u64 cr4);
u64 vmx_cr_read(struct vcpu_hw *v, u8 cr);
int vmx_cr_write(struct vcpu_hw *v, u8 cr, u64 value);
int vmx_msr_read(struct vcpu_hw *v, u32 msr, u64 *value);
int vmx_msr_write(struct vcpu_hw *v, u32 msr, u64 value);

#endif

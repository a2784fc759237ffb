/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmcb.h - the words of the VMCB: its layout, control bits, exit codes, the layouts of the
 * information fields. Names are the manual's.
 * Source: AMD APM vol. 2, "Secure Virtual Machine"; appendices "Layout of VMCB" and "SVM
 * Intercept Exit Codes".
 */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include "kernel/lib/types.h"

struct vmcb_seg {
	u16 sel, attr; /* attr: the descriptor's bits 55-52 and 47-40 packed into twelve */
	u32 limit;
	u64 base;
};

struct vmcb {
	/* control area */
	u32 intercept[6];      /* one bit an exit code: the code is its number */
	u8 reserved1[0x24];
	u16 pause_threshold, pause_count;
	u64 iopm, msrpm;       /* physical */
	u64 tsc_offset;
	u32 asid;
	u8 tlb_control, reserved2[3];
	u32 int_ctl, int_vector;
	u64 int_shadow;
	u32 exit_code, exit_code_high;
	u64 exit_info1, exit_info2, exit_int_info;
	u64 nested_ctl;
	u64 avic_bar, ghcb;
	u64 event_inj;
	u64 n_cr3;
	u64 lbr_ctl;
	u32 clean, reserved3;
	u64 nrip;
	u8 fetched, insn[15];  /* decode assists */
	u8 reserved4[0x400 - 0xe0];
	/* state save area */
	struct vmcb_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	u8 reserved5[0x2b], cpl;
	u32 reserved6;
	u64 efer;
	u8 reserved7[0x70];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
	u8 reserved8[0x58];
	u64 rsp;
	u8 reserved9[0x18]; /* supervisor shadow stacks */
	u64 rax;
	u64 star, lstar, cstar, sfmask, kernel_gs_base;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 cr2;
	u8 reserved10[0x20];
	u64 g_pat, debugctl;
	u8 reserved11[0x1000 - 0x678];
};
_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "one page");
_Static_assert(offsetof(struct vmcb, pause_threshold) == 0x3c && offsetof(struct vmcb, asid) == 0x58 &&
	       offsetof(struct vmcb, int_ctl) == 0x60 && offsetof(struct vmcb, int_shadow) == 0x68 &&
	       offsetof(struct vmcb, exit_code) == 0x70 && offsetof(struct vmcb, nested_ctl) == 0x90 &&
	       offsetof(struct vmcb, event_inj) == 0xa8 && offsetof(struct vmcb, n_cr3) == 0xb0 &&
	       offsetof(struct vmcb, clean) == 0xc0 && offsetof(struct vmcb, nrip) == 0xc8, "control area");
_Static_assert(offsetof(struct vmcb, es) == 0x400 && offsetof(struct vmcb, tr) == 0x490 &&
	       offsetof(struct vmcb, cpl) == 0x4cb && offsetof(struct vmcb, efer) == 0x4d0 &&
	       offsetof(struct vmcb, cr4) == 0x548 && offsetof(struct vmcb, rip) == 0x578 &&
	       offsetof(struct vmcb, rsp) == 0x5d8 && offsetof(struct vmcb, rax) == 0x5f8 &&
	       offsetof(struct vmcb, star) == 0x600 && offsetof(struct vmcb, cr2) == 0x640 &&
	       offsetof(struct vmcb, g_pat) == 0x668, "state save area");

/* tlb_control */
#define TLB_DO_NOTHING 0
#define TLB_FLUSH_ALL 1  /* every ASID's entries */
#define TLB_FLUSH_ASID 3 /* this guest's, where CPUID has FlushByAsid */

/* int_ctl */
#define INT_V_TPR 0xfu
#define INT_V_IRQ BIT(8)
#define INT_V_PRIO (0xfu << 16)
#define INT_V_IGN_TPR BIT(20)
#define INT_V_MASKING BIT(24) /* EFLAGS.IF masks virtual interrupts only, CR8 is V_TPR */

#define INT_SHADOW BIT64(0) /* of STI or MOV SS */
#define NESTED_NP_ENABLE BIT64(0)

/* clean: what the processor may still have from this VMCB's last run */
#define CLEAN_INTERCEPTS BIT(0)
#define CLEAN_TPR BIT(3) /* all of int_ctl */
#define CLEAN_NP BIT(4)
#define CLEAN_CR BIT(5)  /* CR0, CR3, CR4, EFER */
#define CLEAN_DR BIT(6)
#define CLEAN_CR2 BIT(9)
#define CLEAN_ALL 0x3ffu /* what we know: without LBR, AVIC, CET */

/* EVENTINJ and EXITINTINFO share this layout; the error code is the upper half. */
#define EVENT_VECTOR 0xffu
#define EVENT_TYPE (7u << 8)
#define EVENT_INTR (0u << 8)
#define EVENT_NMI (2u << 8)
#define EVENT_EXCEPTION (3u << 8)
#define EVENT_SOFT (4u << 8) /* INT n */
#define EVENT_CODE_VALID BIT(11)
#define EVENT_VALID BIT(31)

/* EXITINFO1 of IOIO */
#define IOIO_IN BIT(0)
#define IOIO_STRING BIT(2)
#define IOIO_REP BIT(3)
#define IOIO_SIZE(info) ((u8)((info) >> 4 & 7)) /* SZ8, SZ16, SZ32: 1, 2, 4 */
#define IOIO_PORT(info) ((u16)((info) >> 16))

/* EXITINFO1 of MSR and of nested page faults */
#define MSR_IS_WRITE BIT64(0)
#define NPF_WRITE BIT64(1)
#define NPF_FETCH BIT64(4)
#define NPF_IN_WALK BIT64(33) /* a paging structure of the guest, not the page itself */

/* Attributes of a segment against VMX's access rights: the upper four bits lie elsewhere. */
#define ATTR_OF_AR(ar) ((u16)(((ar) & 0xff) | ((ar) >> 4 & 0xf00)))
#define AR_OF_ATTR(attr) (((u32)(attr) & 0xff) | ((u32)(attr) & 0xf00) << 4)

enum exit_code {
	EXIT_EXCEPTION = 0x40, /* + vector */
	EXIT_INTR = 0x60,
	EXIT_NMI = 0x61,
	EXIT_SMI = 0x62,
	EXIT_INIT = 0x63,
	EXIT_VINTR = 0x64,
	EXIT_RDPMC = 0x6f,
	EXIT_CPUID = 0x72,
	EXIT_RSM = 0x73,
	EXIT_INVD = 0x76,
	EXIT_HLT = 0x78,
	EXIT_INVLPGA = 0x7a,
	EXIT_IOIO = 0x7b,
	EXIT_MSR = 0x7c,
	EXIT_TASK_SWITCH = 0x7d,
	EXIT_SHUTDOWN = 0x7f,
	EXIT_VMRUN = 0x80,
	EXIT_VMMCALL = 0x81,
	EXIT_VMLOAD = 0x82,
	EXIT_VMSAVE = 0x83,
	EXIT_STGI = 0x84,
	EXIT_CLGI = 0x85,
	EXIT_SKINIT = 0x86,
	EXIT_WBINVD = 0x89,
	EXIT_MONITOR = 0x8a,
	EXIT_MWAIT = 0x8b,
	EXIT_XSETBV = 0x8d,
	EXIT_RDPRU = 0x8e,
	EXIT_NPF = 0x400,
};
#define EXIT_INVALID 0xffffffffu /* low half of -1: a VMCB that VMRUN refuses */

/* CPUID 8000000Ah: EBX is the number of ASIDs, EDX: */
#define SVM_LEAF 0x8000000a
#define SVM_EDX_NP BIT(0)
#define SVM_EDX_LOCK BIT(2) /* VM_CR.SVMDIS can be locked with a key */
#define SVM_EDX_NRIPS BIT(3)
#define SVM_EDX_FLUSH_BY_ASID BIT(6)
#define SVM_EDX_DECODE_ASSISTS BIT(7)

#endif

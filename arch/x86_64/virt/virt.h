/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virt.h - the neutral face of hardware virtualization. vmx/ and svm/ each implement
 * one `const struct virt_ops`; kernel/ sees nothing else of them.
 *
 * A vCPU is entered with IF=0 in the host and comes back with a struct vmexit that
 * says why, in plain data. Whoever handles it answers with a verdict; only
 * kernel/vcpu.c advances RIP.
 */
#ifndef VIRT_VIRT_H
#define VIRT_VIRT_H

#include "kernel/lib/types.h"

enum reg { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	   REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_COUNT };

/* The guest's general registers while it is out. RSP, RIP and RFLAGS live in the
 * VMCS/VMCB: the backend fills them in at each exit and writes them back at entry if `dirty`. */
struct guest_regs {
	u64 gpr[REG_COUNT];
	u64 rip, rflags;
	u64 cr2;
	bool dirty; /* RSP, RIP or RFLAGS was changed by a handler */
};

enum vmexit_kind {
	VMEXIT_INTR,       /* a host interrupt arrived: take it in arch_irq_window() */
	VMEXIT_NMI,        /* a host NMI arrived */
	VMEXIT_MCE,        /* a machine check */
	VMEXIT_TIMER,      /* the deadline given to enter() passed */
	VMEXIT_IRQ_WINDOW, /* the guest can take an interrupt now */
	VMEXIT_NMI_WINDOW,
	VMEXIT_CPUID,
	VMEXIT_HLT,
	VMEXIT_PAUSE,
	VMEXIT_IO,
	VMEXIT_RDMSR,
	VMEXIT_WRMSR,
	VMEXIT_CR,         /* MOV to/from CR, LMSW, CLTS as decoded */
	VMEXIT_XSETBV,
	VMEXIT_WBINVD,     /* also INVD */
	VMEXIT_SLAT,       /* second-level translation fault */
	VMEXIT_APIC_ACCESS,/* xAPIC page touched, offset known, instruction not executed */
	VMEXIT_APIC_WRITE, /* xAPIC register written (trap: already in the page, RIP already past) */
	VMEXIT_EOI,        /* a virtualised EOI of a vector whose EOI-exit bit is set (trap) */
	VMEXIT_EXCEPTION,  /* an intercepted exception: vector, error code */
	VMEXIT_VIRT_INSN,  /* VMX or SVM instruction, or another that gets #UD */
	VMEXIT_TRIPLE,     /* triple fault or shutdown */
	VMEXIT_INIT,
	VMEXIT_BAD,        /* entry refused or a reason nobody expects: `raw` tells; stop the guest */
	VMEXIT_KINDS
};

struct vmexit {
	u8 kind;      /* enum vmexit_kind */
	u8 insn_len;  /* to advance RIP by on NEXT; 0 for traps and faults without one */
	u64 raw;      /* the processor's own reason, for messages and statistics */
	union {
		struct { u16 port; u8 size; bool in, string, rep; } io;
		/* MOV CR: number, register, direction. LMSW and CLTS arrive as a write whose value
		 * is given */
		struct { u8 cr; u8 gpr; bool read, has_value; u64 value; } cr;
		struct { gpa_t gpa; u64 gla; bool read, write, fetch, gla_valid, in_walk; } slat;
		struct { u16 offset; bool write; } apic;
		struct { u8 vector; } eoi;
		struct { u8 vector; bool has_code; u32 code; u64 qual; } exc;
	};
};

/* What a handler answers. */
enum verdict {
	V_NEXT,  /* done: advance RIP by insn_len */
	V_RETRY, /* re-execute the instruction */
	V_BLOCK, /* park the vCPU; it re-executes when woken */
	V_KILL,  /* stop the guest; vm_fail() has been given the reason */
};

/* attr: VMX access-rights format, bit 16 = unusable */
struct guest_seg { u16 sel; u32 attr; u32 limit; u64 base; };
enum seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/* What decoders and page walkers need to know of a stopped guest. */
struct guest_mode {
	u64 cr0, cr3, cr4, efer, dr7;
	struct guest_seg cs, ss, ds, es;
	u8 cpl;
	u64 fs_base, gs_base;
};

/* How a vCPU starts. Flat segments (CS 10h, data 18h), IF=0. */
struct virt_entry {
	enum { VIRT_ENTRY_REAL, VIRT_ENTRY_PROT32, VIRT_ENTRY_LONG64 } mode;
	u64 rip, cr3;      /* cr3: LONG64 only */
	u64 rsi, rbx, rax; /* initial values; all other registers are zero */
	u64 gdtr_base; u16 gdtr_limit;
};

struct slat_format; /* mm/slat.h */
struct vcpu_hw;     /* the backend's own state of a vCPU */

/* Frames for VMCS, bitmaps and the like: an upward port, implemented in kernel/, accounted to
 * the hypervisor. Zeroed; NO_PFN when there is none. */
pfn_t virt_frame_get(void);
void virt_frame_put(pfn_t pfn);

/* The bytes of the instruction at the stopped guest's RIP: up to 15 into bytes, how many into *n (at least
 * 1). An upward port, implemented in kernel/, for processors that don't say how long an instruction is. 0, or
 * an error of guest_fetch(): they can't be read now. */
int virt_guest_fetch(struct vcpu_hw *v, u8 bytes[15], u32 *n) MUST_CHECK;

/* Instructions that need a control of the backend to work in a guest. */
enum virt_feature { VIRT_RDTSCP, VIRT_INVPCID };

struct virt_ops {
	const char *name;                 /* "VMX", "SVM" */
	const struct slat_format *slat;   /* how its second-level table entries look */
	bool apic_virtualized;            /* APIC-access page + register virtualization are in use */

	/* 0, or an error with the missing capability named in why (one line). */
	int (*probe)(char *why, size_t size);
	int (*cpu_on)(char *why, size_t size);
	void (*cpu_off)(void);            /* before a reboot or power-off */

	/* slat_root: top-level table. apic_page: 4 KiB in xAPIC register layout (the virtual-APIC page). */
	struct vcpu_hw *(*vcpu_create)(pfn_t slat_root, pfn_t apic_page, u16 id);
	void (*vcpu_destroy)(struct vcpu_hw *v);
	void (*vcpu_reset)(struct vcpu_hw *v, const struct virt_entry *e);
	struct guest_regs *(*regs)(struct vcpu_hw *v);
	void (*mode)(struct vcpu_hw *v, struct guest_mode *m);
	/* The instruction that caused the last exit, where the processor saved it: how many bytes. 0, or
	 * NULL: it must be fetched. */
	u32 (*insn_bytes)(struct vcpu_hw *v, u8 bytes[15]);

	/* Runs the guest until an exit; switches every vCPU's state that hardware does not.
	 * deadline_tsc: come back with VMEXIT_TIMER at or soon after that time (0: none). */
	void (*enter)(struct vcpu_hw *v, u64 deadline_tsc, struct vmexit *out);
	/* Called before another vCPU is entered on this CPU: state that is switched lazily goes back to
	 * memory. */
	void (*vcpu_put)(struct vcpu_hw *v);

	bool (*can_take_irq)(struct vcpu_hw *v);    /* IF=1, no STI/MOV SS shadow, nothing being injected */
	void (*inject_irq)(struct vcpu_hw *v, u8 vector);
	void (*want_irq_window)(struct vcpu_hw *v, bool on);
	void (*inject_exception)(struct vcpu_hw *v, u8 vector, bool has_code, u32 code);
	void (*skip)(struct vcpu_hw *v, u8 len);    /* RIP += len, STI/MOV SS shadow cleared */
	void (*wake_from_hlt)(struct vcpu_hw *v);   /* clears activity state and the STI shadow */

	/* CR writes as VMEXIT_CR and XSETBV deliver them: 0, or E_INVAL: inject #GP(0). */
	int (*write_cr)(struct vcpu_hw *v, u8 cr, u64 value);
	u64 (*read_cr)(struct vcpu_hw *v, u8 cr);
	int (*write_xcr0)(struct vcpu_hw *v, u64 value);
	u64 (*read_xcr0)(struct vcpu_hw *v); /* NULL: what write_xcr0 took last */
	/* MSRs that live in hardware state (EFER, FS/GS base, SYSENTER, STAR.., PAT): E_NOENT if it is not
	 * one of them. */
	int (*read_msr)(struct vcpu_hw *v, u32 msr, u64 *value);
	int (*write_msr)(struct vcpu_hw *v, u32 msr, u64 value);

	void (*flush)(struct vcpu_hw *v);  /* before the next entry: drop all its second-level translations */
	/* One line of state for the log when a guest is stopped. */
	int (*describe)(struct vcpu_hw *v, char *buf, size_t size);
	/* The frame that kernel/ maps at the guest's xAPIC page when apic_virtualized (its content is never
	 * seen); NULL where there is none. */
	pfn_t (*apic_access_page)(void);
	/* Whether guests may use it; NULL: nothing of enum virt_feature. Valid after probe(). */
	bool (*has)(enum virt_feature f);
};

extern const struct virt_ops vmx_ops;
extern const struct virt_ops svm_ops;

/* The one in use; NULL before kernel/backends.h has chosen it. */
extern const struct virt_ops *backend;
static inline bool backend_has(enum virt_feature f) { return backend->has && backend->has(f); }

#endif

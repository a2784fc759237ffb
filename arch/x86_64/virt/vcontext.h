/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcontext.h - the part of a vCPU that neither VMX nor SVM switches: x87/SSE/AVX registers, XCR0,
 * PKRU, DR0-DR3. The hypervisor uses none of it (-mgeneral-regs-only), so a backend leaves it in the
 * CPU across exits and calls these only when another vCPU is entered. One CPU; nothing is locked.
 * Source: Intel SDM vol. 1, "Managing State Using the XSAVE Feature Set".
 */
#ifndef VIRT_VCONTEXT_H
#define VIRT_VCONTEXT_H

#include "kernel/lib/types.h"

#define VCONTEXT_BYTES 3072 /* AVX-512 takes 2,688, PKRU ends at 2,696 */

struct vcontext {
	u64 xcr0;  /* as the guest set it */
	u64 dr[4]; /* while another vCPU owns the CPU; likewise the area */
	u8 area[VCONTEXT_BYTES] __attribute__((aligned(64)));
};

struct vcontext_caps {
	u64 xcr0;     /* what a guest may set; 0: no XSAVE */
	u64 switched; /* that, and what a guest can change without it */
	bool xsaveopt;
};
extern struct vcontext_caps vcontext_caps;

/* What this CPU has; before anything else. */
void vcontext_probe(void);
/* As after a processor reset. */
void vcontext_reset(struct vcontext *c);
void vcontext_save(struct vcontext *c);
void vcontext_load(const struct vcontext *c);
/* loaded: c is in the CPU. */
u64 vcontext_read_xcr0(const struct vcontext *c, bool loaded);
/* XSETBV. E_INVAL: #GP(0). */
int vcontext_write_xcr0(struct vcontext *c, u64 value, bool loaded) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_svm.h - a CPU with SVM for unit tests: "running the guest" checks the VMCB as VMRUN would
 * and calls the test. It also does what a test can trip over: EVENTINJ's valid bit goes away, fields with
 * a clean bit set that changed all the same are stale.
 */
#ifndef FAKE_SVM_H
#define FAKE_SVM_H

#include "tests/fake/fake_cpu.h"

struct vcpu_hw;
struct vmcb;

struct fake_svm {
	unsigned int entries, flushes; /* flushes: entries with TLB_CONTROL set */
	u64 entered_event;             /* EVENTINJ of the last entry */
	u32 entered_virq;              /* the virtual interrupt that it would take, 0 = none */
	bool host_first;               /* an interrupt of the host's comes before it */
	u8 entered_tlb;
	u32 entered_asid;
	u64 vmsaved;                   /* where the host's state went */
	u64 armed;                     /* the host's timer */
	u8 insn[15];                   /* what virt_guest_fetch finds */
	u32 insn_bytes;                /* 0: it fails */
	unsigned int fetches;
	bool stale;                    /* a field marked clean was changed */
	void (*guest)(struct vmcb *b); /* what a run does */
};
extern struct fake_svm fake_svm;

void fake_svm_reset(void);
void fake_svm_vmsave(hpa_t page);
void svm_run(struct vcpu_hw *v, u64 host);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_vmx.h - a CPU with VMX for unit tests: VMCS fields are memory, "running the
 * guest" calls the test. It keeps the rules a test can trip over: fields belong to the current
 * VMCS, an entry needs one, the injection field's valid bit goes away at an exit.
 */
#ifndef FAKE_VMX_H
#define FAKE_VMX_H

#include "tests/fake/fake_cpu.h"

struct vcpu_hw;

struct fake_vmx {
	bool on, vmxon_fails;
	unsigned int entries, writes, nmi_unblocks, invepts, invvpids;
	u64 invept_eptp;
	u16 invvpid_vpid;
	u32 entered_event;     /* VM-entry interruption information of the last entry */
	int (*guest)(struct vcpu_hw *v); /* what a run does; returns vmx_run's result */
};
extern struct fake_vmx fake_vmx;

/* Back to power-on, with the capability MSRs of a CPU that has all we need. */
void fake_vmx_reset(void);

u64 fake_vmx_read(u64 field);
void fake_vmx_write(u64 field, u64 v);
bool fake_vmx_vmxon(hpa_t region);
bool fake_vmx_vmclear(hpa_t region);
bool fake_vmx_vmptrld(hpa_t region);
void fake_vmx_vmxoff(void);
void fake_vmx_invept(u64 type, u64 eptp);
void fake_vmx_invvpid(u64 type, u16 vpid);
void fake_vmx_unblock_nmi(void);
u64 fake_vmx_selector(void);
int vmx_run(struct vcpu_hw *v);
void vmx_run_exit(void);

#endif

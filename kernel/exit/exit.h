/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit.h - why a guest came back, and what is done about it: one handler a kind, each in the
 * file of its subject. Handlers never wait and never advance RIP.
 */
#ifndef KERNEL_EXIT_EXIT_H
#define KERNEL_EXIT_EXIT_H

#include "kernel/vm.h"

typedef enum verdict exit_fn(struct vcpu *v, struct vmexit *x);
extern exit_fn *const exit_table[VMEXIT_KINDS];

exit_fn exit_cpuid, exit_io, exit_rdmsr, exit_wrmsr, exit_cr, exit_xsetbv;
exit_fn exit_apic_access, exit_apic_write, exit_eoi;

/* Once, when the backend is known: the CPUID leaves that every guest sees. */
void exit_cpuid_init(u64 tsc_hz);
/* Whether they hold the TSC's frequency: leaves 15h and 16h are Intel's alone. */
bool exit_cpuid_tells_tsc(void);

/* The instruction at RIP touches gpa, where no RAM is. Sets x->insn_len, which hardware does not
 * give here. */
enum verdict exit_mmio(struct vcpu *v, struct vmexit *x, gpa_t gpa);
/* A write fault on a page whose content is on disk: if a REP STOS or MOVS is about to overwrite all of it,
 * does that. True: *verdict is the answer. */
bool exit_overwrite(struct vcpu *v, const struct vmexit *x, enum verdict *verdict);

/* Injects and answers V_RETRY. */
enum verdict exit_gp(struct vcpu *v);
enum verdict exit_ud(struct vcpu *v);

#endif

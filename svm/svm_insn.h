/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * svm_insn.h - the instructions that only svm/ needs, beside enter.S. On Linux
 * tests/fake/svm/svm_insn.h stands in for it.
 * Source: AMD APM vol. 3, "System Instruction Reference".
 */
#ifndef SVM_INSN_H
#define SVM_INSN_H

#include "arch/x86_64/virt/virt_insn.h"
#include "kernel/lib/types.h"

/* FS, GS, TR, LDTR and the syscall MSRs of this CPU into a page. */
static inline void svm_insn_vmsave(hpa_t vmcb)
{
	__asm__ volatile("vmsave %0" : : "a"(vmcb.a) : "memory");
}

#endif

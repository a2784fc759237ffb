/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * enter.h - offsets in struct vcpu_hw that enter.S uses; svm/entry.c pins them.
 */
#ifndef SVM_ENTER_H
#define SVM_ENTER_H

#define VCPU_GPR 0 /* gpr[n] is at 8n, in enum reg's order */
#define VCPU_VMCB 160

#endif

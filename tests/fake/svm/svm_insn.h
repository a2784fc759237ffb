/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * svm_insn.h - stands in for svm/svm_insn.h on Linux, over tests/fake/fake_svm.c.
 */
#ifndef SVM_INSN_H
#define SVM_INSN_H

#include "arch/x86_64/virt/virt_insn.h"
#include "tests/fake/fake_svm.h"

#define svm_insn_vmsave fake_svm_vmsave

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virt_insn.h - the instructions that both backends use beside their own: those of cpu.h. On Linux
 * tests/fake/arch/x86_64/virt/virt_insn.h stands in for it, over a fake CPU.
 */
#ifndef VIRT_VIRT_INSN_H
#define VIRT_VIRT_INSN_H

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"

#endif

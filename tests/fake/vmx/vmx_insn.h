/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmx_insn.h - stands in for vmx/vmx_insn.h on Linux: the same functions over
 * tests/fake/fake_vmx.c.
 */
#ifndef VMX_INSN_H
#define VMX_INSN_H

#include "arch/x86_64/virt/virt_insn.h"
#include "tests/fake/fake_vmx.h"

#define vmread fake_vmx_read
#define vmwrite fake_vmx_write
#define vmx_insn_vmxon fake_vmx_vmxon
#define vmx_insn_vmclear fake_vmx_vmclear
#define vmx_insn_vmptrld fake_vmx_vmptrld
#define vmx_insn_vmxoff fake_vmx_vmxoff
#define vmx_insn_invept fake_vmx_invept
#define vmx_insn_invvpid fake_vmx_invvpid
#define vmx_insn_unblock_nmi fake_vmx_unblock_nmi
#define vmx_insn_cs fake_vmx_selector
#define vmx_insn_ss fake_vmx_selector
#define vmx_insn_ds fake_vmx_selector
#define vmx_insn_es fake_vmx_selector
#define vmx_insn_fs fake_vmx_selector
#define vmx_insn_gs fake_vmx_selector

#endif

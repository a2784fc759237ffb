/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * enter.S - into the guest and back.
 *
 * void svm_run(struct vcpu_hw *v, u64 host): host is the physical address of the page that holds
 * the host's FS, GS, TR, LDTR and syscall MSRs. RAX, RSP, RIP and RFLAGS are in the VMCB; FPU and AVX
 * registers pass untouched.
 *
 * From CLGI to STGI nothing can arrive, not even an NMI: the guest's TR is loaded then. IF=1 inside,
 * so that a host interrupt ends the guest's run; it stays pending until somebody opens a window. STI is not
 * the last instruction before VMRUN: QEMU's TCG takes its interrupt shadow into the guest, which then runs
 * one instruction before its pending virtual interrupt, be that HLT or CLI.
 */
#include "svm/enter.h"

#define GPR(n, base) (VCPU_GPR + 8 * (n))(base)

	.text
	.globl	svm_run
	.type	svm_run, @function
svm_run:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	push	%rsi
	mov	VCPU_VMCB(%rdi), %rax
	mov	GPR(1, %rdi), %rcx
	mov	GPR(2, %rdi), %rdx
	mov	GPR(3, %rdi), %rbx
	mov	GPR(5, %rdi), %rbp
	mov	GPR(6, %rdi), %rsi
	mov	GPR(8, %rdi), %r8
	mov	GPR(9, %rdi), %r9
	mov	GPR(10, %rdi), %r10
	mov	GPR(11, %rdi), %r11
	mov	GPR(12, %rdi), %r12
	mov	GPR(13, %rdi), %r13
	mov	GPR(14, %rdi), %r14
	mov	GPR(15, %rdi), %r15
	mov	GPR(7, %rdi), %rdi
	clgi
	sti
	vmload	%rax
	vmrun	%rax
	cli
	vmsave	%rax
	pop	%rax
	vmload	%rax
	stgi
	pop	%rax
	mov	%rcx, GPR(1, %rax)
	mov	%rdx, GPR(2, %rax)
	mov	%rbx, GPR(3, %rax)
	mov	%rbp, GPR(5, %rax)
	mov	%rsi, GPR(6, %rax)
	mov	%rdi, GPR(7, %rax)
	mov	%r8, GPR(8, %rax)
	mov	%r9, GPR(9, %rax)
	mov	%r10, GPR(10, %rax)
	mov	%r11, GPR(11, %rax)
	mov	%r12, GPR(12, %rax)
	mov	%r13, GPR(13, %rax)
	mov	%r14, GPR(14, %rax)
	mov	%r15, GPR(15, %rax)
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	svm_run, . - svm_run
	.section .note.GNU-stack, "", @progbits

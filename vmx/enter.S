/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * enter.S - into the guest and back.
 *
 * int vmx_run(struct vcpu_hw *v): 0 after a VM exit, 1 if VMLAUNCH or VMRESUME failed.
 * RSP, RIP, RFLAGS and all else that the VMCS holds are the callers' business; FPU and AVX
 * registers pass untouched.
 */
#include "vmx/enter.h"

#define HOST_RSP_FIELD 0x6c14
#define GPR(n) (VCPU_GPR + 8 * (n))(%rdi)

	.text
	.globl	vmx_run
	.type	vmx_run, @function
vmx_run:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	cmp	%rsp, VCPU_HOST_RSP(%rdi)
	jne	3f
1:	cmpb	$0, VCPU_LAUNCHED(%rdi)
	mov	GPR(0), %rax
	mov	GPR(1), %rcx
	mov	GPR(2), %rdx
	mov	GPR(3), %rbx
	mov	GPR(5), %rbp
	mov	GPR(6), %rsi
	mov	GPR(8), %r8
	mov	GPR(9), %r9
	mov	GPR(10), %r10
	mov	GPR(11), %r11
	mov	GPR(12), %r12
	mov	GPR(13), %r13
	mov	GPR(14), %r14
	mov	GPR(15), %r15
	mov	GPR(7), %rdi
	je	2f
	vmresume
	mov	$1, %eax
	jmp	4f
2:	vmlaunch
	mov	$1, %eax
	jmp	4f

	/* The stack moved since this VMCS last ran. */
3:	mov	%rsp, VCPU_HOST_RSP(%rdi)
	mov	$HOST_RSP_FIELD, %eax
	vmwrite	%rsp, %rax
	jmp	1b

	/* HOST_RIP: the processor comes back here with RSP as it was and IF=0. */
	.globl	vmx_run_exit
	.type	vmx_run_exit, @function
vmx_run_exit:
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, GPR(0)
	mov	%rcx, GPR(1)
	mov	%rdx, GPR(2)
	mov	%rbx, GPR(3)
	mov	%rbp, GPR(5)
	mov	%rsi, GPR(6)
	pop	GPR(7)
	mov	%r8, GPR(8)
	mov	%r9, GPR(9)
	mov	%r10, GPR(10)
	mov	%r11, GPR(11)
	mov	%r12, GPR(12)
	mov	%r13, GPR(13)
	mov	%r14, GPR(14)
	mov	%r15, GPR(15)
	xor	%eax, %eax
4:	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	vmx_run, . - vmx_run
	.section .note.GNU-stack, "", @progbits

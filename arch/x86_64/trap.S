/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trap.S - 256 gates of 16 bytes each and what they share: save the registers as
 * struct trap_frame (trap.h), call trap_handle(frame), restore, return.
 * Source: Intel SDM vol. 3, "Exception and Interrupt Reference" (which push an error code).
 */
	.text
	.balign 16
	.global trap_gates
trap_gates:
	.set vector, 0
	.rept 256
	.balign 16
	.set has_code, (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17)
	.if !has_code && (vector != 21) && (vector != 29) && (vector != 30)
	pushq $0			/* no error code: the frame has one shape */
	.endif
	pushq $vector
	jmp trap_common
	.set vector, vector + 1
	.endr

	.balign 16
trap_common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	cld
	movq %rsp, %rdi
	call trap_handle
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp			/* vector, error code */
	iretq

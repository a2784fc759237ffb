/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtprobe.S - a Multiboot 1 program that answers one question for tools/emu: does this virtual
 * machine offer VMX or SVM that VMMB can use? It turns it on and reads the capabilities, then
 * writes the answer plus 16 to QEMU's isa-debug-exit port: 0 VMX, 1 neither, 2 VMXON failed, 3 no
 * EPT with accessed/dirty bits or no unrestricted guest, 4 SVM without nested paging or disabled,
 * 5 SVM. Entered in flat 32-bit protected mode.
 */
#define CR4_PSE (1 << 4)
#define CR4_VMXE (1 << 13)
#define IA32_FEATURE_CONTROL 0x3a
#define IA32_VMX_BASIC 0x480
#define IA32_VMX_PROCBASED_CTLS 0x482
#define IA32_VMX_PROCBASED_CTLS2 0x48b
#define IA32_VMX_EPT_VPID_CAP 0x48c
#define EFER 0xc0000080
#define EFER_SVME (1 << 12)
#define VM_CR 0xc0010114
#define VM_CR_SVMDIS (1 << 4)

	.text
	.align 4
	.long 0x1badb002, 0, -0x1badb002

	.globl _start
_start:
	mov $stack, %esp
	mov $1, %eax
	cpuid
	mov $1, %ebx
	test $(1 << 5), %ecx
	jz svm
	/* VMXON wants paging: identity-map the first 4 MiB with one large page. */
	movl $0x83, directory
	mov $directory, %eax
	mov %eax, %cr3
	mov %cr4, %eax
	or $(CR4_PSE | CR4_VMXE), %eax
	mov %eax, %cr4
	mov %cr0, %eax
	or $0x80000021, %eax		/* PG, NE, PE */
	mov %eax, %cr0
	mov $IA32_FEATURE_CONTROL, %ecx
	rdmsr
	test $1, %eax
	jnz locked
	or $5, %eax
	wrmsr
locked:	mov $2, %ebx
	test $4, %eax
	jz answer
	mov $IA32_VMX_BASIC, %ecx
	rdmsr
	and $0x7fffffff, %eax
	mov %eax, region
	vmxon pointer
	jbe answer
	mov $3, %ebx
	mov $IA32_VMX_PROCBASED_CTLS, %ecx
	rdmsr
	test %edx, %edx			/* allowed-1 of bit 31: secondary controls */
	jns answer
	mov $IA32_VMX_PROCBASED_CTLS2, %ecx
	rdmsr
	and $0x82, %edx			/* EPT, unrestricted guest */
	cmp $0x82, %edx
	jne answer
	mov $IA32_VMX_EPT_VPID_CAP, %ecx
	rdmsr
	test $(1 << 21), %eax		/* accessed and dirty flags */
	jz answer
	xor %ebx, %ebx
	jmp answer
svm:	mov $0x80000000, %eax
	cpuid
	mov $1, %ebx
	cmp $0x8000000a, %eax
	jb answer
	mov $0x80000001, %eax
	cpuid
	mov $1, %ebx
	test $(1 << 2), %ecx
	jz answer
	mov $0x8000000a, %eax
	cpuid
	mov $4, %ebx
	test $1, %edx			/* nested paging */
	jz answer
	mov $VM_CR, %ecx
	rdmsr
	test $VM_CR_SVMDIS, %eax
	jnz answer
	mov $EFER, %ecx
	rdmsr
	or $EFER_SVME, %eax
	wrmsr
	mov $5, %ebx
answer:	lea 16(%ebx), %eax		/* QEMU's own failures exit with 1 */
	mov $0xf4, %dx
	out %eax, %dx
halt:	cli
	hlt
	jmp halt

	.data
	.align 8
pointer: .long region, 0
	.bss
	.align 4096
directory: .skip 4096
region:	.skip 4096
	.skip 4096
stack:
	.section .note.GNU-stack, "", @progbits

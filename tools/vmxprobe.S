/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmxprobe.S - a Multiboot 1 program that answers one question for tools/emu: does this virtual
 * machine offer VMX that VMMB can use? It executes VMXON and reads the EPT capabilities, then
 * writes the answer plus 16 to QEMU's isa-debug-exit port: 0 yes, 1 no VMX, 2 VMXON failed, 3 no
 * EPT with accessed/dirty bits or no unrestricted guest. Entered in flat 32-bit protected mode.
 */
#define CR4_PSE (1 << 4)
#define CR4_VMXE (1 << 13)
#define IA32_FEATURE_CONTROL 0x3a
#define IA32_VMX_BASIC 0x480
#define IA32_VMX_PROCBASED_CTLS 0x482
#define IA32_VMX_PROCBASED_CTLS2 0x48b
#define IA32_VMX_EPT_VPID_CAP 0x48c

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
	jz answer
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

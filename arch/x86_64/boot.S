/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * boot.S - from GRUB's 32-bit entry to arch_start() in long mode. The tables here map the
 * first 4 GiB at 0 and in the direct map, and the image; paging.c replaces them soon.
 * Source: Multiboot2 Specification 2.0, "OS image format", "I386 state".
 */
#include "arch/x86_64/layout.h"

#define PHYS(x) ((x) - LAYOUT_IMAGE_BASE)
#define MB2_MAGIC 0xe85250d6
#define COM1 0x3f8

	.section .multiboot, "a"
	.balign 8
header:
	.long MB2_MAGIC
	.long 0				/* architecture: 32-bit protected mode of i386 */
	.long header_end - header
	.long 0x100000000 - (MB2_MAGIC + (header_end - header))

	.balign 8			/* information request, all optional: command line, */
	.short 1, 1			/* modules, memory map, RSDP old and new */
	.long 28
	.long 1, 3, 6, 14, 15

	.balign 8			/* entry address */
	.short 3, 0
	.long 12
	.long PHYS(boot_entry)

	.balign 8			/* modules page-aligned */
	.short 6, 0
	.long 8

	.balign 8			/* end */
	.short 0, 0
	.long 8
header_end:

	.section .boot, "ax"
	.code32
	.global boot_entry
boot_entry:
	cli
	cld
	movl %eax, %edi			/* arch_start(magic, mbi) */
	movl %ebx, %esi

	movl $0x80000000, %eax		/* long mode and NX, or a clear refusal */
	cpuid
	cmpl $0x80000001, %eax
	jb refuse
	movl $0x80000001, %eax
	cpuid
	andl $0x20100000, %edx
	cmpl $0x20100000, %edx
	jne refuse

	movl $0x20, %eax		/* CR4.PAE */
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx		/* EFER: LME, NXE */
	rdmsr
	orl $0x900, %eax
	wrmsr
	movl $0x80010033, %eax		/* CR0: PG WP NE ET MP PE */
	movl %eax, %cr0
	lgdt PHYS(boot_gdtr)
	ljmp $0x08, $PHYS(entry64)

refuse:
	movl $PHYS(refusal), %esi
	movl $COM1 + 3, %edx		/* 115200 8N1 */
	movb $0x83, %al
	outb %al, %dx
	movl $COM1, %edx
	movb $1, %al
	outb %al, %dx
	incl %edx
	movb $0, %al
	outb %al, %dx
	movl $COM1 + 3, %edx
	movb $0x03, %al
	outb %al, %dx
1:	lodsb
	testb %al, %al
	jz 3f
	movb %al, %ah
	movl $COM1 + 5, %edx
	movl $100000, %ecx		/* a port that never gets ready does not hang us */
2:	inb %dx, %al
	testb $0x20, %al
	loopz 2b
	movl $COM1, %edx
	movb %ah, %al
	outb %al, %dx
	jmp 1b
3:	hlt
	jmp 3b

	.code64
entry64:
	movabsq $1f, %rax		/* leave the identity map */
	jmp *%rax
1:	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	leaq stack_main + LAYOUT_GUARD + LAYOUT_STACK_MAIN(%rip), %rsp
	xorl %ebp, %ebp			/* a backtrace ends here */
	call arch_start
	ud2

	.section .rodata
refusal:
	.asciz "VMMB: this processor lacks long mode or NX; halted.\r\n"

	.data
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code */
	.quad 0x00cf93000000ffff	/* data */
boot_gdtr:
	.short 23
	.long PHYS(boot_gdt)

	.balign 4096
boot_pml4:
	.quad PHYS(boot_pdpt) + 3
	.fill 255, 8, 0
	.quad PHYS(boot_pdpt) + 3	/* LAYOUT_DIRECT_MAP */
	.fill 254, 8, 0
	.quad PHYS(boot_pdpt_image) + 3
boot_pdpt:
	.quad PHYS(boot_pd) + 0x0003, PHYS(boot_pd) + 0x1003
	.quad PHYS(boot_pd) + 0x2003, PHYS(boot_pd) + 0x3003
	.fill 508, 8, 0
boot_pdpt_image:
	.fill 510, 8, 0
	.quad PHYS(boot_pd) + 3, 0	/* LAYOUT_IMAGE_BASE */
boot_pd:
	.set address, 0
	.rept 2048
	.quad address + 0x83		/* present, writable, 2 MiB */
	.set address, address + 0x200000
	.endr

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * start.S - from a Multiboot loader to long mode and main(); every vector's entry; attempt(), which
 * survives any exception; enter(), which starts code with any registers; legacy(), which pages for a while
 * as older processors do.
 *
 * All vectors have a stack of their own (IST 1), so an attack may leave any RSP behind. The image lies in
 * the 2 MiB from 2 MiB on, which ring 3 does not reach; all RAM above it is the attacks' to spoil.
 */
#define CR0_PG 0x80000000
#define EFER 0xc0000080
#define EFER_LME 0x100
#define CR4_PAE 0x20
#define STACK 16384

	.section .head, "ax"
	.code32
	.align 4
	.long 0x1badb002, 2, -(0x1badb002 + 2)

	.globl start
start:
	cli
	cld
	mov $stack_top, %esp
	mov %ebx, multiboot_info
	/* 4 GiB and the next one as they are, by pages of 2 MiB; map_holes() takes away what is no RAM */
	mov $page_tables + 2 * 4096, %edi
	xor %ecx, %ecx
1:	mov %ecx, %eax
	shl $21, %eax
	or $0x87, %eax
	mov %eax, (%edi)
	mov %ecx, %eax
	shr $11, %eax
	mov %eax, 4(%edi)
	add $8, %edi
	inc %ecx
	cmp $5 * 512, %ecx
	jne 1b
	andb $~4, page_tables + 2 * 4096 + 8	/* the image's 2 MiB: not for ring 3 */
	movl $page_tables + 4096 + 7, page_tables
	mov $5, %ecx
	mov $page_tables + 2 * 4096 + 7, %eax
	mov $page_tables + 4096, %edi
2:	mov %eax, (%edi)
	add $4096, %eax
	add $8, %edi
	loop 2b
	mov $CR4_PAE, %eax
	mov %eax, %cr4
	mov $page_tables, %eax
	mov %eax, %cr3
	mov $EFER, %ecx
	rdmsr
	or $EFER_LME, %eax
	wrmsr
	mov %cr0, %eax
	or $CR0_PG | 1, %eax
	mov %eax, %cr0
	lgdt gdt_pointer
	ljmp $8, $start64

	.text
	.code64
start64:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $stack_top, %esp
	call main
3:	cli
	hlt
	jmp 3b

/* ---- exceptions and interrupts ---- */

	.macro pushes
	push %rax
	push %rcx
	push %rdx
	push %rbx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	.endm
	.macro pops
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	pop %rcx
	pop %rax
	.endm

	.align 16
	.globl vectors
vectors:
	.set n, 0
	.rept 256
	.align 16
	.if !(n == 8 || (n >= 10 && n <= 14) || n == 17 || n == 21 || n == 29 || n == 30)
	push $0
	.endif
	push $n
	jmp vector
	.set n, n + 1
	.endr

vector:
	pushes
	cld
	mov %rsp, %rdi
	call trap
	test %rax, %rax
	jnz recover
	pops
	add $16, %rsp
	iretq

/* u64 attempt(void (*fn)(void *), void *arg): 0, or 1 + the vector of what ended it. */
	.globl attempt
attempt:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	sub $8, %rsp
	mov %rsp, recover_rsp
	mov %rdi, %rax
	mov %rsi, %rdi
	call *%rax
	xor %eax, %eax
4:	movq $0, recover_rsp
	add $8, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
recover:
	mov recover_rsp, %rsp
	jmp 4b

/* void enter(struct regs *): all registers, then IRETQ. Only a trap comes back. */
	.globl enter
enter:
	mov %rdi, %rsp
	pops
	iretq

/* void set_segments(void): those that attacks may have spoilt. */
	.globl set_segments
set_segments:
	lgdt gdt_pointer
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %eax, %fs
	mov %eax, %gs
	pushq $8
	push $5f
	lretq
5:	ret

/*
 * u32 legacy(u32 cr3, u32 cr4, u32 address): leaves long mode, switches paging on with these tables, reads
 * and writes the dword at that address, and comes back. An exception on the way resets the machine.
 */
	.globl legacy
legacy:
	push %rbx
	push %rbp
	mov %rsp, legacy_rsp
	pushq $0x18
	push $6f
	lretq
	.code32
6:	mov %edx, %ebx
	mov %cr0, %eax
	and $~CR0_PG, %eax
	mov %eax, %cr0
	mov $EFER, %ecx
	rdmsr
	mov %eax, %ebp
	and $~EFER_LME, %eax
	wrmsr
	mov %esi, %cr4
	mov %edi, %cr3
	mov %cr0, %eax
	or $CR0_PG, %eax
	mov %eax, %cr0
	jmp 7f
7:	mov (%ebx), %esi
	mov %esi, (%ebx)
	lock orl $0, (%ebx)
	mov %cr0, %eax
	and $~CR0_PG, %eax
	mov %eax, %cr0
	mov good_cr4, %eax
	mov %eax, %cr4
	mov good_cr3, %eax
	mov %eax, %cr3
	mov $EFER, %ecx
	xor %edx, %edx
	mov %ebp, %eax
	and $~0x400, %eax
	wrmsr
	mov %cr0, %eax
	or $CR0_PG, %eax
	mov %eax, %cr0
	ljmp $8, $8f
	.code64
8:	mov legacy_rsp, %rsp
	mov %esi, %eax
	pop %rbp
	pop %rbx
	ret

	.data
	.align 16
	.globl gdt, gdt_pointer
gdt:	.quad 0
	.quad 0x00af9b000000ffff	/* 08 code */
	.quad 0x00cf93000000ffff	/* 10 data */
	.quad 0x00cf9b000000ffff	/* 18 code, 32 bits */
	.quad 0x00cff3000000ffff	/* 20 data, ring 3 */
	.quad 0x00affb000000ffff	/* 28 code, ring 3 */
	.quad 0x00cffb000000ffff	/* 30 code, 32 bits, ring 3 */
	.quad 0, 0			/* 38 TSS */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt

	.bss
	.align 4096
	.globl page_tables, stack_top, multiboot_info, recover_rsp
page_tables: .skip 7 * 4096
	.skip STACK
stack_top:
multiboot_info: .skip 8
recover_rsp: .skip 8
legacy_rsp: .skip 8
	.section .note.GNU-stack, "", @progbits

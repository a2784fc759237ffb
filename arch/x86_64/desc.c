/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * desc.c - GDT, TSS and the stacks of the boot CPU. Called once, before anything can fault.
 */
#include "arch/x86_64/desc.h"
#include "arch/x86_64/cpu.h"

struct percpu percpu_boot;
struct stack_main stack_main __attribute__((aligned(4096)));
struct stack_ist stack_ist[DESC_IST_COUNT - 1] __attribute__((aligned(4096)));
_Static_assert(sizeof(struct stack_ist) % 4096 == 0, "guards are whole pages");

#define DESC_CODE64 0x00af9b000000ffffull
#define DESC_DATA 0x00cf93000000ffffull
#define DESC_TSS_AVAILABLE 0x89ull

static void load_segments(void)
{
	__asm__ volatile("pushq %0\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %1, %%ds\n\t"
			 "movl %1, %%es\n\t"
			 "movl %1, %%ss\n\t"
			 "movl %2, %%fs\n\t"
			 "movl %2, %%gs"
			 : : "i"(CPU_SEL_CODE), "r"(CPU_SEL_DATA), "r"(0) : "rax", "memory");
}

void desc_init(void)
{
	struct percpu *cpu = percpu_this();
	u64 base = (u64)&cpu->tss, limit = sizeof(cpu->tss) - 1;
	struct cpu_dtr gdtr = { sizeof(cpu->gdt) - 1, (u64)cpu->gdt };

	for (u32 i = 0; i < ARRAY_SIZE(stack_ist); i++)
		cpu->tss.ist[i] = (u64)(stack_ist[i].mem + LAYOUT_STACK_IST);
	cpu->tss.rsp[0] = (u64)(stack_main.mem + LAYOUT_STACK_MAIN);
	cpu->tss.iomap = sizeof(cpu->tss);

	cpu->gdt[CPU_SEL_CODE / 8] = DESC_CODE64;
	cpu->gdt[CPU_SEL_DATA / 8] = DESC_DATA;
	cpu->gdt[CPU_SEL_TSS / 8] = (limit & 0xffff) | (base & 0xffffff) << 16 |
		DESC_TSS_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
	cpu->gdt[CPU_SEL_TSS / 8 + 1] = base >> 32;
	cpu_lgdt(&gdtr);
	load_segments();
	cpu_lldt(0);
	cpu_ltr(CPU_SEL_TSS);
}

bool desc_in_stack(u64 p, u64 n)
{
	u64 start = (u64)stack_main.mem;

	if (p >= start && p + n <= start + LAYOUT_STACK_MAIN)
		return true;
	for (u32 i = 0; i < ARRAY_SIZE(stack_ist); i++) {
		start = (u64)stack_ist[i].mem;
		if (p >= start && p + n <= start + LAYOUT_STACK_IST)
			return true;
	}
	return false;
}

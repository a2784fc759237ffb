/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trap.c - the interrupt descriptor table and the one place where every exception and
 * interrupt arrives. Exceptions in the hypervisor are bugs: they end in panic_trap().
 * Source: Intel SDM vol. 3, "Interrupt and Exception Handling in 64-bit Mode".
 */
#include "arch/x86_64/trap.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/desc.h"
#include "arch/x86_64/irq.h"

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "64-bit gate");

#define GATE_INTERRUPT 0x8e /* present, DPL 0, clears IF */
#define GATE_BYTES 16       /* trap.S aligns each entry to this */

extern const char trap_gates[];

static struct gate idt[256];

static u8 ist_of(u32 vector)
{
	switch (vector) {
	case TRAP_DF: return DESC_IST_DF;
	case TRAP_NMI: return DESC_IST_NMI;
	case TRAP_MC: return DESC_IST_MC;
	}
	return DESC_IST_NONE;
}

void trap_init(void)
{
	struct cpu_dtr idtr = { sizeof(idt) - 1, (u64)idt };

	for (u32 v = 0; v < ARRAY_SIZE(idt); v++) {
		u64 entry = (u64)trap_gates + v * GATE_BYTES;

		idt[v] = (struct gate){
			.offset_low = (u16)entry,
			.selector = CPU_SEL_CODE,
			.ist = ist_of(v),
			.type = GATE_INTERRUPT,
			.offset_mid = (u16)(entry >> 16),
			.offset_high = (u32)(entry >> 32),
		};
	}
	cpu_lidt(&idtr);
}

void trap_handle(struct trap_frame *f)
{
	if (f->vector >= TRAP_FIRST_IRQ)
		irq_dispatch((u8)f->vector);
	else if (f->vector == TRAP_NMI || f->vector == TRAP_DB)
		return; /* none is ours: Bochs' SVM lets a guest's single step come through to its host */
	else
		panic_trap(f);
}

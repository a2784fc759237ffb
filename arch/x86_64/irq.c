/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * irq.c - from a GSI to its handlers. IF is 1 only inside arch_irq_window() and
 * arch_idle(), and while a handler runs it is 0 again: handlers do not nest.
 */
#include "arch/x86_64/irq.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/desc.h"
#include "boot/boot_info.h"
#include "kernel/lib/lib.h"

#define PIC1 0x20
#define PIC2 0xa0
#define PIC_VECTORS 0x20 /* where a spurious 8259 interrupt would arrive */
#define STORM_LIMIT 10000
#define GSI_NONE 0xffffffffu /* a line of messages */
#define MSI_ADDRESS 0xfee00000u
#define MSI_DESTINATION_SHIFT 12

struct line {
	u32 gsi;
	u32 nhandlers;
	u32 unclaimed; /* in a row */
	bool level;
	struct { arch_irq_fn *fn; void *ctx; } handler[IRQ_HANDLERS];
};

static struct line lines[IRQ_LINES];
static u32 nlines;
static const struct boot_acpi *madt;
static u64 timer_at; /* what the timer is armed for; 0: nothing, or it fired */

/* Initialised before it is masked: a spurious interrupt then has a vector of its own. */
static void pic_off(void)
{
	static const struct { u16 port; u8 v; } seq[] = {
		{ PIC1, 0x11 }, { PIC1 + 1, PIC_VECTORS }, { PIC1 + 1, 4 }, { PIC1 + 1, 1 },
		{ PIC2, 0x11 }, { PIC2 + 1, PIC_VECTORS + 8 }, { PIC2 + 1, 2 }, { PIC2 + 1, 1 },
		{ PIC1 + 1, 0xff }, { PIC2 + 1, 0xff },
	};

	for (u32 i = 0; i < ARRAY_SIZE(seq); i++)
		cpu_out8(seq[i].port, seq[i].v);
}

void irq_init(const struct boot_acpi *acpi)
{
	madt = acpi;
	pic_off();
	if (!lapic_init(acpi->lapic_base))
		panic("the local APIC can't be mapped");
	lapic_timer_init();
	if (!ioapic_init(acpi))
		log_err("no I/O APIC: devices have no interrupts");
}

static const struct boot_irq_override *override_of_gsi(u32 gsi)
{
	for (u32 i = 0; i < madt->noverrides; i++)
		if (madt->override[i].gsi == gsi)
			return &madt->override[i];
	return NULL;
}

u32 arch_isa_gsi(u8 isa_irq, bool *level)
{
	*level = false;
	for (u32 i = 0; i < madt->noverrides; i++)
		if (madt->override[i].isa_irq == isa_irq) {
			*level = madt->override[i].level;
			return madt->override[i].gsi;
		}
	return isa_irq;
}

int arch_irq_register(u32 gsi, bool level, arch_irq_fn *fn, void *ctx)
{
	const struct boot_irq_override *o = override_of_gsi(gsi);
	struct line *l = NULL;

	for (u32 i = 0; i < nlines; i++)
		if (lines[i].gsi == gsi)
			l = &lines[i];
	if (!l) {
		if (nlines == IRQ_LINES)
			return E_NOMEM;
		l = &lines[nlines];
		*l = (struct line){ .gsi = gsi, .level = o ? o->level : level };
	}
	if (l->nhandlers == IRQ_HANDLERS)
		return E_NOMEM;
	l->handler[l->nhandlers].fn = fn;
	l->handler[l->nhandlers].ctx = ctx;
	if (l->nhandlers++)
		return 0;
	/* PCI lines are active low, ISA lines active high, unless the MADT says otherwise. */
	if (!ioapic_route(gsi, (u8)(IRQ_VECTOR_GSI + (l - lines)), l->level, o ? o->active_low : level))
		return E_NOENT;
	nlines++;
	return 0;
}

/* Source: Intel SDM vol. 3, "Message Signalled Interrupts": fixed delivery, physical destination, edge. */
int arch_irq_msi(arch_irq_fn *fn, void *ctx, u64 *addr, u32 *data)
{
	struct line *l = &lines[nlines];

	if (percpu_this()->apic_id > 0xff)
		return E_NOTSUP;
	if (nlines == IRQ_LINES)
		return E_NOMEM;
	*l = (struct line){ .gsi = GSI_NONE, .nhandlers = 1 };
	l->handler[0].fn = fn;
	l->handler[0].ctx = ctx;
	*addr = MSI_ADDRESS | percpu_this()->apic_id << MSI_DESTINATION_SHIFT;
	*data = IRQ_VECTOR_GSI + nlines++;
	return 0;
}

static void line_dispatch(struct line *l)
{
	bool claimed = false;

	for (u32 i = 0; i < l->nhandlers; i++)
		claimed |= l->handler[i].fn(l->handler[i].ctx);
	if (claimed) {
		l->unclaimed = 0;
	} else if (++l->unclaimed == STORM_LIMIT && l->level) {
		ioapic_mask(l->gsi);
		log_err("GSI %u: %u interrupts that no device asked for: masked", l->gsi, STORM_LIMIT);
	}
}

void irq_dispatch(u8 vector)
{
	if (vector >= IRQ_VECTOR_GSI && vector < IRQ_VECTOR_GSI + nlines) {
		line_dispatch(&lines[vector - IRQ_VECTOR_GSI]);
		lapic_eoi();
	} else if (vector == IRQ_VECTOR_TIMER) {
		timer_at = 0;
		lapic_eoi();
	} else if (vector == IRQ_VECTOR_ERROR) {
		lapic_eoi();
	}
	/* Anything else is spurious, from the LAPIC or the 8259: neither wants an EOI. */
}

void arch_irq_window(void)
{
	cpu_sti_nop_cli();
}

void arch_timer_arm(u64 tsc)
{
	if (tsc == timer_at) /* a backend asks before every entry of a guest */
		return;
	timer_at = tsc;
	lapic_timer_arm(tsc);
}

void arch_idle(u64 deadline_tsc)
{
	if (deadline_tsc && cpu_rdtsc() >= deadline_tsc) {
		arch_irq_window();
		return;
	}
	arch_timer_arm(deadline_tsc);
	cpu_sti_hlt_cli();
	arch_timer_arm(0);
}

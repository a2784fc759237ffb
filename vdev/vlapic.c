/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vlapic.c - the guest's local APIC: registers, priorities, interrupt messages.
 * No locking (no threads); vlapic_message() may be called from I/O completions.
 */
#include "vdev/vlapic.h"

#include "kernel/lib/lib.h"
#include "vdev/board.h"
#include "vdev/vtime.h"

#define APIC_VERSION 0x00050014u /* 6 LVT entries, no EOI-broadcast suppression */
#define BASE_BSP BIT64(8)
#define BASE_ENABLE BIT64(11)
#define SVR_ENABLE BIT(8)
#define SVR_WRITABLE 0x3ffu
#define LVT_DM(v) (((v) >> 8) & 7)
#define ESR_SEND_ILLEGAL BIT(5)
#define ESR_RECEIVE_ILLEGAL BIT(6)
#define ICR_LEVEL_ASSERT BIT(14)
#define ICR_LOGICAL BIT(11)
#define ICR_WRITABLE 0x000ccfffu
#define FIRST_VECTOR 16

static u32 *reg(const struct vlapic *l, u32 offset)
{
	return &l->regs[offset / 4];
}

/* 256-bit fields lie in eight registers 16 bytes apart. */
static u32 *vec_reg(const struct vlapic *l, u32 field, u8 vector)
{
	return reg(l, field + (vector / 32u) * 16u);
}

static bool vec_test(const struct vlapic *l, u32 field, u8 vector)
{
	return *vec_reg(l, field, vector) & BIT(vector % 32);
}

static void vec_set(struct vlapic *l, u32 field, u8 vector, bool on)
{
	u32 *r = vec_reg(l, field, vector);

	*r = on ? *r | BIT(vector % 32) : *r & ~BIT(vector % 32);
}

static int vec_highest(const struct vlapic *l, u32 field)
{
#pragma GCC unroll 8
	for (int i = 7; i >= 0; i--) {
		u32 bits = *reg(l, field + (u32)i * 16);

		if (bits)
			return i * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

bool vlapic_enabled(const struct vlapic *l)
{
	return (l->base_msr & BASE_ENABLE) && (*reg(l, VLAPIC_SVR) & SVR_ENABLE);
}

static void accept_vector(struct vlapic *l, u8 vector, bool level);

static void error(struct vlapic *l, u32 bit)
{
	bool again = l->esr_pending & bit;
	u32 lvt = *reg(l, VLAPIC_LVT_ERROR);

	l->esr_pending |= bit;
	/* An error vector that is itself illegal must not report itself for ever. */
	if (!again && !(lvt & VLAPIC_LVT_MASKED) && (u8)lvt >= FIRST_VECTOR)
		accept_vector(l, (u8)lvt, false);
}

static void accept_vector(struct vlapic *l, u8 vector, bool level)
{
	if (!vlapic_enabled(l))
		return;
	if (vector < FIRST_VECTOR) {
		error(l, ESR_RECEIVE_ILLEGAL);
		return;
	}
	vec_set(l, VLAPIC_TMR, vector, level);
	if (vec_test(l, VLAPIC_IRR, vector))
		return;
	vec_set(l, VLAPIC_IRR, vector, true);
	vdev_wake(l->board->config.vm);
}

void vlapic_lvt_fire(struct vlapic *l, u32 lvt)
{
	if (!(lvt & VLAPIC_LVT_MASKED))
		accept_vector(l, (u8)lvt, false);
}

void vlapic_init(struct vlapic *l, struct vboard *board, void *page, u64 tsc_hz)
{
	l->board = board;
	l->regs = page;
	l->min_period = (tsc_hz + VTIME_MOST_HZ - 1) / VTIME_MOST_HZ;
	l->crystal_shift = 0;
	while (tsc_hz >> l->crystal_shift >> 32)
		l->crystal_shift++;
	vlapic_reset(l);
}

static void reset_registers(struct vlapic *l)
{
	memset(l->regs, 0, PAGE_SIZE);
	*reg(l, VLAPIC_VERSION) = APIC_VERSION;
	*reg(l, VLAPIC_DFR) = 0xffffffff;
	*reg(l, VLAPIC_SVR) = 0xff;
	for (u32 r = VLAPIC_LVT_TIMER; r <= VLAPIC_LVT_ERROR; r += 16)
		*reg(l, r) = VLAPIC_LVT_MASKED;
	l->esr_pending = 0;
	vlapic_timer_reset(l);
}

void vlapic_reset(struct vlapic *l)
{
	l->base_msr = VBOARD_LAPIC_GPA | BASE_BSP | BASE_ENABLE;
	reset_registers(l);
	*reg(l, VLAPIC_SVR) |= SVR_ENABLE;
	*reg(l, VLAPIC_LVT_LINT0) = VLAPIC_DM_EXTINT << 8;
	*reg(l, VLAPIC_LVT_LINT1) = 4u << 8; /* NMI: a line that nobody drives */
}

static u8 processor_priority(struct vlapic *l)
{
	u8 tpr = (u8)*reg(l, VLAPIC_TPR);
	int isr = vec_highest(l, VLAPIC_ISR);
	u8 class = isr < 0 ? 0 : (u8)isr & 0xf0;
	u8 ppr = (tpr & 0xf0) >= class ? tpr : class;

	*reg(l, VLAPIC_PPR) = ppr;
	return ppr;
}

int vlapic_pending(struct vlapic *l)
{
	int v;

	if (!(l->base_msr & BASE_ENABLE))
		return -1;
	v = vec_highest(l, VLAPIC_IRR);
	if (v < 0)
		return -1;
	return (v & 0xf0) > (processor_priority(l) & 0xf0) ? v : -1;
}

bool vlapic_taken(struct vlapic *l, u8 vector)
{
	if (!(l->base_msr & BASE_ENABLE) || !vec_test(l, VLAPIC_IRR, vector))
		return false;
	vec_set(l, VLAPIC_IRR, vector, false);
	vec_set(l, VLAPIC_ISR, vector, true);
	processor_priority(l);
	return true;
}

bool vlapic_extint(const struct vlapic *l)
{
	u32 lint0 = *reg(l, VLAPIC_LVT_LINT0);

	if (!(l->base_msr & BASE_ENABLE))
		return true;
	return !(lint0 & VLAPIC_LVT_MASKED) && LVT_DM(lint0) == VLAPIC_DM_EXTINT;
}

static void eoi(struct vlapic *l)
{
	int v = vec_highest(l, VLAPIC_ISR);

	if (v < 0)
		return;
	vec_set(l, VLAPIC_ISR, (u8)v, false);
	processor_priority(l);
	if (vec_test(l, VLAPIC_TMR, (u8)v))
		vboard_eoi_broadcast(l->board, (u8)v);
}

void vlapic_eoi_virtual(struct vlapic *l, u8 vector)
{
	vec_set(l, VLAPIC_ISR, vector, false);
	processor_priority(l);
	if (vec_test(l, VLAPIC_TMR, vector))
		vboard_eoi_broadcast(l->board, vector);
}

static bool for_us(const struct vlapic *l, u8 dest, bool logical)
{
	u8 ldr = (u8)(*reg(l, VLAPIC_LDR) >> 24);

	if (!logical)
		return dest == 0xff || dest == (u8)(*reg(l, VLAPIC_ID) >> 24);
	if (dest == 0xff)
		return true;
	if (*reg(l, VLAPIC_DFR) >> 28 == 0xf) /* flat model */
		return dest & ldr;
	return dest >> 4 == ldr >> 4 && (dest & ldr & 0xf); /* cluster model */
}

bool vlapic_message(struct vlapic *l, u8 dest, bool logical, u8 mode, u8 vector, bool level)
{
	if (!for_us(l, dest, logical))
		return false;
	if (mode == VLAPIC_DM_FIXED || mode == VLAPIC_DM_LOWEST)
		accept_vector(l, vector, level);
	return true;
}

/* With one processor, INIT, SIPI and SMI to others go nowhere, and NMI to itself has no port. */
static void send_ipi(struct vlapic *l)
{
	u32 low = *reg(l, VLAPIC_ICR_LOW) & ICR_WRITABLE;
	u8 dest = (u8)(*reg(l, VLAPIC_ICR_HIGH) >> 24);
	u8 mode = (low >> 8) & 7;
	u8 vector = (u8)low;
	u32 shorthand = (low >> 18) & 3; /* 0 none, 1 self, 2 all, 3 all but self */

	*reg(l, VLAPIC_ICR_LOW) = low;
	if (mode != VLAPIC_DM_FIXED && mode != VLAPIC_DM_LOWEST)
		return;
	if (vector < FIRST_VECTOR) {
		error(l, ESR_SEND_ILLEGAL);
		return;
	}
	if (shorthand == 3 || (shorthand == 0 && !for_us(l, dest, low & ICR_LOGICAL)))
		return;
	accept_vector(l, vector, false);
}

static void write_svr(struct vlapic *l, u32 value)
{
	*reg(l, VLAPIC_SVR) = value & SVR_WRITABLE;
	if (value & SVR_ENABLE)
		return;
	/* Software-disabled: the mask bit of every LVT entry is set and stays set. */
	for (u32 r = VLAPIC_LVT_TIMER; r <= VLAPIC_LVT_ERROR; r += 16)
		*reg(l, r) |= VLAPIC_LVT_MASKED;
	l->lvt_timer |= VLAPIC_LVT_MASKED;
}

static u32 lvt_value(const struct vlapic *l, u32 offset, u32 value)
{
	static const u32 writable[] = { 0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff };

	value &= writable[(offset - VLAPIC_LVT_TIMER) / 16];
	if (!(*reg(l, VLAPIC_SVR) & SVR_ENABLE))
		value |= VLAPIC_LVT_MASKED;
	return value;
}

/* The value may be in the page already: nothing here reads the register's old content. */
void vlapic_write(struct vlapic *l, u16 offset, u32 value, u64 now)
{
	if ((offset & 15) || offset > VLAPIC_TIMER_DIVIDE || !(l->base_msr & BASE_ENABLE))
		return;
	switch (offset) {
	case VLAPIC_ID:
		*reg(l, offset) = 0; /* there is one processor: its id stays 0 */
		break;
	case VLAPIC_TPR:
		*reg(l, offset) = value & 0xff;
		processor_priority(l);
		break;
	case VLAPIC_EOI:
		*reg(l, offset) = 0;
		eoi(l);
		break;
	case VLAPIC_LDR:
		*reg(l, offset) = value & 0xff000000;
		break;
	case VLAPIC_DFR:
		*reg(l, offset) = value | 0x0fffffff;
		break;
	case VLAPIC_SVR:
		write_svr(l, value);
		break;
	case VLAPIC_ESR:
		*reg(l, offset) = l->esr_pending;
		l->esr_pending = 0;
		break;
	case VLAPIC_ICR_LOW:
		*reg(l, offset) = value;
		send_ipi(l);
		break;
	case VLAPIC_ICR_HIGH:
		*reg(l, offset) = value & 0xff000000;
		break;
	case VLAPIC_LVT_TIMER:
		vlapic_timer_write_lvt(l, lvt_value(l, offset, value), now);
		break;
	case VLAPIC_LVT_THERMAL:
	case VLAPIC_LVT_PERF:
	case VLAPIC_LVT_LINT0:
	case VLAPIC_LVT_LINT1:
	case VLAPIC_LVT_ERROR:
		*reg(l, offset) = lvt_value(l, offset, value);
		break;
	case VLAPIC_TIMER_INITIAL:
		vlapic_timer_write_initial(l, value, now);
		break;
	case VLAPIC_TIMER_DIVIDE:
		vlapic_timer_write_divide(l, value, now);
		break;
	default: /* read-only or absent */
		break;
	}
}

void vlapic_write_trap(struct vlapic *l, u16 offset, u64 now)
{
	offset &= 0xff0;
	vlapic_write(l, offset, *reg(l, offset), now);
}

u32 vlapic_read(struct vlapic *l, u16 offset, u64 now)
{
	if (!(l->base_msr & BASE_ENABLE))
		return 0xffffffff;
	if ((offset & 15) || offset > VLAPIC_TIMER_DIVIDE)
		return 0;
	if (offset == VLAPIC_TIMER_CURRENT)
		return vlapic_timer_current(l, now);
	if (offset == VLAPIC_PPR)
		return processor_priority(l);
	return *reg(l, offset);
}

int vlapic_read_base(const struct vlapic *l, u64 *value)
{
	*value = l->base_msr;
	return 0;
}

/* The enable bit is all that may change: the address is fixed, x2APIC mode is not offered. */
int vlapic_write_base(struct vlapic *l, u64 value)
{
	if ((value | BASE_ENABLE) != (VBOARD_LAPIC_GPA | BASE_BSP | BASE_ENABLE))
		return E_INVAL;
	if ((value ^ l->base_msr) & BASE_ENABLE)
		reset_registers(l);
	l->base_msr = value;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vlapic_timer.c - the local APIC's timer: one-shot, periodic, TSC deadline. Nothing counts:
 * the next expiry is kept as a TSC value and the current count is derived from it.
 * Source: Intel SDM vol. 3, "APIC Timer".
 */
#include "kernel/lib/lib.h"
#include "vdev/vlapic.h"

#define MODE(lvt) (((lvt) >> 17) & 3)
#define MODE_ONE_SHOT 0u
#define MODE_PERIODIC 1u
#define MODE_DEADLINE 2u

static u32 *reg(const struct vlapic *l, u32 offset)
{
	return &l->regs[offset / 4];
}

/* One count of the timer is 1 << count_shift TSC ticks. */
static u32 count_shift(const struct vlapic *l)
{
	u32 dcr = l->timer_divide;
	u32 code = (dcr & 3) | ((dcr >> 1) & 4);

	return ((code + 1) & 7) + l->crystal_shift;
}

static void disarm(struct vlapic *l)
{
	l->deadline = 0;
	l->period = 0;
}

void vlapic_timer_reset(struct vlapic *l)
{
	l->lvt_timer = VLAPIC_LVT_MASKED;
	l->timer_divide = 0;
	disarm(l);
}

void vlapic_tick(struct vlapic *l, u64 now)
{
	if (!l->deadline || now < l->deadline)
		return;
	if (MODE(l->lvt_timer) == MODE_PERIODIC && l->period)
		l->deadline += l->period * ((now - l->deadline) / l->period + 1);
	else
		disarm(l);
	vlapic_lvt_fire(l, l->lvt_timer);
}

u64 vlapic_deadline(const struct vlapic *l)
{
	return l->lvt_timer & VLAPIC_LVT_MASKED ? 0 : l->deadline;
}

u32 vlapic_timer_current(struct vlapic *l, u64 now)
{
	u64 left;

	vlapic_tick(l, now);
	if (!l->deadline || MODE(l->lvt_timer) == MODE_DEADLINE)
		return 0;
	left = (l->deadline - now) >> count_shift(l);
	return (u32)MIN(left, (u64)*reg(l, VLAPIC_TIMER_INITIAL));
}

static void start(struct vlapic *l, u32 count, u64 now)
{
	l->period = MAX((u64)*reg(l, VLAPIC_TIMER_INITIAL) << count_shift(l), l->min_period);
	l->deadline = now + MAX((u64)count << count_shift(l), 1ull);
}

void vlapic_timer_write_lvt(struct vlapic *l, u32 value, u64 now)
{
	u32 old = MODE(l->lvt_timer), mode = MODE(value);

	vlapic_tick(l, now); /* what was due falls under the old entry */
	if (mode == 3)
		value = (value & ~(3u << 17)) | VLAPIC_LVT_MASKED; /* reserved: nothing runs */
	if (mode != old && (mode >= MODE_DEADLINE || old == MODE_DEADLINE))
		disarm(l);
	l->lvt_timer = value;
	*reg(l, VLAPIC_LVT_TIMER) = value;
}

void vlapic_timer_write_initial(struct vlapic *l, u32 value, u64 now)
{
	vlapic_tick(l, now);
	*reg(l, VLAPIC_TIMER_INITIAL) = value;
	if (MODE(l->lvt_timer) == MODE_DEADLINE)
		return;
	if (value)
		start(l, value, now);
	else
		disarm(l);
}

void vlapic_timer_write_divide(struct vlapic *l, u32 value, u64 now)
{
	u32 left = vlapic_timer_current(l, now);

	l->timer_divide = value & 0xb;
	*reg(l, VLAPIC_TIMER_DIVIDE) = value & 0xb;
	if (l->deadline && MODE(l->lvt_timer) != MODE_DEADLINE)
		start(l, left, now);
}

void vlapic_read_deadline(const struct vlapic *l, u64 *value)
{
	*value = MODE(l->lvt_timer) == MODE_DEADLINE ? l->deadline : 0;
}

void vlapic_write_deadline(struct vlapic *l, u64 value, u64 now)
{
	if (MODE(l->lvt_timer) != MODE_DEADLINE || !vlapic_enabled(l))
		return;
	l->deadline = value;
	vlapic_tick(l, now);
}

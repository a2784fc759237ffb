/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vpit.c - the guest's 8254. A periodic channel 0 fires at most every 200 us, however small its count.
 */
#include "vdev/vpit.h"

#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "vdev/board.h"
#include "vdev/vtime.h"

#define P61_GATE2 BIT(0)
#define P61_REFRESH BIT(4)
#define P61_OUT2 BIT(5)
#define REFRESH_HZ 66287u

void vpit_init(struct vpit *p, struct vboard *board, u64 tsc_hz)
{
	p->board = board;
	p->tsc_hz = tsc_hz;
	vpit_reset(p);
}

void vpit_reset(struct vpit *p)
{
	memset(p->ch, 0, sizeof(p->ch));
	for (u32 i = 0; i < 3; i++)
		p->ch[i] = (struct vpit_channel){ .mode = 3, .access = 3, .gate = i != 2 };
	p->port61 = 0;
	p->deadline = 0;
}

static u32 from_bcd(u16 v)
{
	return (v & 15u) + (v >> 4 & 15u) * 10 + (v >> 8 & 15u) * 100 + (v >> 12) * 1000u;
}

static u16 to_bcd(u32 v)
{
	return (u16)(v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 % 10 << 12);
}

static u32 full_count(const struct vpit_channel *c)
{
	u32 n = c->bcd ? from_bcd(c->count) : c->count;

	if (!n)
		n = c->bcd ? 10000 : 65536;
	/* A divider needs at least two. */
	return (c->mode == 2 || c->mode == 3) && n < 2 ? 2 : n;
}

static bool periodic(const struct vpit_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

static u64 elapsed(const struct vpit *p, const struct vpit_channel *c, u64 now)
{
	return vtime_scale(now - c->start, p->tsc_hz, VPIT_HZ);
}

static u16 counter(const struct vpit *p, const struct vpit_channel *c, u64 now)
{
	u32 n = full_count(c), modulo = c->bcd ? 10000 : 65536;
	u64 t;
	u32 v;

	if (!c->loaded)
		return 0;
	if (!c->gate)
		return c->count;
	t = elapsed(p, c, now);
	if (c->mode == 3)
		v = n - (u32)(t * 2 % n & ~1ull);
	else if (c->mode == 2)
		v = n - (u32)(t % n);
	else
		v = (n + modulo - (u32)(t % modulo)) % modulo; /* wraps and goes on */
	v %= modulo;
	return c->bcd ? to_bcd(v) : (u16)v;
}

static bool output(const struct vpit *p, const struct vpit_channel *c, u64 now)
{
	u32 n = full_count(c);
	u64 t;

	if (!c->loaded || !c->gate)
		return c->mode != 0 && c->mode != 1;
	t = elapsed(p, c, now);
	switch (c->mode) {
	case 2:
		return t % n != n - 1;
	case 3:
		return t % n < (n + 1) / 2;
	case 4:
	case 5:
		return t != n; /* one low pulse */
	default:
		return t >= n;
	}
}

static u64 tsc_at(const struct vpit *p, const struct vpit_channel *c, u64 ticks)
{
	return c->start + MAX(vtime_scale_up(ticks, VPIT_HZ, p->tsc_hz), 1ull);
}

/* The next period of channel 0. If periods are too short, the next that is a multiple of as many as are long
 * enough. */
static void arm_periodic(struct vpit *p, u64 now)
{
	struct vpit_channel *c = &p->ch[0];
	u64 n = full_count(c), floor = VPIT_HZ / VTIME_MOST_HZ + 1;

	n *= (floor + n - 1) / n;
	p->deadline = tsc_at(p, c, (elapsed(p, c, now) / n + 1) * n);
}

static void count_loaded(struct vpit *p, u32 i, u16 count, u64 now)
{
	struct vpit_channel *c = &p->ch[i];

	c->count = count;
	c->loaded = true;
	c->start = now;
	if (i != 0)
		return;
	vboard_isa_irq(p->board, 0, false);
	p->deadline = tsc_at(p, c, full_count(c));
}

void vpit_tick(struct vpit *p, u64 now)
{
	struct vpit_channel *c = &p->ch[0];

	if (!p->deadline || now < p->deadline)
		return;
	p->deadline = 0;
	vboard_isa_irq(p->board, 0, true);
	if (c->mode != 0)
		vboard_isa_irq(p->board, 0, false); /* a pulse; mode 0 stays high */
	if (periodic(c))
		arm_periodic(p, now);
}

u64 vpit_deadline(const struct vpit *p)
{
	/* A periodic tick that nobody can see need not wake anybody. */
	if (p->deadline && periodic(&p->ch[0]) && vpic_masked(&p->board->pic, 0) &&
	    vioapic_masked(&p->board->ioapic, 2))
		return 0;
	return p->deadline;
}

static void latch_count(struct vpit *p, struct vpit_channel *c, u64 now)
{
	if (c->latched)
		return;
	c->latch = counter(p, c, now);
	c->latched = true;
	c->read_high = false;
}

static void latch_status(struct vpit *p, struct vpit_channel *c, u64 now)
{
	if (c->status_latched)
		return;
	c->status = (u8)((output(p, c, now) ? 0x80u : 0u) | (c->loaded ? 0u : 0x40u) |
			 (u32)c->access << 4 | (u32)c->mode << 1 | c->bcd);
	c->status_latched = true;
}

static void write_control(struct vpit *p, u8 v, u64 now)
{
	u32 i = v >> 6;
	struct vpit_channel *c;

	if (i == 3) { /* read-back: count unless bit 5, status unless bit 4 */
		for (i = 0; i < 3; i++) {
			if (!(v & BIT(i + 1)))
				continue;
			if (!(v & BIT(5)))
				latch_count(p, &p->ch[i], now);
			if (!(v & BIT(4)))
				latch_status(p, &p->ch[i], now);
		}
		return;
	}
	c = &p->ch[i];
	if (!(v & 0x30)) {
		latch_count(p, c, now);
		return;
	}
	c->access = v >> 4 & 3;
	c->mode = v >> 1 & 7;
	if (c->mode > 5)
		c->mode &= 3; /* 6 and 7 are 2 and 3 */
	c->bcd = v & 1;
	c->loaded = c->write_high = c->read_high = c->latched = c->status_latched = false;
	if (i == 0) {
		p->deadline = 0;
		vboard_isa_irq(p->board, 0, false);
	}
}

void vpit_out(struct vboard *b, u16 port, u8 size, u32 value)
{
	struct vpit *p = &b->pit;
	u64 now = arch_tsc();
	u32 i = port & 3;
	struct vpit_channel *c = &p->ch[i % 3];
	u8 v = (u8)value;

	(void)size;
	vpit_tick(p, now);
	if (i == 3) {
		write_control(p, v, now);
	} else if (c->access == 1) {
		count_loaded(p, i, v, now);
	} else if (c->access == 2) {
		count_loaded(p, i, (u16)(v << 8), now);
	} else if (!c->write_high) {
		c->write_low = v;
		c->write_high = true;
		if (c->mode == 0) { /* the first byte stops the count */
			c->loaded = false;
			if (i == 0)
				p->deadline = 0;
		}
	} else {
		c->write_high = false;
		count_loaded(p, i, (u16)(v << 8 | c->write_low), now);
	}
}

u32 vpit_in(struct vboard *b, u16 port, u8 size)
{
	struct vpit *p = &b->pit;
	u32 i = port & 3;
	struct vpit_channel *c = &p->ch[i % 3];
	u16 v;

	(void)size;
	if (i == 3)
		return 0xff;
	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	v = c->latched ? c->latch : counter(p, c, arch_tsc());
	if (c->access == 1 || c->access == 2) {
		c->latched = false;
		return c->access == 1 ? v & 0xff : v >> 8;
	}
	c->read_high = !c->read_high;
	if (c->read_high)
		return v & 0xff;
	c->latched = false;
	return v >> 8;
}

u32 vpit_in61(struct vboard *b, u16 port, u8 size)
{
	struct vpit *p = &b->pit;
	u64 now = arch_tsc();
	u32 v = p->port61;

	(void)port;
	(void)size;
	if (vtime_scale(now, p->tsc_hz, REFRESH_HZ) & 1)
		v |= P61_REFRESH;
	if (output(p, &p->ch[2], now))
		v |= P61_OUT2;
	return v;
}

void vpit_out61(struct vboard *b, u16 port, u8 size, u32 value)
{
	struct vpit_channel *c = &b->pit.ch[2];
	bool gate = value & P61_GATE2;

	(void)port;
	(void)size;
	b->pit.port61 = value & 3;
	if (gate && !c->gate)
		c->start = arch_tsc(); /* a rising gate (re)starts the count */
	c->gate = gate;
}

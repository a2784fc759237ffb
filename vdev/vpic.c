/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vpic.c - the guest's 8259A pair. The slave's INT drives input 2 of the master.
 */
#include "vdev/vpic.h"

#include "kernel/lib/lib.h"
#include "vdev/board.h"

#define CASCADE 2
#define ICW1_ICW4 BIT(0)
#define ICW1_SINGLE BIT(1)
#define ICW1 BIT(4)
#define ICW4_AEOI BIT(1)
#define ICW4_NESTED BIT(4)
#define OCW3 BIT(3)

static const u8 elcr_writable[2] = { 0xf8, 0xde }; /* IRQ 0, 1, 2, 8 and 13 are always edge */

/* How many inputs come before the first set bit, beginning with the highest priority; 8: none. */
static u8 rank(const struct vpic_chip *c, u8 bits)
{
	u32 first = (c->lowest + 1u) & 7, turned = (bits | (u32)bits << 8) >> first & 0xff;

	return turned ? (u8)__builtin_ctz(turned) : 8;
}

static int chip_irq(const struct vpic_chip *c, bool master)
{
	u8 want = rank(c, c->irr & (u8)~c->imr);
	u8 busy = c->isr;

	if (want == 8)
		return -1;
	if (c->special_mask)
		busy &= (u8)~c->imr;
	if (master && c->nested)
		busy &= (u8)~BIT(CASCADE);
	return want < rank(c, busy) ? (c->lowest + 1 + want) & 7 : -1;
}

static void update(struct vpic *p)
{
	bool out;

	if (chip_irq(&p->chip[1], false) >= 0)
		p->chip[0].irr |= BIT(CASCADE);
	else
		p->chip[0].irr &= (u8)~BIT(CASCADE);
	out = chip_irq(&p->chip[0], true) >= 0;
	if (out && !p->out)
		vdev_wake(p->board->config.vm);
	p->out = out;
}

void vpic_init(struct vpic *p, struct vboard *board)
{
	p->board = board;
	vpic_reset(p);
}

void vpic_reset(struct vpic *p)
{
	static const u8 base[2] = { 0x08, 0x70 };

	for (u32 i = 0; i < 2; i++)
		p->chip[i] = (struct vpic_chip){ .imr = 0xff, .base = base[i], .lowest = 7 };
	/* PCI interrupts are level-triggered: what firmware sets up. */
	for (u8 slot = 1; slot <= VBOARD_MAX_DISKS; slot++)
		p->chip[vboard_pci_isa(slot) / 8].elcr |= BIT(vboard_pci_isa(slot) % 8);
	p->out = false;
}

void vpic_line(struct vpic *p, u8 irq, bool level)
{
	struct vpic_chip *c = &p->chip[irq / 8];
	u8 bit = (u8)BIT(irq % 8);

	if (level && ((c->elcr & bit) || !(c->lines & bit)))
		c->irr |= bit;
	else if (!level && (c->elcr & bit))
		c->irr &= (u8)~bit;
	c->lines = level ? c->lines | bit : c->lines & (u8)~bit;
	update(p);
}

int vpic_vector(const struct vpic *p)
{
	int m = chip_irq(&p->chip[0], true), s;

	if (m < 0)
		return -1;
	if (m != CASCADE)
		return p->chip[0].base + m;
	s = chip_irq(&p->chip[1], false);
	return p->chip[1].base + (s < 0 ? 7 : s); /* 7: spurious */
}

static void chip_ack(struct vpic_chip *c, int irq)
{
	u8 bit = (u8)BIT(irq);

	if (!c->auto_eoi)
		c->isr |= bit;
	else if (c->rotate_aeoi)
		c->lowest = (u8)irq;
	if (!(c->elcr & bit))
		c->irr &= (u8)~bit;
}

void vpic_ack(struct vpic *p)
{
	int m = chip_irq(&p->chip[0], true), s;

	if (m < 0)
		return;
	if (m == CASCADE) {
		s = chip_irq(&p->chip[1], false);
		if (s >= 0)
			chip_ack(&p->chip[1], s);
	}
	chip_ack(&p->chip[0], m);
	update(p);
}

bool vpic_masked(const struct vpic *p, u8 irq)
{
	if (irq >= 8 && (p->chip[0].imr & BIT(CASCADE)))
		return true;
	return p->chip[irq / 8].imr & BIT(irq % 8);
}

static void write_ocw2(struct vpic_chip *c, u8 v)
{
	u8 op = v >> 5, n = v & 7, r;

	switch (op) {
	case 0: /* rotate in automatic EOI mode: clear, set */
	case 4:
		c->rotate_aeoi = op == 4;
		break;
	case 1: /* non-specific EOI; 5: and rotate */
	case 5:
		r = rank(c, c->isr);
		if (r == 8)
			break;
		n = (c->lowest + 1 + r) & 7;
		c->isr &= (u8)~BIT(n);
		if (op == 5)
			c->lowest = n;
		break;
	case 3: /* specific EOI; 7: and rotate */
	case 7:
		c->isr &= (u8)~BIT(n);
		if (op == 7)
			c->lowest = n;
		break;
	case 6:
		c->lowest = n;
		break;
	default:
		break;
	}
}

static void write_command(struct vpic_chip *c, u8 v)
{
	if (v & ICW1) {
		u8 lines = c->lines, elcr = c->elcr, base = c->base;

		*c = (struct vpic_chip){ .lines = lines, .elcr = elcr, .base = base, .lowest = 7, .init = 2,
					 .need_icw4 = v & ICW1_ICW4, .single = v & ICW1_SINGLE,
					 .irr = lines & elcr };
	} else if (v & OCW3) {
		c->poll = v & BIT(2);
		if (v & BIT(1))
			c->read_isr = v & BIT(0);
		if (v & BIT(6))
			c->special_mask = v & BIT(5);
	} else {
		write_ocw2(c, v);
	}
}

static void write_data(struct vpic_chip *c, u8 v)
{
	switch (c->init) {
	case 0:
		c->imr = v;
		break;
	case 2:
		c->base = v & 0xf8;
		c->init = !c->single ? 3 : c->need_icw4 ? 4 : 0;
		break;
	case 3: /* the cascade is wired, whatever the guest says */
		c->init = c->need_icw4 ? 4 : 0;
		break;
	default:
		c->nested = v & ICW4_NESTED;
		c->auto_eoi = v & ICW4_AEOI;
		c->init = 0;
		break;
	}
}

u32 vpic_in(struct vboard *b, u16 port, u8 size)
{
	struct vpic *p = &b->pic;
	bool slave = port & 0x80;
	struct vpic_chip *c = &p->chip[slave];
	int irq;

	(void)size;
	if (c->poll) {
		c->poll = false;
		irq = chip_irq(c, !slave);
		if (irq < 0)
			return 0;
		chip_ack(c, irq);
		update(p);
		return 0x80u | (u32)irq;
	}
	if (port & 1)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

void vpic_out(struct vboard *b, u16 port, u8 size, u32 value)
{
	struct vpic_chip *c = &b->pic.chip[(port & 0x80) != 0];

	(void)size;
	if (port & 1)
		write_data(c, (u8)value);
	else
		write_command(c, (u8)value);
	update(&b->pic);
}

u32 vpic_elcr_in(struct vboard *b, u16 port, u8 size)
{
	(void)size;
	return b->pic.chip[port & 1].elcr;
}

void vpic_elcr_out(struct vboard *b, u16 port, u8 size, u32 value)
{
	(void)size;
	b->pic.chip[port & 1].elcr = (u8)value & elcr_writable[port & 1];
	update(&b->pic);
}

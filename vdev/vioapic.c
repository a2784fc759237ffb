/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vioapic.c - the guest's I/O APIC: turns lines into messages to the local APIC.
 */
#include "vdev/vioapic.h"

#include "kernel/lib/lib.h"
#include "vdev/board.h"

#define IOREGSEL 0x00
#define IOWIN 0x10
#define REG_ID 0
#define REG_VER 1
#define REG_ARB 2
#define REG_REDIR 0x10

#define VERSION (0x11u | (VIOAPIC_PINS - 1) << 16)

#define REDIR_VECTOR 0xffull
#define REDIR_MODE(e) ((u8)((e) >> 8 & 7))
#define REDIR_LOGICAL BIT64(11)
#define REDIR_REMOTE_IRR BIT64(14)
#define REDIR_LEVEL BIT64(15)
#define REDIR_MASKED BIT64(16)
#define REDIR_DEST(e) ((u8)((e) >> 56))
/* Delivery status and remote IRR are the controller's own. */
#define REDIR_WRITABLE 0xff0000000001afffull

void vioapic_init(struct vioapic *a, struct vboard *board)
{
	a->board = board;
	vioapic_reset(a);
}

void vioapic_reset(struct vioapic *a)
{
	a->select = 0;
	a->id = 1;
	for (u32 i = 0; i < VIOAPIC_PINS; i++)
		a->redir[i] = REDIR_MASKED;
}

static void deliver(struct vioapic *a, u8 pin)
{
	u64 *e = &a->redir[pin];
	u8 mode = REDIR_MODE(*e);

	if (*e & REDIR_MASKED)
		return;
	if (mode != VLAPIC_DM_FIXED && mode != VLAPIC_DM_LOWEST)
		return;
	if (*e & REDIR_LEVEL) {
		if (*e & REDIR_REMOTE_IRR)
			return; /* sent, and not yet ended */
		*e |= REDIR_REMOTE_IRR;
	}
	vlapic_message(&a->board->lapic, REDIR_DEST(*e), *e & REDIR_LOGICAL, mode,
		       (u8)(*e & REDIR_VECTOR), *e & REDIR_LEVEL);
}

void vioapic_line(struct vioapic *a, u8 pin, bool level)
{
	bool was = a->lines & BIT(pin);

	a->lines = level ? a->lines | BIT(pin) : a->lines & ~BIT(pin);
	if (!level)
		return;
	if (!was || (a->redir[pin] & REDIR_LEVEL))
		deliver(a, pin);
}

void vioapic_eoi(struct vioapic *a, u8 vector)
{
	for (u8 i = 0; i < VIOAPIC_PINS; i++) {
		u64 *e = &a->redir[i];

		if ((u8)(*e & REDIR_VECTOR) != vector || !(*e & REDIR_REMOTE_IRR))
			continue;
		*e &= ~REDIR_REMOTE_IRR;
		if ((*e & REDIR_LEVEL) && (a->lines & BIT(i)))
			deliver(a, i);
	}
}

bool vioapic_extint(const struct vioapic *a)
{
	return !(a->redir[0] & REDIR_MASKED) && REDIR_MODE(a->redir[0]) == VLAPIC_DM_EXTINT;
}

bool vioapic_masked(const struct vioapic *a, u8 pin)
{
	return a->redir[pin] & REDIR_MASKED;
}

static void write_redir(struct vioapic *a, u8 index, u32 value)
{
	u8 pin = index / 2;
	u64 *e = &a->redir[pin];
	u64 old = *e, new;

	if (index & 1)
		new = (u32)old | (u64)value << 32;
	else
		new = (old & 0xffffffff00000000ull) | value;
	new = (new & REDIR_WRITABLE) | (old & REDIR_REMOTE_IRR);
	/* Switching a pin to edge forgets an interrupt in service: guests use that as a forced EOI. */
	if (!(new & REDIR_LEVEL))
		new &= ~REDIR_REMOTE_IRR;
	*e = new;
	if ((new & REDIR_LEVEL) && (a->lines & BIT(pin)))
		deliver(a, pin);
}

u32 vioapic_read(const struct vioapic *a, u16 offset)
{
	u8 index = a->select - REG_REDIR;

	if (offset == IOREGSEL)
		return a->select;
	if (offset != IOWIN)
		return 0;
	if (a->select == REG_ID || a->select == REG_ARB)
		return (u32)a->id << 24;
	if (a->select == REG_VER)
		return VERSION;
	if (a->select < REG_REDIR || index >= 2 * VIOAPIC_PINS)
		return 0;
	return (u32)(a->redir[index / 2] >> (index & 1 ? 32 : 0));
}

void vioapic_write(struct vioapic *a, u16 offset, u32 value)
{
	u8 index = a->select - REG_REDIR;

	if (offset == IOREGSEL)
		a->select = (u8)value;
	if (offset != IOWIN)
		return;
	if (a->select == REG_ID)
		a->id = value >> 24 & 0xf;
	else if (a->select >= REG_REDIR && index < 2 * VIOAPIC_PINS)
		write_redir(a, index, value);
}

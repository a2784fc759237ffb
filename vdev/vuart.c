/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vuart.c - the guest's 16550A.
 */
#include "vdev/vuart.h"

#include "kernel/lib/lib.h"
#include "vdev/board.h"

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define IER_RDA BIT(0)
#define IER_THRE BIT(1)
#define IER_RLS BIT(2)
#define IER_MSI BIT(3)
#define IIR_NONE 0x01
#define IIR_MSI 0x00
#define IIR_THRE 0x02
#define IIR_RDA 0x04
#define IIR_RLS 0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO 0xc0
#define FCR_ENABLE BIT(0)
#define FCR_CLEAR_RX BIT(1)
#define LCR_DLAB BIT(7)
#define MCR_OUT2 BIT(3)
#define MCR_LOOP BIT(4)
#define LSR_DR BIT(0)
#define LSR_OE BIT(1)
#define LSR_THRE BIT(5)
#define LSR_TEMT BIT(6)
#define MSR_CONNECTED 0xb0 /* DCD, DSR, CTS */

void vuart_init(struct vuart *u, struct vboard *board)
{
	u->board = board;
	vuart_reset(u);
}

void vuart_reset(struct vuart *u)
{
	*u = (struct vuart){ .board = u->board, .dll = 1 };
}

static u8 trigger(const struct vuart *u)
{
	static const u8 level[4] = { 1, 4, 8, 14 };

	return u->fcr & FCR_ENABLE ? level[u->fcr >> 6] : 1;
}

/* What the interrupt is about, by priority. Data below the trigger level counts as timed out at once. */
static u8 cause(const struct vuart *u)
{
	if ((u->ier & IER_RLS) && u->overrun)
		return IIR_RLS;
	if ((u->ier & IER_RDA) && u->count)
		return u->count >= trigger(u) ? IIR_RDA : IIR_TIMEOUT;
	if ((u->ier & IER_THRE) && u->thre)
		return IIR_THRE;
	if ((u->ier & IER_MSI) && u->msr_delta)
		return IIR_MSI;
	return IIR_NONE;
}

static void update(struct vuart *u)
{
	/* On a PC, OUT2 gates the line. Loopback disconnects it from the outside. */
	bool line = cause(u) != IIR_NONE && (u->mcr & MCR_OUT2) && !(u->mcr & MCR_LOOP);

	if (line == u->line)
		return;
	u->line = line;
	vboard_isa_irq(u->board, VUART_IRQ, line);
}

static u8 modem_lines(const struct vuart *u)
{
	u8 m = u->mcr;

	if (!(m & MCR_LOOP))
		return MSR_CONNECTED;
	/* DTR -> DSR, RTS -> CTS, OUT1 -> RI, OUT2 -> DCD */
	return (u8)((m & 1) << 5 | (m & 2) << 3 | (m & 4) << 4 | (m & 8) << 4);
}

static bool receive(struct vuart *u, u8 byte)
{
	u8 room = u->fcr & FCR_ENABLE ? VUART_FIFO : 1;

	if (u->count >= room)
		return false;
	u->fifo[(u->head + u->count++) % VUART_FIFO] = byte;
	return true;
}

u32 vuart_rx(struct vuart *u, const u8 *bytes, u32 n)
{
	u32 taken = 0;

	if (u->mcr & MCR_LOOP)
		return 0;
	while (taken < n && receive(u, bytes[taken]))
		taken++;
	update(u);
	return taken;
}

static u8 read_rbr(struct vuart *u)
{
	u8 byte = u->fifo[u->head];

	if (!u->count)
		return 0;
	u->head = (u8)((u->head + 1u) % VUART_FIFO);
	u->count--;
	return byte;
}

static void transmit(struct vuart *u, u8 byte)
{
	/* The interrupt falls with the write and rises when the byte has left, which is now. */
	u->thre = false;
	update(u);
	if (!(u->mcr & MCR_LOOP))
		vdev_uart_tx(u->board->config.vm, byte);
	else if (!receive(u, byte))
		u->overrun = LSR_OE;
	u->thre = true;
}

u32 vuart_in(struct vboard *b, u16 port, u8 size)
{
	struct vuart *u = &b->uart;
	bool dlab = u->lcr & LCR_DLAB;
	u32 v = 0xff;

	(void)size;
	switch (port & 7) {
	case RBR_THR:
		v = dlab ? u->dll : read_rbr(u);
		break;
	case IER:
		v = dlab ? u->dlm : u->ier;
		break;
	case IIR_FCR:
		v = cause(u);
		if (v == IIR_THRE)
			u->thre = false; /* reading it is the acknowledgement */
		v |= u->fcr & FCR_ENABLE ? IIR_FIFO : 0;
		break;
	case LCR:
		v = u->lcr;
		break;
	case MCR:
		v = u->mcr;
		break;
	case LSR:
		v = LSR_THRE | LSR_TEMT | u->overrun | (u->count ? LSR_DR : 0);
		u->overrun = 0;
		break;
	case MSR:
		v = modem_lines(u) | u->msr_delta;
		u->msr_delta = 0;
		break;
	case SCR:
		v = u->scr;
		break;
	}
	update(u);
	return v;
}

static void write_fcr(struct vuart *u, u8 v)
{
	if (((v ^ u->fcr) & FCR_ENABLE) || (v & FCR_CLEAR_RX))
		u->count = u->head = 0;
	u->fcr = v & FCR_ENABLE ? v & 0xc9 : 0;
}

static void write_mcr(struct vuart *u, u8 v)
{
	u8 old = modem_lines(u), new;

	u->mcr = v & 0x1f;
	new = modem_lines(u);
	u->msr_delta |= (u8)((old ^ new) >> 4 & 0xb);
	if (old & ~new & 0x40)
		u->msr_delta |= 4; /* trailing edge of RI only */
}

void vuart_out(struct vboard *b, u16 port, u8 size, u32 value)
{
	struct vuart *u = &b->uart;
	bool dlab = u->lcr & LCR_DLAB;
	u8 v = (u8)value;

	(void)size;
	switch (port & 7) {
	case RBR_THR:
		if (dlab)
			u->dll = v;
		else
			transmit(u, v);
		break;
	case IER:
		if (dlab) {
			u->dlm = v;
			break;
		}
		if (~u->ier & v & IER_THRE)
			u->thre = true; /* enabling it while the transmitter is empty asks at once */
		u->ier = v & 0xf;
		break;
	case IIR_FCR:
		write_fcr(u, v);
		break;
	case LCR:
		u->lcr = v;
		break;
	case MCR:
		write_mcr(u, v);
		break;
	case SCR:
		u->scr = v;
		break;
	}
	update(u);
}

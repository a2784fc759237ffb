/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * serial.c - 16550A driver. Interrupt handlers run only in interrupt windows, so the
 * rings need no lock; serial_write() may be called anywhere, from a handler too.
 */
#include "drivers/serial.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/irq.h"
#include "kernel/lib/lib.h"

#define PORTS 2
#define TX_RING (32 * 1024) /* powers of two */
#define RX_RING 1024
#define FIFO_BYTES 16
#define CLOCK_HZ 115200
#define POLLS_MAX 200000 /* of LSR, about 1 us each: longer than a byte at 110 baud */

enum {
	THR = 0,
	RBR = 0,
	DLL = 0,
	IER = 1,
	DLM = 1,
	IIR = 2,
	FCR = 2,
	LCR = 3,
	MCR = 4,
	LSR = 5,
	MSR = 6,
	SCR = 7
};

#define IER_RX BIT(0)
#define IER_TX BIT(1)
#define IIR_NONE BIT(0)
#define IIR_ID 0x0e
#define IIR_MSR 0x00
#define FCR_ENABLE_CLEAR 0x07
#define LCR_8N1 0x03
#define LCR_DLAB BIT(7)
#define MCR_DTR_RTS_OUT2 0x0b
#define LSR_DR BIT(0)
#define LSR_OE BIT(1)
#define LSR_THRE BIT(5)
#define LSR_TEMT BIT(6)

struct serial {
	u16 base;
	bool present, started, dead;
	u8 ier;
	void (*rx_fn)(void *ctx);
	void *rx_ctx;
	/* its line calls interrupt(): once for good, however often the port is opened */
	bool registered;
	u64 overruns;
	u32 tx_head, tx_tail, rx_head, rx_tail; /* free-running */
	u8 tx[TX_RING], rx[RX_RING];
};

static struct serial serials[PORTS] = { { .base = 0x3f8 }, { .base = 0x2f8 } };
static const u8 isa_irq[PORTS] = { 4, 3 };
static int last_port = -1;

static u8 reg_in(const struct serial *s, u16 reg) { return cpu_in8((u16)(s->base + reg)); }
static void reg_out(const struct serial *s, u16 reg, u8 v) { cpu_out8((u16)(s->base + reg), v); }

static bool parse_spec(const char *spec, int *port, u64 *baud)
{
	*baud = CLOCK_HZ;
	if (strncmp(spec, "com", 3) != 0 || spec[3] < '1' || spec[3] >= '1' + PORTS)
		return false;
	*port = spec[3] - '1';
	if (spec[4] == 0)
		return true;
	if (spec[4] != ',' || parse_u64(spec + 5, baud))
		return false;
	return *baud >= 110 && *baud <= CLOCK_HZ && CLOCK_HZ / *baud <= 0xffff;
}

/* Program the line; false if nobody holds the scratch register. */
static bool program(struct serial *s, u32 divisor)
{
	reg_out(s, SCR, 0x5a);
	if (reg_in(s, SCR) != 0x5a)
		return false;
	reg_out(s, IER, 0);
	reg_out(s, LCR, LCR_DLAB);
	reg_out(s, DLL, (u8)divisor);
	reg_out(s, DLM, (u8)(divisor >> 8));
	reg_out(s, LCR, LCR_8N1);
	reg_out(s, FCR, FCR_ENABLE_CLEAR);
	reg_out(s, MCR, MCR_DTR_RTS_OUT2);
	return true;
}

int serial_init_second(const char *spec)
{
	int port;
	u64 baud;

	if (!strcmp(spec, "none"))
		return E_NOENT;
	if (!parse_spec(spec, &port, &baud))
		return E_INVAL;
	if (serials[port].present)
		serial_flush(port); /* programming clears the FIFO */
	serials[port].started = false;
	serials[port].present = program(&serials[port], (u32)(CLOCK_HZ / baud));
	return serials[port].present ? port : E_NOENT;
}

int serial_init(const char *spec)
{
	int port = serial_init_second(spec);

	if (port != E_INVAL)
		last_port = port >= 0 ? port : -1;
	return port;
}

static struct serial *get(int port)
{
	return port >= 0 && port < PORTS && serials[port].present ? &serials[port] : NULL;
}

/* Waits for LSR bits. A port that never gets there is dead: output to it is dropped. */
static bool wait_for(struct serial *s, u8 bits)
{
	for (u32 i = 0; i < POLLS_MAX && !s->dead; i++)
		if ((reg_in(s, LSR) & bits) == bits)
			return true;
	s->dead = true;
	return false;
}

/* THR is empty: one FIFO's worth goes out. */
static void tx_burst(struct serial *s)
{
	for (u32 i = 0; i < FIFO_BYTES && s->tx_tail != s->tx_head; i++)
		reg_out(s, THR, s->tx[s->tx_tail++ % TX_RING]);
}

static void tx_drain(struct serial *s, u32 until_used)
{
	while (s->tx_head - s->tx_tail > until_used)
		if (wait_for(s, LSR_THRE))
			tx_burst(s);
		else
			s->tx_tail = s->tx_head;
}

/* The THRE interrupt is enabled only while there is something to send. */
static void tx_kick(struct serial *s)
{
	u8 ier;

	if (!s->started) {
		tx_drain(s, 0);
		return;
	}
	if (reg_in(s, LSR) & LSR_THRE)
		tx_burst(s);
	ier = s->tx_head != s->tx_tail ? IER_RX | IER_TX : IER_RX;
	if (ier != s->ier)
		reg_out(s, IER, s->ier = ier);
}

void serial_write(int port, const char *buf, size_t n)
{
	struct serial *s = get(port);

	if (!s)
		return;
	for (size_t i = 0; i < n; i++) {
		if (s->tx_head - s->tx_tail == TX_RING)
			tx_drain(s, TX_RING - FIFO_BYTES);
		s->tx[s->tx_head++ % TX_RING] = (u8)buf[i];
	}
	tx_kick(s);
}

static bool rx_take(struct serial *s)
{
	bool any = false;
	u8 lsr;

	for (u32 i = 0; i < RX_RING && ((lsr = reg_in(s, LSR)) & LSR_DR); i++) {
		u8 c = reg_in(s, RBR);

		s->overruns += lsr & LSR_OE ? 1 : 0;
		if (s->rx_head - s->rx_tail < RX_RING)
			s->rx[s->rx_head++ % RX_RING] = c;
		else
			s->overruns++;
		any = true;
	}
	return any;
}

/* Loops until the UART asks for nothing more: the line is edge-triggered. */
static bool interrupt(void *ctx)
{
	struct serial *s = ctx;
	bool mine = false, received = false;
	u8 iir;

	for (u32 i = 0; i < 64 && !((iir = reg_in(s, IIR)) & IIR_NONE); i++) {
		mine = true;
		if ((iir & IIR_ID) == IIR_MSR)
			(void)reg_in(s, MSR);
		received |= rx_take(s);
		tx_kick(s);
	}
	if (received && s->rx_fn)
		s->rx_fn(s->rx_ctx);
	return mine;
}

int serial_start(int port, void (*rx)(void *ctx), void *ctx)
{
	struct serial *s = get(port);
	bool level;
	u32 gsi;
	int err;

	if (!s)
		return E_NOENT;
	s->rx_fn = rx;
	s->rx_ctx = ctx;
	gsi = arch_isa_gsi(isa_irq[port], &level);
	err = s->registered ? 0 : arch_irq_register(gsi, level, interrupt, s);
	if (err)
		return err;
	s->registered = s->started = true;
	(void)rx_take(s); /* what came earlier raises no edge any more */
	reg_out(s, IER, s->ier = IER_RX);
	return 0;
}

int serial_read(int port)
{
	struct serial *s = get(port);

	if (!s)
		return -1;
	if (s->rx_head == s->rx_tail && !s->started)
		(void)rx_take(s);
	return s->rx_head == s->rx_tail ? -1 : s->rx[s->rx_tail++ % RX_RING];
}

void serial_poll(int port)
{
	struct serial *s = get(port);

	if (s)
		(void)rx_take(s);
}

size_t serial_tx_room(int port)
{
	struct serial *s = get(port);

	return s ? TX_RING - (s->tx_head - s->tx_tail) : TX_RING;
}

u64 serial_overruns(int port)
{
	struct serial *s = get(port);

	return s ? s->overruns : 0;
}

void serial_flush(int port)
{
	struct serial *s = get(port);

	if (!s)
		return;
	tx_drain(s, 0);
	(void)wait_for(s, LSR_TEMT);
}

void serial_write_polled(const char *buf, size_t n)
{
	struct serial *s = get(last_port);

	if (!s)
		return;
	tx_drain(s, 0);
	for (size_t i = 0; i < n; i++)
		if (wait_for(s, LSR_THRE))
			reg_out(s, THR, (u8)buf[i]);
}

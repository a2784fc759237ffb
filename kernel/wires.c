/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wires.c - the upward ports of console and tracer (kernel/console/console.h, kernel/trace/tracer.h) over the
 * serial ports.
 */
#include "kernel/wires.h"
#include "drivers/serial.h"
#include "kernel/console/console.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/pcpu.h"
#include "kernel/trace/tracer.h"
#include "mm/share/divide.h"

static int console_serial = -1, trace_serial = -1;

void console_port_write(const char *bytes, u32 n)
{
	if (console_serial >= 0)
		serial_write(console_serial, bytes, n);
}

u32 console_port_queued(void)
{
	/* No port has all of the ring free. */
	return (u32)(serial_tx_room(-1) - serial_tx_room(console_serial));
}

int console_port_read(void)
{
	return console_serial >= 0 ? serial_read(console_serial) : -1;
}

u64 console_port_lost(void)
{
	return console_serial >= 0 ? serial_overruns(console_serial) : 0;
}

void console_port_flush(void)
{
	if (console_serial >= 0)
		serial_flush(console_serial);
}

int tracer_port_open(const char *spec)
{
	int port;

	if (console_serial >= 0 && !strncmp(spec, "com", 3) && spec[3] == '1' + console_serial)
		return E_BUSY;
	port = serial_init_second(spec);
	if (port >= 0 && serial_start(port, NULL, NULL))
		return E_NOTSUP; /* without interrupts it would wait for the wire */
	trace_serial = port;
	return port < 0 ? port : 0;
}

u32 tracer_port_room(void)
{
	return (u32)serial_tx_room(trace_serial);
}

void tracer_port_write(const u8 *bytes, u32 n)
{
	serial_write(trace_serial, (const char *)bytes, n);
}

static void breathe(void)
{
	if (console_serial >= 0)
		serial_poll(console_serial);
}

static void serial_typed(void *ctx)
{
	(void)ctx;
	pcpu_kick();
}

void wires_open(u32 com, u32 baud)
{
	char spec[32];

	fmt(spec, sizeof(spec), "com%u,%u", com, baud);
	console_serial = com ? serial_init(spec) : E_NOENT;
	if (console_serial >= 0 && serial_start(console_serial, serial_typed, NULL))
		log_warn("%s: no interrupts: input is polled", spec);
	pager_breathe = divide_breathe = breathe;
}

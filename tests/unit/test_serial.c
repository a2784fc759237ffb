/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/lib/parse.c kernel/lib/fmt.c kernel/lib/err.c tests/fake/fake_arch.c */
/*
 * test_serial.c - the serial driver over a UART that holds its scratch register and has one byte to give.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "arch/x86_64/cpu.h"
#include "tests/fake/fake_arch.h"

static u8 scratch, waiting;

static u8 uart_in(u16 port)
{
	switch (port & 7) {
	case 0: waiting = 0; return 'k';
	case 2: return waiting ? 4 : 1;
	case 5: return 0x60 | waiting;
	case 7: return scratch;
	default: return 0;
	}
}

static void uart_out(u16 port, u8 value)
{
	if ((port & 7) == 7)
		scratch = value;
}

#define cpu_in8 uart_in
#define cpu_out8 uart_out
#include "drivers/serial.c"

u32 arch_isa_gsi(u8 irq, bool *level)
{
	*level = false;
	return irq;
}

static u32 calls;

static void typed(void *ctx)
{
	(void)ctx;
	calls++;
}

/* A recording opens its port each time it is asked for: an interrupt's line has room for a few
 * handlers only. */
static void a_port_is_opened_as_often_as_one_likes(void **state)
{
	(void)state;
	for (u32 i = 0; i < 40; i++) {
		assert_int_equal(serial_init_second("com2,115200"), 1);
		assert_int_equal(serial_start(1, typed, NULL), 0);
	}
	waiting = 1;
	assert_true(fake_irq_raise(3));
	assert_int_equal(calls, 1);
	assert_int_equal(serial_read(1), 'k');
	assert_int_equal(serial_read(1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_port_is_opened_as_often_as_one_likes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

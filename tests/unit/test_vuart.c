/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: vdev/vboard.c vdev/vlapic.c vdev/vlapic_timer.c vdev/vioapic.c vdev/vpic.c vdev/vpit.c vdev/vrtc.c vdev/vpm.c vdev/vuart.c vdev/vpci.c vdev/vblk.c vdev/vblk_req.c vdev/vqueue.c vdev/vdma.c vdev/vacpi.c vdev/aml.c tests/fake/fake_ports.c tests/fake/fake_arch.c kernel/lib/log.c kernel/lib/fmt.c */
/* test_vuart - what a 16550 driver does to find, test and use the port. */
#include "tests/unit/board_env.h"

static u8 in(struct vboard *b, u32 r) { return (u8)vboard_in(b, (u16)(VUART_PORT + r), 1); }
static void out(struct vboard *b, u32 r, u8 v) { vboard_out(b, (u16)(VUART_PORT + r), 1, v); }

static void test_probe(void **state)
{
	struct vboard *b = board_new(0);

	(void)state;
	out(b, 7, 0x5a);
	assert_int_equal(in(b, 7), 0x5a);
	out(b, 1, 0x0f);
	assert_int_equal(in(b, 1), 0x0f);
	out(b, 1, 0);
	out(b, 4, 0x10 | 0x0a); /* loopback test */
	assert_int_equal(in(b, 6) & 0xf0, 0x90);
	out(b, 0, 'x');
	assert_int_equal(in(b, 5) & 1, 1);
	assert_int_equal(in(b, 0), 'x');
	assert_int_equal(fake_ports.nuart, 0);
	out(b, 4, 0);
	out(b, 2, 1);
	assert_int_equal(in(b, 2) >> 6, 3); /* 16550A */
	out(b, 3, 0x80);
	out(b, 0, 0x0c);
	out(b, 1, 0x01);
	assert_int_equal(in(b, 0), 0x0c);
	assert_int_equal(in(b, 1), 0x01);
	out(b, 3, 3);
	assert_int_equal(in(b, 1), 0);
	assert_int_equal(vboard_in(b, 0x2f8, 1), 0xff);
	assert_int_equal(vboard_in(b, 0x3e8, 4), 0xffffffff);
	free(b);
}

static void test_transmit(void **state)
{
	struct vboard *b = board_new(0);

	(void)state;
	board_ioapic(b, VUART_IRQ, 0x34);
	out(b, 4, 0x0b);
	assert_int_equal(in(b, 5), 0x60);
	out(b, 1, 2); /* THRE interrupt: asks at once */
	board_take(b, 0x34);
	assert_int_equal(in(b, 2), 0x02);
	assert_int_equal(in(b, 2), 0x01); /* reading acknowledged it */
	vboard_apic_write(b, VLAPIC_EOI, 0);
	for (const char *p = "hello\n"; *p; p++)
		out(b, 0, (u8)*p);
	assert_string_equal(fake_ports.uart, "hello\n");
	board_take(b, 0x34); /* empty again */
	assert_int_equal(in(b, 2), 0x02);
	/* Linux' test for ports that do not ask again: IER off and on. */
	out(b, 1, 0);
	assert_int_equal(in(b, 2), 0x01);
	out(b, 1, 2);
	assert_int_equal(in(b, 2), 0x02);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	/* Without OUT2 the line is dead. */
	vboard_irq_taken(b, 0x34);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	out(b, 4, 0x03);
	out(b, 0, 'x');
	assert_int_equal(vboard_irq_pending(b), -1);
	free(b);
}

static void test_receive(void **state)
{
	struct vboard *b = board_new(0);
	u8 many[40];

	(void)state;
	for (u32 i = 0; i < sizeof(many); i++)
		many[i] = (u8)i;
	assert_int_equal(vboard_uart_rx(b, many, 40), 1); /* no FIFO yet */
	assert_int_equal(in(b, 0), 0);
	board_ioapic(b, VUART_IRQ, 0x34);
	out(b, 2, 0xc7); /* FIFO, trigger 14 */
	out(b, 4, 0x0b);
	out(b, 1, 5);
	assert_int_equal(vboard_uart_rx(b, many, 3), 3);
	board_take(b, 0x34);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	assert_int_equal(in(b, 2), 0xcc); /* timeout */
	assert_int_equal(vboard_uart_rx(b, many + 3, 37), 13);
	assert_int_equal(in(b, 2), 0xc4);
	for (u32 i = 0; i < 16; i++) {
		assert_int_equal(in(b, 5) & 1, 1);
		assert_int_equal(in(b, 0), i);
	}
	assert_int_equal(in(b, 5) & 1, 0);
	assert_int_equal(in(b, 2), 0xc1);
	assert_int_equal(in(b, 0), 0);
	vboard_uart_rx(b, many, 5);
	out(b, 2, 0xc3); /* clear the receiver */
	assert_int_equal(in(b, 5) & 1, 0);
	/* Loopback keeps the outside out, and overruns. */
	out(b, 4, 0x18);
	assert_int_equal(vboard_uart_rx(b, many, 5), 0);
	for (u32 i = 0; i < 17; i++)
		out(b, 0, (u8)i);
	assert_int_equal(in(b, 5), 0x63);
	assert_int_equal(in(b, 5), 0x61);
	free(b);
}

static void test_modem_status(void **state)
{
	struct vboard *b = board_new(0);

	(void)state;
	assert_int_equal(in(b, 6), 0xb0);
	out(b, 1, 8);
	out(b, 4, 0x10);
	assert_int_equal(in(b, 2), 0x00);
	assert_int_equal(in(b, 6), 0x0b); /* all three lines changed */
	assert_int_equal(in(b, 6), 0x00);
	assert_int_equal(in(b, 2), 0x01);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe), cmocka_unit_test(test_transmit), cmocka_unit_test(test_receive),
		cmocka_unit_test(test_modem_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

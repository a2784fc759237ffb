/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: vdev/vboard.c vdev/vlapic.c vdev/vlapic_timer.c vdev/vioapic.c vdev/vpic.c vdev/vpit.c vdev/vrtc.c vdev/vpm.c vdev/vuart.c vdev/vpci.c vdev/vblk.c vdev/vblk_req.c vdev/vqueue.c vdev/vdma.c vdev/vacpi.c vdev/aml.c tests/fake/fake_ports.c tests/fake/fake_arch.c kernel/lib/log.c kernel/lib/fmt.c */
/* test_vioapic - edge and level pins, remote IRR, EOI; and the 8259 pair, alone and cascaded. */
#include "tests/unit/board_env.h"

#define LEVEL BIT64(15)
#define MASKED BIT64(16)
#define REMOTE_IRR BIT64(14)

static void eoi(struct vboard *b)
{
	vboard_apic_write(b, VLAPIC_EOI, 0);
}

static void test_registers(void **state)
{
	struct vboard *b = board_new(0);
	u64 v;

	(void)state;
	vboard_mmio_write(b, (gpa_t){ VBOARD_IOAPIC_GPA }, 4, 1);
	assert_true(vboard_mmio_read(b, (gpa_t){ VBOARD_IOAPIC_GPA + 0x10 }, 4, &v));
	assert_int_equal(v, 0x00170011);
	assert_int_equal(board_ioapic_read(b, 23), MASKED);
	board_ioapic(b, 5, ~0ull);
	assert_int_equal(board_ioapic_read(b, 5), 0xff0000000001afffull);
	for (u32 i = 0; i < 256; i++) { /* also those that do not exist */
		vboard_mmio_write(b, (gpa_t){ VBOARD_IOAPIC_GPA }, 4, i);
		vboard_mmio_write(b, (gpa_t){ VBOARD_IOAPIC_GPA + 0x10 }, 4, 0xffffffff);
		vboard_mmio_read(b, (gpa_t){ VBOARD_IOAPIC_GPA + 0x10 }, 4, &v);
	}
	assert_false(vboard_mmio_read(b, (gpa_t){ 0xfed00000 }, 4, &v));
	assert_int_equal(v, ~0ull);
	assert_false(vboard_mmio_write(b, (gpa_t){ 0xfed00000 }, 4, 0));
	free(b);
}

static void test_edge(void **state)
{
	struct vboard *b = board_new(0);

	(void)state;
	vioapic_line(&b->ioapic, 4, true); /* masked: lost */
	board_ioapic(b, 4, 0x44);
	assert_int_equal(vboard_irq_pending(b), -1);
	vioapic_line(&b->ioapic, 4, true); /* no edge */
	assert_int_equal(vboard_irq_pending(b), -1);
	vioapic_line(&b->ioapic, 4, false);
	vioapic_line(&b->ioapic, 4, true);
	board_take(b, 0x44);
	vioapic_line(&b->ioapic, 4, false);
	vioapic_line(&b->ioapic, 4, true); /* again while in service: kept */
	eoi(b);
	board_take(b, 0x44);
	eoi(b);
	assert_int_equal(vboard_irq_pending(b), -1);
	free(b);
}

static void test_level(void **state)
{
	struct vboard *b = board_new(0);

	(void)state;
	vioapic_line(&b->ioapic, 17, true);
	board_ioapic(b, 17, 0x55 | LEVEL); /* unmasking with the line high asks at once */
	board_take(b, 0x55);
	assert_int_equal(board_ioapic_read(b, 17), 0x55 | LEVEL | REMOTE_IRR);
	vioapic_line(&b->ioapic, 17, true);
	assert_int_equal(vboard_irq_pending(b), -1);
	eoi(b); /* still high: again */
	board_take(b, 0x55);
	vioapic_line(&b->ioapic, 17, false);
	eoi(b);
	assert_int_equal(vboard_irq_pending(b), -1);
	assert_int_equal(board_ioapic_read(b, 17), 0x55 | LEVEL);
	vioapic_line(&b->ioapic, 17, true);
	board_take(b, 0x55);
	vboard_apic_eoi(b, 0x55); /* virtualised EOI reaches the pin too */
	assert_int_equal(vboard_irq_pending(b), 0x55);
	/* Masked with edge, then level again: remote IRR is gone. */
	board_ioapic(b, 17, 0x55 | MASKED);
	assert_int_equal(board_ioapic_read(b, 17), 0x55 | MASKED);
	free(b);
}

static void pic_init(struct vboard *b, u8 icw4)
{
	vboard_out(b, 0x20, 1, 0x11);
	vboard_out(b, 0x21, 1, 0x30);
	vboard_out(b, 0x21, 1, 4);
	vboard_out(b, 0x21, 1, icw4);
	vboard_out(b, 0xa0, 1, 0x11);
	vboard_out(b, 0xa1, 1, 0x38);
	vboard_out(b, 0xa1, 1, 2);
	vboard_out(b, 0xa1, 1, icw4);
	vboard_out(b, 0x21, 1, 0);
	vboard_out(b, 0xa1, 1, 0);
}

static void test_pic(void **state)
{
	struct vboard *b = board_new(0);

	(void)state;
	vboard_out(b, 0x21, 1, 0xa5); /* how Linux finds it */
	assert_int_equal(vboard_in(b, 0x21, 1), 0xa5);
	pic_init(b, 1);
	vpic_line(&b->pic, 3, true);
	vpic_line(&b->pic, 1, true);
	board_take(b, 0x31); /* through LINT0: virtual wire is how firmware leaves it */
	assert_int_equal(vboard_irq_pending(b), -1);
	vboard_out(b, 0x20, 1, 0x0b);
	assert_int_equal(vboard_in(b, 0x20, 1), 0x02);
	vboard_out(b, 0x20, 1, 0x0a);
	assert_int_equal(vboard_in(b, 0x20, 1), 0x08);
	vboard_out(b, 0x20, 1, 0x20);
	board_take(b, 0x33);
	vboard_out(b, 0x20, 1, 0x63); /* specific EOI */
	/* The slave: 8 is edge, 10 level. */
	vpic_line(&b->pic, 8, true);
	vpic_line(&b->pic, 10, true);
	board_take(b, 0x38);
	vboard_out(b, 0xa0, 1, 0x20);
	vboard_out(b, 0x20, 1, 0x20);
	board_take(b, 0x3a);
	vboard_out(b, 0xa0, 1, 0x20);
	vboard_out(b, 0x20, 1, 0x20);
	board_take(b, 0x3a); /* level: still there */
	vpic_line(&b->pic, 10, false);
	vboard_out(b, 0xa0, 1, 0x20);
	vboard_out(b, 0x20, 1, 0x20);
	assert_int_equal(vboard_irq_pending(b), -1);
	/* Masked at the local APIC, then through I/O APIC pin 0. */
	vpic_line(&b->pic, 1, false);
	vpic_line(&b->pic, 1, true);
	vboard_apic_write(b, VLAPIC_LVT_LINT0, 0x10700);
	assert_int_equal(vboard_irq_pending(b), -1);
	board_ioapic(b, 0, 0x700);
	board_take(b, 0x31);
	free(b);
}

static void test_pic_modes(void **state)
{
	struct vboard *b = board_new(0);

	(void)state;
	pic_init(b, 3); /* automatic EOI */
	vpic_line(&b->pic, 0, true);
	board_take(b, 0x30);
	vpic_line(&b->pic, 6, true);
	board_take(b, 0x36);
	vboard_out(b, 0x20, 1, 0xc6); /* priority: 6 is the lowest, 7 the highest */
	vpic_line(&b->pic, 0, false);
	vpic_line(&b->pic, 0, true);
	vpic_line(&b->pic, 7, true);
	board_take(b, 0x37);
	vboard_out(b, 0x20, 1, 0x0c); /* poll */
	assert_int_equal(vboard_in(b, 0x20, 1), 0x80);
	assert_int_equal(vboard_irq_pending(b), -1);
	vboard_out(b, 0x4d0, 1, 0xff);
	assert_int_equal(vboard_in(b, 0x4d0, 1), 0xf8);
	assert_int_equal(vboard_in(b, 0x4d1, 1), 0x0e);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers), cmocka_unit_test(test_edge), cmocka_unit_test(test_level),
		cmocka_unit_test(test_pic), cmocka_unit_test(test_pic_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

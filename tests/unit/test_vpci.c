/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: vdev/vboard.c vdev/vlapic.c vdev/vlapic_timer.c vdev/vioapic.c vdev/vpic.c vdev/vpit.c vdev/vrtc.c vdev/vpm.c vdev/vuart.c vdev/vpci.c vdev/vblk.c vdev/vblk_req.c vdev/vqueue.c vdev/vdma.c vdev/vacpi.c vdev/aml.c tests/fake/fake_ports.c tests/fake/fake_arch.c kernel/lib/log.c kernel/lib/fmt.c */
/* test_vpci - configuration mechanism 1, BAR sizing and moving, capabilities, the access window,
 * INTx bits. */
#include "tests/unit/board_env.h"

static void select_reg(struct vboard *b, u32 slot, u32 reg)
{
	vboard_out(b, 0xcf8, 4, 0x80000000u | slot << 11 | (reg & 0xfc));
}

static u32 rd(struct vboard *b, u32 slot, u32 reg, u8 size)
{
	select_reg(b, slot, reg);
	return vboard_in(b, (u16)(0xcfc + (reg & 3)), size);
}

static void wr(struct vboard *b, u32 slot, u32 reg, u8 size, u32 v)
{
	select_reg(b, slot, reg);
	vboard_out(b, (u16)(0xcfc + (reg & 3)), size, v);
}

/* Linux' check for mechanism 1. */
static void test_mechanism(void **state)
{
	struct vboard *b = board_new(2);

	(void)state;
	vboard_out(b, 0xcf8, 4, 0x80000000);
	vboard_out(b, 0xcfb, 1, 0x01);
	assert_int_equal(vboard_in(b, 0xcf8, 4), 0x80000000);
	assert_int_equal(rd(b, 0, 0x0a, 2), 0x0600); /* a host bridge at 00:00.0 */
	assert_int_equal(rd(b, 1, 0, 4), 0x10421af4);
	assert_int_equal(rd(b, 2, 0, 4), 0x10421af4);
	assert_int_equal(rd(b, 3, 0, 4), 0xffffffff);
	assert_int_equal(rd(b, 31, 0, 2), 0xffff);
	vboard_out(b, 0xcf8, 4, 0x80000900); /* function 1 */
	assert_int_equal(vboard_in(b, 0xcfc, 4), 0xffffffff);
	vboard_out(b, 0xcf8, 4, 0x80010800); /* bus 1 */
	assert_int_equal(vboard_in(b, 0xcfc, 4), 0xffffffff);
	vboard_out(b, 0xcf8, 4, 0x00000800); /* not enabled */
	assert_int_equal(vboard_in(b, 0xcfc, 4), 0xffffffff);
	assert_int_equal(rd(b, 1, 8, 1), 1); /* revision: modern */
	assert_int_equal(rd(b, 1, 0x3d, 1), 1);
	wr(b, 1, 0, 4, 0); /* read-only */
	assert_int_equal(rd(b, 1, 0, 4), 0x10421af4);
	select_reg(b, 1, 0);
	assert_int_equal(vboard_in(b, 0xcff, 4), 0xffffffff); /* crosses the register */
	free(b);
}

static void test_bar(void **state)
{
	struct vboard *b = board_new(1);
	u32 bar = rd(b, 1, 0x10, 4);

	(void)state;
	assert_int_equal(bar & 1, 1);
	wr(b, 1, 0x10, 4, 0xffffffff);
	assert_int_equal(rd(b, 1, 0x10, 4), 0xff01);
	wr(b, 1, 0x10, 4, 0xd000);
	assert_int_equal(rd(b, 1, 0x10, 4), 0xd001);
	assert_int_equal(vboard_in(b, 0xd000 + 0x12, 2), 1); /* num_queues, at the new place */
	assert_int_equal(vboard_in(b, 0xc000 + 0x12, 2), 0xffff);
	assert_int_equal(vboard_in(b, 0xd000 + 0x80, 4), FAKE_DISK_SECTORS);
	assert_int_equal(vboard_in(b, 0xd0ff, 2), 0xffff); /* over the end */
	wr(b, 1, 4, 2, 0);
	assert_int_equal(vboard_in(b, 0xd000 + 0x12, 2), 0xffff);
	wr(b, 1, 4, 2, 0xffff);
	assert_int_equal(rd(b, 1, 4, 2), 0x0507);
	wr(b, 1, 0x14, 4, 0xffffffff);
	assert_int_equal(rd(b, 1, 0x14, 4), 0);
	wr(b, 1, 0x3c, 1, 0xab);
	assert_int_equal(rd(b, 1, 0x3c, 1), 0xab);
	/* At the top of the space, and over the uart: fixed devices win. */
	wr(b, 1, 0x10, 4, 0xff00);
	assert_int_equal(vboard_in(b, 0xffff, 1), 0);
	wr(b, 1, 0x10, 4, 0x0300);
	assert_int_equal(vboard_in(b, 0x3fd, 1), 0x60);
	free(b);
}

static void test_capabilities(void **state)
{
	struct vboard *b = board_new(1);
	u32 seen = 0, at = rd(b, 1, 0x34, 1);

	(void)state;
	assert_int_equal(rd(b, 1, 6, 2) & 0x10, 0x10);
	for (u32 n = 0; at && n < 10; n++, at = rd(b, 1, at + 1, 1)) {
		assert_int_equal(rd(b, 1, at, 1), 9);
		assert_int_equal(rd(b, 1, at + 4, 1), 0); /* BAR 0 */
		seen |= BIT(rd(b, 1, at + 3, 1));
		if (rd(b, 1, at + 3, 1) == 1)
			assert_true(rd(b, 1, at + 12, 4) >= 0x38);
	}
	assert_int_equal(seen, 0x3e);
	/* The window of type 5: the device's config through configuration space. */
	wr(b, 1, 0x84 + 8, 4, VBLK_CONFIG);
	wr(b, 1, 0x84 + 12, 4, 4);
	assert_int_equal(rd(b, 1, 0x94, 4), FAKE_DISK_SECTORS);
	wr(b, 1, 0x84 + 8, 4, 0x14);
	wr(b, 1, 0x84 + 12, 4, 1);
	wr(b, 1, 0x94, 1, 1);
	assert_int_equal(rd(b, 1, 0x94, 1), 1);
	wr(b, 1, 0x84 + 8, 4, 0xfffffffc); /* outside, crooked, another BAR */
	wr(b, 1, 0x84 + 12, 4, 4);
	rd(b, 1, 0x94, 4);
	wr(b, 1, 0x84 + 8, 4, 1);
	rd(b, 1, 0x94, 4);
	wr(b, 1, 0x84 + 4, 1, 3);
	rd(b, 1, 0x94, 4);
	wr(b, 1, 0x94, 4, 0xffffffff);
	free(b);
}

static void test_intx(void **state)
{
	struct vboard *b = board_new(1);

	(void)state;
	board_ioapic(b, 16, 0x61 | BIT64(15));
	vpci_intx(&b->pci, 1, true);
	assert_int_equal(rd(b, 1, 6, 2) & 8, 8);
	board_take(b, 0x61);
	wr(b, 1, 4, 2, 0x401); /* INTx off: the status bit stays */
	assert_int_equal(rd(b, 1, 6, 2) & 8, 8);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	assert_int_equal(vboard_irq_pending(b), -1);
	wr(b, 1, 4, 2, 0x001);
	board_take(b, 0x61);
	vpci_intx(&b->pci, 1, false);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	assert_int_equal(rd(b, 1, 6, 2) & 8, 0);
	assert_int_equal(vboard_irq_pending(b), -1);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mechanism),
		cmocka_unit_test(test_bar),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_intx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

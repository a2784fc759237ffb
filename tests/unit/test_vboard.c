/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: vdev/vboard.c vdev/vlapic.c vdev/vlapic_timer.c vdev/vioapic.c vdev/vpic.c vdev/vpit.c vdev/vrtc.c vdev/vpm.c vdev/vuart.c vdev/vpci.c vdev/vblk.c vdev/vblk_req.c vdev/vqueue.c vdev/vdma.c vdev/vacpi.c vdev/aml.c tests/fake/fake_ports.c tests/fake/fake_arch.c kernel/lib/log.c kernel/lib/fmt.c */
/* test_vboard - timers, clock, power, resets, and every port with every size. */
#include "tests/unit/board_env.h"

static void test_pit_interrupt(void **state)
{
	struct vboard *b = board_new(0);
	u64 t0 = fake_tsc, first;

	(void)state;
	board_ioapic(b, 2, 0x30);
	vboard_out(b, 0x43, 1, 0x34); /* channel 0, mode 2 */
	vboard_out(b, 0x40, 1, 11932 & 0xff);
	assert_int_equal(vboard_deadline(b), 0);
	vboard_out(b, 0x40, 1, 11932 >> 8); /* 100 Hz */
	first = vboard_deadline(b);
	assert_true(first > t0 + 9999000 && first < t0 + 10001000);
	for (u32 i = 1; i <= 1000; i++) {
		fake_tsc = vboard_deadline(b);
		vboard_tick(b, fake_tsc);
		board_take(b, 0x30);
		vboard_apic_write(b, VLAPIC_EOI, 0);
	}
	assert_in_range(fake_tsc - t0, 10000000000 - 2000000, 10000000000 + 2000000); /* no drift */
	/* One shot, mode 0. */
	vboard_out(b, 0x43, 1, 0x30);
	assert_int_equal(vboard_deadline(b), 0);
	vboard_out(b, 0x40, 1, 0);
	vboard_out(b, 0x40, 1, 1);
	fake_tsc = vboard_deadline(b);
	vboard_tick(b, fake_tsc);
	board_take(b, 0x30);
	assert_int_equal(vboard_deadline(b), 0);
	/* A count of 1 in mode 2 is no storm; masked everywhere it is nobody's business. */
	vboard_out(b, 0x43, 1, 0x14);
	vboard_out(b, 0x40, 1, 1);
	fake_tsc = vboard_deadline(b);
	vboard_tick(b, fake_tsc);
	assert_true(vboard_deadline(b) > fake_tsc + 10000);
	for (u32 i = 0; i < 100; i++) {
		u64 at = vboard_deadline(b);

		fake_tsc = at + 50000;
		vboard_tick(b, fake_tsc);
		assert_in_range(vboard_deadline(b) - at, 199999, 203000);
	}
	board_ioapic(b, 2, 0x10030);
	assert_int_equal(vboard_deadline(b), 0);
	free(b);
}

/* One that is served late fires again in its phase: 2 kHz, each tick 400 us late. */
static void test_pit_keeps_phase(void **state)
{
	struct vboard *b = board_new(0);
	u64 at;

	(void)state;
	board_ioapic(b, 2, 0x30);
	vboard_out(b, 0x43, 1, 0x34);
	vboard_out(b, 0x40, 1, 597 & 0xff);
	vboard_out(b, 0x40, 1, 597 >> 8);
	for (u32 i = 0; i < 100; i++) {
		at = vboard_deadline(b);
		fake_tsc = at + 400000;
		vboard_tick(b, fake_tsc);
		assert_in_range(vboard_deadline(b) - at, 500342, 500344);
	}
	free(b);
}

/* What Linux and BIOSes do to measure the TSC. */
static void test_pit_calibration(void **state)
{
	struct vboard *b = board_new(0);
	u64 t0;
	u32 count;

	(void)state;
	vboard_out(b, 0x61, 1, (vboard_in(b, 0x61, 1) & ~2u) | 1);
	vboard_out(b, 0x43, 1, 0xb0);
	vboard_out(b, 0x42, 1, 0xff);
	vboard_out(b, 0x42, 1, 0xff);
	t0 = fake_tsc;
	assert_int_equal(vboard_in(b, 0x61, 1) & 0x20, 0);
	fake_tsc = t0 + 10000000;
	count = vboard_in(b, 0x42, 1);
	count |= vboard_in(b, 0x42, 1) << 8;
	assert_in_range(0xffff - count, 11931, 11932);
	fake_tsc = t0 + 54925000;
	assert_int_equal(vboard_in(b, 0x61, 1) & 0x20, 0x20);
	/* Latch and read-back. */
	vboard_out(b, 0x43, 1, 0x80);
	fake_tsc += 1000000;
	count = vboard_in(b, 0x42, 1);
	count |= vboard_in(b, 0x42, 1) << 8;
	vboard_out(b, 0x43, 1, 0xe8);
	assert_int_equal(vboard_in(b, 0x42, 1), 0xb0); /* OUT high, both bytes, mode 0 */
	assert_int_equal(vboard_in(b, 0x43, 1), 0xff);
	/* BCD */
	vboard_out(b, 0x43, 1, 0xb1);
	vboard_out(b, 0x42, 1, 0x00);
	vboard_out(b, 0x42, 1, 0x10);
	fake_tsc += 837800; /* 999 counts */
	vboard_out(b, 0x43, 1, 0x80);
	count = vboard_in(b, 0x42, 1);
	count |= vboard_in(b, 0x42, 1) << 8;
	assert_int_equal(count, 0x0001);
	free(b);
}

static u8 cmos(struct vboard *b, u8 reg)
{
	vboard_out(b, 0x70, 1, 0x80 | reg);
	return (u8)vboard_in(b, 0x71, 1);
}

static void cmos_set(struct vboard *b, u8 reg, u8 v)
{
	vboard_out(b, 0x70, 1, reg);
	vboard_out(b, 0x71, 1, v);
}

static void test_rtc(void **state)
{
	struct vboard *b = board_new(0);

	(void)state;
	assert_int_equal(cmos(b, 0x0b), 0x02);
	assert_int_equal(cmos(b, 0x0d), 0x80);
	assert_int_equal(cmos(b, 0x0a), 0x26);
	assert_int_equal(cmos(b, 9), 0x26);
	assert_int_equal(cmos(b, 0x32), 0x20);
	assert_int_equal(cmos(b, 8), 0x01);
	assert_int_equal(cmos(b, 7), 0x01);
	assert_int_equal(cmos(b, 6), 5); /* a Thursday */
	fake_tsc += (59ull + 86400 * 31 + 3600 * 13) * FAKE_TSC_HZ;
	assert_int_equal(cmos(b, 0), 0x59);
	assert_int_equal(cmos(b, 4), 0x13);
	assert_int_equal(cmos(b, 7), 0x01);
	assert_int_equal(cmos(b, 8), 0x02);
	fake_tsc += FAKE_TSC_HZ - 100000;
	assert_int_equal(cmos(b, 0x0a), 0xa6); /* update in progress, */
	fake_tsc += 100000;
	assert_int_equal(cmos(b, 0x0a), 0x26); /* and over */
	assert_int_equal(cmos(b, 2), 0x01);
	/* Setting it. */
	cmos_set(b, 0x0b, 0x82);
	cmos_set(b, 9, 0x28);
	cmos_set(b, 8, 0x02);
	cmos_set(b, 7, 0x29);
	cmos_set(b, 4, 0x23);
	cmos_set(b, 2, 0x59);
	cmos_set(b, 0, 0x59);
	cmos_set(b, 0x0b, 0x02);
	fake_tsc += FAKE_TSC_HZ;
	assert_int_equal(cmos(b, 8), 0x03);
	assert_int_equal(cmos(b, 7), 0x01);
	assert_int_equal(cmos(b, 4), 0x00);
	for (u32 r = 0; r < 256; r++) /* nonsense in every register */
		cmos_set(b, (u8)r, 0xff);
	cmos_set(b, 0x0b, 0);
	for (u32 r = 0; r < 128; r++)
		cmos(b, (u8)r);
	assert_true((cmos(b, 8) & 15) <= 9);
	free(b);
}

static void test_power(void **state)
{
	struct vboard *b = board_new(0);
	u64 t0 = fake_tsc;
	u32 pm0 = vboard_in(b, VPM_TIMER, 4);

	(void)state;
	fake_tsc = t0 + FAKE_TSC_HZ;
	assert_in_range(vboard_in(b, VPM_TIMER, 4) - pm0, VPM_TIMER_HZ - 1, VPM_TIMER_HZ + 1);
	vboard_out(b, 0x600, 1, 0x20); /* S0 */
	assert_int_equal(fake_ports.powered_off, 0);
	vboard_out(b, 0x601, 1, 0x80);
	vboard_out(b, 0x600, 1, 0x20 | 5 << 2);
	assert_int_equal(fake_ports.powered_off, 1);
	vboard_out(b, 0x64, 1, 0xd1);
	assert_int_equal(fake_ports.resets, 0);
	vboard_out(b, 0x64, 1, 0xfe);
	vboard_out(b, 0xcf9, 1, 0x02);
	assert_int_equal(fake_ports.resets, 1);
	vboard_out(b, 0xcf9, 1, 0x06);
	assert_int_equal(fake_ports.resets, 2);
	assert_int_equal(vboard_in(b, 0x60, 1), 0xff);
	assert_int_equal(vboard_in(b, 0x64, 1), 0xff);
	assert_int_equal(vboard_in(b, 0x80, 1), 0xff);
	assert_int_equal(vboard_in(b, 0x3d4, 2), 0xffff);
	free(b);
}

static void test_every_port(void **state)
{
	struct vboard *b = board_new(2);
	u64 v;

	(void)state;
	for (u32 round = 0; round < 3; round++) {
		for (u32 p = 0; p < 65536; p++) {
			for (u8 size = 1; size <= 4; size *= 2) {
				vboard_out(b, (u16)p, size, round == 1 ? 0xffffffff : 0x5a5a5a5a * round);
				v = vboard_in(b, (u16)p, size);
				assert_true(size == 4 || v < 1u << 8 * size);
			}
			fake_tsc += 777;
			vboard_tick(b, fake_tsc);
		}
		for (u32 o = 0; o < 8192; o++) {
			vboard_mmio_write(b, (gpa_t){ VBOARD_IOAPIC_GPA + o }, 8, ~0ull);
			vboard_mmio_read(b, (gpa_t){ VBOARD_LAPIC_GPA + o }, 1, &v);
		}
		vboard_retry(b);
	}
	vboard_reset(b);
	assert_int_equal(fake_ports.npins, 0);
	assert_int_equal(vboard_irq_pending(b), -1);
	assert_int_equal(vboard_in(b, 0xcf8, 4), 0);
	free(b);
}

static void test_config(void **state)
{
	struct vboard *b = calloc(1, vboard_size());
	struct vboard_config c = { .tsc_hz = 0, .apic_page = board_apic_page };

	(void)state;
	assert_int_equal(vboard_init(b, &c), E_INVAL);
	c.tsc_hz = 1000;
	c.ndisks = VBOARD_MAX_DISKS + 1;
	assert_int_equal(vboard_init(b, &c), E_INVAL);
	assert_int_equal(vboard_size() % PAGE_SIZE, 0);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pit_interrupt),   cmocka_unit_test(test_pit_keeps_phase),
		cmocka_unit_test(test_pit_calibration), cmocka_unit_test(test_rtc),
		cmocka_unit_test(test_power),           cmocka_unit_test(test_every_port),
		cmocka_unit_test(test_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: vdev/vboard.c vdev/vlapic.c vdev/vlapic_timer.c vdev/vioapic.c vdev/vpic.c vdev/vpit.c vdev/vrtc.c vdev/vpm.c vdev/vuart.c vdev/vpci.c vdev/vblk.c vdev/vblk_req.c vdev/vqueue.c vdev/vdma.c vdev/vacpi.c vdev/aml.c tests/fake/fake_ports.c tests/fake/fake_arch.c kernel/lib/log.c kernel/lib/fmt.c */
/* test_vlapic - priorities, messages, timer modes, registers that traps could destroy. */
#include "tests/unit/board_env.h"

static void self_ipi(struct vboard *b, u8 vector)
{
	vboard_apic_write(b, VLAPIC_ICR_LOW, 0x40000u | vector);
}

static void test_priorities(void **state)
{
	struct vboard *b = board_new(0);

	(void)state;
	assert_int_equal(vboard_irq_pending(b), -1);
	self_ipi(b, 0x41);
	assert_int_equal(fake_ports.wakes, 1);
	self_ipi(b, 0x35);
	self_ipi(b, 0xef);
	board_take(b, 0xef);
	assert_int_equal(vboard_irq_pending(b), -1); /* in service */
	vboard_apic_write(b, VLAPIC_EOI, 0);
	vboard_apic_write(b, VLAPIC_TPR, 0x40);
	assert_int_equal(vboard_irq_pending(b), -1); /* class 4 is not above 4 */
	assert_int_equal(vboard_apic_read(b, VLAPIC_PPR), 0x40);
	vboard_apic_write(b, VLAPIC_TPR, 0);
	board_take(b, 0x41);
	assert_int_equal(vboard_apic_read(b, VLAPIC_PPR), 0x40);
	self_ipi(b, 0x4f); /* same class: waits */
	assert_int_equal(vboard_irq_pending(b), -1);
	self_ipi(b, 0x51); /* higher: nests */
	board_take(b, 0x51);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	vboard_apic_eoi(b, 0x41); /* as hardware would have done it */
	board_take(b, 0x4f);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	board_take(b, 0x35);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	vboard_apic_write(b, VLAPIC_EOI, 0); /* one too many */
	assert_int_equal(vboard_irq_pending(b), -1);
	free(b);
}

static void test_messages(void **state)
{
	struct vboard *b = board_new(0);
	struct vlapic *l = &b->lapic;

	(void)state;
	assert_false(vlapic_message(l, 1, false, VLAPIC_DM_FIXED, 0x50, false));
	assert_true(vlapic_message(l, 0, false, VLAPIC_DM_FIXED, 0x50, false));
	assert_true(vlapic_message(l, 0xff, false, VLAPIC_DM_LOWEST, 0x51, false));
	assert_false(vlapic_message(l, 1, true, VLAPIC_DM_FIXED, 0x52, false)); /* LDR = 0 */
	vboard_apic_write(b, VLAPIC_LDR, 0x01000000);
	assert_true(vlapic_message(l, 3, true, VLAPIC_DM_FIXED, 0x52, false));
	assert_false(vlapic_message(l, 2, true, VLAPIC_DM_FIXED, 0x53, false));
	vboard_apic_write(b, VLAPIC_DFR, 0);
	vboard_apic_write(b, VLAPIC_LDR, 0x21000000);
	assert_true(vlapic_message(l, 0x23, true, VLAPIC_DM_FIXED, 0x54, false));
	assert_false(vlapic_message(l, 0x13, true, VLAPIC_DM_FIXED, 0x55, false));
	/* INIT, SIPI, NMI and IPIs to others do nothing. */
	vboard_apic_write(b, VLAPIC_ICR_LOW, 0x000c4500);
	vboard_apic_write(b, VLAPIC_ICR_LOW, 0x000c4608);
	vboard_apic_write(b, VLAPIC_ICR_LOW, 0x00040400);
	vboard_apic_write(b, VLAPIC_ICR_HIGH, 0x05000000);
	vboard_apic_write(b, VLAPIC_ICR_LOW, 0x60);
	vboard_apic_write(b, VLAPIC_ICR_LOW, 0x000c0061);
	assert_int_equal(vboard_irq_pending(b), 0x54);
	free(b);
}

static void test_errors(void **state)
{
	struct vboard *b = board_new(0);

	(void)state;
	vboard_apic_write(b, VLAPIC_LVT_ERROR, 0xfe);
	self_ipi(b, 3);
	board_take(b, 0xfe);
	assert_int_equal(vboard_apic_read(b, VLAPIC_ESR), 0);
	vboard_apic_write(b, VLAPIC_ESR, 0);
	assert_int_equal(vboard_apic_read(b, VLAPIC_ESR), 0x20);
	vboard_apic_write(b, VLAPIC_ESR, 0);
	assert_int_equal(vboard_apic_read(b, VLAPIC_ESR), 0);
	/* An illegal error vector must not recurse. */
	vboard_apic_write(b, VLAPIC_LVT_ERROR, 0x05);
	self_ipi(b, 3);
	vlapic_message(&b->lapic, 0, false, VLAPIC_DM_FIXED, 7, false);
	free(b);
}

static void test_one_shot_and_periodic(void **state)
{
	struct vboard *b = board_new(0);
	u64 t0 = fake_tsc;

	(void)state;
	assert_int_equal(vboard_deadline(b), 0);
	vboard_apic_write(b, VLAPIC_TIMER_DIVIDE, 0x3); /* by 16 */
	vboard_apic_write(b, VLAPIC_LVT_TIMER, 0x31);
	vboard_apic_write(b, VLAPIC_TIMER_INITIAL, 1000);
	assert_int_equal(vboard_deadline(b), t0 + 16000);
	fake_tsc = t0 + 8000;
	assert_int_equal(vboard_apic_read(b, VLAPIC_TIMER_CURRENT), 500);
	vboard_tick(b, fake_tsc);
	assert_int_equal(vboard_irq_pending(b), -1);
	fake_tsc = t0 + 16000;
	vboard_tick(b, fake_tsc);
	board_take(b, 0x31);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	assert_int_equal(vboard_deadline(b), 0);
	assert_int_equal(vboard_apic_read(b, VLAPIC_TIMER_CURRENT), 0);

	vboard_apic_write(b, VLAPIC_TIMER_DIVIDE, 0xb); /* by 1 */
	vboard_apic_write(b, VLAPIC_LVT_TIMER, 0x20031);
	vboard_apic_write(b, VLAPIC_TIMER_INITIAL, 1000000);
	t0 = fake_tsc;
	fake_tsc = t0 + 3500000; /* late: one interrupt, and the phase is kept */
	vboard_tick(b, fake_tsc);
	board_take(b, 0x31);
	assert_int_equal(vboard_deadline(b), t0 + 4000000);
	/* A period of one tick does not become a storm. */
	vboard_apic_write(b, VLAPIC_TIMER_INITIAL, 1);
	fake_tsc += 10;
	vboard_tick(b, fake_tsc);
	assert_true(vboard_deadline(b) >= fake_tsc + 10000);
	for (u32 i = 0; i < 100; i++) { /* 200 us at least, and no drift */
		u64 at = vboard_deadline(b);

		fake_tsc = at + i * 1000; /* late, and ever more */
		vboard_tick(b, fake_tsc);
		assert_int_equal(vboard_deadline(b), at + 200000);
	}
	vboard_apic_write(b, VLAPIC_LVT_TIMER, 0x30031); /* masked: nobody need wake up */
	assert_int_equal(vboard_deadline(b), 0);
	vboard_apic_write(b, VLAPIC_TIMER_INITIAL, 0);
	vboard_apic_write(b, VLAPIC_LVT_TIMER, 0x20031);
	assert_int_equal(vboard_deadline(b), 0);
	free(b);
}

static void test_deadline(void **state)
{
	struct vboard *b = board_new(0);
	u64 v;

	(void)state;
	assert_int_equal(vboard_write_msr(b, 0x6e0, fake_tsc + 100), 0);
	assert_int_equal(vboard_deadline(b), 0); /* not in that mode */
	vboard_apic_write(b, VLAPIC_LVT_TIMER, 0x40032);
	vboard_apic_write(b, VLAPIC_TIMER_INITIAL, 5); /* ignored in that mode */
	assert_int_equal(vboard_deadline(b), 0);
	assert_int_equal(vboard_write_msr(b, 0x6e0, fake_tsc + 100), 0);
	assert_int_equal(vboard_deadline(b), fake_tsc + 100);
	assert_int_equal(vboard_read_msr(b, 0x6e0, &v), 0);
	assert_int_equal(v, fake_tsc + 100);
	fake_tsc += 100;
	vboard_tick(b, fake_tsc);
	board_take(b, 0x32);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	assert_int_equal(vboard_read_msr(b, 0x6e0, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(vboard_write_msr(b, 0x6e0, 1), 0); /* in the past: at once */
	board_take(b, 0x32);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	assert_int_equal(vboard_write_msr(b, 0x6e0, fake_tsc + 100), 0);
	vboard_apic_write(b, VLAPIC_LVT_TIMER, 0x32); /* leaving the mode disarms */
	assert_int_equal(vboard_deadline(b), 0);
	assert_int_equal(vboard_read_msr(b, 0x10, &v), E_NOENT);
	assert_int_equal(vboard_write_msr(b, 0x10, 0), E_NOENT);
	free(b);
}

static void test_base_and_disable(void **state)
{
	struct vboard *b = board_new(0);
	u64 v;

	(void)state;
	assert_int_equal(vboard_read_msr(b, 0x1b, &v), 0);
	assert_int_equal(v, 0xfee00900);
	assert_int_equal(vboard_write_msr(b, 0x1b, v | 0x400), E_INVAL);
	assert_int_equal(vboard_write_msr(b, 0x1b, v + 0x1000), E_INVAL);
	assert_int_equal(vboard_write_msr(b, 0x1b, v & ~0x100ull), E_INVAL);
	assert_int_equal(vboard_write_msr(b, 0x1b, v), 0);
	self_ipi(b, 0x60);
	assert_int_equal(vboard_write_msr(b, 0x1b, v & ~0x800ull), 0);
	assert_int_equal(vboard_irq_pending(b), -1);
	assert_int_equal(vboard_apic_read(b, VLAPIC_VERSION), 0xffffffff);
	self_ipi(b, 0x60);
	assert_int_equal(vboard_write_msr(b, 0x1b, v), 0);
	assert_int_equal(vboard_apic_read(b, VLAPIC_SVR), 0xff);
	assert_int_equal(vboard_apic_read(b, VLAPIC_LVT_LINT0), 0x10000);
	self_ipi(b, 0x60); /* software-disabled: not accepted, LVT stays masked */
	assert_int_equal(vboard_irq_pending(b), -1);
	vboard_apic_write(b, VLAPIC_LVT_TIMER, 0x31);
	assert_int_equal(vboard_apic_read(b, VLAPIC_LVT_TIMER), 0x10031);
	vboard_apic_write(b, VLAPIC_SVR, 0x1ff);
	self_ipi(b, 0x60);
	board_take(b, 0x60);
	free(b);
}

/* Hardware has stored the value before we see it. */
static void test_traps(void **state)
{
	struct vboard *b = board_new(0);

	(void)state;
	board_apic_page[VLAPIC_ID / 4] = 0x55000000;
	vboard_apic_write_trap(b, VLAPIC_ID);
	assert_int_equal(vboard_apic_read(b, VLAPIC_ID), 0);
	board_apic_page[VLAPIC_LVT_TIMER / 4] = 0xffffffff & ~(3u << 17) & ~VLAPIC_LVT_MASKED;
	vboard_apic_write_trap(b, VLAPIC_LVT_TIMER);
	assert_int_equal(vboard_apic_read(b, VLAPIC_LVT_TIMER), 0xff);
	board_apic_page[VLAPIC_TIMER_DIVIDE / 4] = 0xb;
	vboard_apic_write_trap(b, VLAPIC_TIMER_DIVIDE);
	board_apic_page[VLAPIC_TIMER_INITIAL / 4] = 50;
	vboard_apic_write_trap(b, VLAPIC_TIMER_INITIAL);
	assert_int_equal(vboard_deadline(b), fake_tsc + 50);
	board_apic_page[VLAPIC_ICR_LOW / 4] = 0x40000 | 0x77;
	vboard_apic_write_trap(b, VLAPIC_ICR_LOW);
	board_take(b, 0x77);
	board_apic_page[VLAPIC_EOI / 4] = 0x1234;
	vboard_apic_write_trap(b, VLAPIC_EOI);
	self_ipi(b, 0x71);
	assert_int_equal(vboard_irq_pending(b), 0x71);
	board_apic_page[VLAPIC_ESR / 4] = 0xffff;
	vboard_apic_write_trap(b, VLAPIC_ESR);
	assert_int_equal(vboard_apic_read(b, VLAPIC_ESR), 0);
	/* Every offset, whatever it is. */
	for (u32 o = 0; o < 0x1000; o++) {
		vboard_apic_write(b, (u16)o, 0xffffffff);
		vboard_apic_write_trap(b, (u16)o);
		vboard_apic_read(b, (u16)o);
	}
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_priorities), cmocka_unit_test(test_messages),
		cmocka_unit_test(test_errors),     cmocka_unit_test(test_one_shot_and_periodic),
		cmocka_unit_test(test_deadline),   cmocka_unit_test(test_base_and_disable),
		cmocka_unit_test(test_traps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

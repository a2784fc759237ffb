/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * board_env.h - a struct vboard over the fake ports, for the tests of vdev/.
 */
#ifndef TESTS_UNIT_BOARD_ENV_H
#define TESTS_UNIT_BOARD_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fake/fake_arch.h"
#include "tests/fake/fake_ports.h"
#include "vdev/board.h"

static u32 board_apic_page[1024];

static inline struct vboard *board_new(u32 ndisks)
{
	struct vboard_config c = { .vm = fake_ports_vm(), .ram = 256 * MIB, .tsc_hz = FAKE_TSC_HZ,
				   .apic_page = board_apic_page, .ndisks = ndisks };
	struct vboard *b = calloc(1, vboard_size());

	for (u32 i = 0; i < ndisks; i++) {
		c.disk[i].sectors = FAKE_DISK_SECTORS;
		c.disk[i].read_only = i == 1;
		memcpy(c.disk[i].serial, "serial-number-of-20b", 20);
	}
	fake_ports_reset();
	fake_tsc = 1000;
	assert_int_equal(vboard_init(b, &c), 0);
	return b;
}

/* Takes the interrupt that must be pending; edge or level, ends it too. */
static inline void board_take(struct vboard *b, int vector)
{
	assert_int_equal(vboard_irq_pending(b), vector);
	vboard_irq_taken(b, (u8)vector);
}

static inline void board_ioapic(struct vboard *b, u8 pin, u64 entry)
{
	for (u32 half = 0; half < 2; half++) {
		vboard_mmio_write(b, (gpa_t){ VBOARD_IOAPIC_GPA }, 4, 0x10 + pin * 2 + half);
		vboard_mmio_write(b, (gpa_t){ VBOARD_IOAPIC_GPA + 0x10 }, 4, (u32)(entry >> 32 * half));
	}
}

static inline u64 board_ioapic_read(struct vboard *b, u8 pin)
{
	u64 v = 0, half;

	for (u32 i = 0; i < 2; i++) {
		vboard_mmio_write(b, (gpa_t){ VBOARD_IOAPIC_GPA }, 4, 0x10 + pin * 2 + i);
		assert_true(vboard_mmio_read(b, (gpa_t){ VBOARD_IOAPIC_GPA + 0x10 }, 4, &half));
		v |= half << 32 * i;
	}
	return v;
}

#endif

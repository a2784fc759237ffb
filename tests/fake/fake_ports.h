/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_ports.h - the calls that device models make upward, as tests hold them: a small guest memory
 * whose pages can be "evicted" and whose pins are counted, and a disk in memory.
 */
#ifndef TESTS_FAKE_FAKE_PORTS_H
#define TESTS_FAKE_FAKE_PORTS_H

#include "vdev/ports.h"

#define FAKE_PAGES 64u
#define FAKE_DISK_SECTORS 256u
#define FAKE_DISKS 2u

struct fake_ports {
	u8 mem[FAKE_PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
	u32 pins[FAKE_PAGES];
	bool evicted[FAKE_PAGES];    /* guest_pin says E_AGAIN and asks for it: fake_ports_fill() */
	u32 again;                   /* how often it did */
	u32 max_pins;                /* 0: no bound */
	u32 npins;

	u8 disk[FAKE_DISKS][FAKE_DISK_SECTORS * SECTOR_SIZE];
	bool deferred;               /* requests wait for fake_ports_io() */
	int io_error;                /* every request ends with this */
	struct list queue;           /* of those that wait */
	u32 submitted, flushed;
	u32 io_ticks;                /* what it takes to submit one */

	u32 wakes, agains, worked;
	u32 powered_off, resets;
	char uart[4096];
	u32 nuart;
};
extern struct fake_ports fake_ports;

void fake_ports_reset(void);
/* All evicted pages come back. */
void fake_ports_fill(void);
/* Performs and finishes the n-th waiting request; false: there is none. */
bool fake_ports_io(u32 n);
/* The vm pointer to give to device models; they never look inside. */
struct vm *fake_ports_vm(void);

#endif

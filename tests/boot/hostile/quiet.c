/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * quiet.c - guests that do no harm: one that measures what it gets of the processor, the disk and the
 * console, for tests/bench, one that halts, and one that computes for ever.
 */
#include "modes.h"

#define BLOCK 4096u
#define BLOCKS 256 /* of memory that reads go to, in turns */
#define LINE_MS 10

void mode_idle(void)
{
	for (u64 n = 0;; n++) {
		beat(n);
		sleep_until(rdtsc() + 1000000 * tsc_mhz);
	}
}

void mode_spin(void)
{
	for (u64 n = 0;; n++) {
		for (u32 i = 0; i < 1000; i++)
			asm volatile("");
		beat(n);
	}
}

static void measure_cpu(u64 end)
{
	u64 start = rdtsc(), n = 0;

	while (rdtsc() < end) {
		for (u32 i = 0; i < 100; i++)
			asm volatile("");
		n++;
	}
	say("CPU n=%lu ticks=%lu", n, rdtsc() - start);
}

/* depth reads of 4 KiB at a time, asleep while none is done. */
static void measure_disk(u64 end, u32 depth)
{
	u64 start = rdtsc(), n = 0, block = 0;
	u32 under_way = 0;

	if (!disk_init())
		return;
	for (u32 i = 0; i < depth; i++, under_way++)
		disk_put(i, T_IN, disk_room(BLOCK), SCRATCH + block++ % BLOCKS * BLOCK, BLOCK);
	disk_kick();
	while (under_way) {
		int slot = disk_done();

		if (slot < 0) {
			halt();
			continue;
		}
		under_way--;
		if (disk_status[slot])
			say("WRONG: a read failed: %lu", (u64)disk_status[slot]);
		n++;
		if (rdtsc() >= end)
			continue;
		disk_put((u32)slot, T_IN, disk_room(BLOCK), SCRATCH + block++ % BLOCKS * BLOCK, BLOCK);
		under_way++;
		disk_kick();
	}
	say("DISK n=%lu ticks=%lu", n, rdtsc() - start);
}

/* Lines that name the time when they were written; whoever sees them leave the machine knows how long that
 * took. */
static void measure_console(u64 lines)
{
	for (u64 i = 0; i < lines; i++) {
		sleep_until(rdtsc() + LINE_MS * 1000 * tsc_mhz);
		say("LINE %lu at=%lu", i, rdtsc());
	}
}

/* cpu=MS disk=MS depth=N lines=N: one after the other. */
void mode_quiet(void)
{
	u64 ms = tsc_mhz * 1000;

	if (arg("cpu", 0))
		measure_cpu(rdtsc() + arg("cpu", 0) * ms);
	if (arg("disk", 0))
		measure_disk(rdtsc() + arg("disk", 0) * ms, (u32)arg("depth", 4));
	measure_console(arg("lines", 0));
}

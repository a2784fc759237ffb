/* SPDX-License-Identifier: GPL-2.0-only */
/* floods.c - guests that ask for more than their share of something: timers, the console, resets, the disk,
 * memory. */
#include "modes.h"

#define MIB (1ull << 20)
#define REQUEST_MAX (SEGMENTS * (u64)SEGMENT)
#define DISCARD_MAX (32 * MIB)

/* ---- timers ---- */

/* The next interrupt may be there before the last one's code has ended: so handlers say that they
 * are alive. */
static void tick_lapic(u8 vector)
{
	if (!(irqs[vector] & 0xf))
		beat(irqs[vector]);
}

static void tick_pit(u8 vector)
{
	tick_lapic(vector);
	if (vector == PIC_VECTOR)
		out8(0x20, 0x20);
}

static void tick_deadline(u8 vector)
{
	tick_lapic(vector);
	if (vector == TIMER_VECTOR)
		wrmsr(0x6e0, rdtsc() + 1);
}

/*
 * kind=pit|lapic|deadline at the smallest period; spin=1: computes in between instead of halting; masked=1:
 * no tick is ever taken, so that the guest stays halted while its timer goes on.
 */
void mode_timer(void)
{
	bool spin = arg("spin", 0), masked = arg("masked", 0);

	if (arg_is("kind", "pit")) {
		irq_hook = tick_pit;
		apic_write(0x350, masked ? 0x10700 : 0x700); /* the 8259 by LINT0 */
		out8(0x43, 0x34); /* channel 0, low then high byte, rate generator */
		out8(0x40, 2);
		out8(0x40, 0);
		out8(0x21, 0xfe);
	} else if (arg_is("kind", "deadline")) {
		irq_hook = tick_deadline;
		apic_write(0x320, 2u << 17 | TIMER_VECTOR);
		wrmsr(0x6e0, rdtsc() + 1);
	} else {
		irq_hook = tick_lapic;
		apic_write(0x3e0, 0xb);
		apic_write(0x320, 1u << 17 | TIMER_VECTOR);
		apic_write(0x380, 1);
	}
	if (masked) {
		beat(1);
		apic_write(0x80, 0xf0); /* above every vector */
	}
	for (;;)
		if (spin)
			asm volatile("sti; nop; cli");
		else
			halt();
}

/* ---- the console ---- */

static void put_text(const char *text, u64 n)
{
	asm volatile("rep outsb" : "+S"(text), "+c"(n) : "d"(0x3f8) : "memory");
}

/* kind=lines|control|escape|rep: output without a stop. */
void mode_uart(void)
{
	char *text = (char *)SCRATCH;

	for (u64 i = 0; i < PAGE; i++)
		if (arg_is("kind", "control"))
			text[i] = (char)(1 + i % 7);
		else if (arg_is("kind", "escape"))
			text[i] = (char)(i ? '0' + i % 10 : 27);
		else
			text[i] = (char)(i % 64 == 63 ? '\n' : 'a' + i % 26);
	if (!arg_is("kind", "lines"))
		for (;;)
			put_text(text, PAGE);
	for (u64 i = 0;; i++)
		out8(0x3f8, (u8)text[i % PAGE]);
}

/* ---- resets ---- */

/* As soon as it runs, in all the ways that there are. */
void mode_reset(void)
{
	mix_time();
	reset((u32)rnd());
}

/* ---- the disk ---- */

/* kind=read|write|flush|discard|zeroes of kib=N, the queue always full. write reads first what it will
 * overwrite. */
void mode_disk(void)
{
	u32 type = arg_is("kind", "flush") ? T_FLUSH : arg_is("kind", "discard") ? T_DISCARD :
		   arg_is("kind", "zeroes") ? T_WRITE_ZEROES : arg_is("kind", "write") ? T_OUT : T_IN;
	u64 bytes = arg("kib", 4) * 1024, buffers = (ram - SCRATCH) / 2, n = 0;

	if (!disk_init())
		return;
	if (type == T_IN || type == T_OUT)
		bytes = bytes < REQUEST_MAX ? bytes : REQUEST_MAX;
	else
		bytes = type == T_FLUSH ? 0 : bytes < DISCARD_MAX ? bytes : DISCARD_MAX;
	if (bytes > disk_sectors * 256)
		bytes = disk_sectors * 256 & ~(PAGE - 1);
	for (u32 i = 0; i < QUEUE; i++)
		disk_put(i, type, disk_room(bytes), SCRATCH + below(buffers / PAGE) * PAGE, bytes);
	disk_kick();
	for (;;) {
		int slot;
		u32 more = 0;

		while ((slot = disk_done()) >= 0) {
			disk_put((u32)slot, type, disk_room(bytes), SCRATCH + below(buffers / PAGE) * PAGE,
				 bytes);
			n++;
			more++;
		}
		if (more)
			disk_kick();
		else
			halt();
		beat(n);
	}
}

/* ---- memory ---- */

/* Reads its disk into all its memory, so that what is evicted lives in the disk only; then overwrites those
 * blocks from one page, or discards them (kind=discard), and checks that its memory is what it was. mib=N of
 * it. */
void mode_overwrite(void)
{
	u64 piece = REQUEST_MAX & ~(PAGE - 1), bytes = arg("mib", 8) * MIB / piece * piece;
	bool discards = arg_is("kind", "discard");
	u64 first = SCRATCH + PAGE, pieces_done = 0;

	if (!disk_init())
		return;
	for (u64 n = 0;; n++) {
		for (u64 at = 0; at < bytes; at += PAGE) /* each block is its own number, and the round's */
			for (u64 i = 0; i < PAGE / 8; i++)
				((u64 *)(first + at))[i] = at + i + (n << 40);
		for (u64 at = 0; at < bytes; at += piece)
			(void)disk_do(T_OUT, at / 512, first + at, piece);
		for (u64 at = 0; at < bytes; at += piece, beat(pieces_done++))
			(void)disk_do(T_IN, at / 512, first + at, piece);
		memset((void *)SCRATCH, (int)n, PAGE);
		for (u64 at = 0; discards && at < bytes; at += piece)
			(void)disk_do(T_DISCARD, at / 512, 0, piece);
		for (u64 at = 0; !discards && at < bytes; at += QUEUE * PAGE) {
			u32 under_way = 0;

			for (u32 i = 0; i < QUEUE && at + i * PAGE < bytes; i++, under_way++)
				disk_put(i, T_OUT, (at + i * PAGE) / 512, SCRATCH, PAGE);
			disk_kick();
			while (under_way)
				if (disk_done() >= 0)
					under_way--;
				else
					halt();
			beat(pieces_done++);
		}
		for (u64 at = 0; at < bytes; at += PAGE)
			for (u64 i = 0; i < PAGE / 8; i += 64)
				if (((u64 *)(first + at))[i] != at + i + (n << 40)) {
					say("WRONG: memory at %lx after round %lu", first + at, n);
					return;
				}
	}
}

/* Writes to every page of its RAM for ever, and checks what it wrote the last time. */
void mode_memory(void)
{
	u64 pages = (ram - SCRATCH) / PAGE;

	for (u64 n = 0;; n++) {
		for (u64 i = 0; i < pages; i++) {
			u64 *p = (u64 *)(SCRATCH + i * PAGE);

			if (n && (p[0] != n - 1 || p[i % 511 + 1] != (i ^ (n - 1) << 32))) {
				say("WRONG: page %lu of round %lu", i, n);
				return;
			}
			p[0] = n;
			p[i % 511 + 1] = i ^ n << 32;
			if (!(i & 0xff))
				beat(n * pages + i);
		}
	}
}

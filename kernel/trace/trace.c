/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.c - the ring of trace records and the frames that they leave in. Contract: trace.h.
 */
#include "kernel/trace/trace.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"

#define RECORDS_A_PAGE (PAGE_SIZE / sizeof(struct trace_rec))

bool trace_on;

static struct {
	void *const *page;
	u32 room;
	u64 head, tail;    /* records ever put and taken */
	u64 lost, lost_said;
	u64 time_us;       /* of the last one taken */
	u32 seq;
	bool closing;      /* the room that is kept may be used */
	u64 kind[TRACE_KINDS];
} ring;

static struct {
	u8 vm, set, age;
	u32 first, n;      /* a run that may go on */
} set;

static struct trace_rec *at(u64 n)
{
	u32 i = (u32)(n % ring.room);

	return (struct trace_rec *)ring.page[i / RECORDS_A_PAGE] + i % RECORDS_A_PAGE;
}

void trace_start(void *const *page, u32 pages)
{
	memset(&ring, 0, sizeof(ring));
	ring.page = page;
	ring.room = pages * (u32)RECORDS_A_PAGE;
	ring.time_us = arch_ns() / 1000;
	trace_on = true;
}

void trace_stop(void)
{
	if (!trace_on)
		return;
	ring.closing = true;
	trace_put64(TRACE_END, TRACE_NO_VM, 0, ring.head + (ring.lost != ring.lost_said) + 1);
	trace_on = false;
}

void trace_forget(void)
{
	trace_on = false;
	memset(&ring, 0, sizeof(ring));
}

void trace_stats(struct trace_stats *s)
{
	*s = (struct trace_stats){ .records = ring.head,
				   .lost = ring.lost,
				   .used = (u32)(ring.head - ring.tail),
				   .room = ring.room,
				   .frames = ring.seq };
	memcpy(s->kind, ring.kind, sizeof(s->kind));
}

/* ---- in ---- */

static void put(struct trace_rec r)
{
	*at(ring.head++) = r;
	ring.kind[r.kind]++;
}

/* Once full, an eighth must be free before anything is taken again: one LOST record stands for many. */
static bool has_room(void)
{
	u32 room = ring.room - (u32)(ring.head - ring.tail);

	if (ring.closing)
		return room >= 2;
	return room > TRACE_KEPT + (ring.lost != ring.lost_said ? ring.room / 8 : 0);
}

static void put_if_room(struct trace_rec r)
{
	if (!has_room()) {
		ring.lost++;
		return;
	}
	if (ring.lost != ring.lost_said) {
		put((struct trace_rec){ .time = (u32)(arch_ns() / 1000),
					.kind = TRACE_LOST,
					.vm = TRACE_NO_VM,
					.value = (u32)MIN(ring.lost - ring.lost_said, (u64)~0u) });
		ring.lost_said = ring.lost;
	}
	put(r);
}

void trace_put(enum trace_kind kind, u8 vm, u8 cls, u8 n, u32 page, u32 value)
{
	put_if_room((struct trace_rec){ .time = (u32)(arch_ns() / 1000),
					.kind = (u8)kind,
					.vm = vm,
					.cls = cls,
					.n = n,
					.page = page,
					.value = value });
}

void trace_put64(enum trace_kind kind, u8 vm, u8 cls, u64 v)
{
	trace_put(kind, vm, cls, 0, (u32)v, (u32)(v >> 32));
}

/* ---- sets ---- */

static void run_ends(void)
{
	if (set.n)
		put_if_room((struct trace_rec){ .kind = TRACE_RUN, .vm = set.vm, .cls = set.set, .n = set.age,
						.page = set.first, .value = set.n });
	set.n = 0;
}

void trace_set_begin(u8 vm, enum trace_set which, u8 age)
{
	if (set.vm == vm && set.set == which && set.age == age)
		return;
	run_ends();
	set.vm = vm;
	set.set = (u8)which;
	set.age = age;
}

void trace_set_add(u32 first, u64 mask)
{
	u32 from, n;
	u64 run;

	if (!mask)
		return;
	from = (u32)__builtin_ctzll(mask);
	run = mask >> from;
	if (run & (run + 1)) { /* more than one run */
		run_ends();
		put_if_room((struct trace_rec){ .time = (u32)mask,
						.kind = TRACE_MASK,
						.vm = set.vm,
						.cls = set.set,
						.n = set.age,
						.page = first,
						.value = (u32)(mask >> 32) });
		return;
	}
	n = ~run ? (u32)__builtin_ctzll(~run) : 64;
	if (set.n && set.first + set.n == first + from) {
		set.n += n;
		return;
	}
	run_ends();
	set.first = first + from;
	set.n = n;
}

void trace_set_end(void)
{
	run_ends();
}

/* ---- out ---- */

u32 trace_crc(u32 crc, const void *bytes, size_t n)
{
	static const u32 nibble[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const u8 *p = bytes;

	crc = ~crc;
	for (size_t i = 0; i < n; i++) {
		crc = crc >> 4 ^ nibble[(crc ^ p[i]) & 15];
		crc = crc >> 4 ^ nibble[(crc ^ p[i] >> 4) & 15];
	}
	return ~crc;
}

u32 trace_frame(u8 *out, u32 most)
{
	u32 n = (u32)MIN(ring.head - ring.tail, (u64)most), crc, bytes;
	struct trace_head h = { .magic = TRACE_MAGIC, .version = TRACE_VERSION, .records = (u16)n,
				.time_lo = (u32)ring.time_us, .time_hi = (u32)(ring.time_us >> 32) };

	if (!n)
		return 0;
	h.seq = ring.seq++;
	memcpy(out, &h, sizeof(h));
	for (u32 i = 0; i < n; i++) {
		const struct trace_rec *r = at(ring.tail++);

		if (trace_timed(r))
			ring.time_us += (u32)(r->time - (u32)ring.time_us);
		memcpy(out + sizeof(h) + i * sizeof(*r), r, sizeof(*r));
	}
	bytes = (u32)TRACE_FRAME_BYTES(n);
	crc = trace_crc(0, out + sizeof(h.magic), bytes - sizeof(h.magic) - sizeof(crc));
	memcpy(out + bytes - sizeof(crc), &crc, sizeof(crc));
	return bytes;
}

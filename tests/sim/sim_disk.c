/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sim_disk.c - a disk in memory. Requests complete in random order, and a write takes its data either when it
 * starts or when it completes, so that code that relies on what it was not promised is found out.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/arch.h"
#include "tests/sim/sim.h"

#define DEPTH 8

static u8 *bytes;
static struct block_dev disk;
static struct block_req *flight[DEPTH];
static u8 *early[DEPTH]; /* a write's data as it was when it started; NULL: taken at completion */
static struct sim_disk_faults faults;

/* A disk that takes time. */
static struct {
	u32 slots; /* 0: it does not */
	u64 fixed_ns, byte_ps, free_ns[DEPTH], end[DEPTH];
	struct sim_law_note note[DEPTH];
} timed;

void sim_disk_timed(u32 slots, u64 fixed_ns, u64 byte_ps)
{
	timed.slots = MIN(slots, DEPTH);
	timed.fixed_ns = fixed_ns;
	timed.byte_ps = byte_ps;
}

static u64 cost(u32 sectors)
{
	return timed.fixed_ns + (u64)sectors * SECTOR_SIZE * timed.byte_ps / 1000;
}

static void take_time(u32 i)
{
	const struct block_req *r = flight[i];
	u64 *slot = &timed.free_ns[0], begin;

	for (u32 k = 1; k < timed.slots; k++)
		if (timed.free_ns[k] < *slot)
			slot = &timed.free_ns[k];
	begin = MAX(*slot, arch_ns());
	timed.end[i] = *slot = begin + cost(r->nsectors);
	sim_law_started(&timed.note[i], r, begin, *slot,
			cost(container_of(r, struct block_cmd, hw)->first->nsectors));
}
static u32 errors;

static u8 *snapshot(const struct block_req *r)
{
	u8 *copy = malloc((size_t)r->nsectors * SECTOR_SIZE), *at = copy;

	for (u32 i = 0; i < r->nsegs; at += r->segs[i++].len)
		memcpy(at, hpa_ptr(r->segs[i].addr), r->segs[i].len);
	return copy;
}

static void start(struct block_dev *d, struct block_req *r)
{
	(void)d;
	for (u32 i = 0; i < DEPTH; i++)
		if (!flight[i]) {
			flight[i] = r;
			early[i] = r->op == BLOCK_WRITE && sim_chance(2) ? snapshot(r) : NULL;
			if (timed.slots)
				take_time(i);
			return;
		}
	sim_fail("disk: more than %u requests in flight", DEPTH);
}

static const struct block_ops ops = { .start = start };

struct block_dev *sim_disk_create(const char *name, u64 sectors)
{
	bytes = calloc(sectors, SECTOR_SIZE);
	strncpy(disk.name, name, sizeof(disk.name) - 1);
	disk.sectors = sectors;
	disk.depth = DEPTH;
	disk.max_sectors = 2048;
	disk.ops = &ops;
	block_register(&disk);
	return &disk;
}

u8 *sim_disk_bytes(u64 sector) { return bytes + sector * SECTOR_SIZE; }
void sim_disk_inject(const struct sim_disk_faults *f) { faults = *f; }

u32 sim_disk_errors(void)
{
	u32 n = errors;

	errors = 0;
	return n;
}

static bool fails(const struct block_req *r)
{
	u32 one_in = r->op == BLOCK_READ ? faults.read_one_in : faults.write_one_in;

	return one_in && r->op != BLOCK_FLUSH && r->sector >= faults.first &&
	       r->sector < faults.first + faults.sectors && sim_chance(one_in);
}

static void transfer(struct block_req *r, const u8 *data)
{
	u8 *at = sim_disk_bytes(r->sector);

	if (r->sector + r->nsectors > disk.sectors)
		sim_fail("disk: request beyond the end");
	for (u32 i = 0; i < r->nsegs; i++) {
		u8 *mem = hpa_ptr(r->segs[i].addr);

		if (r->op == BLOCK_READ)
			memcpy(mem, at, r->segs[i].len);
		else
			memcpy(at, data ? data : mem, r->segs[i].len);
		at += r->segs[i].len;
		data = data ? data + r->segs[i].len : NULL;
	}
	if (at != sim_disk_bytes(r->sector + r->nsectors))
		sim_fail("disk: segments do not add up to the sectors");
}

static void complete(struct block_req *r, const u8 *data)
{
	if (fails(r)) {
		errors++;
		/* a failed read may have scribbled over its target */
		if (r->op == BLOCK_READ)
			for (u32 k = 0; k < r->nsegs; k++)
				memset(hpa_ptr(r->segs[k].addr), 0xEE, r->segs[k].len);
		block_complete(r, E_IO);
		return;
	}
	if (r->op != BLOCK_FLUSH)
		transfer(r, data);
	block_complete(r, E_OK);
}

static void end_one(u32 at)
{
	struct block_req *r = flight[at];
	u8 *data = early[at];

	flight[at] = NULL; /* done() may start another here */
	early[at] = NULL;
	complete(r, data);
	free(data);
}

/* The one that has ended first; DEPTH: none has. */
static u32 first_ended(void)
{
	u32 best = DEPTH;

	for (u32 i = 0; i < DEPTH; i++)
		if (flight[i] && timed.end[i] <= arch_ns() &&
		    (best == DEPTH || timed.end[i] < timed.end[best]))
			best = i;
	return best;
}

u64 sim_disk_due(void)
{
	u64 due = ~0ull;

	for (u32 i = 0; i < DEPTH && timed.slots; i++)
		if (flight[i])
			due = MIN(due, timed.end[i]);
	return due;
}

static bool complete_timed(void)
{
	bool any = false;

	for (u32 i; (i = first_ended()) < DEPTH; any = true) {
		sim_law_ended(&timed.note[i], flight[i]);
		end_one(i);
		sim_law_seen(&disk);
	}
	return any;
}

bool sim_disk_complete(u32 n)
{
	bool any = false;

	if (timed.slots)
		return complete_timed();
	while (n--) {
		u32 from = sim_below(DEPTH), i = 0;

		while (i < DEPTH && !flight[(from + i) % DEPTH])
			i++;
		if (i == DEPTH)
			return any;
		any = true;
		end_one((from + i) % DEPTH);
	}
	return any;
}

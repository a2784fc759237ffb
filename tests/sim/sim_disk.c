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

bool sim_disk_complete(u32 n)
{
	bool any = false;

	while (n--) {
		u32 from = sim_below(DEPTH), i = 0, at;
		struct block_req *r;
		u8 *data;

		while (i < DEPTH && !flight[(from + i) % DEPTH])
			i++;
		if (i == DEPTH)
			return any;
		at = (from + i) % DEPTH;
		r = flight[at];
		data = early[at];
		flight[at] = NULL; /* done() may start another here */
		early[at] = NULL;
		any = true;
		complete(r, data);
		free(data);
	}
	return any;
}

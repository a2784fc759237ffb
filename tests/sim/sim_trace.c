/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sim_trace.c - the wire that a recording leaves by: everything goes to a file, and is read back as it
 * passes. At the end the misses that were recorded must be those that were counted, exactly. The wire is slow
 * at random, so that the ring fills up when it is small.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/trace/tracer.h"
#include "kernel/vm.h"
#include "tests/sim/sim.h"

static FILE *out;
static u32 seq;
static u64 count[VM_MAX][TRACE_CLASSES], ahead[VM_MAX][TRACE_CLASSES], start[VM_MAX][TRACE_COUNTS], lost,
	passes, kept, end;
static u64 dropped_time;
static u32 slow = 1;

int tracer_port_open(const char *spec)
{
	return out && !strcmp(spec, "file") ? 0 : E_NOENT;
}

u32 tracer_port_room(void)
{
	return sim_chance(slow) ? sim_below(6000) : 0;
}

static void read_record(const struct trace_rec *r)
{
	u64 v = r->page | (u64)r->value << 32;

	kept++;
	if (r->vm >= VM_MAX && r->vm != TRACE_NO_VM)
		sim_fail("trace: guest %u", r->vm);
	if (!r->kind || r->kind >= TRACE_KINDS || end)
		sim_fail("trace: kind %u, or a record after the end", r->kind);
	if (r->kind == TRACE_MISS)
		count[r->vm][r->cls & 15]++;
	if (r->kind == TRACE_AHEAD)
		ahead[r->vm][r->cls] += r->value;
	if (r->kind == TRACE_COUNT && !passes && !start[r->vm][r->cls])
		start[r->vm][r->cls] = v;
	passes += r->kind == TRACE_PASS;
	lost += r->kind == TRACE_LOST ? r->value : 0;
	if (r->kind == TRACE_END) {
		end = v;
		if (v != kept)
			sim_fail("trace: %llu records arrived of %llu", (unsigned long long)kept,
				 (unsigned long long)v);
	}
}

void tracer_port_write(const u8 *bytes, u32 n)
{
	struct trace_head h;
	struct trace_rec r;
	u64 time;
	u32 crc;

	fwrite(bytes, 1, n, out);
	memcpy(&h, bytes, sizeof(h));
	memcpy(&crc, bytes + n - 4, 4);
	if (h.magic != TRACE_MAGIC || h.seq != seq++ || n != TRACE_FRAME_BYTES(h.records) ||
	    crc != trace_crc(0, bytes + 4, n - 8))
		sim_fail("trace: frame %u is broken", seq - 1);
	time = h.time_lo | (u64)h.time_hi << 32;
	if (time < dropped_time)
		sim_fail("trace: time goes back");
	dropped_time = time;
	for (u32 i = 0; i < h.records; i++) {
		memcpy(&r, bytes + sizeof(h) + i * sizeof(r), sizeof(r));
		read_record(&r);
	}
}

void sim_trace_start(const char *file, u64 bytes)
{
	char why[200];

	slow = bytes < 128 * KIB ? 400 : 1;
	out = fopen(file, "wb");
	if (!out || tracer_on(bytes, "file", why, sizeof(why)))
		sim_fail("trace: %s: %s", file, out ? why : "can't be written");
}

static void same(const struct vm *vm, const char *what, u64 recorded, u64 counted)
{
	if (recorded != counted)
		sim_fail("trace: %s: %llu %s recorded, %llu counted", vm->name, (unsigned long long)recorded,
			 what, (unsigned long long)counted);
}

void sim_trace_end(void)
{
	char why[200];

	if (!out)
		return;
	if (tracer_off(why, sizeof(why)))
		sim_fail("trace: %s", why);
	for (u32 i = 0; i < 1000000 && !end; i++)
		tracer_poll(~0ull >> 1);
	fclose(out);
	printf("sim: trace: %llu records, %llu lost, %llu passes\n", (unsigned long long)kept,
	       (unsigned long long)lost, (unsigned long long)passes);
	if (!end || !passes)
		sim_fail("trace: no end or no pass arrived");
	for (u32 i = 0; i < vm_count && !lost; i++) {
		const struct vm *vm = vm_all[i];
		const struct vm_counters *n = &vm->mem.n;
		const u64 *c = count[i], *a = ahead[i];

		same(vm, "soft hits", c[TRACE_SOFT] + start[i][TRACE_N_SOFT], n->soft_hits);
		same(vm, "cache hits", c[TRACE_CACHE] + c[TRACE_READ_CACHE] + start[i][TRACE_N_CACHE],
		     n->cache_hits);
		same(vm, "disk reads",
		     c[TRACE_DISC] + c[TRACE_RESCUE] + a[TRACE_DISC] + start[i][TRACE_N_DISC], n->disc_reads);
		same(vm, "swap reads", c[TRACE_SWAP] + a[TRACE_SWAP] + start[i][TRACE_N_SWAP], n->swap_reads);
		same(vm, "zero fills", c[TRACE_ZERO] + start[i][TRACE_N_ZERO], n->zero_fills);
		same(vm, "pages around", a[TRACE_ZERO] + start[i][TRACE_N_AROUND], n->around);
		same(vm, "unread overwrites",
		     c[TRACE_OVERWRITE] + c[TRACE_DROPPED] + start[i][TRACE_N_UNREAD], n->overwrites_unread);
	}
}

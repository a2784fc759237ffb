/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sim_law.c - the law of disks, checked at every page that a guest waits for while the simulated disk
 * takes time (sim --disk).
 *
 * A demand read of guest g is done after the disk has worked at most 2 x (sum of the weights / g's
 * weight) x (the time of g's own requests since its queue was last empty, this one included) + the time
 * of one largest request. "Worked" is the disk's own time: while a command that ended has not been seen
 * yet, the disk stands still.
 */
#include "arch/x86_64/arch.h"
#include "tests/sim/sim.h"

#define INTERVALS 1024u

/* when commands were carried out, in the order of their starts */
static struct { u64 start, end; } done[INTERVALS];
static u32 count;
/* time of each owner's commands; the same when its queue was last empty */
static u64 worked[FAIR_OWNERS], base[FAIR_OWNERS];
static u64 largest_ns, checked;
static u32 worst_percent;

void sim_law_started(struct sim_law_note *n, const struct block_req *hw, u64 start, u64 end, u64 whole_ns)
{
	done[count % INTERVALS].start = start;
	done[count++ % INTERVALS].end = end;
	worked[hw->owner] += end - start;
	largest_ns = MAX(largest_ns, whole_ns);
	n->own_ns = worked[hw->owner] - base[hw->owner];
}

/* How long the disk did anything between two times. */
static u64 worked_between(u64 from, u64 to)
{
	u32 n = MIN(count, INTERVALS);
	u64 sum = 0, upto = from;

	for (u32 i = count - n; i < count; i++) {
		u64 s = MAX(done[i % INTERVALS].start, upto), e = MIN(done[i % INTERVALS].end, to);

		if (e > s) {
			sum += e - s;
			upto = e;
		}
	}
	return sum;
}

void sim_law_ended(const struct sim_law_note *n, const struct block_req *hw)
{
	const struct block_cmd *c = container_of(hw, struct block_cmd, hw);
	u64 weights = 0, took, bound;

	if (hw->class != BLOCK_DEMAND || c->first->handed < c->first->nsectors || c->first->out > 1)
		return;
	for (u32 i = 0; i < vm_count; i++)
		weights += vm_all[i]->weight;
	took = worked_between(c->first->since_ns, arch_ns());
	bound = 2 * weights * n->own_ns / vm_all[hw->owner]->weight + largest_ns;
	if (took > bound)
		sim_fail("%s: the disk worked %llu us before a page-in was done; its own part is %llu us, "
			 "the bound %llu us",
			 vm_all[hw->owner]->name, (unsigned long long)took / 1000,
			 (unsigned long long)n->own_ns / 1000, (unsigned long long)bound / 1000);
	worst_percent = MAX(worst_percent, (u32)(took * 100 / bound));
	checked++;
}

void sim_law_seen(const struct block_dev *d)
{
	for (u32 i = 0; i < FAIR_OWNERS; i++)
		if (!d->queue[i].waiting && !d->queue[i].active)
			base[i] = worked[i];
}

u64 sim_law_checked(u32 *percent)
{
	*percent = worst_percent;
	return checked;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * turn.c - who pays for the main loop. Contract: turn.h. Called from the main loop and from exit handlers.
 */
#include "kernel/turn.h"
#include "arch/x86_64/arch.h"
#include "kernel/pcpu.h"

/*
 * A slice / this is what a guest that sleeps keeps of its share: twice what ends another's slice, so
 * that one that uses less than its share need not wait when its disk or timer wakes it
 * (hostile.share.disk.spin).
 */
#define SLEEPERS_CREDIT 2

/* ---- virtual time ---- */

u64 turn_slice_ticks(void)
{
	return arch_ns_to_tsc(TURN_SLICE_MS * 1000000ull);
}

/*
 * Who could not run, and had less than its share, is served at once when it can: it keeps a credit, but
 * no more of that time.
 */
u64 turn_vtime(const struct vcpu *v)
{
	u64 credit = turn_slice_ticks() / SLEEPERS_CREDIT, now = pcpu_this()->vruntime;

	return v->ready ? v->vruntime : MAX(v->vruntime, now - MIN(credit, now));
}

void turn_pay(struct vcpu *v, u64 ticks)
{
	u32 weight = MAX(v->vm->weight, 1u);

	v->vruntime += (ticks * TURN_WEIGHT + weight - 1) / weight; /* nothing is free */
}

void turn_charge(struct vcpu *v, u64 ticks)
{
	v->vruntime = turn_vtime(v); /* else what it pays now would be forgiven when it wakes */
	turn_pay(v, ticks);
	pcpu_this()->paid += ticks;
}

/* ---- turns ---- */

u64 turn_lap(void)
{
	struct pcpu *s = pcpu_this();
	u64 now = arch_tsc(), ticks = now - s->mark;

	ticks -= MIN(ticks, s->paid);
	s->mark = now;
	s->paid = 0;
	return ticks;
}

/* Rounded up: nobody's part is lost. */
static void split(u32 causes, u64 ticks)
{
	u32 n = (u32)__builtin_popcount(causes);

	for (u32 i = 0; i < vm_count; i++)
		if (causes & 1u << vm_all[i]->id)
			turn_charge(&vm_all[i]->vcpu, (ticks + n - 1) / n);
}

void turn_end(void)
{
	struct pcpu *s = pcpu_this();
	u64 ticks = turn_lap();

	if (s->causes)
		split(s->causes, ticks);
	else
		s->own_ticks += ticks;
	s->causes = 0;
	s->paid = 0; /* split() paid for a lap that is over */
}

void turn_own(u64 ticks)
{
	pcpu_this()->paid += ticks;
	pcpu_this()->own_ticks += ticks;
}

void turn_measure(void (*work)(void))
{
	struct pcpu *s = pcpu_this();
	/* In a slice nobody has asked for a turn yet: what was noted so far is the running guest's own
	 * affair. */
	u32 before = s->current ? 0 : s->causes, during;
	u64 start = arch_tsc();

	s->causes = 0;
	work();
	during = s->causes;
	if (during)
		split(during, arch_tsc() - start);
	/* Whose completion asked for a turn is a cause of that turn too. */
	s->causes = s->work ? before | during : before;
}

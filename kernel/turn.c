/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * turn.c - who pays for the main loop. Contract: turn.h. Called from the main loop and from exit handlers.
 */
#include "kernel/turn.h"
#include "arch/x86_64/arch.h"
#include "kernel/vcpu.h"

static u32 bit_of(const struct vm *vm)
{
	return 1u << vm->id;
}
_Static_assert(VM_MAX <= 32, "vcpu_sched.causes has a bit for each guest");

void turn_blame(const struct vm *vm)
{
	vcpu_sched.causes |= bit_of(vm);
}

u64 turn_lap(void)
{
	struct vcpu_sched *s = &vcpu_sched;
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
		if (causes & bit_of(vm_all[i]))
			vcpu_charge(&vm_all[i]->vcpu, (ticks + n - 1) / n);
}

void turn_end(void)
{
	struct vcpu_sched *s = &vcpu_sched;
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
	vcpu_sched.paid += ticks;
	vcpu_sched.own_ticks += ticks;
}

void turn_measure(void (*work)(void))
{
	struct vcpu_sched *s = &vcpu_sched;
	/* In a slice nobody has asked for a turn yet: what was noted so far is the running guest's own affair. */
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

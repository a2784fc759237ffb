/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * resting.c - when what all guests touch does not fit and nobody gets on, they take turns: one of those that
 * touch more than their fair share rests for a while, and all that it holds above its min is there for the
 * others. A guest that keeps to its share never rests.
 *
 * Thrash is measured, not guessed: W1 of all guests exceeds the frames, and vCPUs stood waiting for pages far
 * longer than any ran, for several seconds on end. Called once a decision, from the balancer.
 */
#include "arch/x86_64/arch.h"
#include "kernel/balancer.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/pcpu.h"
#include "kernel/turn.h"
#include "kernel/vm.h"

#define INTERVAL_NS 1000000000ull
#define PATIENCE 5            /* thrashing intervals before anybody rests */
#define TURN_NS 5000000000ull

static struct {
	u64 last_ns, last_run, last_stall;
	u32 thrashing;        /* intervals so far */
	u32 turn;             /* where the search for the next one to rest begins */
	u32 fair[VM_MAX];     /* shares by weight when all of them ran last */
} rest;

static bool active(const struct vm *vm)
{
	return vm->state == VM_RUNNING || vm->state == VM_RESTING;
}

static u32 touched(const struct vm *vm)
{
	return MIN(MAX(vm->mem.ages.w1_avg, vm->mem.min), vm->mem.max);
}

static bool measure_thrash(const struct balance *b, u64 now)
{
	u64 need = 0, run = 0, stall = 0, span = now - rest.last_ns, ran, stalled;

	for (u32 i = 0; i < vm_count; i++) {
		if (!active(vm_all[i]))
			continue;
		need += touched(vm_all[i]);
		run += vm_all[i]->vcpu.run_ticks;
		stall += vm_all[i]->mem.n.stall_ticks;
	}
	/* A guest that was stopped takes its ticks out of the sums. */
	ran = run > rest.last_run ? arch_tsc_to_ns(run - rest.last_run) : 0;
	stalled = stall > rest.last_stall ? arch_tsc_to_ns(stall - rest.last_stall) : 0;
	rest.last_ns = now;
	rest.last_run = run;
	rest.last_stall = stall;
	return need > b->frames && stalled > span && ran < span / 4;
}

static bool offends(const struct vm *vm)
{
	return vm->state == VM_RUNNING && rest.fair[vm->id] && touched(vm) > rest.fair[vm->id];
}

static void wake_rested(u64 now)
{
	for (u32 i = 0; i < vm_count; i++) {
		struct vm *vm = vm_all[i];

		if (vm->state != VM_RESTING || now - vm->rested_at < TURN_NS)
			continue;
		vm->state = VM_RUNNING;
		vm->vcpu.look = true;
		pager_resumed(&vm->mem);
		balancer_back(vm);
		log_info("%s: runs again after its rest", vm->name);
		pcpu_kick();
	}
}

static void rest_next(u64 now)
{
	u32 running = 0;

	for (u32 i = 0; i < vm_count; i++)
		running += vm_all[i]->state == VM_RUNNING;
	for (u32 k = 0; running > 1 && k < vm_count; k++) {
		u32 i = (rest.turn + k) % vm_count;
		struct vm *vm = vm_all[i];

		if (!offends(vm))
			continue;
		vm->state = VM_RESTING;
		vm->rested_at = now;
		balancer_away(vm);
		rest.turn = i + 1;
		log_warn("%s: rests for %llu s: what all guests touch does not fit (it touches %u MiB, its "
			 "fair share is %u)",
			 vm->name, TURN_NS / 1000000000ull, touched(vm) / 256, rest.fair[vm->id] / 256);
		pcpu_kick();
		return;
	}
}

u32 balancer_resting(void)
{
	u32 n = 0;

	for (u32 i = 0; i < vm_count; i++)
		n += vm_all[i]->state == VM_RESTING;
	return n;
}

static void note_fair(void)
{
	for (u32 i = 0; i < vm_count; i++) {
		const struct balance_vm *v = balancer_vm(vm_all[i]);

		rest.fair[vm_all[i]->id] = v ? v->why.fair : 0;
	}
}

void resting_step(const struct balance *b, u64 now)
{
	if (!balancer_resting())
		note_fair();
	wake_rested(now);
	if (now - rest.last_ns < INTERVAL_NS)
		return;
	rest.thrashing = measure_thrash(b, now) ? rest.thrashing + 1 : 0;
	if (rest.thrashing < PATIENCE)
		return;
	rest.thrashing = 0;
	rest_next(now);
}

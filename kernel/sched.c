/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sched.c - virtual time: who runs next, and until when. Contract: sched.h.
 */
#include "kernel/sched.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/balancer.h"
#include "kernel/console/console.h"
#include "kernel/exit/guest_regs.h"
#include "kernel/pcpu.h"
#include "kernel/turn.h"

#define SLICES_ALONE 5 /* whoever has the CPU for itself is disturbed less; a wake-up ends the slice */
/*
 * half a year of a guest of weight 1, alone at 3 GHz: all virtual times are put back, long before they wrap
 */
#define REBASE BIT64(62)
#define FAR_NS 1000000000ull /* nothing is looked at less often */
/* a guest that wakes ends another's slice once that is ahead of it by a slice / this */
#define AHEAD_OF_WOKEN 4

static bool runnable(const struct vm *vm)
{
	return vm->state == VM_RUNNING && vm->vcpu.state == VCPU_RUNNABLE && !console_holds(vm);
}

/* ---- who runs ---- */

/* Timers of guests that are out, and halted guests that have an interrupt to take. */
static void wake_halted(struct vm *vm, u64 now)
{
	struct vcpu *v = &vm->vcpu;
	u64 deadline = vboard_deadline(vm->board);

	if (deadline && deadline <= now)
		vboard_tick(vm->board, now);
	if (v->state != VCPU_HALTED || !(v->regs->rflags & REGS_IF) || vboard_irq_pending(vm->board) < 0)
		return;
	v->state = VCPU_RUNNABLE;
	v->look = true;
	backend->wake_from_hlt(v->hw);
}

/* Can it run? Who newly wants the CPU, for its vCPU or its queues, takes its place in virtual time. */
static bool look_at(struct vm *vm, u64 now)
{
	struct vcpu *v = &vm->vcpu;
	bool run;

	if (vm->state == VM_RUNNING)
		wake_halted(vm, now);
	run = runnable(vm);
	if (!run)
		v->fresh = true;
	if (!v->ready)
		v->vruntime = turn_vtime(v);
	v->ready = run || vm_queue_waits(vm);
	return run;
}

/* Time goes on with the least of those that wanted the CPU at the last look: who wakes now comes back near
 * that. */
static void move_on(void)
{
	u64 least = ~0ull;

	for (u32 i = 0; i < vm_count; i++)
		if (vm_all[i]->vcpu.ready)
			least = MIN(least, vm_all[i]->vcpu.vruntime);
	if (least != ~0ull)
		pcpu_this()->vruntime = MAX(pcpu_this()->vruntime, least);
	if (pcpu_this()->vruntime < REBASE)
		return;
	pcpu_this()->vruntime -= REBASE / 2;
	for (u32 i = 0; i < vm_count; i++)
		vm_all[i]->vcpu.vruntime -= MIN(vm_all[i]->vcpu.vruntime, REBASE / 2);
}

/* Its queues want the CPU, and it is not its vCPU's turn. */
static bool queue_asks(const struct vm *vm)
{
	return vm_queue_waits(vm) && !(vm->vcpu.queue_went && runnable(vm));
}

/* Of the guests whose queues ask the one with the least virtual time; NULL: none does. */
static struct vm *first_queue(void)
{
	struct vm *best = NULL;

	for (u32 i = 0; i < vm_count; i++)
		if (queue_asks(vm_all[i]) &&
		    (!best || turn_vtime(&vm_all[i]->vcpu) < turn_vtime(&best->vcpu)))
			best = vm_all[i];
	return best;
}

struct vm *sched_queue(u64 now)
{
	struct vm *vm;
	u64 least = ~0ull, own;

	move_on();
	vm = first_queue();
	if (!vm)
		return NULL;
	/* Who was woken since the last look counts. */
	for (u32 i = 0; i < vm_count; i++)
		if (look_at(vm_all[i], now))
			least = MIN(least, vm_all[i]->vcpu.vruntime);
	own = turn_vtime(&vm->vcpu);
	if (own > least && own - least > turn_slice_ticks() / AHEAD_OF_WOKEN)
		return NULL;
	pcpu_this()->vruntime = MAX(pcpu_this()->vruntime, MIN(own, least)); /* as if it were picked */
	return vm;
}

/* A guest's queues are so far behind v that its vCPU would be preferred. */
static bool queue_is_preferred(const struct vcpu *v)
{
	const struct vm *vm = first_queue();

	return vm && &vm->vcpu != v &&
	       turn_vtime(&vm->vcpu) + turn_slice_ticks() / AHEAD_OF_WOKEN < v->vruntime;
}

struct vcpu *sched_pick(u64 now, bool more)
{
	struct pcpu *s = pcpu_this();
	struct vcpu *best = NULL, *last = s->last;
	u64 slice = turn_slice_ticks();
	u32 n = 0;

	move_on();
	for (u32 i = 0; i < vm_count; i++) {
		struct vm *vm = vm_all[i];

		if (!look_at(vm, now))
			continue;
		n++;
		if (!best || vm->vcpu.vruntime < best->vruntime)
			best = &vm->vcpu;
	}
	if (!best || queue_is_preferred(best))
		return NULL;
	/* A slice is not cut short for a small difference. */
	if (last && best != last && runnable(last->vm) && now < s->slice_end &&
	    last->vruntime < best->vruntime + slice / AHEAD_OF_WOKEN)
		best = last;
	if (best != last || now >= s->slice_end)
		s->slice_end = now + (n == 1 && !more ? slice * SLICES_ALONE : slice);
	s->vruntime = MAX(s->vruntime, best->vruntime);
	best->fresh = false;
	return best;
}

/* ---- what ends a slice or a wait ---- */

static void sooner(struct sched_end *e, u64 at, u32 for_whom)
{
	if (at == e->at && for_whom)
		e->for_whom |= for_whom;
	if (at >= e->at)
		return;
	e->at = at;
	e->for_whom = for_whom;
}

static u64 to_grid(u64 tsc)
{
	u64 grid = MAX(arch_ns_to_tsc(TURN_GRID_NS), 1ull);

	return (tsc + grid - 1) / grid * grid;
}

/* When v, if it runs on from now, is so far ahead of w that sched_pick() prefers w. */
static u64 overtaken(const struct vcpu *v, const struct vcpu *w, u64 now)
{
	u64 slice = turn_slice_ticks(), limit = turn_vtime(w) + slice / AHEAD_OF_WOKEN;

	if (!v || limit <= v->vruntime)
		return now;
	return now + MIN(limit - v->vruntime, slice * SLICES_ALONE) * v->vm->weight / TURN_WEIGHT;
}

/* When vm next asks for CPU time that it has not: TSC, 0: it does not. */
static u64 asks_at(const struct vm *vm, u64 now)
{
	const struct vcpu *w = &vm->vcpu;

	if (vm_queue_waits(vm))
		return now;
	if (vm->state != VM_RUNNING)
		return 0;
	if (w->state != VCPU_HALTED)
		return w->fresh && runnable(vm) ? now : 0;
	/* Halted for good: its timers would only cut others' slices short. */
	return w->regs->rflags & REGS_IF ? vboard_deadline(vm->board) : 0;
}

/*
 * A guest that sleeps until its timer, that woke and waits for its first slice, or whose queues wait
 * ends v's slice when it is preferred to v, and not before: to end it earlier would only cost a turn of
 * the loop. v's own queues take turns with its vCPU.
 */
static void ending_by_guest(struct sched_end *e, const struct vcpu *v, const struct vm *vm, u64 now)
{
	u64 at = asks_at(vm, now);

	if (&vm->vcpu == v)
		at = vm_queue_waits(vm) ? now + 1 : 0;
	else if (at)
		at = MAX(at, overtaken(v, &vm->vcpu, now));
	if (at)
		sooner(e, to_grid(at), 1u << vm->id);
}

/* The earliest thing that ends v's slice, or (v NULL) a wait, besides v's own timers. */
struct sched_end sched_end(const struct vcpu *v, u64 now, u64 until)
{
	struct sched_end e = { until, v ? 1u << v->vm->id : 0 };
	/* the TSC did not start with our clock */
	u64 due = balancer_due(), limited = block_due_ns(), now_ns = arch_ns();

	for (u32 i = 0; i < vm_count; i++) {
		struct vm *vm = vm_all[i];

		if (vm->state == VM_STARTING && vm->not_before > now_ns)
			sooner(&e, now + arch_ns_to_tsc(vm->not_before - now_ns), 1u << vm->id);
		ending_by_guest(&e, v, vm, now);
	}
	due = MIN(due, limited > now_ns ? limited : due);
	sooner(&e, now + (due > now_ns ? arch_ns_to_tsc(MIN(due - now_ns, FAR_NS)) : 0), 0);
	return e;
}

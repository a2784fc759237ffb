/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcpu.c - the main loop and the hot path. ARCHITECTURE.md, "No threads".
 *
 * vcpu_run() is the hot path: enter, handle, enter again. It looks at timers and interrupts only
 * when v->look says that they may have changed, and returns to the main loop only for vcpu_sched.work.
 * Only here RIP is advanced. Fairness: the runnable vCPU with the least weighted run time gets a slice.
 */
#include "kernel/vcpu.h"
#include "arch/x86_64/arch.h"
#include "kernel/backends.h"
#include "kernel/balancer.h"
#include "kernel/console.h"
#include "kernel/exit.h"
#include "kernel/guest_regs.h"
#include "kernel/lib/lib.h"
#include "kernel/pager.h"
#include "kernel/tracer.h"

#define VRUNTIME_WEIGHT 100 /* of a guest whose virtual time runs as fast as real time */
#define HOUSEKEEPING_MS 20
#define VCPU_SLICES_ALONE 5 /* whoever has the CPU for itself is disturbed less; a wake-up ends the slice */
#define FAR_NS 1000000000ull /* nothing is looked at less often */
#define PROGRESS_NS 50000 /* a slice is never shorter, whatever is due: guests must move */

struct vcpu_sched vcpu_sched;
void (*vcpu_housekeeping)(u64 now_ns);

void vcpu_block(struct vcpu *v)
{
	if (v->woken) /* it came while the exit was handled: try again */
		return;
	v->state = VCPU_BLOCKED;
	v->blocked_since = arch_tsc();
	vcpu_kick();
}

void vcpu_reset(struct vcpu *v, const struct virt_entry *e)
{
	backend->vcpu_reset(v->hw, e);
	v->regs = backend->regs(v->hw);
	v->state = VCPU_RUNNABLE;
	v->xcr0 = 1;
	v->look = true;
	v->woken = v->window = false;
	v->entered_at = arch_tsc();
	v->vruntime = MAX(v->vruntime, vcpu_sched.vruntime);
}

void vcpu_charge(struct vcpu *v, u64 ticks)
{
	v->vruntime += ticks * VRUNTIME_WEIGHT / MAX(v->vm->weight, 1u);
}

/* ---- before an entry ---- */

/* Fires timers that are due and offers the highest interrupt. Returns when to come back, TSC. */
static u64 vcpu_look(struct vcpu *v)
{
	struct vboard *b = v->vm->board;
	u64 now = arch_tsc(), deadline = vboard_deadline(b);
	bool want = false;
	int vector;

	v->look = false;
	if (deadline && deadline <= now) {
		vboard_tick(b, now);
		deadline = vboard_deadline(b);
	}
	if (now >= vcpu_sched.slice_end)
		vcpu_kick();
	vector = vboard_irq_pending(b);
	if (vector >= 0) {
		want = !backend->can_take_irq(v->hw);
		if (!want) {
			vboard_irq_taken(b, (u8)vector);
			backend->inject_irq(v->hw, (u8)vector);
		}
	}
	if (want != v->window) {
		backend->want_irq_window(v->hw, want);
		v->window = want;
	}
	v->look = false; /* what the board just did needs no second look */
	return deadline && deadline < vcpu_sched.slice_end ? deadline : vcpu_sched.slice_end;
}

static void vcpu_run(struct vcpu *v)
{
	const struct virt_ops *ops = backend;
	struct vm_mem *m = &v->vm->mem;
	enum verdict verdict;
	struct vmexit x;
	u64 deadline = vcpu_look(v);

	while (!vcpu_sched.work) {
		if (unlikely(m->slat.stale))
			pager_flush(m);
		ops->enter(v->hw, deadline, &x);
		v->exits[x.kind]++;
		v->woken = false;
		verdict = exit_table[x.kind](v, &x);
		if (likely(verdict == V_NEXT)) {
			if (x.insn_len)
				ops->skip(v->hw, x.insn_len);
		} else if (verdict == V_BLOCK) {
			vcpu_block(v);
		} else if (verdict == V_KILL || arch_tsc() >= vcpu_sched.slice_end) {
			/* The delivery of an event can exit again and again before any instruction, and then the
			 * backend's timer never gets its turn. */
			vcpu_kick();
		}
		/* One that halts or parks looks when it is woken. */
		if (v->look && v->state == VCPU_RUNNABLE)
			deadline = vcpu_look(v);
	}
}

static void vcpu_slice(struct vcpu *v)
{
	struct vcpu_sched *s = &vcpu_sched;
	u64 start = arch_tsc(), ran;

	if (s->last != v && s->last)
		backend->vcpu_put(s->last->hw);
	s->last = s->current = v;
	s->work = false;
	vcpu_run(v);
	s->current = NULL;
	ran = arch_tsc() - start;
	v->run_ticks += ran;
	v->vm->mem.n.run_ticks += ran;
	vcpu_charge(v, ran);
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
	/* Who slept is served soon, but can't save up its sleep. */
	v->vruntime = MAX(v->vruntime, vcpu_sched.vruntime);
}

/* more: there is background work, which is done between slices. */
static struct vcpu *pick(u64 now, bool more)
{
	struct vcpu_sched *s = &vcpu_sched;
	struct vcpu *best = NULL, *last = s->last;
	u64 slice = arch_ns_to_tsc(VCPU_SLICE_MS * 1000000ull);
	u32 runnable = 0;

	for (u32 i = 0; i < vm_count; i++) {
		struct vm *vm = vm_all[i];

		if (vm->state != VM_RUNNING)
			continue;
		wake_halted(vm, now);
		if (vm->vcpu.state != VCPU_RUNNABLE || console_holds(vm))
			continue;
		runnable++;
		if (!best || vm->vcpu.vruntime < best->vruntime)
			best = &vm->vcpu;
	}
	if (!best)
		return NULL;
	/* A slice is not cut short for a small difference. */
	if (last && best != last && last->vm->state == VM_RUNNING && last->state == VCPU_RUNNABLE &&
	    !console_holds(last->vm) && now < s->slice_end && last->vruntime < best->vruntime + slice / 4)
		best = last;
	if (best != last || now >= s->slice_end)
		s->slice_end = now + (runnable == 1 && !more ? slice * VCPU_SLICES_ALONE : slice);
	s->vruntime = MAX(s->vruntime, best->vruntime);
	return best;
}

/* The earliest thing that ends a slice or a wait, besides v's own timers. */
static u64 next_event(const struct vcpu *v, u64 now, u64 until)
{
	u64 due = balancer_due(), now_ns = arch_ns(); /* the TSC did not start with our clock */

	until = MIN(until, now + (due > now_ns ? arch_ns_to_tsc(MIN(due - now_ns, FAR_NS)) : 0));
	for (u32 i = 0; i < vm_count; i++) {
		const struct vm *vm = vm_all[i];
		u64 deadline;

		if (vm->state == VM_STARTING && vm->not_before > now_ns)
			until = MIN(until, now + arch_ns_to_tsc(vm->not_before - now_ns));
		if (vm->state != VM_RUNNING || &vm->vcpu == v || vm->vcpu.state != VCPU_HALTED)
			continue;
		if (!(vm->vcpu.regs->rflags & REGS_IF))
			continue; /* halted for good: its timers would only cut others' slices short */
		deadline = vboard_deadline(vm->board);
		if (deadline)
			until = MIN(until, deadline);
	}
	return until;
}

/* ---- the loop ---- */

static void retry_boards(void)
{
	for (u32 i = 0; i < vm_count; i++) {
		struct vm *vm = vm_all[i];
		u64 start;

		if (!vm->retry_board || !vm_has_memory(vm))
			continue;
		vm->retry_board = false;
		if (vm->state != VM_RUNNING && vm->state != VM_PAUSED && vm->state != VM_RESTING)
			continue;
		start = arch_tsc();
		vboard_retry(vm->board);
		vcpu_charge(&vm->vcpu, arch_tsc() - start);
	}
}

static void wait(u64 now)
{
	u64 until = next_event(NULL, now, now + arch_ns_to_tsc(HOUSEKEEPING_MS * 1000000ull));

	if (until <= now || vcpu_sched.work)
		return;
	/* A guest's lazy state may stay in the CPU: nobody else uses it. */
	arch_idle(until);
	vcpu_sched.idle_ticks += arch_tsc() - now;
}

void vcpu_loop_once(void)
{
	struct vcpu_sched *s = &vcpu_sched;
	struct vcpu *v;
	bool more;
	u64 now, slice_end;

	s->loops++;
	s->work = false;
	arch_irq_window();
	block_poll();
	more = pager_chore();
	vm_service();
	retry_boards();
	console_poll();
	balancer_poll(arch_ns());
	tracer_poll(arch_ns());
	if (vcpu_housekeeping)
		vcpu_housekeeping(arch_ns());
	now = arch_tsc();
	v = pick(now, more);
	if (!v) {
		if (!more)
			wait(now);
		return;
	}
	slice_end = s->slice_end;
	s->slice_end = MAX(next_event(v, now, slice_end), now + arch_ns_to_tsc(PROGRESS_NS));
	vcpu_slice(v);
	s->slice_end = slice_end;
}

void vcpu_loop(void)
{
	for (;;)
		vcpu_loop_once();
}

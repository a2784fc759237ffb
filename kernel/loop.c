/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loop.c - the main loop. ARCHITECTURE.md, "No threads".
 *
 * Who runs next is sched.c's business; what a guest causes between slices is charged by turn.c, and its
 * queues wait while it is ahead in virtual time (retry_boards()). A slice is vcpu.c's.
 */
#include "kernel/loop.h"
#include "arch/x86_64/arch.h"
#include "drivers/block.h"
#include "kernel/balancer.h"
#include "kernel/console/console.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/pcpu.h"
#include "kernel/sched.h"
#include "kernel/trace/tracer.h"
#include "kernel/turn.h"
#include "kernel/vcpu.h"
#include "kernel/vm_life.h"

#define HOUSEKEEPING_MS 20
/* most goes of guests' queues in one turn of the loop, of which the last begins within QUEUE_TURN_NS */
#define QUEUE_GOES 8
/*
 * After so long no further go begins: whoever was woken meanwhile waits for that, and for one go more. With
 * 200 us a neighbour that reads 4 KiB had half of its share (hostile.share.disk.read-4k).
 */
#define QUEUE_TURN_NS 50000u

void (*loop_housekeeping)(u64 now_ns);

/* Interrupts of disks among others, which were off since the last look, or a guest's slice, ended. */
static void look_at_devices(void)
{
	turn_measure(arch_irq_window);
	block_away(true);
}

static void vcpu_slice(struct vcpu *v)
{
	struct pcpu *s = pcpu_this();
	u64 ran;

	if (s->last != v && s->last)
		backend->vcpu_put(s->last->hw);
	turn_end();
	s->last = s->current = v;
	s->work = false;
	block_away(false); /* an interrupt ends what the guest does */
	vcpu_run(v);
	block_away(true);
	s->current = NULL;
	ran = turn_lap();
	v->run_ticks += ran;
	v->vm->mem.n.run_ticks += ran;
	turn_pay(v, ran);
}

/* ---- the loop ---- */

/* One go of what waits for the main loop: transfers, then the devices' queues. */
static void go_on(struct vm *vm)
{
	bool alive = vm->state == VM_RUNNING || vm->state == VM_PAUSED || vm->state == VM_RESTING;
	bool more = vm->io_more, retry = vm->retry_board;

	vm->io_more = vm->retry_board = false;
	if (more)
		guest_io_drive(&vm->mem);
	if (retry && alive)
		vboard_retry(vm->board);
}

static void go_and_pay(struct vm *vm)
{
	u64 from = arch_tsc();

	pcpu_blame(vm); /* the turn as well */
	go_on(vm);
	vm->vcpu.queue_went = true;
	turn_charge(&vm->vcpu, arch_tsc() - from);
}

/*
 * The queues of guests get time as their vCPUs do, in virtual time. They may refill themselves, so what a
 * turn does for them is bounded: somebody who wakes meanwhile waits for so long. True: some are left.
 */
static bool retry_boards(void)
{
	u64 end = arch_tsc() + arch_ns_to_tsc(QUEUE_TURN_NS);
	struct vm *vm;

	for (u32 goes = 0; goes < QUEUE_GOES && arch_tsc() < end && (vm = sched_queue(arch_tsc())); goes++)
		go_and_pay(vm);
	for (u32 i = 0; i < vm_count; i++)
		if (vm_queue_waits(vm_all[i]))
			return true;
	return false;
}

/* Guests whose disk requests block_poll() has to complete or to start: it has been in this turn. */
static u32 left_to_poll(void)
{
	/* owners are guests by number, and the hypervisor */
	return (u32)block_deferred() & (BIT(VM_MAX) - 1);
}

/*
 * The guest whose turn it is has a vCPU and queues that want it: they take turns, or others' queues, which
 * are further behind, would keep its own from ever going on. True: its queues went.
 */
static bool own_queue(struct vcpu *v)
{
	if (!vm_queue_waits(v->vm) || v->queue_went) {
		v->queue_went = false;
		return false;
	}
	go_and_pay(v->vm);
	return true;
}

static void wait(u64 now)
{
	struct pcpu *s = pcpu_this();
	struct sched_end e = sched_end(NULL, now, now + arch_ns_to_tsc(HOUSEKEEPING_MS * 1000000ull));

	if (e.at <= now || s->work)
		return;
	s->causes |= left_to_poll();
	if (block_deferred())
		return;
	/* A guest's lazy state may stay in the CPU: nobody else uses it. */
	block_away(false);
	arch_idle(e.at);
	block_away(true);
	s->idle_ticks += turn_lap();
	if (arch_tsc() >= e.at)
		s->causes |= e.for_whom;
}

/* The hypervisor's own periods: what they cost is nobody's fault, but the look whether one is due belongs to
 * the turn. */
static void periodic(void)
{
	u64 start = arch_tsc(), now_ns = arch_ns();
	bool due = balancer_due() <= now_ns;

	balancer_poll(now_ns);
	if (due)
		turn_own(arch_tsc() - start);
	tracer_poll(arch_ns());
	if (loop_housekeeping)
		loop_housekeeping(arch_ns());
}

static void run_slice(struct vcpu *v, u64 now)
{
	struct pcpu *s = pcpu_this();
	u64 slice_end = s->slice_end;
	struct sched_end e = sched_end(v, now, slice_end);

	if (block_deferred())
		e = (struct sched_end){ now, left_to_poll() };
	s->slice_end = MAX(e.at, now + arch_ns_to_tsc(TURN_GRID_NS)); /* whatever is due, guests must move */
	s->ends_for = e.for_whom;
	vcpu_slice(v);
	s->slice_end = slice_end;
}

void loop_once(void)
{
	struct pcpu *s = pcpu_this();
	struct vcpu *v;
	bool more;
	u64 now;

	s->loops++;
	s->work = false;
	look_at_devices();
	turn_measure(block_poll);
	more = pager_chore();
	vm_service();
	more |= retry_boards();
	(void)console_poll();
	periodic();
	look_at_devices(); /* what was done since the last time may have taken long */
	now = arch_tsc();
	v = sched_pick(now, more);
	if (v && !own_queue(v)) {
		run_slice(v, now);
		return;
	}
	turn_end();
	if (!v && !more)
		wait(now);
}

void loop_run(void)
{
	pcpu_this()->mark = arch_tsc();
	for (;;)
		loop_once();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcpu.c - the main loop and the hot path. ARCHITECTURE.md, "No threads".
 *
 * vcpu_run() is the hot path: enter, handle, enter again. It looks at timers and interrupts only
 * when v->look says that they may have changed, and returns to the main loop only for vcpu_sched.work.
 * Only here RIP is advanced.
 * Who runs next is sched.c's business; what a guest causes between slices is charged by turn.c, and its queues wait while it
 * is ahead in virtual time (retry_boards()).
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
#include "kernel/sched.h"
#include "kernel/tracer.h"
#include "kernel/turn.h"

#define HOUSEKEEPING_MS 20
#define QUEUE_GOES 8 /* most goes of guests' queues in one turn of the loop, of which the last begins within QUEUE_TURN_NS */
/*
 * After so long no further go begins: whoever was woken meanwhile waits for that, and for one go more. With 200 us a neighbour that
 * reads 4 KiB had half of its share (hostile.share.disk.read-4k).
 */
#define QUEUE_TURN_NS 50000u

struct vcpu_sched vcpu_sched;
void (*vcpu_housekeeping)(u64 now_ns);

void vcpu_kick_for(const struct vm *vm)
{
	vcpu_sched.work = true;
	turn_blame(vm);
}

void vcpu_block(struct vcpu *v)
{
	if (v->woken) /* it came while the exit was handled: try again */
		return;
	v->state = VCPU_BLOCKED;
	v->blocked_since = arch_tsc();
	vcpu_kick_for(v->vm);
}

void vcpu_reset(struct vcpu *v, const struct virt_entry *e)
{
	backend->vcpu_reset(v->hw, e);
	v->regs = backend->regs(v->hw);
	v->state = VCPU_RUNNABLE;
	v->xcr0 = 1;
	v->look = true;
	v->woken = v->window = v->ready = false;
	v->entered_at = arch_tsc();
}

/* ---- before an entry ---- */

/* Whose timers set the end of the slice pay for the turn, unless another event ended it before. */
static void slice_over(void)
{
	if (vcpu_sched.work)
		return;
	vcpu_sched.work = true;
	vcpu_sched.causes = vcpu_sched.ends_for;
}

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
		slice_over();
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
		if (unlikely(vcpu_sched.work) && x.kind != VMEXIT_INTR)
			turn_blame(v->vm); /* its own instruction asks for the turn */
		if (likely(verdict == V_NEXT)) {
			if (x.insn_len)
				ops->skip(v->hw, x.insn_len);
		} else if (verdict == V_BLOCK) {
			vcpu_block(v);
		} else if (verdict == V_KILL) {
			vcpu_kick_for(v->vm);
		} else if (arch_tsc() >= vcpu_sched.slice_end) {
			/* The delivery of an event can exit again and again before any instruction, and then the
			 * backend's timer never gets its turn. */
			slice_over();
		}
		/* One that halts or parks looks when it is woken. */
		if (v->look && v->state == VCPU_RUNNABLE)
			deadline = vcpu_look(v);
	}
}

/* Interrupts of disks among others, which were off since the last look, or a guest's slice, ended. */
static void look_at_devices(void)
{
	turn_measure(arch_irq_window);
	block_away(true);
}

static void vcpu_slice(struct vcpu *v)
{
	struct vcpu_sched *s = &vcpu_sched;
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
	sched_pay(v, ran);
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

	turn_blame(vm); /* the turn as well */
	go_on(vm);
	vm->vcpu.queue_went = true;
	vcpu_charge(&vm->vcpu, arch_tsc() - from);
}

/*
 * The queues of guests get time as their vCPUs do, in virtual time. They may refill themselves, so what a turn does for them is
 * bounded: somebody who wakes meanwhile waits for so long. True: some are left.
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
	return (u32)block_deferred() & (BIT(VM_MAX) - 1); /* owners are guests by number, and the hypervisor */
}

/*
 * The guest whose turn it is has a vCPU and queues that want it: they take turns, or others' queues, which are further behind, would
 * keep its own from ever going on. True: its queues went.
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
	struct vcpu_sched *s = &vcpu_sched;
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

/* The hypervisor's own periods: what they cost is nobody's fault, but the look whether one is due belongs to the turn. */
static void periodic(void)
{
	u64 start = arch_tsc(), now_ns = arch_ns();
	bool due = balancer_due() <= now_ns;

	balancer_poll(now_ns);
	if (due)
		turn_own(arch_tsc() - start);
	tracer_poll(arch_ns());
	if (vcpu_housekeeping)
		vcpu_housekeeping(arch_ns());
}

static void run_slice(struct vcpu *v, u64 now)
{
	struct vcpu_sched *s = &vcpu_sched;
	u64 slice_end = s->slice_end;
	struct sched_end e = sched_end(v, now, slice_end);

	if (block_deferred())
		e = (struct sched_end){ now, left_to_poll() };
	s->slice_end = MAX(e.at, now + arch_ns_to_tsc(VCPU_GRID_NS)); /* whatever is due, guests must move */
	s->ends_for = e.for_whom;
	vcpu_slice(v);
	s->slice_end = slice_end;
}

void vcpu_loop_once(void)
{
	struct vcpu_sched *s = &vcpu_sched;
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

void vcpu_loop(void)
{
	vcpu_sched.mark = arch_tsc();
	for (;;)
		vcpu_loop_once();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * balancer.c - the clockwork around mm/balance: when each guest is scanned, when frames are divided
 * anew, and what the operator changes.
 *
 * One piece of work a call, so that guests are not held up. When a guest is scanned is scan_clock.c's.
 */
#include "kernel/balancer.h"
#include "arch/x86_64/arch.h"
#include "boot/config.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/pcpu.h"
#include "mm/share/scan_clock.h"
#include "kernel/trace/trace.h"
#include "kernel/vm.h"
#include "mm/share/promise.h"
#include "mm/pager/swap.h"

_Static_assert(CONFIG_SCAN_MIN == SCAN_BUDGET_MIN && CONFIG_SCAN_MAX == SCAN_BUDGET_MAX,
	       "boot/ does not know mm/");
_Static_assert(VM_MAX == FRAME_MAX_VMS, "scan_clock counts guests as frame.h does");

#define SAY_NS 3000000000ull /* who loses is said when it has been so for so long */

static struct {
	struct balance *b;
	u32 most_frames; /* that its scratch memory is made for */
	s32 index[VM_MAX]; /* of the guest in b, -1: takes no part */
	/* guests that got less than their goals or mins need: bit mask, and what the log says */
	u32 losers, losers_said;
	u64 losers_ns;           /* since when */
} bal;

static void *zeroed(size_t bytes)
{
	pfn_t p = frame_get_run((u32)((bytes + PAGE_SIZE - 1) / PAGE_SIZE));

	return pfn_none(p) ? NULL : pfn_ptr(p);
}

static void miss(struct vm_mem *m)
{
	u64 now = arch_ns();

	if (m->vm->id >= VM_MAX || bal.index[m->vm->id] < 0)
		return;
	if (balance_note_miss(bal.b, (u32)bal.index[m->vm->id], now)) {
		scan_clock_hurry(m->vm->id, now);
		if (unlikely(trace_on))
			trace_put(TRACE_PHASE, m->id, 0, 0, 0, 0);
	}
	if (balance_due(bal.b, now))
		pcpu_kick();
}

int balancer_init(u32 scan_ppm)
{
	u32 frames = pager_guest_frames();
	size_t bytes = divide_scratch_bytes(VM_MAX, frames, CURVE_STEP_FRAMES);
	void *scratch = zeroed(bytes);

	bal.b = zeroed(sizeof(*bal.b));
	if (!scratch || !bal.b)
		return E_NOMEM;
	bal.most_frames = frames;
	bal.losers = bal.losers_said = 0;
	balance_init(bal.b, frames, scratch, bytes, arch_ns());
	for (u32 i = 0; i < VM_MAX; i++)
		bal.index[i] = -1;
	scan_clock_init(arch_ns());
	if (scan_ppm && scan_clock_set_budget(scan_ppm, arch_ns()))
		log_warn("scan: no such budget; the usual one holds");
	pager_miss_hook = miss;
	return 0;
}

/* Guests' structures and tables take frames that then can't be divided. */
static void count_frames(u64 now)
{
	u32 frames = pager_guest_frames();

	frames = MIN(frames, bal.most_frames);
	if (frames != bal.b->frames)
		balance_set_frames(bal.b, frames, now);
}

static struct qos qos_of(const struct vm *vm)
{
	return (struct qos){ .min_frames = vm->mem.min, .max_frames = vm->mem.max, .weight = vm->weight,
			     .miss_goal = vm->miss_goal };
}

static void copy_targets(void)
{
	for (u32 i = 0; i < vm_count; i++)
		if (bal.index[i] >= 0)
			vm_all[i]->mem.target = bal.b->vm[bal.index[i]].quota.target;
}

void balancer_started(struct vm *vm)
{
	struct qos q = qos_of(vm);
	u64 now = arch_ns();

	if (!bal.b)
		return;
	count_frames(now);
	balancer_back(vm);
	if (bal.index[vm->id] >= 0)
		balance_forget(bal.b, (u32)bal.index[vm->id], now);
	else
		bal.index[vm->id] = balance_add(bal.b, &q, &vm->mem.curve, &vm->mem.ages, now);
	scan_clock_start(vm->id, now);
	copy_targets();
	if (unlikely(trace_on))
		trace_note_guest(vm, TRACE_LIFE_STARTED);
}

void balancer_stopped(struct vm *vm)
{
	if (!bal.b || bal.index[vm->id] < 0)
		return;
	balance_remove(bal.b, (u32)bal.index[vm->id], arch_ns());
	bal.index[vm->id] = -1;
	vm->mem.away = false;
	scan_clock_stop(vm->id);
	vm->mem.target = 0;
	if (unlikely(trace_on))
		trace_note_guest(vm, TRACE_LIFE_STOPPED);
}

void balancer_away(struct vm *vm)
{
	vm->mem.away = true;
	if (bal.b && bal.index[vm->id] >= 0)
		balance_set_away(bal.b, (u32)bal.index[vm->id], true, arch_ns());
}

void balancer_back(struct vm *vm)
{
	u64 now = arch_ns();

	vm->mem.away = false;
	if (!bal.b || bal.index[vm->id] < 0)
		return;
	curve_skip(&vm->mem.curve, now);
	vm->mem.idle = (struct payer_idle){ 0 }; /* pages could not be touched */
	scan_clock_back(vm->id, now);
	balance_set_away(bal.b, (u32)bal.index[vm->id], false, now);
}

/* ---- what is due ---- */

static u32 active(void)
{
	u32 n = 0;

	for (u32 i = 0; i < vm_count; i++)
		n += bal.index[i] >= 0;
	return n;
}

static bool scan_one(u64 now)
{
	struct vm *vm = NULL;
	u64 start;

	for (u32 i = 0; i < vm_count && scan_clock_paid() <= now; i++)
		if (vm_all[i]->state == VM_RUNNING && scan_clock_due(i) <= now &&
		    (!vm || scan_clock_due(i) < scan_clock_due(vm->id)))
			vm = vm_all[i];
	if (!vm)
		return false;
	start = arch_tsc();
	pager_scan(&vm->mem);
	scan_clock_passed(vm->id, &vm->mem.ages, now, arch_tsc_to_ns(arch_tsc() - start));
	return true;
}

/* One line when who loses has changed, and stayed so for a moment. */
static void say_losers(u64 now)
{
	u32 losers = 0;
	char size[24], need[24];

	for (u32 i = 0; i < vm_count; i++) {
		const struct balance_vm *v = balancer_vm(vm_all[i]);

		if (v && v->why.flags & (DIVIDE_GOAL_UNMET | DIVIDE_MIN_CUT))
			losers |= BIT(i);
	}
	if (losers != bal.losers)
		bal.losers_ns = now;
	bal.losers = losers;
	if (losers == bal.losers_said || now - bal.losers_ns < SAY_NS)
		return;
	bal.losers_said = losers;
	if (!losers)
		log_info("qos: all goals and mins are met again");
	for (u32 i = 0; i < vm_count; i++) {
		const struct balance_vm *v = balancer_vm(vm_all[i]);

		if (v && losers >> i & 1)
			log_warn("qos: not all that is promised fits: %s loses %s of the %s that its %s "
				 "needs",
				 vm_all[i]->name,
				 fmt_size(size, sizeof(size), (u64)v->why.short_frames << PAGE_SHIFT),
				 fmt_size(need, sizeof(need),
					  (u64)(v->why.flags & DIVIDE_MIN_CUT ? v->quota.qos.min_frames :
										v->why.need)
						  << PAGE_SHIFT),
				 v->why.flags & DIVIDE_MIN_CUT ? "min" : "miss goal");
	}
}

static void trace_decisions(void)
{
	trace_put(TRACE_MACHINE, TRACE_NO_VM, 0, 0, bal.b->frames, frame_free());
	for (u32 i = 0; i < vm_count; i++)
		if (bal.index[i] >= 0)
			trace_note_decision(vm_all[i], &bal.b->vm[bal.index[i]]);
}

static void decide(u64 now)
{
	struct balance *b = bal.b;

	count_frames(now);
	for (u32 i = 0; i < vm_count; i++)
		if (bal.index[i] >= 0)
			b->vm[bal.index[i]].quota.held = vmmem_held(&vm_all[i]->mem);
	balance_step(b, now, frame_free());
	copy_targets();
	say_losers(now);
	if (unlikely(trace_on))
		trace_decisions();
	resting_step(b, now);
}

void balancer_poll(u64 now_ns)
{
	if (!bal.b || !active() || scan_one(now_ns) || !balance_due(bal.b, now_ns))
		return;
	decide(now_ns);
}

u64 balancer_due(void)
{
	u64 due;

	if (!bal.b || !active())
		return ~0ull / 4;
	due = bal.b->due_ns;
	for (u32 i = 0; i < vm_count; i++)
		if (vm_all[i]->state == VM_RUNNING)
			due = MIN(due, MAX(scan_clock_due(i), scan_clock_paid()));
	return due;
}

/* ---- the operator ---- */

struct wish { u64 min, max; u32 weight; u64 goal; };

static struct wish wish_of(const struct qos_change *q)
{
	const struct vm *vm = q->vm;

	return (struct wish){
		.min = q->set_min ? q->min : (u64)vm->mem.min << PAGE_SHIFT,
		.max = q->set_max ? q->max : (u64)vm->mem.max << PAGE_SHIFT,
		.weight = q->set_weight ? q->weight : vm->weight,
		.goal = q->set_miss ? q->miss_goal : vm->miss_goal,
	};
}

static int check_change(const struct qos_change *q, char *why, size_t size)
{
	struct wish w = wish_of(q);
	char line[160], a[24], b[24];
	u64 most;

	if (!vm_has_memory(q->vm)) {
		fmt(why, size, "it is %s; nothing changed; try: vm show %s", vm_state_name(q->vm->state),
		    q->vm->name);
		return E_INVAL;
	}
	if (config_check_qos(w.min, w.max, w.weight, line, sizeof(line))) {
		fmt(why, size, "%s; nothing changed", line);
		return E_INVAL;
	}
	/* its cache counts: more than ram is fine */
	most = MAX((u64)q->vm->mem.npages, (u64)pager_guest_frames()) << PAGE_SHIFT;
	if (q->set_max && w.max > most) {
		fmt(why, size,
		    "max %s is above its ram and above all that guests share, %s; nothing changed; try a "
		    "smaller max",
		    fmt_size(a, sizeof(a), w.max),
		    fmt_size(b, sizeof(b), (u64)pager_guest_frames() << PAGE_SHIFT));
		return E_INVAL;
	}
	return 0;
}

/* What guests would be promised if the changes were made. */
static struct promise promise_then(const struct qos_change *changes, u32 n)
{
	struct promise p = { 0 };

	for (u32 i = 0; i < vm_count; i++) {
		const struct vm_mem *m = &vm_all[i]->mem;
		u64 min = m->min, max = m->max;

		if (!vm_has_memory(vm_all[i]))
			continue;
		for (u32 k = 0; k < n; k++)
			if (changes[k].vm == vm_all[i]) {
				min = wish_of(&changes[k]).min >> PAGE_SHIFT;
				max = wish_of(&changes[k]).max >> PAGE_SHIFT;
			}
		promise_add(&p, m->npages, (u32)min, (u32)max);
	}
	return p;
}

/* All changes together: there must be what they promise. */
static int check_promise(const struct qos_change *changes, u32 n, char *why, size_t size)
{
	struct promise was = promise_then(NULL, 0), then = promise_then(changes, n);
	u64 frames = pager_guest_frames(), slots = swap_slots();
	char a[24], b[24], c[24];

	switch (promise_check(&then, &was, frames, slots)) {
	case PROMISE_MINS:
		fmt(why, size,
		    "all guests' min together would be %s of %s there are; nothing changed; try a smaller "
		    "min",
		    fmt_size(a, sizeof(a), then.mins << PAGE_SHIFT),
		    fmt_size(b, sizeof(b), frames << PAGE_SHIFT));
		return E_INVAL;
	case PROMISE_ALL:
		fmt(why, size,
		    "guests would be promised %s, but there are %s of memory + %s of swap; nothing changed; "
		    "try a smaller min",
		    fmt_size(a, sizeof(a), then.all << PAGE_SHIFT),
		    fmt_size(b, sizeof(b), frames << PAGE_SHIFT),
		    fmt_size(c, sizeof(c), slots << PAGE_SHIFT));
		return E_INVAL;
	case PROMISE_BEYOND:
		fmt(why, size,
		    "guests' ram above their max would need %s of swap of %s there are; nothing changed; try "
		    "a larger max",
		    fmt_size(a, sizeof(a), then.beyond << PAGE_SHIFT),
		    fmt_size(b, sizeof(b), slots << PAGE_SHIFT));
		return E_INVAL;
	default:
		return 0;
	}
}

int balancer_set_qos(const struct qos_change *changes, u32 n, char *why, size_t size)
{
	for (u32 i = 0; i < n; i++)
		if (check_change(&changes[i], why, size))
			return E_INVAL;
	if (check_promise(changes, n, why, size))
		return E_INVAL;
	for (u32 i = 0; i < n; i++) {
		struct wish w = wish_of(&changes[i]);
		struct vm *vm = changes[i].vm;
		struct qos q;

		vm->mem.min = (u32)(w.min >> PAGE_SHIFT);
		vm->mem.max = (u32)(w.max >> PAGE_SHIFT);
		vm->weight = w.weight;
		vm->miss_goal = w.goal;
		vm->iops = changes[i].set_iops ? changes[i].iops : vm->iops;
		vm->bps = changes[i].set_bps ? changes[i].bps : vm->bps;
		block_share(vm->id, vm->weight, vm->iops, vm->bps);
		q = qos_of(vm);
		if (bal.b && bal.index[vm->id] >= 0)
			balance_set_qos(bal.b, (u32)bal.index[vm->id], &q, arch_ns());
		if (unlikely(trace_on))
			trace_note_guest(vm, TRACE_LIFE_THERE);
	}
	if (bal.b && active())
		decide(arch_ns()); /* the operator is told at once what can be had */
	pcpu_kick();
	return 0;
}

const struct balance_vm *balancer_vm(const struct vm *vm)
{
	return bal.b && bal.index[vm->id] >= 0 ? &bal.b->vm[bal.index[vm->id]] : NULL;
}

const struct balance *balancer_state(void)
{
	return bal.b;
}

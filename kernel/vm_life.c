/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm_life.c - the life of a guest: which state it is in and what leads to the next.
 *
 *   STARTING ── memory empty, frames free, kernel loaded ──▶ RUNNING ◀──▶ PAUSED, RESTING
 *      ▲                                                        │
 *      └── reset: drain, forget, load again ────────────────────┤
 *   OFF, FAILED ◀── STOPPING: drain, give all frames back ◀─────┘
 *
 * Verbs and failures only change the state; vm_service() does the work from the main loop, step by step,
 * since draining waits for disks.
 */
#include "kernel/vm_life.h"
#include "arch/x86_64/arch.h"
#include "kernel/balancer.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/turn.h"

#define WAIT_SAID_NS 10000000000ull
#define LOAD_MORE_FRAMES 64
#define OWN_RESETS_NS 1000000000ull /* a guest resets itself twice in it; the third waits */

static bool alive(const struct vm *vm)
{
	return vm->state == VM_RUNNING || vm->state == VM_PAUSED || vm->state == VM_RESTING;
}

static void begin_start(struct vm *vm)
{
	vm->reason[0] = 0;
	vm->reset_wanted = vm->off_wanted = false;
	vm->clean = false;
	vm->waits_since = vm->not_before = 0;
	vm_set_state(vm, VM_STARTING);
	balancer_started(vm);
}

/* ---- the operator's verbs ---- */

static int no(const struct vm *vm, char *why, size_t size, const char *verb)
{
	fmt(why, size, "%s is %s: it can't be %s", vm->name, vm_state_name(vm->state), verb);
	return E_INVAL;
}

int vm_pause(struct vm *vm, char *why, size_t size)
{
	if (vm->state != VM_RUNNING && vm->state != VM_RESTING)
		return no(vm, why, size, "paused");
	vm_set_state(vm, VM_PAUSED);
	balancer_away(vm);
	return 0;
}

int vm_resume(struct vm *vm, char *why, size_t size)
{
	if (vm->state != VM_PAUSED)
		return no(vm, why, size, "resumed");
	vm->vcpu.look = true;
	pager_resumed(&vm->mem);
	balancer_back(vm);
	vm_set_state(vm, VM_RUNNING);
	return 0;
}

int vm_reset(struct vm *vm, char *why, size_t size)
{
	if (vm->state == VM_REFUSED || vm->state == VM_STOPPING || vm->state == VM_STARTING)
		return no(vm, why, size, "reset");
	vm->resets++;
	begin_start(vm);
	return 0;
}

int vm_stop(struct vm *vm, char *why, size_t size)
{
	if (!alive(vm) && vm->state != VM_STARTING)
		return no(vm, why, size, "stopped");
	vm_begin_stop(vm, VM_OFF, "stopped by the operator");
	return 0;
}

/* ---- what the main loop does about it ---- */

/* True: no I/O is left, the board is as at power-on, the memory empty and its frames free. */
static bool emptied(struct vm *vm)
{
	if (pager_drain(&vm->mem))
		return false;
	vboard_reset(vm->board);
	return pager_reset(&vm->mem) == 0;
}

/* Others hold the frames, and by right: their mins. */
static void say_that_it_waits(struct vm *vm)
{
	char size[24];

	if (!vm->waits_since)
		vm->waits_since = MAX(arch_ns(), 2);
	if (vm->waits_since == 1 || arch_ns() - vm->waits_since < WAIT_SAID_NS)
		return;
	vm->waits_since = 1;
	log_warn("%s: waits for %s of free memory to load its kernel into", vm->name,
		 fmt_size(size, sizeof(size), (u64)vm->load_frames << PAGE_SHIFT));
}

static void service_start(struct vm *vm)
{
	char why[sizeof(vm->reason)] = "";
	int err;

	if (!vm->clean) {
		if (!emptied(vm))
			return;
		vm->clean = true;
	}
	if (arch_ns() < vm->not_before)
		return;
	if (!vm_load_fits(vm, vm->mem.max, why, sizeof(why))) {
		vm_fail(vm, "%s", why);
		return;
	}
	if (!pager_make_room(vm->load_frames)) {
		say_that_it_waits(vm);
		return;
	}
	vm->clean = false;
	err = vm_load(vm, why, sizeof(why));
	if (err == E_NOMEM && !why[0]) { /* frames ran out half-way: empty it and wait for more */
		vm->load_frames += vm->load_frames / 4 + LOAD_MORE_FRAMES;
		return;
	}
	if (err) {
		vm_fail(vm, "its kernel can't be loaded: %s", why[0] ? why : err_str(err));
		return;
	}
	vm_say(vm, vm->resets ? "starts again" : "starts");
	vm_set_state(vm, VM_RUNNING);
}

static void service_stop(struct vm *vm)
{
	if (!emptied(vm))
		return;
	balancer_stopped(vm);
	if (vm->after == VM_OFF)
		log_info("%s: off: %s", vm->name, vm->reason);
	vm_set_state(vm, (enum vm_state)vm->after);
}

/* One that resets itself for ever pays for it, but the CPU's idle time would go that way too, and the
 * operator's sight. */
static void reset_itself(struct vm *vm)
{
	u64 *starts = vm->own_starts, now = arch_ns();

	vm_say(vm, "resets itself");
	vm->resets++;
	begin_start(vm);
	vm->not_before = starts[0] ? MAX(now, starts[0] + OWN_RESETS_NS) : now;
	starts[0] = starts[1];
	starts[1] = vm->not_before;
}

/* Its share pays for all of it: emptying takes a look at every page, loading copies the kernel. Else one that
 * resets itself for ever would live at its neighbours' cost. */
static void service(struct vm *vm)
{
	u64 start = arch_tsc();

	if (vm->off_wanted && alive(vm))
		vm_begin_stop(vm, VM_OFF, "powered off by itself");
	if (vm->reset_wanted && alive(vm))
		reset_itself(vm);
	if (vm->state == VM_STARTING)
		service_start(vm);
	else if (vm->state == VM_STOPPING)
		service_stop(vm);
	else
		return;
	turn_charge(&vm->vcpu, arch_tsc() - start);
}

void vm_service(void)
{
	for (u32 i = 0; i < vm_count; i++)
		service(vm_all[i]);
}

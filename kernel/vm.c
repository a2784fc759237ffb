/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm.c - the table of guests: who there is, in which state, and what a guest that has to stop or has
 * something to say leaves for the main loop and the log. vm_fail() and vm_say() may be called from anywhere,
 * interrupt windows included.
 */
#include "kernel/vm.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/pcpu.h"

#define SAY_NS 1000000000ull
#define SAY_AT_ONCE 4 /* lines: those of a start and of one reset */

struct vm *vm_all[VM_MAX];
u32 vm_count;

static const char *const state_names[] = {
	[VM_REFUSED] = "refused", [VM_STARTING] = "starting", [VM_RUNNING] = "running",
	[VM_PAUSED] = "paused", [VM_RESTING] = "resting", [VM_STOPPING] = "stopping",
	[VM_OFF] = "off", [VM_FAILED] = "failed",
};

const char *vm_state_name(enum vm_state s)
{
	return (u32)s < ARRAY_SIZE(state_names) ? state_names[s] : "?";
}

struct vm *vm_by_name(const char *name)
{
	for (u32 i = 0; i < vm_count; i++)
		if (!strcmp(vm_all[i]->name, name))
			return vm_all[i];
	return NULL;
}

void vm_set_state(struct vm *vm, enum vm_state s)
{
	vm->state = (u8)s;
	pcpu_kick();
}

void vm_begin_stop(struct vm *vm, enum vm_state after, const char *reason)
{
	str_copy(vm->reason, sizeof(vm->reason), reason);
	vm->after = (u8)after;
	vm->reset_wanted = vm->off_wanted = false;
	vm_set_state(vm, VM_STOPPING);
}

void vm_fail(struct vm *vm, const char *format, ...)
{
	char reason[sizeof(vm->reason)];
	va_list ap;

	if (vm->state == VM_REFUSED || vm->state == VM_OFF || vm->state == VM_FAILED ||
	    (vm->state == VM_STOPPING && vm->after == VM_FAILED))
		return; /* the first reason is the one to know */
	va_start(ap, format);
	vfmt(reason, sizeof(reason), format, ap);
	va_end(ap);
	log_err("%s: stopped: %s", vm->name, reason);
	vm_begin_stop(vm, VM_FAILED, reason);
}

void vm_say(struct vm *vm, const char *what)
{
	u64 now = arch_ns(), until = MAX(vm->said_until, now) + SAY_NS;
	char more[32] = "";

	if (until > now + SAY_AT_ONCE * SAY_NS) {
		vm->unsaid++;
		return;
	}
	if (vm->unsaid)
		fmt(more, sizeof(more), "; %u more lines before", vm->unsaid);
	vm->said_until = until;
	vm->unsaid = 0;
	log_info("%s: %s%s", vm->name, what, more);
}

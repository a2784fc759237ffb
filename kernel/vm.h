/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm.h - a guest: its configuration, memory, board and its one vCPU.
 */
#ifndef KERNEL_VM_H
#define KERNEL_VM_H

#include "arch/x86_64/virt/virt.h"
#include "boot/config.h"
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "mm/pager/vmmem.h"
#include "vdev/vboard.h"

enum vm_state {
	VM_REFUSED,  /* its configuration or admission failed: `reason` */
	/* waits for frames to load its kernel into, for I/O of its last life to drain, or for not_before */
	VM_STARTING,
	VM_RUNNING,
	VM_PAUSED,   /* by the operator */
	VM_RESTING,  /* paused by the balancer in turns, because not even the floors fit */
	VM_STOPPING, /* drains its I/O */
	VM_OFF,      /* powered off or stopped: `reason` */
	VM_FAILED,   /* stopped by us: `reason` */
};

enum vcpu_state { VCPU_RUNNABLE, VCPU_HALTED, VCPU_BLOCKED /* for a page */ };

struct vcpu {
	struct vm *vm;
	struct vcpu_hw *hw;
	struct guest_regs *regs;
	u8 state;               /* enum vcpu_state */
	u64 halted_since, blocked_since; /* TSC */
	u64 run_ticks;          /* TSC ticks spent in guest mode + exits, for fair slices */
	u64 vruntime;           /* weighted ticks of its share that it has used; see sched.h */
	bool ready;             /* when the main loop last looked it could run, or its queues waited */
	/* its queues had the last turn of those that it and they take: the vCPU is next */
	bool queue_went;
	/* since its last slice it could not run for a while: others' slices end early for it */
	bool fresh;
	u64 exits[VMEXIT_KINDS];
	u64 entered_at;         /* guest's kernel entry, TSC */
	u64 xcr0;               /* as the guest set it */
	bool look;              /* before the next entry: timers and pending interrupts */
	bool woken;             /* pager_wake() came while the exit was handled */
	bool window;            /* an interrupt window was asked for */
};

struct vm {
	u8 id;
	char name[16];
	u8 state;
	char reason[128];       /* why it is not running */
	const struct vm_config *config;
	struct vm_mem mem;
	struct vcpu vcpu;
	struct vboard *board;
	u32 weight;
	u64 miss_goal;          /* misses a 1000 s; 0: none */
	u32 iops;               /* disk operations a second; 0: no limit */
	u64 bps;                /* bytes of them a second; 0: no limit */
	bool reset_wanted, off_wanted;
	u32 resets;
	u64 own_starts[2];      /* after its last two resets of its own, the older first; ns, 0: none */
	u64 not_before;         /* VM_STARTING: it waits until then, ns; 0: no */
	u8 after;               /* VM_STOPPING: the state when all is drained */
	bool clean;             /* its memory is empty and its board reset: can be loaded */
	/* pager_wake() or vdev_again() came: queues of the board that waited may go on */
	bool retry_board;
	bool io_more;           /* pager_again() came: its disk transfers may go on */
	u64 rested_at;          /* VM_RESTING: since when, ns */
	const struct boot_module *kernel, *initrd; /* stay in memory for restarts; initrd may be NULL */
	/* GRUB's: those of a Multiboot kernel are config->module[]'s numbers in it */
	const struct boot_module *modules;
	u32 load_frames;        /* free frames wanted before it is loaded */
	u64 waits_since;        /* VM_STARTING: for them, ns; 0: not yet; 1: it has been said */
	u64 said_until;         /* its lines in the log are paid for until then, ns: vm_say() */
	u32 unsaid;             /* of them, since the last that was shown */
	void *console;          /* kernel/console's ring for this guest */
};

#define VM_MAX 16
extern struct vm *vm_all[VM_MAX];
extern u32 vm_count;

static inline bool vm_has_memory(const struct vm *vm) { return vm->mem.page != NULL; }
/* Its devices' queues or disk transfers wait for the main loop. */
static inline bool vm_queue_waits(const struct vm *vm)
{
	return vm_has_memory(vm) && (vm->io_more || vm->retry_board);
}

struct vm *vm_by_name(const char *name);
const char *vm_state_name(enum vm_state s);
void vm_set_state(struct vm *vm, enum vm_state s); /* the main loop looks at it */
/* It drains, gives its memory back, and is in state `after` then. */
void vm_begin_stop(struct vm *vm, enum vm_state after, const char *reason);
/* Stops a guest for a fault of its own or of its devices; reason is kept and logged once. */
void vm_fail(struct vm *vm, const char *format, ...) PRINTF_LIKE(2, 3);
/* A log line that a guest can cause as often as it likes: one a second is shown, the others are counted. */
void vm_say(struct vm *vm, const char *what);

#endif

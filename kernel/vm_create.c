/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm_create.c - a guest's structures, made once at boot and kept for good: struct vm, memory arrays, board,
 * vCPU. A guest that can't be made is listed as refused with the reason; whatever it took is given back.
 */
#include "arch/x86_64/arch.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/balancer.h"
#include "kernel/console/console.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/pcpu.h"
#include "kernel/vm.h"
#include "kernel/vm_life.h"

_Static_assert(CONFIG_ZIP_AUTO == ZPLAN_AUTO && CONFIG_ZIP_MOST == ZPLAN_MOST_PERCENT,
	       "boot/ does not know mm/");

/* Frames beside the image: tables, boot parameters, the first pages that the kernel touches. */
#define LOAD_EXTRA_FRAMES 128

static void *zeroed(size_t bytes)
{
	pfn_t p = frame_get_run((u32)((bytes + PAGE_SIZE - 1) / PAGE_SIZE));

	return pfn_none(p) ? NULL : pfn_ptr(p);
}

/*
 * A refused guest has no memory, but the console asks about it like about every other: it keeps a number that
 * no other guest has, under which no frame is counted, and nothing of arrays that were given back.
 */
static struct vm *refuse(struct vm *vm, const char *reason)
{
	vm->state = VM_REFUSED;
	memset(&vm->mem, 0, sizeof(vm->mem));
	vm->mem.vm = vm;
	vm->mem.id = vm->id;
	str_copy(vm->reason, sizeof(vm->reason), reason);
	log_err("%s: not started: %s", vm->name, reason);
	return vm;
}

static u32 frames(u64 bytes)
{
	return (u32)(bytes >> PAGE_SHIFT);
}

static int make_memory(struct vm *vm, const struct guest_disk *disks, u32 ndisks)
{
	struct vm_mem *m = &vm->mem;
	const struct vm_config *c = vm->config;
	int err;

	for (u32 i = 0; i < ndisks && i < VMMEM_MAX_DISKS; i++)
		m->disk[i] = disks[i];
	m->min = frames(c->min);
	m->max = frames(c->max);
	m->target = m->min;
	err = vmmem_init(m, vm, vm->id, frames(c->ram), backend->slat);
	if (err)
		return err;
	err = pager_join(m);
	if (err)
		vmmem_destroy(m);
	return err;
}

static int make_board(struct vm *vm, void *apic_page, u32 ndisks)
{
	struct vboard_config bc = {
		.vm = vm, .ram = vm->config->ram, .tsc_hz = arch_tsc_hz(), .apic_page = apic_page,
		.ndisks = MIN(ndisks, VBOARD_MAX_DISKS),
	};

	for (u32 i = 0; i < bc.ndisks; i++) {
		const struct guest_disk *d = &vm->mem.disk[i];

		bc.disk[i].sectors = d->ext.sectors;
		bc.disk[i].read_only = d->read_only;
		fmt(bc.disk[i].serial, sizeof(bc.disk[i].serial), "vmmb-%s-%u", vm->name, i);
	}
	vm->board = zeroed(vboard_size());
	return vm->board ? vboard_init(vm->board, &bc) : E_NOMEM;
}

/* In the order of need; nothing of it is undone when a later one fails, but for the memory. */
static int make_parts(struct vm *vm, const struct guest_disk *disks, u32 ndisks)
{
	pfn_t apic_page = virt_frame_get();
	int err;

	if (pfn_none(apic_page))
		return E_NOMEM;
	err = make_memory(vm, disks, ndisks);
	if (err)
		goto no_memory;
	err = make_board(vm, pfn_ptr(apic_page), ndisks);
	if (err)
		goto no_board;
	vm->vcpu.hw = backend->vcpu_create(vm->mem.slat.root, apic_page, (u16)(vm->id + 1));
	err = vm->vcpu.hw ? console_vm_init(vm) : E_NOMEM;
	if (err)
		goto no_board;
	vm->vcpu.vm = vm;
	vm->vcpu.regs = backend->regs(vm->vcpu.hw);
	return 0;

no_board:
	if (vm->vcpu.hw)
		backend->vcpu_destroy(vm->vcpu.hw);
	if (vm->board)
		frame_put_run(ptr_pfn(vm->board), (u32)((vboard_size() + PAGE_SIZE - 1) / PAGE_SIZE));
	vm->vcpu.hw = NULL;
	vm->board = NULL;
	pager_leave(&vm->mem);
	vmmem_destroy(&vm->mem);
no_memory:
	virt_frame_put(apic_page);
	return err;
}

static u32 wanted_frames(const struct vm *vm)
{
	const struct vm_config *c = vm->config;
	u64 bytes = vm->kernel->size + (vm->initrd ? vm->initrd->size : 0);

	for (u32 i = 0; i < c->nmodules; i++)
		bytes += ALIGN_UP(vm->modules[c->module[i].module].size, (u64)PAGE_SIZE);
	return MIN(frames(bytes) + LOAD_EXTRA_FRAMES, frames(vm->config->ram));
}

struct vm *vm_create(const struct vm_config *c, const struct guest_disk *disks, u32 ndisks,
		     const struct boot_info *bi)
{
	struct vm *vm = vm_count < VM_MAX ? zeroed(sizeof(*vm)) : NULL;
	char why[sizeof(vm->reason)] = "";
	int err;

	if (!vm) {
		log_err("%s: not started: no memory for its structures", c->name);
		return NULL;
	}
	vm->id = vm->mem.id = (u8)vm_count;
	vm->config = c;
	vm->weight = c->weight;
	vm->mem.zplan.percent = c->zip_percent;
	vm->mem.no_cache = c->no_cache;
	vm->miss_goal = c->miss_per_1000s;
	vm->iops = c->iops;
	vm->bps = c->bps;
	block_share(vm->id, vm->weight, vm->iops, vm->bps);
	str_copy(vm->name, sizeof(vm->name), c->name);
	vm_all[vm_count++] = vm;
	if (c->error[0])
		return refuse(vm, c->error);
	if (pager_admit(frames(c->ram), frames(c->min), frames(c->max), why, sizeof(why)))
		return refuse(vm, why);
	vm->kernel = &bi->modules[c->kernel_module];
	vm->initrd = c->initrd_module < 0 ? NULL : &bi->modules[c->initrd_module];
	vm->modules = bi->modules;
	vm->load_frames = wanted_frames(vm);
	if (!vm_load_fits(vm, frames(c->max), why, sizeof(why)))
		return refuse(vm, why);
	err = make_parts(vm, disks, ndisks);
	if (err)
		return refuse(vm, err == E_NOMEM ? "no memory for its tables" : err_str(err));
	vm->state = VM_STARTING;
	balancer_started(vm);
	pcpu_kick();
	return vm;
}

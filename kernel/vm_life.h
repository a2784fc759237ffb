/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm_life.h - guests' lives: made at boot, started, reset, paused, stopped. From the main loop and the
 * console only.
 */
#ifndef KERNEL_VM_LIFE_H
#define KERNEL_VM_LIFE_H

#include "kernel/vm.h"

/* Builds a guest in vm_all (kernel/create.c); one that can't be is there as VM_REFUSED. Its disks are in
 * disks[]; modules are bi's. */
struct guest_disk;
struct boot_info;
struct vm *vm_create(const struct vm_config *c, const struct guest_disk *disks, u32 ndisks,
		     const struct boot_info *bi);
/* Wanted resets, power-offs and starts; from the main loop. */
void vm_service(void);
/* Do its kernel and modules fit this max, and the machine? One line in why if not (kernel/load.c). */
bool vm_load_fits(const struct vm *vm, u32 max, char *why, size_t size);
/* Power-on: copies the kernel into the empty guest memory and sets up the vCPU (kernel/load.c).
 * E_NOMEM and nothing in why: frames ran out half-way. */
int vm_load(struct vm *vm, char *why, size_t size) MUST_CHECK;
/* Operator's verbs; E_INVAL with one line in why when the state does not allow it. */
int vm_pause(struct vm *vm, char *why, size_t size) MUST_CHECK;
int vm_resume(struct vm *vm, char *why, size_t size) MUST_CHECK;
int vm_reset(struct vm *vm, char *why, size_t size) MUST_CHECK;
int vm_stop(struct vm *vm, char *why, size_t size) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virt_fetch.c - the upward port by which a backend reads the instruction that just left the guest
 * (arch/x86_64/virt/virt.h). Only the vCPU that is being run asks.
 */
#include "arch/x86_64/virt/virt.h"
#include "kernel/exit/guest_walk.h"
#include "kernel/pcpu.h"
#include "kernel/vm.h"

int virt_guest_fetch(struct vcpu_hw *hw, u8 bytes[15], u32 *n)
{
	struct vcpu *v = pcpu_this()->current;
	struct walk_fault f = { 0, 0 };
	struct guest_mode m;

	if (!v || v->hw != hw)
		return E_NOENT;
	backend->mode(hw, &m);
	return guest_fetch(v, &m, bytes, n, &f);
}

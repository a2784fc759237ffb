/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ring.c - the ends of a guest's console that its exits reach (kernel/console/console.h). Nothing here calls
 * the terminal.
 */
#include "kernel/console/ring.h"
#include "arch/x86_64/arch.h"
#include "kernel/console/console.h"
#include "kernel/vm.h"
#include "mm/frame.h"

_Static_assert(sizeof(struct guest_term) <= 3 * PAGE_SIZE, "guest_term is taken as a run of three frames");

bool ring_taken;

bool console_free(void)
{
	return !ring_taken;
}

int console_vm_init(struct vm *vm)
{
	pfn_t p = frame_get_run(3);

	if (pfn_none(p))
		return E_NOMEM;
	vm->console = pfn_ptr(p);
	return E_OK;
}

void console_guest_tx(struct vm *vm, u8 byte)
{
	struct guest_term *g = vm->console;

	if (g)
		g->out[g->written++ % RING_BYTES] = (char)byte;
}

bool console_holds(const struct vm *vm)
{
	const struct guest_term *g = vm->console;

	return g && g->connected && g->written - g->shown > RING_BYTES / 2;
}

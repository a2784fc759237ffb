/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virt_ports.c - frames for the backends (arch/x86_64/virt/virt.h).
 */
#include "arch/x86_64/virt/virt.h"
#include "mm/frame.h"

pfn_t virt_frame_get(void)
{
	return frame_get(FRAME_NO_VM, FRAME_HYP, true);
}

void virt_frame_put(pfn_t pfn)
{
	frame_put(pfn);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vdma.c - small copies between a device and guest memory.
 */
#include "vdev/vdma.h"

#include "kernel/lib/lib.h"

static int copy(struct vm *vm, u64 gpa, u8 *buf, u32 len, bool write)
{
	if (gpa + len < gpa)
		return E_RANGE;
	while (len) {
		u32 n = MIN(len, PAGE_SIZE - (u32)(gpa & PAGE_MASK));
		void *page;
		int err = guest_pin(vm, (gpa_t){ gpa }, n, write, &page);

		if (err)
			return err;
		if (write)
			memcpy(page, buf, n);
		else
			memcpy(buf, page, n);
		guest_unpin(vm, (gpa_t){ gpa });
		gpa += n;
		buf += n;
		len -= n;
	}
	return 0;
}

int vdma_read(struct vm *vm, u64 gpa, void *to, u32 len)
{
	return copy(vm, gpa, to, len, false);
}

int vdma_write(struct vm *vm, u64 gpa, const void *from, u32 len)
{
	return copy(vm, gpa, (u8 *)from, len, true);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vdma.c - small copies between a device and guest memory.
 */
#include "vdev/vdma.h"

#include "kernel/lib/lib.h"

/* Guest memory to `to`, or, where that is NULL, `from` to guest memory. */
static int copy(struct vm *vm, u64 gpa, u8 *to, const u8 *from, u32 len)
{
	if (gpa + len < gpa)
		return E_RANGE;
	while (len) {
		u32 n = MIN(len, PAGE_SIZE - (u32)(gpa & PAGE_MASK));
		void *page;
		int err = guest_pin(vm, (gpa_t){ gpa }, n, !to, &page);

		if (err)
			return err;
		if (to) {
			memcpy(to, page, n);
			to += n;
		} else {
			memcpy(page, from, n);
			from += n;
		}
		guest_unpin(vm, (gpa_t){ gpa });
		gpa += n;
		len -= n;
	}
	return 0;
}

int vdma_read(struct vm *vm, u64 gpa, void *to, u32 len)
{
	return copy(vm, gpa, to, NULL, len);
}

int vdma_write(struct vm *vm, u64 gpa, const void *from, u32 len)
{
	return copy(vm, gpa, NULL, from, len);
}

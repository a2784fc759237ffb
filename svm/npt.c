/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * npt.c - what is special about nested page tables: the bits of their entries, and their flush.
 * Every nested walk is a user access, so all is user; nothing is no-execute.
 * Source: AMD APM vol. 2, "Nested Paging", "TLB Control".
 */
#include "mm/slat.h"
#include "svm/svm.h"

#define NPT_PRESENT BIT64(0)
#define NPT_WRITE BIT64(1)
#define NPT_USER BIT64(2)
#define NPT_ACCESSED BIT64(5)
#define NPT_DIRTY BIT64(6)

const struct slat_format svm_slat = {
	.name = "NPT",
	.table = NPT_PRESENT | NPT_WRITE | NPT_USER,
	.leaf = NPT_PRESENT | NPT_USER,
	.write = NPT_WRITE,
	.present = NPT_PRESENT,
	.accessed = NPT_ACCESSED,
	.dirty = NPT_DIRTY,
	.addr = 0x000ffffffffff000ull,
};

/* Owed and paid at the next VMRUN: until then the guest can use no translation. */
void svm_npt_flush(struct vcpu_hw *v)
{
	v->todo |= TODO_FLUSH;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ept.c - what is special about EPT: the bits of its entries, its pointer, its flushes.
 *
 * Flushes are owed (v->todo) and paid just before the next entry: until then the guest can
 * use no translation, cached or not.
 * Source: Intel SDM vol. 3, "The Extended Page Table Mechanism (EPT)", "Caching Translation
 * Information".
 */
#include "mm/slat.h"
#include "vmx/vmx.h"

#define EPT_READ BIT64(0)
#define EPT_WRITE BIT64(1)
#define EPT_EXECUTE BIT64(2)
#define EPT_TYPE_WB ((u64)MEMORY_TYPE_WB << 3)
#define EPT_IGNORE_PAT BIT64(6) /* RAM is RAM, whatever the guest's PAT says: no aliases of other types */
#define EPT_ACCESSED BIT64(8)
#define EPT_DIRTY BIT64(9)

const struct slat_format vmx_slat = {
	.name = "EPT",
	.table = EPT_READ | EPT_WRITE | EPT_EXECUTE,
	.leaf = EPT_READ | EPT_EXECUTE | EPT_TYPE_WB | EPT_IGNORE_PAT,
	.write = EPT_WRITE,
	.present = EPT_READ | EPT_WRITE | EPT_EXECUTE,
	.accessed = EPT_ACCESSED,
	.dirty = EPT_DIRTY,
	.addr = 0x000ffffffffff000ull,
};

u64 vmx_ept_pointer(pfn_t root)
{
	return pfn_hpa(root).a | EPTP_AD | EPTP_WALK_4 | MEMORY_TYPE_WB;
}

void vmx_ept_flush(struct vcpu_hw *v)
{
	v->todo |= TODO_FLUSH_EPT;
}

void vmx_ept_flush_now(struct vcpu_hw *v)
{
	/* INVEPT also drops the combined mappings of every VPID under this EPTP. */
	if (v->todo & TODO_FLUSH_EPT)
		vmx_insn_invept(INVEPT_SINGLE_CONTEXT, v->eptp);
	if (v->todo & TODO_FLUSH_VPID)
		vmx_insn_invvpid(INVVPID_SINGLE_CONTEXT, v->vpid);
	v->todo &= ~(TODO_FLUSH_EPT | TODO_FLUSH_VPID);
}

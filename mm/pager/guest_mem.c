/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_mem.c - the hypervisor's own hands in guest memory: pins for device models and page walks, and the
 * loaders' copies. Neither sets a hardware bit: age and dirty are marked here, at once, and a pinned page is
 * never reclaimed nor associated with a block.
 */
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/gpage.h"

#define BREATHE_PAGES 16 /* loaded, between two looks at what can't wait */
#define PINS_MAX 512 /* a guest: rings of four disks and what is in hand */

static bool in_ram(const struct vm_mem *m, gpa_t gpa, u64 len)
{
	u64 ram = (u64)m->npages << PAGE_SHIFT;

	return gpa.a < ram && len <= ram - gpa.a;
}

int pager_pin(struct vm_mem *m, gpa_t gpa, u32 len, bool write, void **out)
{
	u32 g = gpa_gpfn(gpa).n, off = (u32)(gpa.a & PAGE_MASK);

	if (!in_ram(m, gpa, len) || len > PAGE_SIZE - off)
		return E_RANGE;
	if (m->pins_in_flight >= PINS_MAX || m->page[g].pins == 0xffff)
		return E_NOMEM;
	if (m->page[g].state != GPAGE_HOT && fault_resident(m, g)) {
		m->parked = true;
		return E_AGAIN;
	}
	if (write)
		gpage_set_dirty(m, g);
	slat_mark(&m->slat, (gpfn_t){ g }, true, write);
	m->page[g].pins++;
	m->pins_in_flight++;
	*out = (u8 *)pfn_ptr((pfn_t){ m->page[g].loc }) + off;
	return E_OK;
}

void pager_unpin(struct vm_mem *m, gpa_t gpa)
{
	u32 g = gpa_gpfn(gpa).n;

	/* After a reset pins were forgotten: a late unpin finds none. */
	if (!in_ram(m, gpa, 1) || !m->page[g].pins || !m->pins_in_flight)
		return;
	m->page[g].pins--;
	m->pins_in_flight--;
}

int pager_load(struct vm_mem *m, gpa_t gpa, const void *src, u64 len)
{
	const u8 *from = src;

	if (!in_ram(m, gpa, len))
		return E_RANGE;
	while (len) {
		u32 g = gpa_gpfn(gpa).n, off = (u32)(gpa.a & PAGE_MASK);
		u32 n = (u32)MIN(len, (u64)PAGE_SIZE - off);
		u8 *to;

		if (pager_breathe && g % BREATHE_PAGES == 0)
			pager_breathe();
		if (!from && m->page[g].state == GPAGE_ZERO) { /* so a big .bss takes no frames */
			gpa.a += n;
			len -= n;
			continue;
		}
		if (fault_resident(m, g))
			return E_NOMEM;
		to = (u8 *)pfn_ptr((pfn_t){ m->page[g].loc }) + off;
		gpage_set_dirty(m, g);
		slat_mark(&m->slat, (gpfn_t){ g }, true, true);
		if (from) {
			memcpy(to, from, n);
			from += n;
		} else {
			memset(to, 0, n);
		}
		gpa.a += n;
		len -= n;
	}
	return E_OK;
}

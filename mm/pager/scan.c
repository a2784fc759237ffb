/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scan.c - one pass over a guest's accessed bits: leaf tables to mm/share/ages.c, its result to the curve.
 *
 * A leaf table whose parent's A bit is clear was not touched and is only aged. Clearing A needs no flush to
 * be safe; one is owed after the pass so that hot global translations show up in the next one.
 */
#include "arch/x86_64/arch.h"
#include "mm/pager/ahead.h"
#include "mm/pager/pager.h"
#include "mm/pager/zip.h"
#include "kernel/trace/trace.h"

#define BREATHE_TABLES 8 /* leaf tables between two looks at what can't wait for the end of a pass */

void (*pager_breathe)(void);

struct scan {
	struct vm_mem *m;
	u64 entries;
};

static void scan_table(void *ctx, u64 *entries, gpfn_t first, bool touched)
{
	struct scan *s = ctx;
	struct vm_mem *m = s->m;
	const struct slat_format *f = m->slat.fmt;

	if (first.n >= m->npages)
		return; /* device pages: not memory */
	if (touched) {
		u64 start;

		if (unlikely(trace_on))
			trace_note_touched(m, entries, first.n, f->accessed);
		start = arch_tsc();
		ages_scan_leaf(&m->ages, entries, m->age + first.n, f->accessed);
		m->n.leaf_ticks += arch_tsc() - start;
		s->entries += AGES_LEAF;
	} else {
		ages_skip_leaf(&m->ages, m->age + first.n);
	}
	if (pager_breathe && first.n / AGES_LEAF % BREATHE_TABLES == 0)
		pager_breathe();
}

void pager_scan(struct vm_mem *m)
{
	struct scan s = { .m = m };
	u64 start = arch_tsc();

	ahead_look(m);
	ages_begin_pass(&m->ages);
	slat_each_leaf_table(&m->slat, scan_table, &s);
	ages_end_pass(&m->ages);
	if (unlikely(trace_on))
		trace_note_pass(m);
	if (pager_breathe)
		pager_breathe();
	curve_pass(&m->curve, &m->ages, arch_ns());
	payer_idle_pass(&m->idle, &m->ages, arch_ns());
	zip_plan(m);
	slat_owe_flush(&m->slat);
	m->n.scans++;
	m->n.scanned_entries += s.entries;
	m->n.scan_ticks += arch_tsc() - start;
}

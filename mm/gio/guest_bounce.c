/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_bounce.c - transfers whose segments are not whole sectors of guest memory: odd, but allowed.
 * Contract: guest_io.h.
 *
 * Pages are pinned (resident ones) or copied aside (evicted sources of a write: they are not brought back),
 * data goes through a few private frames, 16 KiB at a time. No association.
 */
#include "arch/x86_64/arch.h"
#include "mm/gio/guest_io.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/reclaim.h"
#include "mm/pager/gpage.h"

static void zeros(const void *ctx, void *page)
{
	(void)ctx;
	memset(page, 0, PAGE_SIZE);
}

static int hold(struct gio *x, struct gio_part *part)
{
	struct vm_mem *m = x->m;
	u32 g = part->gpfn;

	if (x->writes && gpage_evicted(&m->page[g]))
		return m->page[g].pins ? E_AGAIN : guest_write_evicted(x, part);
	if (!x->writes && gio_whole(part) && !m->page[g].pins && pager_overwrite_helps(m, (gpfn_t){ g })) {
		/* Overwritten unread. Until then the guest sees zeros, as after a transfer that fails. */
		if (pager_overwrite(m, (gpfn_t){ g }, zeros, NULL))
			return E_AGAIN;
	}
	m->n.stale_reads += !x->writes && gio_whole(part) && gpage_evicted(&m->page[g]);
	if (fault_resident(m, g))
		return E_AGAIN;
	if (!x->writes)
		gpage_set_dirty(m, g);
	slat_mark(&m->slat, (gpfn_t){ g }, true, !x->writes);
	m->page[g].pins++;
	part->pfn = m->page[g].loc;
	part->how = GIO_IN_PLACE;
	return 0;
}

/* Between the parts, in order, and the bounce frames. */
static void copy(struct gio *x, bool to_guest)
{
	u32 at = 0;

	for (u32 i = 0; i < x->nparts; i++) {
		const struct gio_part *part = &x->part[i];
		u8 *guest = (u8 *)pfn_ptr((pfn_t){ part->pfn }) + part->off;

		for (u32 done = 0, n; done < part->len; done += n, at += n) {
			u8 *b = (u8 *)pfn_ptr((pfn_t){ x->bounce[at / PAGE_SIZE] }) + at % PAGE_SIZE;

			n = MIN(part->len - done, PAGE_SIZE - at % PAGE_SIZE);
			if (to_guest)
				memcpy(guest + done, b, n);
			else
				memcpy(b, guest + done, n);
		}
	}
}

int guest_bounce_prepare(struct gio *x)
{
	for (; !x->err && x->prepared < x->nparts; x->prepared++)
		if (hold(x, &x->part[x->prepared]))
			return E_AGAIN;
	while ((u64)x->nbounce * PAGE_SIZE < x->chunk) {
		pfn_t p = reclaim_get_frame(x->m, FRAME_BOUNCE, false, LEVEL_URGENT);

		if (pfn_none(p))
			return E_AGAIN;
		x->bounce[x->nbounce++] = p.n;
	}
	if (x->pending)
		return E_AGAIN;
	if (x->writes && !x->err)
		copy(x, false);
	return 0;
}

void guest_bounce_finish(struct gio *x, int err)
{
	struct vm_mem *m = x->m;

	if (!err && !x->writes)
		copy(x, true);
	for (u32 i = 0; i < x->prepared; i++) {
		if (x->part[i].how == GIO_BOUNCED) {
			frame_put((pfn_t){ x->part[i].pfn });
			continue;
		}
		m->page[x->part[i].gpfn].pins--;
		if (!x->writes)
			gpage_set_dirty(m, x->part[i].gpfn);
	}
	while (x->nbounce)
		frame_put((pfn_t){ x->bounce[--x->nbounce] });
}

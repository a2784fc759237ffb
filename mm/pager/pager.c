/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pager.c - the pager's whole: start, admission, chore, failure, reset. Contract: pager.h.
 */
#include "mm/pager/pager.h"
#include "arch/x86_64/arch.h"
#include "mm/pager/ahead.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/pool.h"
#include "mm/pager/reclaim.h"
#include "mm/pager/zip.h"
#include "mm/share/promise.h"
#include "mm/pager/swap.h"

#define MARGIN_FRAMES 64          /* kept free above the reserve by whoever is above its target */
#define ZEROED_WANTED 512
/* A guest is stopped that has held its max for so long, got no frame, and had nothing under way that could
 * bring one. */
#define STUCK_NS (5ull * 1000 * 1000 * 1000)
/* Two tries belong together if no more lies between them: a guest that starves tries at each turn of the
 * loop. */
#define STUCK_GAP_NS (1000ull * 1000 * 1000)

void (*pager_miss_hook)(struct vm_mem *m);
static pfn_t zero_frame = { 0xffffffffu };
static u32 wake_from; /* whom pager_frames_freed() asks first */

int pager_init(const struct block_extent *swap)
{
	zero_frame = frame_get_run(1);
	if (pfn_none(zero_frame))
		return E_NOMEM;
	if (pool_init())
		return E_NOMEM;
	return swap_init(swap);
}

pfn_t pager_zero_frame(void)
{
	return zero_frame;
}

u32 pager_guest_frames(void)
{
	u32 used = frame_count(FRAME_HYP) + frame_count(FRAME_MODULE) + frame_count(FRAME_TABLE) +
		   reclaim_reserve();
	u32 total = frame_total();

	return total > used ? total - used : 0;
}

bool pager_plentiful(const struct vm_mem *m, u32 n)
{
	return frame_free() > MAX(pager_guest_frames() / 8, reclaim_reserve() + n) &&
	       vmmem_held(m) + n <= m->max;
}

static const char *mib(char *buf, size_t size, u64 pages)
{
	return fmt_size(buf, size, pages * PAGE_SIZE);
}

int pager_admit(u32 ram_pages, u32 min_frames, u32 max_frames, char *why, size_t size)
{
	/* What vmmem_init() will take for its arrays and tables, and pager_join(). */
	u32 own = (u32)((u64)ram_pages * 34 / 4096) + ram_pages / 512 + 40 + pool_frames(),
	    all = pager_guest_frames();
	u64 frames = all > own ? all - own : 0, swap = swap_slots();
	struct promise was = { 0 }, then;
	char a[16], b[16], c[16], d[16];

	for (u32 i = 0; i < vmmem_end; i++)
		if (vmmem_all[i])
			promise_add(&was, vmmem_all[i]->npages, vmmem_all[i]->min, vmmem_all[i]->max);
	then = was;
	promise_add(&then, ram_pages, min_frames, max_frames);
	switch (promise_check(&then, &was, frames, swap)) {
	case PROMISE_MINS:
		fmt(why, size,
		    "its min %s and the others' mins make %s, but guests can share only %s of memory",
		    mib(a, sizeof(a), min_frames), mib(b, sizeof(b), then.mins), mib(c, sizeof(c), frames));
		return E_NOMEM;
	case PROMISE_ALL:
		fmt(why, size,
		    "with its %s of %s guests are promised %s, but there are %s of memory + %s of swap",
		    mib(a, sizeof(a), MAX(ram_pages, min_frames)), min_frames > ram_pages ? "min" : "RAM",
		    mib(b, sizeof(b), then.all), mib(c, sizeof(c), frames), mib(d, sizeof(d), swap));
		return E_NOMEM;
	case PROMISE_BEYOND:
		fmt(why, size,
		    "its %s of RAM are above its max of %s: with others' alike that needs %s of swap, but "
		    "there are %s",
		    mib(a, sizeof(a), ram_pages), mib(b, sizeof(b), max_frames),
		    mib(c, sizeof(c), then.beyond), mib(d, sizeof(d), swap));
		return E_NOMEM;
	default:
		return E_OK;
	}
}

/* ---- progress and failure ---- */

void pager_progress(struct vm_mem *m)
{
	if (guest_io_wants(m))
		guest_io_ask(m);
	if (!m->parked)
		return;
	m->parked = false;
	pager_wake(m);
}

void pager_frames_freed(void)
{
	u32 from = wake_from++;

	for (u32 i = 0; i < vmmem_end; i++) {
		struct vm_mem *m = vmmem_all[(from + i) % vmmem_end];

		if (!m || !m->starving)
			continue;
		m->starving = false;
		pager_progress(m);
	}
	pool_serve();
}

static void fail(struct vm_mem *m, const char *reason)
{
	if (m->dead)
		return;
	m->dead = true;
	pager_failed(m, reason);
}

void pager_io_failed(struct vm_mem *m, const char *what, const struct block_req *r)
{
	static const char *const op[] = { "read", "write", "flush" };
	char line[120];

	fmt(line, sizeof(line), "%s: %s of %u sectors at sector %llu of %s failed: %s", what, op[r->op],
	    r->nsectors, (unsigned long long)r->sector, r->dev ? r->dev->name : "no disk", err_str(r->err));
	fail(m, line);
}

/* ---- room ---- */

bool pager_make_room(u32 n)
{
	u32 wanted = reclaim_reserve() + n;

	for (u32 tries = 0; tries < 8 && frame_free() < wanted; tries++) {
		u32 deficit = wanted - frame_free();
		struct vm_mem *v;

		if (reclaim_writing() >= deficit)
			break; /* on their way */
		v = reclaim_payer();
		if (!v)
			v = reclaim_richest(NULL, true);
		if (!v || !reclaim_take_above(v, MIN(deficit, 64)))
			break;
	}
	return frame_free() >= wanted;
}

/* Somebody's max was lowered below what it holds. */
static bool shrink_to_max(void)
{
	for (u32 i = 0; i < vmmem_end; i++) {
		struct vm_mem *m = vmmem_all[i];

		if (m && vmmem_held(m) > m->max + m->writing)
			return reclaim_take_above(m, MIN(vmmem_held(m) - m->max, 64)) > 0;
	}
	return false;
}

/* True: progress was made. */
static bool refill_reserve(void)
{
	u32 reserve = reclaim_reserve(), coming = frame_free() + reclaim_writing();
	struct vm_mem *v = NULL;

	if (coming < reserve + MARGIN_FRAMES)
		v = reclaim_payer();
	if (!v && coming < reserve)
		v = reclaim_richest(NULL, true);
	return v && reclaim_take_above(v, 16) > 0;
}

/* Nothing on its way from or to a disk can give it frames: of its own, and if others may pay for it, of
 * theirs. */
static bool nothing_coming(const struct vm_mem *m, bool at_max)
{
	if (m->io_in_flight || m->writing)
		return false;
	for (u32 i = 0; i < vmmem_end && !at_max; i++)
		if (vmmem_all[i] && vmmem_all[i]->io_in_flight)
			return false;
	return true;
}

/* It holds all that it may, and none of it can be taken: no other guest has a part in that. */
static void stop_stuck(struct vm_mem *m)
{
	u32 pinned = 0;
	char line[120];

	for (u32 g = 0; g < m->npages; g++)
		pinned += m->page[g].pins > 0;
	fmt(line, sizeof(line),
	    "out of memory by itself: none of the %u pages that its max allows can be freed: %u pinned by "
	    "its devices, "
	    "swap slots left for the others: %u",
	    m->max, pinned, swapout_room(m));
	fail(m, line);
}

/* Asked in vain once more. After a time in which it did not ask the clock starts anew. */
static void watch_stuck(struct vm_mem *m, u64 now)
{
	if (!m->stuck_since_ns || now - m->stuck_seen_ns > STUCK_GAP_NS)
		m->stuck_since_ns = now;
	m->stuck_seen_ns = now;
	if (now - m->stuck_since_ns > STUCK_NS)
		stop_stuck(m);
}

/*
 * A guest starves. True: tried something. It is stopped only if it is at its max, all that it holds
 * can't be freed, and nothing is under way that could change this, for STUCK_NS; whoever is below its
 * max waits as long as it takes.
 */
static bool help_starving(struct vm_mem *m)
{
	bool at_max = vmmem_held(m) >= m->max;

	if (!at_max && frame_free() > reclaim_reserve()) {
		m->starving = false;
		pager_progress(m);
		return true;
	}
	if (m->io_asked)
		/* a transfer of its own may get on in its next turn: the clock is looked at after that */
		return false;
	if (!nothing_coming(m, at_max)) {
		m->stuck_since_ns = 0;
		return false;
	}
	m->starving = false;
	pager_progress(m); /* asks again, now or when its vCPU runs, and pays if it can */
	if (vmmem_held(m) < m->max || !nothing_coming(m, true))
		m->stuck_since_ns = 0;
	else
		watch_stuck(m, MAX(arch_ns(), 1));
	return true;
}

/* While somebody waits for frames, writes that free some don't stand behind what nobody waits for. */
static void hurry_writes(void)
{
	bool short_of = false;

	for (u32 i = 0; i < vmmem_end; i++)
		short_of |= vmmem_all[i] && vmmem_all[i]->starving;
	block_hurry(short_of);
}

bool pager_chore(void)
{
	bool more = shrink_to_max();

	if (!more)
		more = refill_reserve();
	for (u32 i = 0; i < vmmem_end; i++) {
		struct vm_mem *m = vmmem_all[i];

		if (m && m->starving && !m->dead)
			more |= help_starving(m);
	}
	hurry_writes();
	more |= ahead_chore();
	more |= zip_chore();
	for (u32 i = 0; i < 8 && frame_count(FRAME_ZEROED) < ZEROED_WANTED; i++)
		if (!frame_zero_one())
			return more;
	return more || (frame_count(FRAME_ZEROED) < ZEROED_WANTED && frame_count(FRAME_FREE));
}

/* ---- one guest's part ---- */

int pager_join(struct vm_mem *m)
{
	return pool_join(m);
}

void pager_leave(struct vm_mem *m)
{
	pool_leave(m);
}

/* ---- reset ---- */

int pager_drain(struct vm_mem *m)
{
	m->draining = true;
	block_free(m->id, true);
	return guest_io_drain(m) && !m->io_in_flight ? E_OK : E_AGAIN;
}

int pager_reset(struct vm_mem *m)
{
	int err = pager_drain(m);

	if (err)
		return err;
	vmmem_clear(m);
	pager_flush(m);
	m->dead = m->draining = false;
	block_free(m->id, false);
	pager_frames_freed();
	return E_OK;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sim_guest.c - guests that read, write, fill, and do disk transfers of every shape, and that
 * know what each byte must be. What is really undetermined (a page changed while it is being written to disk,
 * a transfer that failed) is marked unknown and adopted when next seen; all else must match.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/arch.h"
#include "mm/pager/pager.h"
#include "mm/pager/guest_swap.h"
#include "tests/fake/fake_arch.h"
#include "tests/sim/sim.h"

#define IO_MAX 12
#define RUN_OPS 40
#define LOADED_PAGES 512 /* what loaders and ACPI tables may have filled */

struct sim_io {
	struct guest_io io;
	bool busy, tainted;
	u8 *expect;             /* READ: what must arrive; WRITE: nothing */
	bool *expect_unknown;   /* by sector */
};

struct sim_guest {
	struct vm *vm;
	u8 *mem;                /* the truth */
	bool *mem_unknown;      /* by page */
	u8 *reading, *writing;  /* transfers in flight by page */
	u8 *disk;
	bool *disk_unknown;     /* by sector */
	u64 sectors;
	u32 hot_base, hot_size, phase_left;
	struct sim_io io[IO_MAX];
	struct {
		u64 reads, writes, checks, disk_reads, disk_writes, discards, faults, adopted, restarts,
			failed;
	} n;
};

static struct sim_guest guests[VM_MAX];

static struct sim_guest *guest_of(struct vm *vm) { return &guests[vm->id]; }

/* Some of its disk looks like a swap area: what is written there is taken for swapped out. */
static void swap_to_disk(struct vm *vm)
{
	static u8 page[PAGE_SIZE];
	const u32 info[3] = { 1, 400, 0 };

	memcpy(page + 1024, info, sizeof(info));
	memcpy(page + PAGE_SIZE - 10, "SWAPSPACE2", 10);
	if (!guest_swap_look(&vm->mem, 10, page, false))
		sim_fail("%s: its swap area is not recognised", vm->name);
}

void sim_guest_init(struct vm *vm, u64 disk_sectors)
{
	struct sim_guest *g = guest_of(vm);

	g->vm = vm;
	g->mem = calloc(vm->mem.npages, PAGE_SIZE);
	g->mem_unknown = calloc(vm->mem.npages, 1);
	g->reading = calloc(vm->mem.npages, 1);
	g->writing = calloc(vm->mem.npages, 1);
	g->disk = calloc(disk_sectors, SECTOR_SIZE);
	g->disk_unknown = calloc(disk_sectors, 1);
	g->sectors = disk_sectors;
	memset(g->mem_unknown, 1, MIN(LOADED_PAGES, vm->mem.npages));
	swap_to_disk(vm);
	for (u32 i = 0; i < IO_MAX; i++) {
		g->io[i].expect = malloc(GUEST_IO_MAX_SECTORS * SECTOR_SIZE);
		g->io[i].expect_unknown = malloc(GUEST_IO_MAX_SECTORS);
	}
}

void sim_guest_restarted(struct vm *vm)
{
	struct sim_guest *g = guest_of(vm);

	if (!g->vm)
		return; /* the first start comes before sim_guest_init */
	if (sim_guest_io_in_flight(vm))
		sim_fail("%s restarted with transfers in flight", vm->name);
	swap_to_disk(vm);
	memset(g->mem, 0, (size_t)vm->mem.npages * PAGE_SIZE);
	memset(g->mem_unknown, 0, vm->mem.npages);
	memset(g->mem_unknown, 1, MIN(LOADED_PAGES, vm->mem.npages));
	g->n.restarts++;
}

u32 sim_guest_io_in_flight(struct vm *vm)
{
	u32 n = 0;

	for (u32 i = 0; i < IO_MAX; i++)
		n += guest_of(vm)->io[i].busy;
	return n;
}

static u32 pick_page(struct sim_guest *g)
{
	u32 n = g->vm->mem.npages;

	if (!g->phase_left--) {
		g->phase_left = 2000 + sim_below(20000);
		g->hot_size = 1 + sim_below(n / 2);
		g->hot_base = sim_below(n);
	}
	return sim_below(5) ? (g->hot_base + sim_below(g->hot_size)) % n : sim_below(n);
}

static void check(struct sim_guest *g, u32 page, const u8 *p, u32 from, u32 len)
{
	u8 *truth = g->mem + (size_t)page * PAGE_SIZE;

	g->n.checks++;
	if (g->mem_unknown[page]) {
		memcpy(truth, p, PAGE_SIZE);
		g->mem_unknown[page] = false;
		g->n.adopted++;
		return;
	}
	for (u32 i = from; i < from + len; i++)
		if (p[i] != truth[i])
			sim_fail("%s page %u byte %u is %02x, must be %02x", g->vm->name, page, i, p[i],
				 truth[i]);
}

/* A byte range of a page is read, or changed and remembered. NULL in *fault: it went through. */
static bool touch(struct sim_guest *g, u32 page, bool write, struct vmexit *out)
{
	u32 from = sim_below(PAGE_SIZE), len = 1 + sim_below(MIN(PAGE_SIZE - from, 64u));
	u8 *p, *truth = g->mem + (size_t)page * PAGE_SIZE;

	if (g->reading[page])
		return true; /* a driver leaves a buffer alone while the disk fills it */
	if (write && g->writing[page] && !sim_chance(4))
		return true;
	p = sim_tlb_access(g->vm, page, write);
	if (!p) {
		g->n.faults++;
		out->kind = VMEXIT_SLAT;
		out->slat.gpa = gpfn_gpa((gpfn_t){ page });
		out->slat.read = !write;
		out->slat.write = write;
		return false;
	}
	if (sim_chance(4)) {
		from = 0;
		len = PAGE_SIZE;
	}
	check(g, page, p, from, len);
	if (!write) {
		g->n.reads++;
		return true;
	}
	g->n.writes++;
	for (u32 i = from; i < from + len; i++)
		p[i] = truth[i] = len == PAGE_SIZE && page % 3 == 0 ? 0 : (u8)sim_random();
	if (g->writing[page]) /* changed while it is written to disk: either may arrive there */
		for (u32 k = 0; k < IO_MAX; k++)
			if (g->io[k].busy && g->io[k].io.op == GUEST_IO_WRITE)
				g->io[k].tainted = true;
	return true;
}

static void page_number(const void *ctx, void *page)
{
	memset(page, (int)*(const u32 *)ctx, PAGE_SIZE);
}

/* REP STOS over a whole page, as the exit handler does it. */
static bool fill_page(struct sim_guest *g, u32 page, struct vmexit *out)
{
	if (g->reading[page] || g->writing[page])
		return true;
	if (!pager_overwrite_helps(&g->vm->mem, (gpfn_t){ page }))
		return touch(g, page, true, out);
	if (pager_overwrite(&g->vm->mem, (gpfn_t){ page }, page_number, &page))
		return touch(g, page, true, out);
	memset(g->mem + (size_t)page * PAGE_SIZE, (int)page, PAGE_SIZE);
	g->mem_unknown[page] = false;
	return true;
}

/* A page that is being written to disk right now. */
static u32 pick_source(struct sim_guest *g)
{
	for (u32 i = 0, k = sim_below(IO_MAX); i < IO_MAX; i++) {
		const struct sim_io *s = &g->io[(k + i) % IO_MAX];

		if (s->busy && s->io.op == GUEST_IO_WRITE)
			return (u32)(s->io.segs[sim_below(s->io.nsegs)].gpa.a >> PAGE_SHIFT);
	}
	return pick_page(g);
}

static void taint_overlaps(struct sim_guest *g, const struct guest_io *w)
{
	memset(g->disk_unknown + w->sector, 1, w->nsectors);
	for (u32 k = 0; k < IO_MAX; k++)
		if (g->io[k].busy && g->io[k].io.sector < w->sector + w->nsectors &&
		    w->sector < g->io[k].io.sector + g->io[k].io.nsectors)
			g->io[k].tainted = true;
}

static void arrived(struct sim_guest *g, struct sim_io *s, bool ok)
{
	u32 at = 0;

	for (u32 i = 0; i < s->io.nsegs; i++)
		for (u32 b = 0; b < s->io.segs[i].len; b++, at++) {
			u64 gpa = s->io.segs[i].gpa.a + b;

			if (!ok || s->tainted || s->expect_unknown[at / SECTOR_SIZE])
				g->mem_unknown[gpa >> PAGE_SHIFT] = true;
			else
				g->mem[gpa] = s->expect[at];
		}
}

static void io_done(struct guest_io *io, int err)
{
	struct sim_io *s = container_of(io, struct sim_io, io);
	struct sim_guest *g = guest_of(io->vm);

	if (!s->busy)
		sim_fail("%s: a transfer completed twice", io->vm->name);
	if (io->op == GUEST_IO_READ)
		arrived(g, s, !err);
	else if (io->op != GUEST_IO_FLUSH && (err || s->tainted))
		taint_overlaps(g, io);
	g->n.failed += err != 0;
	for (u32 i = 0; i < io->nsegs; i++)
		for (u64 p = io->segs[i].gpa.a >> PAGE_SHIFT;
		     p <= (io->segs[i].gpa.a + io->segs[i].len - 1) >> PAGE_SHIFT; p++)
			(io->op == GUEST_IO_READ ? g->reading : g->writing)[p]--;
	s->busy = false;
}

/* Whole pages mostly; sometimes odd offsets in memory or on disk, and short ones. */
static bool shape(struct sim_guest *g, struct sim_io *s, bool read)
{
	bool large = sim_chance(16), odd = !large && sim_chance(6); /* up to 1 MiB in one piece of memory */
	u32 pages = 1 + sim_below(large ? 256 : sim_chance(4) ? 24 : 4), page = pick_page(g);
	u64 blocks = g->sectors / SECTORS_PER_PAGE;

	page = MIN(page, g->vm->mem.npages - pages - 1);
	for (u32 i = 0; i <= pages; i++)
		if (g->reading[page + i] || (read && g->writing[page + i]) ||
		    (!read && g->mem_unknown[page + i]))
			return false;
	s->io.sector = (sim_chance(3) ? sim_below(32) : sim_below((u32)blocks - (large ? 257 : 25))) *
		       SECTORS_PER_PAGE;
	s->io.nsectors = pages * SECTORS_PER_PAGE;
	s->io.nsegs = 0;
	if (odd) {
		s->io.sector += sim_below(8);
		s->io.nsectors = 1 + sim_below(s->io.nsectors);
	}
	for (u32 left = s->io.nsectors * SECTOR_SIZE, at = odd ? sim_below(8) * SECTOR_SIZE : 0; left;) {
		u32 len = large ? left : MIN(left, PAGE_SIZE - at % PAGE_SIZE);

		s->io.segs[s->io.nsegs++] = (struct guest_seg_io){ { (u64)page * PAGE_SIZE + at }, len };
		left -= len;
		at += len;
		if (at > pages * PAGE_SIZE + PAGE_SIZE - 1 || s->io.nsegs == GUEST_IO_MAX_SEGS) {
			s->io.nsectors -= left / SECTOR_SIZE;
			break;
		}
	}
	if (!odd && s->io.nsegs > 1 && sim_chance(4)) { /* the blocks in another order of pages */
		struct guest_seg_io first = s->io.segs[0];

		s->io.segs[0] = s->io.segs[s->io.nsegs - 1];
		s->io.segs[s->io.nsegs - 1] = first;
	}
	return s->io.nsectors > 0;
}

static void prepare_read(struct sim_guest *g, struct sim_io *s)
{
	memcpy(s->expect, g->disk + s->io.sector * SECTOR_SIZE, s->io.nsectors * SECTOR_SIZE);
	memcpy(s->expect_unknown, g->disk_unknown + s->io.sector, s->io.nsectors);
	g->n.disk_reads++;
}

/* The disk's truth changes at submission: requests that overlap are carried out in order. */
static void prepare_write(struct sim_guest *g, struct sim_io *s)
{
	u8 *at = g->disk + s->io.sector * SECTOR_SIZE;

	memset(g->disk_unknown + s->io.sector, 0, s->io.nsectors);
	for (u32 i = 0; i < s->io.nsegs; i++) {
		memcpy(at, g->mem + s->io.segs[i].gpa.a, s->io.segs[i].len);
		at += s->io.segs[i].len;
	}
	g->n.disk_writes++;
}

static void prepare_overwrite(struct sim_guest *g, struct sim_io *s)
{
	/* DISCARD leaves the content open; WRITE ZEROES does not */
	u64 longer = 1 + sim_below(2 * GUEST_IO_MAX_SECTORS);

	s->io.nsegs = 0;
	if (sim_chance(8)) /* far longer than a transfer */
		s->io.nsectors = (u32)MIN(g->sectors - s->io.sector, longer);
	memset(g->disk + s->io.sector * SECTOR_SIZE, 0, s->io.nsectors * SECTOR_SIZE);
	memset(g->disk_unknown + s->io.sector, s->io.op == GUEST_IO_DISCARD, s->io.nsectors);
	g->n.discards++;
}

static void transfer(struct sim_guest *g)
{
	static const u8 mix[] = { GUEST_IO_READ,         GUEST_IO_READ,    GUEST_IO_READ, GUEST_IO_WRITE,
				  GUEST_IO_WRITE,        GUEST_IO_READ,    GUEST_IO_READ, GUEST_IO_WRITE,
				  GUEST_IO_WRITE_ZEROES, GUEST_IO_DISCARD, GUEST_IO_FLUSH };
	struct sim_io *s = &g->io[sim_below(IO_MAX)];

	if (s->busy)
		return;
	s->io.op = mix[sim_below(sizeof(mix))];
	if (!shape(g, s, s->io.op == GUEST_IO_READ))
		return;
	s->io.vm = g->vm;
	s->io.disk = 0;
	s->io.done = io_done;
	s->io.pager = NULL;
	s->busy = true;
	s->tainted = false;
	if (s->io.op == GUEST_IO_FLUSH)
		s->io.nsegs = s->io.nsectors = 0;
	else if (s->io.op == GUEST_IO_READ)
		prepare_read(g, s);
	else if (s->io.op == GUEST_IO_WRITE)
		prepare_write(g, s);
	else
		prepare_overwrite(g, s);
	/* a read that follows a write in doubt is in doubt */
	for (u32 i = 0; i < s->io.nsegs; i++)
		for (u64 p = s->io.segs[i].gpa.a >> PAGE_SHIFT;
		     p <= (s->io.segs[i].gpa.a + s->io.segs[i].len - 1) >> PAGE_SHIFT; p++)
			(s->io.op == GUEST_IO_READ ? g->reading : g->writing)[p]++;
	guest_io_submit(&s->io);
}

bool sim_guest_run(struct vm *vm, struct vmexit *out)
{
	struct sim_guest *g = guest_of(vm);

	for (u32 i = 0; i < RUN_OPS; i++) {
		u32 what = sim_below(40);

		sim_ops++;
		fake_tsc += 50 + sim_below(200);
		/* a host interrupt ends a guest's run between two instructions */
		if (sim_disk_due() <= fake_tsc) {
			out->kind = VMEXIT_INTR;
			return true;
		}
		if (what == 0)
			transfer(g);
		else if (what == 1) {
			if (!fill_page(g, pick_page(g), out))
				return true;
		} else if (!touch(g, what == 2 ? pick_source(g) : pick_page(g), what < 14, out))
			return true;
	}
	return false;
}

void sim_guest_report(void)
{
	for (u32 i = 0; i < vm_count; i++) {
		struct sim_guest *g = guest_of(vm_all[i]);
		const struct vm_counters *n = &vm_all[i]->mem.n;

		printf("%s: %llu reads %llu writes %llu checks %llu adopted, disk %llu reads %llu writes "
		       "%llu discards, "
		       "%llu failed, %llu restarts\n",
		       g->vm->name, (unsigned long long)g->n.reads, (unsigned long long)g->n.writes,
		       (unsigned long long)g->n.checks, (unsigned long long)g->n.adopted,
		       (unsigned long long)g->n.disk_reads, (unsigned long long)g->n.disk_writes,
		       (unsigned long long)g->n.discards, (unsigned long long)g->n.failed,
		       (unsigned long long)g->n.restarts);
		printf("  faults %llu zero %llu soft %llu cache hits %llu puts %llu disc %llu swap in %llu "
		       "out %llu clean drops "
		       "%llu rescues %llu bounce %llu unread %llu, guest's swap out %llu in %llu, false puts "
		       "%llu, compressed %llu back %llu on %llu\n",
		       (unsigned long long)n->faults, (unsigned long long)n->zero_fills,
		       (unsigned long long)n->soft_hits, (unsigned long long)n->cache_hits,
		       (unsigned long long)n->cache_puts, (unsigned long long)n->disc_reads,
		       (unsigned long long)n->swap_reads, (unsigned long long)n->swap_writes,
		       (unsigned long long)n->clean_drops, (unsigned long long)n->rescues,
		       (unsigned long long)n->bounce_reads, (unsigned long long)n->overwrites_unread,
		       (unsigned long long)n->swap_outs, (unsigned long long)n->swap_ins,
		       (unsigned long long)n->cache_false, (unsigned long long)n->zip_puts,
		       (unsigned long long)n->zip_hits, (unsigned long long)n->zip_ousted);
	}
}

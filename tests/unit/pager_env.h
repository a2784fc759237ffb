/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pager_env.h - the real pager over a fake disk, with guests whose every sector is known. Included by one .c
 * file a program.
 *
 * The guests' processors have a TLB that forgets nothing until pager_flush(): translations live on after an
 * unmap, and a write through one that has D cached sets no D. The disk completes in any order the test likes,
 * reads land at completion, writes are taken at submission or at completion. A sector's content is one
 * number, at both of its ends.
 */
#ifndef TESTS_UNIT_PAGER_ENV_H
#define TESTS_UNIT_PAGER_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/reclaim.h"
#include "kernel/vm.h"
#include "mm/pager/blockmap.h"
#include "mm/pager/gpage.h"
#include "mm/pager/guest_swap.h"
#include "mm/pager/page_cache.h"
#include "mm/pager/swap.h"
#include "tests/fake/fake_arch.h"
#include "vdev/ports.h"

#ifndef ENV_VMS
#define ENV_VMS 3u
#endif
#ifndef ENV_SECTORS
#define ENV_SECTORS 20000u /* of the one host disk */
#endif

/* The host disk. A program that links drivers/block.c (ENV_REAL_BLOCK) has one of its own. */
#ifndef ENV_DEV
#define ENV_DEV (&env.dev)
#endif

static const struct slat_format env_format = {
	.name = "test", .table = 7, .leaf = 5 | 6 << 3, .write = 2, .present = 7, .accessed = BIT64(8),
	.dirty = BIT64(9), .addr = 0x000ffffffffff000ull,
};

struct tlb { bool valid, dirty; u32 pfn; };

static struct env {
	struct vm vm[ENV_VMS];
	struct tlb *tlb[ENV_VMS];
	u32 wakes[ENV_VMS], worked[ENV_VMS], failures[ENV_VMS], flushes[ENV_VMS];
	char reason[ENV_VMS][128];
	bool again[ENV_VMS];
	struct block_dev dev;
	u8 *disk;
	struct { struct block_req *r; bool taken; } queue[4096];
	u32 nqueue, submitted;
	int fail_in;       /* the nth completion from now fails; 0: none */
	u64 fail_from, fail_end; /* sectors that always fail */
	u64 rng;
} env;

static u32 env_rand(u32 n)
{
	env.rng = env.rng * 6364136223846793005ull + 1442695040888963407ull;
	return n ? (u32)((env.rng >> 33) % n) : 0;
}

static u32 vm_index(const struct vm_mem *m)
{
	return (u32)(m->vm - env.vm);
}

void pager_wake(struct vm_mem *m) { env.wakes[vm_index(m)]++; }
void pager_again(struct vm_mem *m) { env.again[vm_index(m)] = true; }
void pager_worked(struct vm_mem *m) { env.worked[vm_index(m)]++; }

void pager_failed(struct vm_mem *m, const char *reason)
{
	env.failures[vm_index(m)]++;
	str_copy(env.reason[vm_index(m)], 128, reason);
}

void pager_flush(struct vm_mem *m)
{
	u32 i = vm_index(m);

	env.flushes[i]++;
	memset(env.tlb[i], 0, m->npages * sizeof(struct tlb));
	slat_flushed(&m->slat);
}

/* ---- disk ---- */

#ifndef ENV_REAL_BLOCK /* the program links drivers/block.c and brings its own disk */
void block_hurry(bool on) { (void)on; }
bool block_contended(const struct block_dev *d, u32 owner) { (void)d; (void)owner; return env_rand(2); }
void block_free(u32 owner, bool on) { (void)owner; (void)on; }

static void transfer(struct block_req *r)
{
	u8 *d = env.disk + r->sector * SECTOR_SIZE;

	for (u32 i = 0; i < r->nsegs; i++) {
		void *p = hpa_ptr(r->segs[i].addr);

		assert_true(r->segs[i].addr.a + r->segs[i].len <= (u64)fake_arena_frames * PAGE_SIZE);
		if (r->op == BLOCK_READ)
			memcpy(p, d, r->segs[i].len);
		else
			memcpy(d, p, r->segs[i].len);
		d += r->segs[i].len;
	}
}

void block_submit(struct block_req *r)
{
	u64 bytes = 0;

	assert_ptr_equal(r->dev, &env.dev);
	for (u32 i = 0; i < r->nsegs; i++) {
		assert_int_equal(r->segs[i].len % SECTOR_SIZE | (r->segs[i].addr.a & 1), 0);
		bytes += r->segs[i].len;
	}
	if (r->op != BLOCK_FLUSH) {
		assert_true(r->nsectors && r->nsectors <= env.dev.max_sectors);
		assert_true(r->sector + r->nsectors <= ENV_SECTORS);
	}
	assert_int_equal(bytes, (u64)r->nsectors * SECTOR_SIZE);
	assert_true(env.nqueue < ARRAY_SIZE(env.queue));
	env.submitted++;
	env.queue[env.nqueue].r = r;
	env.queue[env.nqueue].taken = r->op == BLOCK_WRITE && env_rand(2);
	if (env.queue[env.nqueue].taken)
		transfer(r);
	env.nqueue++;
}

static bool overlaps_earlier(u32 i)
{
	const struct block_req *r = env.queue[i].r;

	for (u32 k = 0; k < i; k++) {
		const struct block_req *q = env.queue[k].r;

		if (q->sector < r->sector + r->nsectors && r->sector < q->sector + q->nsectors &&
		    (q->op == BLOCK_WRITE || r->op == BLOCK_WRITE))
			return true;
	}
	return false;
}

static void disk_complete(u32 i)
{
	struct block_req *r = env.queue[i].r;
	bool bad = env.fail_in && !--env.fail_in;

	bad |= r->sector < env.fail_end && env.fail_from < r->sector + r->nsectors && r->op != BLOCK_FLUSH;
	/* What overlaps a write must not be in flight with it: the pager orders, not the disk. */
	assert_false(overlaps_earlier(i));
	if (!bad && r->op != BLOCK_FLUSH && !env.queue[i].taken)
		transfer(r);
	env.queue[i] = env.queue[--env.nqueue];
	r->err = bad ? E_IO : 0;
	r->done(r);
}

#endif

/* As the main loop does: what pager_again() asked for. */
static bool go_on(void)
{
	bool any = false;

	for (u32 i = 0; i < ENV_VMS; i++) {
		if (!env.again[i])
			continue;
		env.again[i] = false;
		any = true;
		guest_io_drive(&env.vm[i].mem);
	}
	return any;
}

#ifdef ENV_REAL_BLOCK
static bool disk_one(void);
#else
static bool disk_one(void)
{
	if (!env.nqueue)
		return go_on();
	disk_complete(env_rand(env.nqueue));
	(void)go_on();
	return true;
}
#endif

static void disk_run(void)
{
	for (u32 i = 0; i < 100000 && (disk_one() || env.nqueue); i++)
		;
}

/* ---- making ---- */

static void say(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "pager_check: %s\n", line);
}

static void env_check(void)
{
	assert_int_equal(pager_check(say, NULL), 0);
}

static void env_start(u32 frames, u32 swap_pages)
{
	struct boot_range ram = { PAGE_SIZE, (u64)frames * PAGE_SIZE, true };
	struct block_extent swap = { ENV_DEV, 0, (u64)swap_pages * SECTORS_PER_PAGE };

	free(env.disk);
	for (u32 i = 0; i < ENV_VMS; i++)
		free(env.tlb[i]);
	memset(&env, 0, sizeof(env));
	memset(vmmem_all, 0, sizeof(vmmem_all));
	env.rng = 1;
	env.disk = calloc(ENV_SECTORS, SECTOR_SIZE);
	str_copy(ENV_DEV->name, sizeof(ENV_DEV->name), "hd0");
	ENV_DEV->sectors = ENV_SECTORS;
	ENV_DEV->max_sectors = 256;
	fake_arena(frames);
	fake_tsc = 1;
	memset(arch_direct_map, 0xa5, (size_t)frames * PAGE_SIZE);
	assert_int_equal(frame_init(&ram, 1, NULL, 0), 0);
	assert_int_equal(pager_init(&swap), 0);
}

/* Its disk is sectors [first, first + n). */
static struct vm_mem *env_vm(u32 i, u32 pages, u32 max, u64 first, u64 n)
{
	struct vm_mem *m = &env.vm[i].mem;

	memset(&env.vm[i], 0, sizeof(env.vm[i]));
	m->max = m->target = max;
	m->min = 0;
	m->disk[0] = (struct guest_disk){ .used = true, .ext = { ENV_DEV, first, n } };
	assert_int_equal(vmmem_init(m, &env.vm[i], (u8)i, pages, &env_format), 0);
	assert_int_equal(pager_join(m), 0);
	env.tlb[i] = calloc(pages, sizeof(struct tlb));
	return m;
}

static void env_end(void)
{
	disk_run();
	for (u32 i = 0; i < ENV_VMS; i++) {
		struct vm_mem *m = &env.vm[i].mem;

		if (vmmem_all[i] != m || !m->vm)
			continue;
		while (pager_drain(m) == E_AGAIN)
			disk_run();
		pager_leave(m);
		vmmem_destroy(m);
	}
	env_check();
	assert_int_equal(swap_used(), 0);
}

/* ---- the processor ---- */

/* A translation of g for the access; NULL: it faulted and must wait. */
static u8 *cpu_touch(struct vm_mem *m, u32 g, bool write)
{
	struct tlb *t = &env.tlb[vm_index(m)][g];

	for (u32 tries = 0; tries < 4; tries++) {
		struct slat_leaf l;

		if (m->slat.stale)
			pager_flush(m);
		l = slat_get(&m->slat, (gpfn_t){ g });
		if (!t->valid && l.present) {
			slat_mark(&m->slat, (gpfn_t){ g }, true, write);
			*t = (struct tlb){ true, l.dirty || write, l.pfn.n };
		}
		if (t->valid) {
			if (write && !t->dirty) {
				slat_mark(&m->slat, (gpfn_t){ g }, true, true);
				t->dirty = true;
			}
			return pfn_ptr((pfn_t){ t->pfn });
		}
		if (pager_fault(m, (gpfn_t){ g }, write) == V_BLOCK)
			return NULL;
	}
	fail_msg("page %u faults for ever", g);
	return NULL;
}

/* The same, waiting for the disk. NULL: the guest is dead. */
static u8 *cpu_page(struct vm_mem *m, u32 g, bool write)
{
	for (u32 i = 0; i < 100000; i++) {
		u8 *p = cpu_touch(m, g, write);

		if (p || m->dead)
			return p;
		if (!disk_one())
			pager_chore();
	}
	fail_msg("page %u never arrives", g);
	return NULL;
}

static u64 sector_get(const u8 *p)
{
	u64 a, b;

	memcpy(&a, p, 8);
	memcpy(&b, p + SECTOR_SIZE - 8, 8);
	return a == b ? a : ~0ull;
}

static void sector_set(u8 *p, u64 v)
{
	memset(p, 0, SECTOR_SIZE);
	memcpy(p, &v, 8);
	memcpy(p + SECTOR_SIZE - 8, &v, 8);
}

/* ---- I/O ---- */

static int io_err;
static u32 io_ended;

static inline void io_done(struct guest_io *io, int err)
{
	(void)io;
	io_err = err;
	io_ended++;
}

static inline void io_make(struct guest_io *io, struct vm_mem *m, u8 op, u64 sector, u32 n, u64 gpa)
{
	memset(io, 0, sizeof(*io));
	io->vm = m->vm;
	io->op = op;
	io->sector = sector;
	io->nsectors = n;
	io->nsegs = op == GUEST_IO_READ || op == GUEST_IO_WRITE;
	io->segs[0] = (struct guest_seg_io){ { gpa }, n * SECTOR_SIZE };
	io->done = io_done;
}

static inline void env_submit(struct guest_io *io) { gio_submit(&io->vm->mem, io); }

/* Submits and waits. */
static inline int io_now(struct guest_io *io)
{
	io_ended = 0;
	env_submit(io);
	for (u32 i = 0; i < 100000 && !io_ended; i++)
		if (!disk_one())
			pager_chore();
	assert_int_equal(io_ended, 1);
	return io_err;
}

static inline int io_simple(struct vm_mem *m, u8 op, u64 sector, u32 n, u64 gpa)
{
	struct guest_io io;

	io_make(&io, m, op, sector, n, gpa);
	return io_now(&io);
}

/* ---- pages with known content ---- */

/* The header of a swap area of that many pages, as mkswap writes it. */
static inline void swap_header(u8 *page, u32 pages)
{
	u32 info[3] = { 1, pages - 1, 0 };

	memset(page, 0, PAGE_SIZE);
	memcpy(page + 1024, info, sizeof(info));
	memcpy(page + PAGE_SIZE - 10, "SWAPSPACE2", 10);
}

/* As if the guest had read such a header from block first of its disk. */
static inline void recognise_swap(struct vm_mem *m, u32 first, u32 pages)
{
	u8 page[PAGE_SIZE];

	swap_header(page, pages);
	assert_true(guest_swap_look(m, first, page, false));
}

static inline void fill_page_with(struct vm_mem *m, u32 g, u64 v)
{
	u8 *p = cpu_page(m, g, true);

	for (u32 s = 0; s < 8; s++)
		sector_set(p + s * SECTOR_SIZE, v + s);
}

/* Page g becomes a copy of 4096 bytes, as by REP MOVS; false: it must wait. */
static inline void content_copy(const void *ctx, void *page) { memcpy(page, ctx, PAGE_SIZE); }
static inline bool overwrite_now(struct vm_mem *m, u32 g, const void *bytes)
{
	return !pager_overwrite(m, (gpfn_t){ g }, content_copy, bytes);
}

static inline void expect_page(struct vm_mem *m, u32 g, u64 v)
{
	const u8 *p = cpu_page(m, g, false);

	for (u32 s = 0; s < 8; s++)
		assert_int_equal(sector_get(p + s * SECTOR_SIZE), v + s);
}

static inline void fill_block(u64 host_sector, u64 v)
{
	for (u32 s = 0; s < 8; s++)
		sector_set(env.disk + (host_sector + s) * SECTOR_SIZE, v + s);
}

/* Makes v give up n frames, as if somebody wanted them. */
static inline void squeeze(struct vm_mem *v, u32 n)
{
	for (u32 i = 0; i < 1000 && n; i++) {
		u32 before = vmmem_held(v);

		reclaim_take(v, n);
		disk_run();
		n -= MIN(n, before - vmmem_held(v));
	}
}

static inline void evict_all(struct vm_mem *v)
{
	squeeze(v, vmmem_held(v));
	assert_int_equal(vmmem_held(v), 0);
	env_check();
}

#endif

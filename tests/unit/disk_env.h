/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * disk_env.h - for the unit tests of disk drivers: what drivers stand on, a disk whose commands complete in
 * random order and go wrong as a test wants, and the tests that every driver has to pass. Included once, by a
 * test that has the model of one device: its registers (env_read, env_write), how it reports a command's end
 * (env_report).
 */
#ifndef TESTS_UNIT_DISK_ENV_H
#define TESTS_UNIT_DISK_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/mmio.h"
#include "drivers/block.h"
#include "drivers/pci.h"
#include "drivers/slots.h"
#include "kernel/lib/lib.h"
#include "mm/frame.h"
#include "tests/fake/fake_arch.h"

#define ENV_AREA 0x10000u
#define ENV_FRAMES 1024u
#define ENV_SECTORS 2048u
#define ENV_QUIET 0xffffffffffull

/* One command as the device understood it. */
struct env_cmd { u32 id; u8 op; u64 lba; u32 sectors, nsegs; struct { u64 addr; u64 len; } seg[600]; };

static struct {
	struct pci_dev pci;
	u8 config[256];
	u16 command;             /* of PCI */
	u32 next_frame;
	bool (*handler)(void *ctx);
	void *ctx;
	u8 disk[ENV_SECTORS * SECTOR_SIZE];
	struct env_cmd cmd[SLOTS_MAX];
	u32 ncmds, most, resets, flushes;
	u64 bad_lba, hang_lba;   /* commands on it fail; stop the device for good (until a reset) */
	bool hung, dead, mute;   /* dead: a reset does not help; mute: no interrupts */
	u32 done;
} env;

/* Of the model. */
static u32 env_read(u64 offset, u32 bytes);
static void env_write(u64 offset, u32 bytes, u32 v);
static void env_report(const struct env_cmd *c, bool ok);
/* It did not stop, and nothing keeps it from memory. */
static bool env_writes(void);

/* ---- what drivers stand on ---- */

static u8 env_area[ENV_AREA]; /* only its addresses are used */

static u64 env_offset(const volatile void *p) { return (u64)((const volatile u8 *)p - env_area); }
u8 mmio_read8(const volatile void *p) { return (u8)env_read(env_offset(p), 1); }
u16 mmio_read16(const volatile void *p) { return (u16)env_read(env_offset(p), 2); }
u32 mmio_read32(const volatile void *p)
{
	fake_tsc += 1000; /* who polls sees time pass */
	return env_read(env_offset(p), 4);
}

void mmio_write8(volatile void *p, u8 v) { env_write(env_offset(p), 1, v); }
void mmio_write16(volatile void *p, u16 v) { env_write(env_offset(p), 2, v); }
void mmio_write32(volatile void *p, u32 v) { env_write(env_offset(p), 4, v); }

u8 pci_read8(const struct pci_dev *d, u8 offset) { (void)d; return env.config[offset]; }
u32 pci_read32(const struct pci_dev *d, u8 offset)
{
	u32 v;

	(void)d;
	memcpy(&v, env.config + (offset & 0xfc), 4);
	return v;
}

void pci_enable(const struct pci_dev *d, u16 command) { (void)d; env.command |= command; }
void pci_disable(const struct pci_dev *d, u16 command)
{
	assert_ptr_equal(d, &env.pci);
	env.command &= (u16)~command;
}

u8 pci_capability(const struct pci_dev *d, u8 id, u8 after)
{
	u8 at = env.config[after ? after + 1 : 0x34];

	(void)d;
	while (at && env.config[at] != id)
		at = env.config[at + 1];
	return at;
}

void *pci_map(const struct pci_dev *d, u32 bar, u64 offset, u64 bytes)
{
	(void)d;
	return bar < PCI_BARS && offset <= ENV_AREA && bytes <= ENV_AREA - offset ? env_area + offset : NULL;
}

int pci_irq(const struct pci_dev *d, bool (*fn)(void *ctx), void *ctx)
{
	(void)d;
	env.handler = fn;
	env.ctx = ctx;
	return PCI_IRQ_MSIX;
}

pfn_t frame_get_run(u32 n)
{
	pfn_t p = { env.next_frame };

	assert_true(n <= ENV_FRAMES - env.next_frame);
	env.next_frame += n;
	return p;
}

void frame_put_run(pfn_t p, u32 n) { (void)p; (void)n; }
u32 frame_limit(void) { return ENV_FRAMES; }

/* ---- the disk ---- */

/* The model was given a command: env.cmd[env.ncmds] is filled in. */
static void env_push(void)
{
	assert_true(env.ncmds < SLOTS_MAX);
	for (u32 i = 0; i < env.ncmds; i++)
		assert_int_not_equal(env.cmd[i].id, env.cmd[env.ncmds].id);
	env.ncmds++;
	env.most = MAX(env.most, env.ncmds);
}

/* The model was reset. */
static void env_forget(void)
{
	env.ncmds = 0;
	env.hung = false;
	env.resets++;
}

static bool env_covers(const struct env_cmd *c, u64 lba)
{
	return c->op != BLOCK_FLUSH && lba >= c->lba && lba < c->lba + c->sectors;
}

static void env_transfer(const struct env_cmd *c)
{
	u8 *at = env.disk + c->lba * SECTOR_SIZE, *end = at + c->sectors * SECTOR_SIZE;

	assert_true(c->lba < ENV_SECTORS && c->sectors <= ENV_SECTORS - c->lba);
	for (u32 i = 0; i < c->nsegs; i++) {
		assert_true(c->seg[i].len <= (u64)(end - at));
		assert_true(c->seg[i].addr + c->seg[i].len <= (u64)ENV_FRAMES * PAGE_SIZE);
		if (c->op == BLOCK_READ)
			memcpy(hpa_ptr((hpa_t){ c->seg[i].addr }), at, c->seg[i].len);
		else
			memcpy(at, hpa_ptr((hpa_t){ c->seg[i].addr }), c->seg[i].len);
		at += c->seg[i].len;
	}
	assert_ptr_equal(at, end);
}

/* The device does one of its commands; false: it has nothing to do, or hangs. */
static bool env_work(void)
{
	u32 i = env.ncmds ? (u32)rand() % env.ncmds : 0;
	struct env_cmd c = env.cmd[i];
	bool ok = !env_covers(&c, env.bad_lba);

	if (!env.ncmds || env.hung)
		return false;
	if (env_covers(&c, env.hang_lba)) {
		env.hung = true;
		return false;
	}
	env.cmd[i] = env.cmd[--env.ncmds];
	if (c.op == BLOCK_FLUSH)
		env.flushes++;
	else if (ok)
		env_transfer(&c);
	env_report(&c, ok);
	if (!env.mute)
		env.handler(env.ctx);
	return true;
}

/* Time goes on by that many ms, with a tick after each. */
static void env_run(void (*tick)(u64 now_ns), u32 ms)
{
	for (u32 i = 0; i < ms; i++) {
		while (env_work())
			;
		fake_tsc += 1000000;
		tick(fake_tsc);
		block_poll();
	}
}

static void env_reset(void)
{
	memset(&env, 0, sizeof(env));
	env.bad_lba = env.hang_lba = ENV_QUIET;
	env.next_frame = ENV_FRAMES / 2; /* below: the test's own */
	for (u32 i = 0; i < PCI_BARS; i++)
		env.pci.bar[i] = (struct pci_bar){ 0xfe000000, ENV_AREA, false };
	for (u32 i = 0; i < sizeof(env.disk); i++)
		env.disk[i] = (u8)(i * 7 + (i >> 9) * 13);
	fake_arena(ENV_FRAMES);
	fake_tsc = 1000000000;
}

/* ---- tests for every driver ---- */

struct env_driver { const char *name; void (*tick)(u64 now_ns); };

/* Whoever sent the request gives its frames on from here. */
static void env_done(struct block_req *r)
{
	env.done++;
	if (r->err)
		assert_false(env_writes());
}

struct env_req { struct block_req r; struct block_seg seg[40]; };

/* A random request of up to 40 segments, in the frames of its own number. */
static void env_random_request(struct env_req *q, struct block_dev *d, u32 number, u32 sectors)
{
	static const u32 starts[] = { 0, 0, 0, 512, 1024, 0x302, 0xf00, 4 };
	u64 at = (u64)(number + 1) * 32 * PAGE_SIZE;
	u32 left = sectors;

	q->r = (struct block_req){ .dev = d,
				   .op = rand() & 1 ? BLOCK_READ : BLOCK_WRITE,
				   .sector = (u32)rand() % (ENV_SECTORS - sectors),
				   .nsectors = sectors,
				   .segs = q->seg,
				   .done = env_done };
	while (left) {
		u32 n = q->r.nsegs == 39 ? left : 1 + (u32)rand() % MIN(left, 24);

		if (rand() & 1) /* not just behind the one before */
			at = ALIGN_UP(at, (u64)PAGE_SIZE) + starts[(u32)rand() % ARRAY_SIZE(starts)];
		q->seg[q->r.nsegs++] = (struct block_seg){ { at }, n * SECTOR_SIZE };
		at += n * SECTOR_SIZE;
		left -= n;
	}
}

static u8 *env_gather(const struct block_req *r)
{
	static u8 buf[64 * SECTOR_SIZE];
	u8 *p = buf;

	for (u32 i = 0; i < r->nsegs; p += r->segs[i++].len)
		memcpy(p, hpa_ptr(r->segs[i].addr), r->segs[i].len);
	return buf;
}

/* Rounds of requests that do not overlap, against the bytes they should move. */
static void env_random(const struct env_driver *v)
{
	static struct env_req q[8];
	static u8 before[8][64 * SECTOR_SIZE];
	struct block_dev *d = block_find(v->name);

	for (u32 round = 0; round < 300; round++) {
		u32 n = 1 + (u32)rand() % 8;

		for (u32 i = 0; i < n; i++) {
			env_random_request(&q[i], d, i, 1 + (u32)rand() % 60);
			q[i].r.sector = i * 64 + (u32)rand() % 4;
			for (u32 k = 0; q[i].r.op == BLOCK_WRITE && k < q[i].r.nsegs; k++)
				memset(hpa_ptr(q[i].seg[k].addr), rand(), q[i].seg[k].len);
			memcpy(before[i], env_gather(&q[i].r), q[i].r.nsectors * SECTOR_SIZE);
		}
		env.done = 0;
		for (u32 i = 0; i < n; i++)
			block_submit(&q[i].r);
		while (env_work())
			;
		assert_int_equal(env.done, n);
		for (u32 i = 0; i < n; i++) {
			const u8 *disk = env.disk + q[i].r.sector * SECTOR_SIZE;

			assert_int_equal(q[i].r.err, 0);
			assert_memory_equal(env_gather(&q[i].r), disk, q[i].r.nsectors * SECTOR_SIZE);
			if (q[i].r.op == BLOCK_WRITE)
				assert_memory_equal(before[i], disk, q[i].r.nsectors * SECTOR_SIZE);
		}
	}
	assert_true(block_idle());
	assert_true(env.most > 1);
}

static struct env_req env_q[6];

/* Six reads of a page each, sectors 0, 100, 200, ... */
static void env_six(const struct env_driver *v)
{
	env.done = 0;
	for (u32 i = 0; i < 6; i++) {
		env_q[i].seg[0] = (struct block_seg){ { (10 + i) * PAGE_SIZE }, PAGE_SIZE };
		env_q[i].r = (struct block_req){ .dev = block_find(v->name),
						 .op = BLOCK_READ,
						 .sector = i * 100,
						 .nsectors = 8,
						 .segs = env_q[i].seg,
						 .nsegs = 1,
						 .done = env_done };
		memset(hpa_ptr(env_q[i].seg[0].addr), 0xee, PAGE_SIZE);
		block_submit(&env_q[i].r);
	}
}

/* All but `bad` arrived; that one failed. */
static void env_expect(u32 bad)
{
	assert_int_equal(env.done, 6);
	for (u32 i = 0; i < 6; i++) {
		assert_int_equal(env_q[i].r.err, i == bad ? E_IO : 0);
		if (i != bad)
			assert_memory_equal(env_gather(&env_q[i].r), env.disk + i * 100 * SECTOR_SIZE,
					    PAGE_SIZE);
	}
	assert_true(block_idle());
}

static void env_bad_sector(const struct env_driver *v)
{
	env.bad_lba = 303;
	env_six(v);
	env_run(v->tick, 20000);
	env_expect(3);
	env.bad_lba = ENV_QUIET;
}

static void env_lost_interrupts(const struct env_driver *v)
{
	u64 polled = block_find(v->name)->stats.polled;

	env.mute = true;
	env_six(v);
	env_run(v->tick, 20);
	env_expect(6);
	env.mute = false;
	assert_int_equal(block_find(v->name)->stats.polled, polled + 6);
}

/* One command stops the device each time it comes. The others don't suffer. */
static void env_killer(const struct env_driver *v)
{
	env.resets = 0;
	env.hang_lba = 405;
	env_six(v);
	env_run(v->tick, 100000);
	env_expect(4);
	assert_in_range(env.resets, 4, 5);
	env.hang_lba = ENV_QUIET;
	env_six(v);
	env_run(v->tick, 1);
	env_expect(6);
}

static void env_flush(const struct env_driver *v)
{
	struct block_req r = { .dev = block_find(v->name), .op = BLOCK_FLUSH, .done = env_done };

	env_six(v);
	block_submit(&r);
	env_run(v->tick, 2);
	assert_int_equal(env.done, 7);
	assert_int_equal(r.err, 0);
	assert_int_equal(env.flushes, 1);
}

/* Last: the device does not come back. */
static void env_death(const struct env_driver *v)
{
	struct env_req late = { .r = { .dev = block_find(v->name),
				       .op = BLOCK_READ,
				       .nsectors = 8,
				       .segs = late.seg,
				       .nsegs = 1,
				       .done = env_done },
				.seg = { { { 0x1000 }, PAGE_SIZE } } };

	env.hang_lba = 5;
	env.dead = true;
	env_six(v);
	env_run(v->tick, 60000);
	assert_int_equal(env.done, 6);
	for (u32 i = 0; i < 6; i++)
		assert_true(env_q[i].r.err == E_IO || env_q[i].r.err == 0);
	assert_int_equal(env_q[0].r.err, E_IO);
	block_submit(&late.r);
	block_poll();
	assert_int_equal(late.r.err, E_IO);
	assert_true(block_idle());
}

#endif

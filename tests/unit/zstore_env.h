/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zstore_env.h - guests whose pages are either in a frame or in the store, and a model that knows every
 * page's content. Included by one .c file a program, after what defines CHECK(condition).
 */
#ifndef TESTS_UNIT_ZSTORE_ENV_H
#define TESTS_UNIT_ZSTORE_ENV_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/lib/lib.h"
#include "mm/frame.h"
#include "mm/pager/vmmem.h"
#include "mm/pager/zstore.h"
#include "tests/fake/fake_arch.h"

#define ZENV_PAGES 200u
#define ZENV_VMS 2u
#define ZENV_FRAMES 700u

static struct zenv {
	struct vm_mem mem[ZENV_VMS];
	struct gpage page[ZENV_VMS][ZENV_PAGES];
	u64 content[ZENV_VMS][ZENV_PAGES]; /* what zenv_fill() makes the page from */
	u32 at[ZENV_VMS][ZENV_PAGES], clock; /* when the page went to the store */
	u64 puts, refused, moved;
} zenv;

static void zenv_start(void)
{
	struct boot_range ram = { PAGE_SIZE, (u64)ZENV_FRAMES * PAGE_SIZE, true };

	memset(&zenv, 0, sizeof(zenv));
	fake_arena(ZENV_FRAMES);
	CHECK(frame_init(&ram, 1, NULL, 0) == 0);
	for (u32 v = 0; v < ZENV_VMS; v++) {
		zenv.mem[v].id = (u8)v;
		zenv.mem[v].npages = ZENV_PAGES;
		zenv.mem[v].page = zenv.page[v];
		zstore_init(&zenv.mem[v].zip);
	}
}

/* The low byte says how much of the page is noise, in sixteenths; the rest of it repeats. */
static void zenv_fill(u8 *p, u64 content)
{
	u32 noise = content % 17 * 256;
	u64 x = content | 1;

	memset(p, (int)(content >> 8), PAGE_SIZE);
	memcpy(p, &content, sizeof(content));
	for (u32 i = sizeof(content); i + 8 <= noise; i += 8) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		memcpy(p + i, &x, 8);
		x ^= x >> 29;
	}
}

static void zenv_say(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "%s\n", line);
}

static void zenv_check(void)
{
	for (u32 v = 0; v < ZENV_VMS; v++)
		CHECK(zstore_check(&zenv.mem[v], zenv_say, NULL) == 0);
	CHECK(frame_recount(zenv_say, NULL) == 0);
}

static void zenv_put(u32 v, u32 g, u64 content)
{
	struct vm_mem *m = &zenv.mem[v];
	u32 held = frame_held((u8)v), frames = m->zip.frames;
	pfn_t p;
	u32 chunks, r;

	if (m->page[g].state == GPAGE_ZIP)
		return;
	p = frame_get((u8)v, FRAME_SOFT, false);
	CHECK(!pfn_none(p));
	zenv_fill(pfn_ptr(p), content);
	chunks = zstore_try(pfn_ptr(p));
	CHECK(chunks <= ZSTORE_PAGE_CHUNKS);
	if (!chunks) {
		CHECK(content % 17 > 9);
		CHECK(m->page[g].state == GPAGE_ZERO && frame_of(p)->state == FRAME_SOFT);
		frame_put(p);
		zenv.refused++;
		return;
	}
	CHECK(content % 17 < 14);
	frames += m->zip.chunks; /* of both at once */
	r = zstore_put(m, g, p);
	CHECK(frame_held((u8)v) == held + 1 - r);
	CHECK(m->zip.frames + m->zip.chunks == frames + 1 - r + chunks);
	zenv.content[v][g] = content;
	zenv.at[v][g] = ++zenv.clock;
	zenv.puts++;
}

static void zenv_look(u32 v, u32 g)
{
	static u8 page[PAGE_SIZE], want[PAGE_SIZE];

	if (zenv.mem[v].page[g].state != GPAGE_ZIP)
		return;
	memset(page, 0x5a, sizeof(page));
	zstore_get(&zenv.mem[v], g, page);
	zenv_fill(want, zenv.content[v][g]);
	CHECK(!memcmp(page, want, PAGE_SIZE));
}

static void zenv_drop(u32 v, u32 g)
{
	struct vm_mem *m = &zenv.mem[v];
	u32 held = frame_held((u8)v), freed;

	if (m->page[g].state != GPAGE_ZIP)
		return;
	freed = zstore_drop(m, g);
	CHECK(frame_held((u8)v) == held - freed);
	m->page[g].state = GPAGE_ZERO;
	m->page[g].loc = 0;
}

/* The page that came first, by the model. */
static u32 zenv_oldest(u32 v)
{
	u32 best = NO_GPFN.n;

	for (u32 g = 0; g < ZENV_PAGES; g++)
		if (zenv.page[v][g].state == GPAGE_ZIP &&
		    (best == NO_GPFN.n || zenv.at[v][g] < zenv.at[v][best]))
			best = g;
	return best;
}

static void zenv_clear(u32 v)
{
	zstore_clear(&zenv.mem[v]);
	memset(zenv.page[v], 0, sizeof(zenv.page[v]));
	CHECK(frame_held((u8)v) == 0);
}

/* One of everything that there is, by four numbers. */
static void zenv_step(u32 op, u32 v, u32 g, u64 content)
{
	switch (op % 16) {
	case 0 ... 6:
		zenv_put(v, g, content);
		break;
	case 7 ... 9:
		zenv_look(v, g);
		break;
	case 10:
		if (content % 64 == 0)
			zenv_clear(v);
		break;
	case 11:
		CHECK(zstore_oldest(&zenv.mem[v]) == zenv_oldest(v));
		if (zenv_oldest(v) != NO_GPFN.n)
			zenv_drop(v, zenv_oldest(v));
		break;
	default:
		zenv_look(v, g);
		zenv_drop(v, g);
	}
}

#endif

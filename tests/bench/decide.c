/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/share/ages.c mm/share/curve.c mm/share/curve_sleep.c mm/share/divide.c mm/share/balance.c mm/share/balance_qos.c */
/*
 * decide GUESTS - balance_step() once a second for guests whose working sets differ, as in use: the curves
 * are filled by scans of accessed bits and by misses. Run under callgrind with --toggle-collect=balance_step,
 * which then counts the instructions of the decisions alone; how many there were is printed.
 *
 * Each guest has 256 MiB of RAM, the machine 128 MiB a guest, divided in steps of 1 MiB.
 */
#include "mm/share/balance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 65536u       /* of a guest's RAM */
#define SHARE (PAGES / 2)  /* frames there are, a guest */
#define ACCESSED BIT64(8)
#define PRESENT 7u
#define WARM_UP 20
#define DECISIONS 20
#define NS 1000000000ull

struct guest {
	struct ages ages;
	struct curve curve;
	u64 *entries;
	u8 *age;
	u64 random;
	u32 kind, at;
};

static u32 draw(struct guest *g, u32 below)
{
	g->random = g->random * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)((g->random >> 33) % below);
}

/* Pages that one second touches: skewed, a loop over two thirds, a hot set with a scan, nearly idle. */
static void touch(struct guest *g)
{
	u32 n = g->kind == 3 ? 200 : 6000;

	for (u32 i = 0; i < n; i++) {
		u32 page = 0;

		switch (g->kind) {
		case 0:
			page = (u32)((u64)draw(g, PAGES) * draw(g, PAGES) / PAGES * draw(g, PAGES) / PAGES);
			break;
		case 1:
			page = g->at++ % (PAGES * 2 / 3);
			break;
		case 2:
			page = i % 2 ? draw(g, 4096) : g->at++ % PAGES;
			break;
		default:
			page = draw(g, 400);
		}
		if (page < SHARE)
			g->entries[page] |= ACCESSED;
		else if (i % 8 == 0) /* most of a cluster comes with one miss */
			curve_note_distance(&g->curve, CURVE_DISC, page);
	}
}

static void *must(void *p)
{
	if (!p)
		exit(1);
	return p;
}

static void set_up(struct guest *g, u32 i)
{
	g->entries = must(calloc(PAGES, sizeof(u64)));
	g->age = memset(must(malloc(PAGES)), AGE_NONE, PAGES);
	g->kind = i % 4;
	g->random = i + 1;
	ages_reset(&g->ages);
	if (curve_init(&g->curve, CURVE_STEP_FRAMES, 2 * PAGES / CURVE_STEP_FRAMES,
		       must(calloc(1, curve_bytes(2 * PAGES / CURVE_STEP_FRAMES))), 0))
		exit(1);
	for (u32 p = 0; p < SHARE; p++) {
		g->entries[p] = PRESENT;
		ages_arrive(&g->ages, &g->age[p]);
	}
}

static void second(struct guest *g, u64 now)
{
	touch(g);
	ages_begin_pass(&g->ages);
	for (u32 p = 0; p < PAGES; p += AGES_LEAF)
		ages_scan_leaf(&g->ages, g->entries + p, g->age + p, ACCESSED);
	ages_end_pass(&g->ages);
	curve_pass(&g->curve, &g->ages, now);
}

int main(int argc, char **argv)
{
	u32 n = argc > 1 ? (u32)atoi(argv[1]) : 0, decided;
	static struct balance b;
	static struct guest g[BALANCE_VMS_MAX];
	struct qos qos = { .min_frames = 4096, .max_frames = PAGES, .weight = 100 };
	size_t bytes;

	if (!n || n > BALANCE_VMS_MAX) {
		fprintf(stderr, "usage: decide GUESTS\n");
		return 2;
	}
	bytes = divide_scratch_bytes(n, n * SHARE, CURVE_STEP_FRAMES);
	balance_init(&b, n * SHARE, must(malloc(bytes)), bytes, 0);
	for (u32 i = 0; i < n; i++) {
		set_up(&g[i], i);
		if (balance_add(&b, &qos, &g[i].curve, &g[i].ages, 0) < 0)
			return 1;
	}
	for (u32 t = 1; t <= WARM_UP + DECISIONS; t++) {
		for (u32 i = 0; i < n; i++) {
			second(&g[i], t * NS);
			b.vm[i].quota.held = b.vm[i].quota.target;
		}
		if (t > WARM_UP)
			balance_step(&b, t * NS, 0);
		if (t == WARM_UP)
			b.decisions = 0;
	}
	decided = b.decisions;
	printf("guests=%u decisions=%u additions=%u\n", n, decided, b.last_ops);
	for (u32 i = 0; i < n; i++)
		printf("guest %u: target %u of %u, %s\n", i, b.vm[i].quota.target, PAGES,
		       balance_reason_str(b.vm[i].why.reason));
	return decided == DECISIONS ? 0 : 1;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/share/ages.c mm/share/curve.c mm/share/curve_sleep.c mm/share/divide.c mm/share/balance.c mm/share/balance_qos.c */
/*
 * cost scan MIB PERCENT SPAN - whole scan passes over guests of MIB in all, each of at most 4 GiB, in
 * which PERCENT of the pages were touched since the last pass, in runs of SPAN pages.
 * cost decide GUESTS MIB - balance_step() once a second for guests that share MIB of memory.
 *
 * Both run under callgrind, with --toggle-collect=one_pass or =balance_step; how many entries were
 * scanned or decisions made is printed.
 */
#include "mm/share/balance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_A_MIB 256u
#define GUEST_MOST (4096u * FRAMES_A_MIB)
#define CURVE_POINTS_WANTED 1024 /* as kernel/ makes guests' curves */
#define ACCESSED BIT64(8)
#define PRESENT 7u
#define PASSES 2
#define WARM_UP 10
#define DECISIONS 10
#define NS 1000000000ull

static u64 seed = 1;

static u32 draw(u32 below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)((seed >> 33) % below);
}

static void *must(void *p)
{
	if (!p)
		exit(1);
	return p;
}

static void make_curve(struct curve *c, u32 ram)
{
	u32 step = curve_step_for(ram * 2, CURVE_POINTS_WANTED);
	u32 points = (ram * 2 + step - 1) / step;

	if (curve_init(c, step, points, must(calloc(1, curve_bytes(points))), 0))
		exit(1);
}

/* ---- scan ---- */

struct scanned {
	struct ages ages;
	struct curve curve;
	u64 *entries;
	u8 *age;
	u32 pages;
};

static __attribute__((noinline, noclone)) void one_pass(struct scanned *g, u64 now)
{
	ages_begin_pass(&g->ages);
	for (u32 p = 0; p < g->pages; p += AGES_LEAF)
		ages_scan_leaf(&g->ages, g->entries + p, g->age + p, ACCESSED);
	ages_end_pass(&g->ages);
	curve_pass(&g->curve, &g->ages, now);
}

static void touch(struct scanned *g, u32 percent, u32 span)
{
	if (percent == 100)
		span = g->pages;
	for (u64 n = (u64)g->pages * percent / 100; n; n -= MIN(n, span)) {
		u32 first = draw(g->pages / span) * span;

		for (u32 p = first; p < first + span; p++)
			g->entries[p] |= ACCESSED;
	}
}

static int scan(u32 mib, u32 percent, u32 span)
{
	u64 left = (u64)mib * FRAMES_A_MIB, entries = 0, touched = 0;
	static struct scanned g;

	g.pages = (u32)MIN(left, GUEST_MOST);
	g.entries = must(malloc(g.pages * sizeof(u64)));
	g.age = must(malloc(g.pages));
	make_curve(&g.curve, g.pages);
	for (; left; left -= g.pages) { /* the same arrays again: guests differ in nothing that costs */
		g.pages = (u32)MIN(left, g.pages);
		ages_reset(&g.ages);
		for (u32 p = 0; p < g.pages; p++) {
			g.entries[p] = PRESENT;
			ages_arrive(&g.ages, &g.age[p]);
		}
		for (u32 t = 1; t <= PASSES; t++) {
			touch(&g, percent, span);
			one_pass(&g, t * NS);
			entries += g.pages;
			touched += g.ages.w1;
		}
	}
	printf("entries=%llu touched=%llu\n", (unsigned long long)entries,
	       (unsigned long long)touched);
	return 0;
}

/* ---- decide ---- */

struct guest {
	struct ages ages;
	struct curve curve;
	u32 ram, kind;
};

/* What misses and scans tell in a second: skewed, a cliff, a hot set and a scan, nearly idle. */
static void second(struct guest *g, u64 now)
{
	u32 n = g->kind == 3 ? 20 : 2000;

	for (u32 i = 0; i < n; i++) {
		u32 at = 0;

		switch (g->kind) {
		case 0:
			at = (u32)((u64)draw(g->ram) * draw(g->ram) / g->ram * draw(g->ram) / g->ram);
			break;
		case 1:
			at = g->ram / 3 * 2 - draw(g->ram / 64 + 1);
			break;
		case 2:
			at = i % 2 ? draw(g->ram / 16) : draw(g->ram);
			break;
		default:
			at = draw(g->ram / 128);
		}
		curve_note_distance(&g->curve, CURVE_DISC, at);
	}
	curve_pass(&g->curve, &g->ages, now);
}

static int decide(u32 n, u32 mib)
{
	u64 frames = (u64)mib * FRAMES_A_MIB;
	static struct balance b;
	static struct guest g[BALANCE_VMS_MAX];
	size_t bytes;

	if (!n || n > BALANCE_VMS_MAX || frames / n < 256 || frames > ~0u / 2)
		return 2;
	bytes = divide_scratch_bytes(n, (u32)frames, CURVE_STEP_FRAMES);
	balance_init(&b, (u32)frames, must(malloc(bytes)), bytes, 0);
	for (u32 i = 0; i < n; i++) {
		struct qos qos = { .weight = 100 };

		g[i].ram = qos.max_frames = (u32)(2 * frames / n);
		g[i].kind = i % 4;
		qos.min_frames = g[i].ram / 16;
		ages_reset(&g[i].ages);
		g[i].ages.w1_avg = g[i].ram / 100;
		make_curve(&g[i].curve, g[i].ram);
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
	}
	printf("decisions=%u additions=%u\n", b.decisions, b.last_ops);
	return b.decisions == DECISIONS ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "scan") && atoi(argv[2]) > 0 && atoi(argv[4]) > 0)
		return scan((u32)atoi(argv[2]), (u32)atoi(argv[3]), (u32)atoi(argv[4]));
	if (argc == 4 && !strcmp(argv[1], "decide"))
		return decide((u32)atoi(argv[2]), (u32)atoi(argv[3]));
	fprintf(stderr, "usage: cost scan MIB PERCENT SPAN | cost decide GUESTS MIB\n");
	return 2;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: tools/oracle.c tools/simguest.c tools/simhost.c tools/divisions.c mm/share/ages.c mm/share/curve.c mm/share/curve_sleep.c mm/share/divide.c mm/share/balance.c mm/share/balance_qos.c mm/share/payer.c mm/pager/readahead.c tools/whatif.c tools/whatif_run.c tools/whatif_ahead.c tools/whatif_host.c tools/whatif_mem.c tools/whatif_reclaim.c tools/whatif_events.c tools/whatif_start.c tools/tracefile.c kernel/trace/trace.c kernel/lib/parse.c kernel/lib/fmt.c tests/fake/fake_arch.c */
/*
 * replay.c - run the hypervisor's own ages, curve and division over page traces
 * and compare them with exact algorithms. One JSON object a line on stdout:
 *   curve    {trace, refs, pages, w1, mae}
 *   replace  {trace, frames, policy, misses}         lru, min, oldest, vmmb
 *   whatif   {guest, frames, misses...}: tools/whatif.h
 *   divide   {method, frames, misses, shares: [{trace, frames}]}
 */
#include "mm/share/divide.h"
#include "tools/divisions.h"
#include "tools/oracle.h"
#include "tools/simguest.h"
#include "tools/simhost.h"
#include "tools/whatif.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIVE_NS 120000000000ull /* a trace's time when guests run side by side */
#define TIDES 6  /* phases of tide and ebb */
#define SIZES 65 /* sizes at which curves are compared */

static const char usage[] =
"usage: replay curve   [--w1 SHARE] FILE...\n"
"       replay replace [--w1 SHARE] --frames N|P% FILE...\n"
"       replay divide  [--w1 SHARE] --frames N|P% FILE...\n"
"       replay whatif  --help: a recording of `trace on`, with other memory or QoS\n"
"FILE: page trace, one page number a line, gzip or plain; or a generated one:\n"
"      zipf:PAGES:REFS loop:PAGES:REFS hotscan:PAGES:REFS phases:PAGES:REFS\n"
"      tide:PAGES:REFS ebb:PAGES:REFS (large and small sets in turns, in opposite phase)\n"
"--w1: pages touched in one scan interval, as a share of the footprint (0.02)\n"
"--frames: in frames of 4 KiB, or in per cent of the (summed) footprint\n"
"curve:   error of the miss ratio against the exact LRU stack, 65 sizes from W1 on\n"
"replace: misses of VMMB's replacement, of exact LRU and of Belady's MIN\n"
"divide:  FILEs are guests that share the frames; misses of each division. vmmb: one\n"
"         static division from VMMB's curves; vmmb-live: frames move while they run\n";

struct args {
	double w1, percent;
	u32 frames;
	struct trace *t;
	u32 n;
};

/* KIND:PAGES:REFS or a file. */
static bool open_trace(struct trace *t, const char *arg)
{
	char kind[16];
	u32 pages, refs;

	if (sscanf(arg, "%15[a-z]:%u:%u", kind, &pages, &refs) != 3)
		return trace_load(t, arg);
	if (pages < 4 || refs < pages) {
		fprintf(stderr, "%s: wants at least 4 pages and as many references\n", arg);
		return false;
	}
	if (!strcmp(kind, "zipf"))
		trace_zipf(t, pages, refs, 0.9, 1);
	else if (!strcmp(kind, "loop"))
		trace_loop(t, pages, refs);
	else if (!strcmp(kind, "hotscan"))
		trace_hot_scan(t, pages / 4, pages - pages / 4, refs, 4, 1);
	else if (!strcmp(kind, "phases"))
		trace_phases(t, pages * 2 / 5, 4, refs, 1);
	else if (!strcmp(kind, "tide") || !strcmp(kind, "ebb"))
		trace_tide(t, pages, TIDES, refs, *kind == 't', 1);
	else {
		fprintf(stderr, "%s: no such generator\n", arg);
		return false;
	}
	return true;
}

static u32 frames_of(const struct args *a, u64 pages)
{
	u32 frames = a->percent ? (u32)((double)pages * a->percent / 100) : a->frames;

	return MAX(frames, 1);
}

/* ---- curve ---- */

static void run_curve(const struct args *a, const struct trace *t)
{
	u64 *exact = oracle_lru_curve(t);
	struct simguest g;
	double error = 0, w1;

	simguest_init(&g, t, ~0u, simguest_interval(t, a->w1), 0);
	for (u32 i = 0; i < t->refs; i++)
		simguest_step(&g);
	simguest_pass(&g);
	w1 = (double)g.w1_sum / (double)g.passes;
	for (u32 i = 0; i < SIZES; i++) {
		u32 m = (u32)(w1 + (t->pages - w1) * i / (SIZES - 1));

		error += fabs(simguest_misses(&g, m) - (double)exact[m]) / t->refs / SIZES;
	}
	printf("{\"trace\":\"%s\",\"refs\":%u,\"pages\":%u,\"w1\":%g,\"mae\":%.5f}\n", t->name,
	       t->refs, t->pages, a->w1, error);
	simguest_free(&g);
	free(exact);
}

/* ---- replace ---- */

static u64 replay(const struct trace *t, u32 frames, double w1, enum simguest_policy policy)
{
	struct simguest g;
	u64 misses;

	simguest_init(&g, t, frames, simguest_interval(t, w1), 0);
	g.policy = policy;
	for (u32 i = 0; i < t->refs; i++)
		simguest_step(&g);
	misses = g.misses;
	simguest_free(&g);
	return misses;
}

static void run_replace(const struct args *a, const struct trace *t)
{
	u64 *exact = oracle_lru_curve(t);
	u32 frames = frames_of(a, t->pages);
	u64 lru = exact[MIN(frames, t->pages)];
	struct { const char *name; u64 misses; } row[] = {
		{ "lru", lru },
		{ "min", oracle_min_misses(t, frames) },
		{ "oldest", replay(t, frames, a->w1, SIM_OLDEST) },
		{ "vmmb", replay(t, frames, a->w1, SIM_VMMB) },
	};

	for (u32 i = 0; i < ARRAY_SIZE(row); i++)
		printf("{\"trace\":\"%s\",\"frames\":%u,\"policy\":\"%s\",\"misses\":%llu}\n",
		       t->name, frames, row[i].name, (unsigned long long)row[i].misses);
	free(exact);
}

/* ---- divide ---- */

static void print_division(const struct mix *x, const char *method, u64 misses, const u32 *share)
{
	printf("{\"method\":\"%s\",\"frames\":%u,\"misses\":%llu,\"shares\":[", method, x->frames,
	       (unsigned long long)misses);
	for (u32 i = 0; share && i < x->n; i++)
		printf("%s{\"trace\":\"%s\",\"frames\":%u}", i ? "," : "", x->t[i].name, share[i]);
	printf("]}\n");
}

/* The hypervisor's division on the hypervisor's curves. */
static bool divide_by_ages(const struct mix *x, double w1, u32 *share)
{
	struct divide_vm vm[DIVIDE_VMS_MAX] = { 0 };
	struct simguest *g = oracle_alloc(x->n, sizeof(*g));
	struct divide d = { .frames = x->frames, .step_frames = x->frames / 2048 + 1,
			    .max_ops = 1u << 26 };
	size_t bytes = divide_scratch_bytes(x->n, x->frames, d.step_frames);
	void *scratch = oracle_alloc(1, bytes);
	int err;

	for (u32 i = 0; i < x->n; i++) {
		simguest_init(&g[i], &x->t[i], ~0u, simguest_interval(&x->t[i], w1), 0);
		for (u32 r = 0; r < x->t[i].refs; r++)
			simguest_step(&g[i]);
		simguest_pass(&g[i]);
		/* the traces take the same time, whatever they count */
		g[i].curve.time_us = 1000000;
		vm[i] = (struct divide_vm){
			.max = MIN(x->frames, x->t[i].pages), .weight = 100, .curve = &g[i].curve,
			.w1 = (u32)(g[i].w1_sum / g[i].passes),
		};
	}
	err = divide_run(&d, vm, x->n, scratch, bytes);
	for (u32 i = 0; i < x->n; i++) {
		share[i] = vm[i].target;
		simguest_free(&g[i]);
	}
	free(g);
	free(scratch);
	return !err;
}

/* Guests side by side under the balancer, from nothing known, frames moving. */
static u64 live(const struct mix *x, u32 *share)
{
	struct simhost *h = oracle_alloc(1, sizeof(*h));
	u64 misses = 0;

	simhost_init(h, x->frames, x->frames / 512 + 1);
	for (u32 i = 0; i < x->n; i++) {
		struct qos q = { .max_frames = x->frames, .weight = 100 };

		simhost_add(h, &x->t[i], &q, LIVE_NS / x->t[i].refs, 0);
		h->guest[i].end = x->t[i].refs;
	}
	simhost_run(h, ~0ull);
	for (u32 i = 0; i < x->n; i++) {
		misses += h->guest[i].misses;
		share[i] = h->b.vm[h->guest[i].vm].quota.target;
	}
	simhost_free(h);
	free(h);
	return misses;
}

static void run_divide(const struct args *a)
{
	struct mix x = { .n = a->n, .t = a->t };
	u32 share[DIVIDE_VMS_MAX], step;
	u64 pages = 0;

	x.curve = oracle_alloc(a->n, sizeof(*x.curve));
	for (u32 i = 0; i < a->n; i++) {
		x.curve[i] = oracle_lru_curve(&a->t[i]);
		pages += a->t[i].pages;
	}
	x.frames = frames_of(a, pages);
	step = x.frames / 2048 + 1;
	division_best(&x, step, share);
	print_division(&x, "best", mix_misses(&x, share), share);
	if (divide_by_ages(&x, a->w1, share))
		print_division(&x, "vmmb", mix_misses(&x, share), share);
	if (x.n <= SIMHOST_MAX) {
		u64 misses = live(&x, share);

		print_division(&x, "vmmb-live", misses, share);
	}
	division_equal(&x, share);
	print_division(&x, "equal", mix_misses(&x, share), share);
	division_proportional(&x, share);
	print_division(&x, "proportional", mix_misses(&x, share), share);
	division_greedy(&x, step, share);
	print_division(&x, "greedy", mix_misses(&x, share), share);
	division_lookahead(&x, step, share);
	print_division(&x, "lookahead", mix_misses(&x, share), share);
	print_division(&x, "global-lru", division_global_lru(&x), NULL);
	for (u32 i = 0; i < a->n; i++)
		free(x.curve[i]);
	free(x.curve);
}

/* ---- the command line ---- */

static bool parse(struct args *a, int argc, char **argv)
{
	a->w1 = 0.02;
	a->t = oracle_alloc((size_t)argc, sizeof(*a->t));
	for (int i = 2; i < argc; i++) {
		char *end;

		if (!strcmp(argv[i], "--w1") && i + 1 < argc) {
			a->w1 = strtod(argv[++i], &end);
			if (*end || a->w1 <= 0 || a->w1 > 1)
				return false;
		} else if (!strcmp(argv[i], "--frames") && i + 1 < argc) {
			double v = strtod(argv[++i], &end);

			if (v <= 0 || v > 4e9 || (*end && strcmp(end, "%")))
				return false;
			a->percent = *end ? v : 0;
			a->frames = *end ? 0 : (u32)v;
		} else if (argv[i][0] == '-') {
			return false;
		} else if (!open_trace(&a->t[a->n++], argv[i])) {
			exit(1);
		}
	}
	return a->n > 0;
}

int main(int argc, char **argv)
{
	struct args a = { 0 };
	bool curve, replace, divide;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "whatif"))
		return whatif_main(argc - 2, argv + 2);
	curve = argc > 1 && !strcmp(argv[1], "curve");
	replace = argc > 1 && !strcmp(argv[1], "replace");
	divide = argc > 1 && !strcmp(argv[1], "divide");
	if (!(curve || replace || divide) || !parse(&a, argc, argv) ||
	    (!curve && !a.frames && !a.percent) || (divide && a.n > DIVIDE_VMS_MAX)) {
		fputs(usage, stderr);
		return 2;
	}
	for (u32 i = 0; i < a.n && !divide; i++) {
		if (curve)
			run_curve(&a, &a.t[i]);
		else
			run_replace(&a, &a.t[i]);
	}
	if (divide)
		run_divide(&a);
	return 0;
}

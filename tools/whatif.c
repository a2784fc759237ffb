/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif.c - a recording replayed, as it was and as it might have been. Contract and limits: whatif.h.
 *
 * A guest is its pages and the blocks that it read, in one LRU stack, as in the hypervisor: a block that is read becomes the
 * page that it is read into, a block that is given up becomes an item of its own (the exclusive cache).
 */
#include "tools/whatif.h"
#include "kernel/lib/lib.h"
#include "tools/simhost.h"
#include "tools/whatif_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A_BIT BIT64(8)
#define AROUND 64u
#define MOST_US (7ull * 86400 * 1000000)
#define STEP_FRAMES 256 /* as the hypervisor divides */

static const char usage[] =
"usage: replay whatif [--frames N|P%|SIZE] [--qos GUEST:min=64M,max=256M,weight=300,miss=50/s]... FILE\n"
"FILE: a recording (tools/trace drain). It is replayed with the targets that were decided then (as_decided); with the memory\n"
"      and the settings that it was made with, deciding anew (simulated); with the memory given here, those targets in\n"
"      proportion (scaled); and with the memory and settings given here, deciding anew (whatif). --frames: what guests share, in frames, per cent of what it was, or 512M.\n"
"One JSON object for the machine, then one a guest: frames (held at the end), misses recorded and of each replay (pages and blocks read again; what was read for the first time is cold and can't be helped), targets.\n"
"A recording knows each miss's time, but of other touches only the scan interval: they are spread evenly over it.\n"
"Time is the recorded one: guests that wait less do not get on faster.\n";

struct override { char name[17]; bool min, max, weight, goal; struct wi_settings q; };

struct args {
	const char *file;
	u32 frames;
	double percent;
	struct override o[WI_VMS];
	u32 n;
};

struct outcome { u64 misses, cold; u32 target, held; };

struct sim {
	struct simhost h;
	const struct wi *w;
	const struct override *o[WI_VMS];
	struct trace pages[WI_VMS]; /* only how many they are */
	s32 host[WI_VMS];           /* number in h, -1 */
	bool active[WI_VMS];
	s64 more_frames;
	bool as_decided;            /* targets are the recorded ones */
	struct outcome out[WI_VMS];
};

/* ---- settings ---- */

static struct qos qos_of(const struct sim *s, u32 v, struct wi_settings q)
{
	const struct override *o = s->o[v];

	if (o && o->min)
		q.min = o->q.min;
	if (o && o->max)
		q.max = o->q.max;
	if (o && o->weight)
		q.weight = o->q.weight;
	if (o && o->goal)
		q.goal = o->q.goal;
	q.max = MAX(q.max, 1);
	return (struct qos){ .min_frames = MIN(q.min, q.max), .max_frames = q.max,
			     .weight = MIN(MAX(q.weight, 1), 10000), .miss_goal = q.goal };
}

static u32 frames_then(const struct sim *s, u32 recorded)
{
	s64 n = (s64)recorded + s->more_frames;

	return (u32)MIN(MAX(n, 1), (s64)UINT32_MAX / 2);
}

/* ---- a guest's items ---- */

static struct simguest *guest(struct sim *s, u32 v)
{
	return &s->h.guest[s->host[v]].g;
}

static void drop(struct simguest *g, u32 item)
{
	if (g->state[item] == 1) {
		ages_drop(&g->ages, &g->age[item]);
		g->entry[item] = 0;
		g->resident--;
	} else if (g->state[item] == 2) {
		ages_forget(&g->ages, g->stamp[item]);
	}
	g->state[item] = 0;
}

/* The content of one item is the other's from now on, wherever it is on the stack. */
static void move(struct simguest *g, u32 from, u32 to)
{
	drop(g, to);
	g->state[to] = g->state[from];
	g->stamp[to] = g->stamp[from];
	g->age[to] = g->age[from];
	g->entry[to] = g->state[from] == 1 ? (g->entry[from] & A_BIT) | 7 : 0;
	g->state[from] = 0;
	g->entry[from] = 0;
	g->age[from] = AGE_NONE;
}

static enum simguest_touch touch(struct sim *s, u32 v, u32 item, bool cold)
{
	struct simguest *g = guest(s, v);

	if (g->state[item] != 1)
		simhost_allow(&s->h, (u32)s->host[v]);
	return simguest_touch(g, item, s->w->vm[v].away[item], cold);
}

static void missed(struct sim *s, u32 v, u64 us)
{
	const struct wi_vm *vm = &s->w->vm[v];
	struct simhost_guest *x = &s->h.guest[s->host[v]];

	s->out[v].misses++;
	curve_note_stall(&x->g.curve, vm->misses ? vm->stall_us / vm->misses : vm->cost_disc);
	s->h.b.vm[x->vm].quota.held = x->g.resident;
	balance_note_miss(&s->h.b, (u32)x->vm, us * 1000);
}

/* ---- the beginning ---- */

static void arrive(struct sim *s, u32 v, u32 g)
{
	struct simguest *x = guest(s, v);

	ages_arrive(&x->ages, &x->age[g]);
	x->state[g] = 1;
	x->entry[g] = 7;
	x->resident++;
}

/* The hypervisor's shape of curve, and what it knew. */
static void know(struct sim *s, u32 v)
{
	const struct wi_vm *vm = &s->w->vm[v];
	struct curve *c = &guest(s, v)->curve;
	u64 now = s->w->start_us * 1000;

	curve_reset(c, now);
	if (!vm->curve.step)
		return;
	free(guest(s, v)->storage);
	guest(s, v)->storage = oracle_alloc(1, curve_bytes(vm->curve.points));
	if (curve_init(c, vm->curve.step, vm->curve.points, guest(s, v)->storage, now))
		abort();
	c->time_us = vm->curve.ms * 1000ull;
	c->cold_hits = vm->curve.cold * (CURVE_ONE / 256);
	c->cold_cost = vm->curve.cold_us * CURVE_ONE * 256;
	for (u32 i = 0; i < vm->curve.points; i++) {
		c->hits[i] = vm->curve.hits[i] * (CURVE_ONE / 256);
		c->cost[i] = vm->curve.worth[i] * CURVE_ONE * 256;
	}
}

/* Pages where and as old as they were. */
static void place(struct sim *s, u32 v)
{
	const struct wi_vm *vm = &s->w->vm[v];
	struct simguest *g = guest(s, v);

	for (u32 p = 0; p < vm->ram; p++) /* how old evicted ones are is not known: older than what is there */
		if (vm->at_start[p] == TRACE_SET_SWAP || vm->at_start[p] == TRACE_SET_DISC)
			arrive(s, v, p);
	for (u32 age = AGE_MAX + 1; age-- > 0;) {
		simguest_pass(g);
		for (u32 p = 0; p < vm->ram; p++)
			if (vm->at_start[p] == TRACE_SET_HELD && vm->age_at_start[p] == age)
				arrive(s, v, p);
	}
	for (u32 p = 0; p < vm->ram; p++) {
		if (g->state[p] != 1 || vm->at_start[p] == TRACE_SET_HELD)
			continue;
		g->stamp[p] = ages_evict(&g->ages, &g->age[p]);
		g->state[p] = 2;
		g->entry[p] = 0;
		g->resident--;
	}
	know(s, v);
}

static void add_guest(struct sim *s, u32 v)
{
	const struct wi_vm *vm = &s->w->vm[v];
	struct qos q = qos_of(s, v, vm->q);
	struct simguest *g;

	s->pages[v].pages = vm->items;
	s->host[v] = (s32)simhost_add(&s->h, &s->pages[v], &q, 0, 0);
	s->active[v] = vm->active;
	g = guest(s, v);
	g->batch = 1;
	g->now_ns = s->w->start_us * 1000;
	place(s, v);
	if (vm->cost_disc)
		curve_set_cost(&g->curve, CURVE_DISC, vm->cost_disc);
	if (vm->cost_swap)
		curve_set_cost(&g->curve, CURVE_SWAP, vm->cost_swap);
}

/* Targets as they were, in proportion to the memory; who is above its own gives frames back. */
static void set_targets(struct sim *s)
{
	u64 scale = (u64)s->h.frames * 65536 / MAX(s->w->frames, 1);

	for (u32 v = 0; v < WI_VMS; v++) {
		struct simhost_guest *x;
		struct quota *q;

		if (s->host[v] < 0)
			continue;
		x = &s->h.guest[s->host[v]];
		if (!s->active[v]) {
			balance_remove(&s->h.b, (u32)x->vm, s->h.now_ns);
			continue;
		}
		q = &s->h.b.vm[x->vm].quota;
		if (s->w->vm[v].target)
			q->target = (u32)MIN(s->w->vm[v].target * scale / 65536, (u64)q->qos.max_frames);
		q->target = MAX(q->target, q->qos.min_frames);
	}
	for (u32 i = 0; i < s->h.n && simhost_held(&s->h) > s->h.frames; i++) {
		struct simhost_guest *x = &s->h.guest[i];

		x->g.frames = MAX(s->h.b.vm[x->vm].quota.target, 1);
		simguest_shrink(&x->g);
	}
}

static void begin(struct sim *s, const struct wi *w, const struct args *a, s64 more_frames, bool as_decided)
{
	u32 most = w->frames;

	memset(s, 0, sizeof(*s));
	s->w = w;
	s->as_decided = as_decided;
	s->more_frames = more_frames;
	for (u32 i = 0; i < w->n; i++)
		if (w->e[i].kind == WI_MACHINE)
			most = MAX(most, w->e[i].item);
	simhost_init(&s->h, frames_then(s, most), STEP_FRAMES);
	s->h.now_ns = w->start_us * 1000;
	s->h.b.due_ns = s->h.now_ns + s->h.b.cfg.period_ns;
	s->h.frames = frames_then(s, w->frames);
	balance_set_frames(&s->h.b, s->h.frames, s->h.now_ns);
	for (u32 v = 0; v < WI_VMS; v++) {
		s->host[v] = -1;
		for (u32 i = 0; a && i < a->n; i++)
			if (!strcmp(a->o[i].name, w->vm[v].name))
				s->o[v] = &a->o[i];
		if (w->vm[v].there)
			add_guest(s, v);
	}
	set_targets(s);
}

/* ---- events ---- */

/* Frames are to spare: zero pages that come along take nobody's. */
static bool to_spare(const struct sim *s)
{
	return simhost_held(&s->h) + AROUND < s->h.frames;
}

static void along(struct sim *s, u32 v, const struct wi_event *e)
{
	const struct wi_vm *vm = &s->w->vm[v];
	struct simguest *g = guest(s, v);
	u32 first = ALIGN_DOWN(e->item, AROUND), left = e->n;

	for (u32 p = first; p < vm->ram && p < first + AROUND && left && to_spare(s); p++) {
		if (g->state[p])
			continue;
		(void)touch(s, v, p, false);
		g->entry[p] &= ~A_BIT;
		left--;
	}
}

static void touched(struct sim *s, u32 v, const struct wi_event *e)
{
	enum simguest_touch how;

	if (e->zero && guest(s, v)->state[e->item] == 2)
		drop(guest(s, v), e->item); /* it held zeros only: nothing is read */
	how = touch(s, v, e->item, false);
	if (how == SIM_AGAIN)
		missed(s, v, e->us);
	if (e->n && how == SIM_FIRST)
		along(s, v, e);
}

static void block_read(struct sim *s, u32 v, const struct wi_event *e)
{
	enum simguest_touch how;

	drop(guest(s, v), e->other);
	how = touch(s, v, e->item, true);
	if (how == SIM_AGAIN)
		missed(s, v, e->us);
	s->out[v].cold += how == SIM_FIRST;
	move(guest(s, v), e->item, e->other);
}

static void forget_all(struct sim *s, u32 v, u64 us)
{
	struct simguest *g = guest(s, v);

	memset(g->state, 0, g->pages);
	memset(g->entry, 0, (size_t)g->tables * AGES_LEAF * sizeof(u64));
	memset(g->age, AGE_NONE, (size_t)g->tables * AGES_LEAF);
	g->resident = g->victims = g->victim_at = 0;
	ages_reset(&g->ages);
	curve_reset(&g->curve, us * 1000);
}

static void guest_changes(struct sim *s, u32 v, const struct wi_event *e)
{
	struct simhost_guest *x = &s->h.guest[s->host[v]];
	struct qos q = qos_of(s, v, s->w->change[e->item].q);

	if (e->n == TRACE_LIFE_THERE) {
		if (s->active[v])
			balance_set_qos(&s->h.b, (u32)x->vm, &q, e->us * 1000);
		return;
	}
	forget_all(s, v, e->us);
	if (s->active[v])
		balance_remove(&s->h.b, (u32)x->vm, e->us * 1000);
	s->active[v] = e->n == TRACE_LIFE_STARTED;
	if (s->active[v])
		x->vm = balance_add(&s->h.b, &q, &x->g.curve, &x->g.ages, e->us * 1000);
}

static void pass(struct sim *s, u32 v, u64 us)
{
	guest(s, v)->now_ns = us * 1000;
	simguest_pass(guest(s, v));
}

/* The recorded target, in proportion to the memory. */
static void follow(struct sim *s, u32 v, u32 target)
{
	struct quota *q = &s->h.b.vm[s->h.guest[s->host[v]].vm].quota;
	u64 t = (u64)target * s->h.frames / (u64)MAX((s64)s->h.frames - s->more_frames, 1);

	q->target = (u32)MAX(MIN(t, (u64)q->qos.max_frames), q->qos.min_frames);
}

static void event(struct sim *s, const struct wi_event *e)
{
	struct simguest *g;

	if (e->kind == WI_MACHINE) {
		s->h.frames = frames_then(s, e->item);
		if (s->h.frames != s->h.b.frames)
			balance_set_frames(&s->h.b, s->h.frames, e->us * 1000);
		return;
	}
	if (s->host[e->vm] < 0)
		return;
	if (e->kind == WI_GUEST) {
		guest_changes(s, e->vm, e);
		return;
	}
	if (!s->active[e->vm])
		return;
	g = guest(s, e->vm);
	switch (e->kind) {
	case WI_TOUCH:
		touched(s, e->vm, e);
		break;
	case WI_READ:
		block_read(s, e->vm, e);
		break;
	case WI_PUT:
		if (g->state[e->other])
			move(g, e->other, e->item);
		break;
	case WI_REPLACE:
	case WI_FORGET:
		if (g->state[e->item] == 2)
			drop(g, e->item);
		if (e->kind == WI_REPLACE)
			(void)touch(s, e->vm, e->item, false);
		break;
	case WI_TARGET:
		if (s->as_decided)
			follow(s, e->vm, e->item);
		break;
	case WI_PASS:
		pass(s, e->vm, e->us);
		break;
	default:
		break;
	}
}

/* What the balancer does until then. */
static void decide_until(struct sim *s, u64 ns)
{
	while (!s->as_decided && s->h.b.due_ns <= ns) {
		u32 held = simhost_held(&s->h);

		for (u32 i = 0; i < s->h.n; i++)
			s->h.b.vm[s->h.guest[i].vm].quota.held = s->h.guest[i].g.resident;
		s->h.now_ns = s->h.b.due_ns;
		balance_step(&s->h.b, s->h.now_ns, s->h.frames > held ? s->h.frames - held : 0);
	}
}

static void run(struct sim *s, struct outcome *out)
{
	for (u32 i = 0; i < s->w->n; i++) {
		decide_until(s, s->w->e[i].us * 1000);
		event(s, &s->w->e[i]);
	}
	for (u32 v = 0; v < WI_VMS; v++) {
		if (s->host[v] < 0)
			continue;
		s->out[v].held = guest(s, v)->resident;
		s->out[v].target = s->active[v] ? s->h.b.vm[s->h.guest[s->host[v]].vm].quota.target : 0;
	}
	memcpy(out, s->out, sizeof(s->out));
	simhost_free(&s->h);
}

/* ---- the command line ---- */

static bool one_setting(struct override *o, char *word)
{
	char *value = strchr(word, '=');
	u64 n;

	if (!value)
		return false;
	*value++ = 0;
	if (!strcmp(word, "min") && !parse_size(value, &n)) {
		o->min = true;
		o->q.min = (u32)(n >> PAGE_SHIFT);
	} else if (!strcmp(word, "max") && !parse_size(value, &n) && n >> PAGE_SHIFT) {
		o->max = true;
		o->q.max = (u32)(n >> PAGE_SHIFT);
	} else if (!strcmp(word, "weight") && !parse_u64(value, &n) && n >= 1 && n <= 10000) {
		o->weight = true;
		o->q.weight = (u32)n;
	} else if (!strcmp(word, "miss") && !parse_rate(value, &n)) {
		o->goal = true;
		o->q.goal = n;
	} else {
		return false;
	}
	return true;
}

static bool qos_arg(struct args *a, const char *text)
{
	struct override *o = &a->o[a->n];
	char copy[200], *rest, *word, *save = NULL;

	if (a->n == WI_VMS || !str_copy(copy, sizeof(copy), text) || !(rest = strchr(copy, ':')))
		return false;
	*rest++ = 0;
	if (!*copy || !str_copy(o->name, sizeof(o->name), copy))
		return false;
	for (word = strtok_r(rest, ",", &save); word; word = strtok_r(NULL, ",", &save))
		if (!one_setting(o, word))
			return false;
	a->n++;
	return true;
}

static bool frames_arg(struct args *a, const char *text)
{
	char *end;
	double v = strtod(text, &end);
	u64 bytes;

	if (!parse_size(text, &bytes) && bytes) {
		a->frames = (u32)MIN(bytes >> PAGE_SHIFT, (u64)UINT32_MAX / 2);
		return a->frames > 0;
	}
	if (v <= 0 || v > 1e9 || (*end && strcmp(end, "%")))
		return false;
	a->percent = *end ? v : 0;
	a->frames = *end ? 0 : (u32)v;
	return a->percent > 0 || a->frames > 0;
}

static bool parse(struct args *a, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		bool ok = true;

		if (!strcmp(argv[i], "--frames") && i + 1 < argc)
			ok = frames_arg(a, argv[++i]);
		else if (!strcmp(argv[i], "--qos") && i + 1 < argc)
			ok = qos_arg(a, argv[++i]);
		else if (argv[i][0] == '-' || a->file)
			ok = false;
		else
			a->file = argv[i];
		if (!ok) {
			fprintf(stderr, "replay whatif: %s: not understood\n%s", argv[i], usage);
			return false;
		}
	}
	if (!a->file)
		fputs(usage, stderr);
	return a->file != NULL;
}

/* Names come from a file: only what a guest may be called is shown as it is. */
static void clean_names(struct wi *w)
{
	for (u32 v = 0; v < WI_VMS; v++) {
		char *name = w->vm[v].name;

		for (char *c = name; *c; c++)
			if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') && *c != '-')
				*c = '?';
		if (!*name)
			snprintf(name, sizeof(w->vm[v].name), "vm%u", v);
	}
}

static bool possible(const struct wi *w, const struct args *a, u32 frames)
{
	struct sim s = { .w = w };
	u64 mins = 0;

	for (u32 i = 0; i < a->n; i++) {
		bool found = false;

		for (u32 v = 0; v < WI_VMS; v++) {
			struct qos q;

			if (!w->vm[v].there || strcmp(w->vm[v].name, a->o[i].name))
				continue;
			found = true;
			s.o[v] = &a->o[i];
			q = qos_of(&s, v, w->vm[v].q);
			if (a->o[i].min && a->o[i].q.min > q.max_frames) {
				fprintf(stderr, "replay whatif: %s: its min is above its max\n", a->o[i].name);
				return false;
			}
		}
		if (!found) {
			fprintf(stderr, "replay whatif: %s: no guest of that name in the recording\n", a->o[i].name);
			return false;
		}
	}
	for (u32 v = 0; v < WI_VMS; v++)
		mins += w->vm[v].there ? qos_of(&s, v, w->vm[v].q).min_frames : 0;
	if (mins > frames)
		fprintf(stderr, "replay whatif: all guests' min together are %llu frames of %u\n", (unsigned long long)mins, frames);
	return mins <= frames;
}

static void print(const struct wi *w, const struct outcome *decided, const struct outcome *was, const struct outcome *scaled,
		  const struct outcome *then)
{
	for (u32 v = 0; v < WI_VMS; v++) {
		const struct wi_vm *vm = &w->vm[v];

		if (!vm->there)
			continue;
		printf("{\"guest\":\"%s\",\"frames\":%u,\"misses_recorded\":%llu,\"misses_as_decided\":%llu,\"misses_simulated\":%llu,\"misses_scaled\":%llu,\"misses_whatif\":%llu,"
		       "\"cold_recorded\":%llu,\"cold_simulated\":%llu,\"cold_whatif\":%llu,\"soft_recorded\":%llu,"
		       "\"target_recorded\":%u,\"target_simulated\":%u,\"target_whatif\":%u}\n",
		       vm->name, then[v].held, (unsigned long long)vm->misses, (unsigned long long)decided[v].misses,
		       (unsigned long long)was[v].misses, (unsigned long long)scaled[v].misses,
		       (unsigned long long)then[v].misses, (unsigned long long)vm->cold, (unsigned long long)was[v].cold,
		       (unsigned long long)then[v].cold, (unsigned long long)vm->soft, vm->target_end, was[v].target,
		       then[v].target);
	}
}

static int replay_both(const struct args *a, const struct tracefile *t, struct wi *w)
{
	struct outcome decided[WI_VMS], was[WI_VMS], scaled[WI_VMS], then[WI_VMS];
	struct sim *s = oracle_alloc(1, sizeof(*s));
	u32 frames = a->percent ? (u32)MAX(w->frames * a->percent / 100, 1) : a->frames ? a->frames : w->frames;

	if (w->end_us - w->start_us > MOST_US) {
		fprintf(stderr, "%s: it claims to be longer than a week\n", a->file);
		free(s);
		return 1;
	}
	if (!w->frames || !possible(w, a, frames)) {
		if (!w->frames)
			fprintf(stderr, "%s: its beginning is missing: how many frames guests shared is not known\n", a->file);
		free(s);
		return 1;
	}
	begin(s, w, NULL, 0, true);
	run(s, decided);
	begin(s, w, NULL, 0, false);
	run(s, was);
	begin(s, w, a, (s64)frames - w->frames, true);
	run(s, scaled);
	begin(s, w, a, (s64)frames - w->frames, false);
	run(s, then);
	free(s);
	printf("{\"trace\":\"%s\",\"frames_recorded\":%u,\"frames\":%u,\"seconds\":%.3f,\"records\":%u,\"lost\":%llu,\"whole\":%s}\n",
	       a->file, w->frames, frames, (double)(w->end_us - w->start_us) / 1e6, t->n, (unsigned long long)t->lost,
	       t->whole ? "true" : "false");
	print(w, decided, was, scaled, then);
	return 0;
}

int whatif_main(int argc, char **argv)
{
	struct args a = { 0 };
	struct tracefile t;
	struct wi w;
	int status;

	if (argc == 1 && !strcmp(argv[0], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (!parse(&a, argc, argv))
		return 2;
	if (!tracefile_load(&t, a.file))
		return 1;
	wi_build(&w, &t);
	clean_names(&w);
	status = replay_both(&a, &t, &w);
	wi_free(&w);
	tracefile_free(&t);
	return status;
}

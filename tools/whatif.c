/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif.c - the command: a recording replayed, as it was and as it might have been. Contract and limits:
 * whatif.h.
 */
#include "tools/whatif.h"
#include "kernel/lib/lib.h"
#include "tools/whatif_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_US (7ull * 86400 * 1000000)

static const char usage[] =
	"usage: replay whatif [--frames N|P%|SIZE] [--qos GUEST:min=64M,max=256M,weight=300,miss=50/s]... "
	"FILE\n"
	"FILE: a recording (tools/trace drain). It is replayed with the targets that were decided then "
	"(as_decided); with the memory\n"
	"      and the settings that it was made with, deciding anew (simulated); with the memory given "
	"here, those targets in\n"
	"      proportion (scaled); and with the memory and settings given here, deciding anew (whatif). "
	"--frames: what guests share, in frames, per cent of what it was, or 512M.\n"
	"One JSON object for the machine, then one a guest: frames (held at the end), misses recorded and of "
	"each replay (pages and blocks that came back and were used, unasked ones too; waits: without those; "
	"what was read for the first time is cold and can't be helped), targets.\n"
	"A recording knows each miss's time, but of other touches mostly the scan interval: they are spread "
	"evenly over it.\n"
	"Time is the recorded one: guests that wait less do not get on faster.\n";

struct args {
	const char *file;
	u32 frames;
	double percent;
	struct wi_override o[WI_VMS];
	u32 n;
};

/* ---- the command line ---- */

static bool one_setting(struct wi_override *o, char *word)
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
	struct wi_override *o = &a->o[a->n];
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

static bool possible(const struct wi *w, const struct wi_case *c, u32 frames)
{
	u64 mins = 0;

	for (u32 i = 0; i < c->n; i++) {
		bool found = false;

		for (u32 v = 0; v < WI_VMS; v++) {
			struct qos q;

			if (!w->vm[v].there || strcmp(w->vm[v].name, c->o[i].name))
				continue;
			found = true;
			q = wi_qos(&c->o[i], w->vm[v].q);
			if (c->o[i].min && c->o[i].q.min > q.max_frames) {
				fprintf(stderr, "replay whatif: %s: its min is above its max\n",
					c->o[i].name);
				return false;
			}
		}
		if (!found) {
			fprintf(stderr, "replay whatif: %s: no guest of that name in the recording\n",
				c->o[i].name);
			return false;
		}
	}
	for (u32 v = 0; v < WI_VMS; v++)
		mins += w->vm[v].there ? wi_qos(wi_override_of(c, w->vm[v].name), w->vm[v].q).min_frames : 0;
	if (mins > frames)
		fprintf(stderr, "replay whatif: all guests' min together are %llu frames of %u\n",
			(unsigned long long)mins, frames);
	return mins <= frames;
}

static void print(const struct wi *w, const struct wi_outcome *decided, const struct wi_outcome *was,
		  const struct wi_outcome *scaled, const struct wi_outcome *then)
{
	for (u32 v = 0; v < WI_VMS; v++) {
		const struct wi_vm *vm = &w->vm[v];

		if (!vm->there)
			continue;
		printf("{\"guest\":\"%s\",\"frames\":%u,\"misses_recorded\":%llu,\"misses_as_decided\":%llu,"
		       "\"misses_simulated\":%llu,\"misses_scaled\":%llu,\"misses_whatif\":%llu,"
		       "\"waits_recorded\":%llu,\"waits_whatif\":%llu,"
		       "\"cold_recorded\":%llu,\"cold_simulated\":%llu,\"cold_whatif\":%llu,\"soft_"
		       "recorded\":%llu,"
		       "\"target_recorded\":%u,\"target_simulated\":%u,\"target_whatif\":%u}\n",
		       vm->name, then[v].held, (unsigned long long)vm->misses,
		       (unsigned long long)decided[v].misses, (unsigned long long)was[v].misses,
		       (unsigned long long)scaled[v].misses, (unsigned long long)then[v].misses,
		       (unsigned long long)vm->waits, (unsigned long long)then[v].waits,
		       (unsigned long long)vm->cold, (unsigned long long)was[v].cold,
		       (unsigned long long)then[v].cold, (unsigned long long)vm->soft, vm->target_end,
		       was[v].target, then[v].target);
	}
}

static int replay_all(const struct args *a, const struct tracefile *t, const struct wi *w)
{
	struct wi_outcome decided[WI_VMS], was[WI_VMS], scaled[WI_VMS], then[WI_VMS];
	u32 frames = a->percent ? (u32)MAX(w->frames * a->percent / 100, 1) :
		     a->frames  ? a->frames :
				  w->frames;
	struct wi_case c = { .as_decided = true };

	if (w->end_us - w->start_us > MOST_US) {
		fprintf(stderr, "%s: it claims to be longer than a week\n", a->file);
		return 1;
	}
	if (!w->frames) {
		fprintf(stderr, "%s: its beginning is missing: how many frames guests shared is not known\n",
			a->file);
		return 1;
	}
	wi_replay(w, &c, decided);
	c.as_decided = false;
	wi_replay(w, &c, was);
	c = (struct wi_case){
		.o = a->o, .n = a->n, .more_frames = (s64)frames - w->frames, .as_decided = true
	};
	if (!possible(w, &c, frames))
		return 1;
	wi_replay(w, &c, scaled);
	c.as_decided = false;
	wi_replay(w, &c, then);
	printf("{\"trace\":\"%s\",\"frames_recorded\":%u,\"frames\":%u,\"seconds\":%.3f,\"records\":%u,"
	       "\"lost\":%llu,\"whole\":%s}\n",
	       a->file, w->frames, frames, (double)(w->end_us - w->start_us) / 1e6, t->n,
	       (unsigned long long)t->lost, t->whole ? "true" : "false");
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
	status = replay_all(&a, &t, &w);
	wi_free(&w);
	tracefile_free(&t);
	return status;
}

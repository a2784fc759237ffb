/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * oracle.c - traces, the exact LRU stack, Belady's MIN. Contract: oracle.h.
 *
 * The LRU stack is a Fenwick tree over reference times with a one at each
 * page's last touch: the ones after it are its distance. MIN keeps resident
 * pages in a heap by next use.
 */
#include "tools/oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *oracle_alloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return p;
}

u64 oracle_random(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ull); /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static double uniform(u64 *seed)
{
	return (double)(oracle_random(seed) >> 11) / 9007199254740992.0;
}

/* ---- traces ---- */

struct seen {
	u64 page;
	u32 number;
	bool used;
};

/* Renumber raw pages densely, by open addressing. */
static void renumber(struct trace *t, const u64 *raw)
{
	size_t size = 1024;

	while (size < (size_t)t->refs * 2)
		size *= 2;
	struct seen *table = oracle_alloc(size, sizeof(*table));

	t->ref = oracle_alloc(t->refs, sizeof(u32));
	t->pages = 0;
	for (u32 i = 0; i < t->refs; i++) {
		size_t h = raw[i] * 0x9e3779b97f4a7c15ull >> 20 & (size - 1);

		while (table[h].used && table[h].page != raw[i])
			h = (h + 1) & (size - 1);
		if (!table[h].used)
			table[h] = (struct seen){ raw[i], t->pages++, true };
		t->ref[i] = table[h].number;
	}
	free(table);
}

bool trace_load(struct trace *t, const char *path)
{
	char command[4200], line[64];
	const char *base = strrchr(path, '/');
	u32 room = 1 << 16;
	u64 *raw;
	FILE *f;

	memset(t, 0, sizeof(*t));
	if (strchr(path, '\'') || strlen(path) > 4000) {
		fprintf(stderr, "%s: can't quote this name\n", path);
		return false;
	}
	snprintf(t->name, sizeof(t->name), "%.63s", base ? base + 1 : path);
	if (strstr(t->name, ".gz"))
		*strstr(t->name, ".gz") = 0;
	snprintf(command, sizeof(command), "gzip -dcf -- '%s'", path);
	f = popen(command, "r");
	raw = malloc(room * sizeof(*raw));
	while (f && raw && fgets(line, sizeof(line), f)) {
		char *end;
		u64 page = strtoull(line, &end, 10);

		if (end == line)
			continue;
		if (t->refs == room)
			raw = realloc(raw, (room *= 2) * sizeof(*raw));
		if (raw)
			raw[t->refs++] = page;
	}
	if (!f || pclose(f) || !raw || !t->refs) {
		fprintf(stderr, "%s: no page numbers read\n", path);
		free(raw);
		return false;
	}
	renumber(t, raw);
	free(raw);
	return true;
}

void trace_free(struct trace *t)
{
	free(t->ref);
	t->ref = NULL;
}

static u64 *start(struct trace *t, const char *name, u32 refs)
{
	memset(t, 0, sizeof(*t));
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->refs = refs;
	return oracle_alloc(refs, sizeof(u64));
}

static void finish(struct trace *t, u64 *raw)
{
	renumber(t, raw);
	free(raw);
}

void trace_zipf(struct trace *t, u32 pages, u32 refs, double skew, u64 seed)
{
	u64 *raw = start(t, "zipf", refs);
	double *sum = oracle_alloc(pages + 1, sizeof(*sum));

	for (u32 i = 0; i < pages; i++)
		sum[i + 1] = sum[i] + 1.0 / pow(i + 1, skew);
	for (u32 i = 0; i < refs; i++) {
		double x = uniform(&seed) * sum[pages];
		u32 lo = 0, hi = pages - 1;

		while (lo < hi) {
			u32 mid = (lo + hi) / 2;

			if (sum[mid + 1] < x)
				lo = mid + 1;
			else
				hi = mid;
		}
		raw[i] = lo;
	}
	free(sum);
	finish(t, raw);
}

void trace_loop(struct trace *t, u32 pages, u32 refs)
{
	u64 *raw = start(t, "synthetic-loop", refs);

	for (u32 i = 0; i < refs; i++)
		raw[i] = i % pages;
	finish(t, raw);
}

void trace_hot_scan(struct trace *t, u32 hot, u32 cold, u32 refs, u32 every, u64 seed)
{
	u64 *raw = start(t, "hot+scan", refs);
	u32 at = 0;

	for (u32 i = 0; i < refs; i++)
		raw[i] = i % every ? oracle_random(&seed) % hot : hot + at++ % cold;
	finish(t, raw);
}

void trace_phases(struct trace *t, u32 pages, u32 phases, u32 refs, u64 seed)
{
	u64 *raw = start(t, "phases", refs);

	for (u32 i = 0; i < refs; i++) {
		u32 phase = (u32)((u64)i * phases / refs);
		double x = uniform(&seed);

		raw[i] = (u64)phase * pages / 2 + (u32)(x * x * pages);
	}
	finish(t, raw);
}

void trace_tide(struct trace *t, u32 pages, u32 phases, u32 refs, bool high, u64 seed)
{
	u64 *raw = start(t, high ? "tide" : "ebb", refs);

	for (u32 i = 0; i < refs; i++) {
		u32 phase = (u32)((u64)i * phases / refs);
		double x = uniform(&seed);

		raw[i] = (u32)(x * x * ((phase & 1) == high ? pages / 8 : pages));
	}
	finish(t, raw);
}

/* ---- the exact LRU stack ---- */

static void fenwick_add(u32 *tree, u32 n, u32 at, u32 v)
{
	for (u32 i = at + 1; i <= n; i += i & -i)
		tree[i] += v;
}

static u32 fenwick_sum(const u32 *tree, u32 upto) /* of [0, upto) */
{
	u32 sum = 0;

	for (u32 i = upto; i; i -= i & -i)
		sum += tree[i];
	return sum;
}

u64 *oracle_lru(const struct trace *t)
{
	u64 *hist = oracle_alloc(t->pages + 1, sizeof(u64));
	u32 *tree = oracle_alloc(t->refs + 1, sizeof(u32));
	u32 *last = oracle_alloc(t->pages, sizeof(u32)); /* time + 1 */
	u32 live = 0;

	for (u32 i = 0; i < t->refs; i++) {
		u32 p = t->ref[i];

		if (last[p]) {
			hist[live - fenwick_sum(tree, last[p])]++;
			fenwick_add(tree, t->refs, last[p] - 1, -1u);
		} else {
			live++;
		}
		last[p] = i + 1;
		fenwick_add(tree, t->refs, i, 1);
	}
	free(tree);
	free(last);
	return hist;
}

u64 oracle_lru_misses(const struct trace *t, const u64 *hist, u32 m)
{
	u64 misses = t->pages;

	for (u32 d = m; d < t->pages; d++)
		misses += hist[d];
	return misses;
}

u64 *oracle_lru_curve(const struct trace *t)
{
	u64 *hist = oracle_lru(t);
	u64 sum = t->pages;

	for (u32 m = t->pages + 1; m-- > 0;)
		hist[m] = sum += hist[m];
	return hist;
}

/* ---- Belady's MIN ---- */

struct heap {
	u64 *key; /* next use << 32 | page, largest first; stale keys are skipped */
	u32 n;
};

static void heap_push(struct heap *h, u64 key)
{
	u32 i = h->n++;

	while (i && h->key[(i - 1) / 2] < key) {
		h->key[i] = h->key[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	h->key[i] = key;
}

static u64 heap_pop(struct heap *h)
{
	u64 top = h->key[0], key = h->key[--h->n];
	u32 i = 0;

	for (;;) {
		u32 child = 2 * i + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && h->key[child + 1] > h->key[child])
			child++;
		if (h->key[child] <= key)
			break;
		h->key[i] = h->key[child];
		i = child;
	}
	h->key[i] = key;
	return top;
}

u64 oracle_min_misses(const struct trace *t, u32 frames)
{
	u32 *next = oracle_alloc(t->refs, sizeof(u32)), *use = oracle_alloc(t->pages, sizeof(u32));
	bool *in = oracle_alloc(t->pages, 1);
	struct heap h = { oracle_alloc((size_t)t->refs + 1, sizeof(u64)), 0 };
	u64 misses = 0;
	u32 held = 0;

	memset(use, 0xff, t->pages * sizeof(u32));
	for (u32 i = t->refs; i-- > 0; use[t->ref[i]] = i)
		next[i] = use[t->ref[i]];
	for (u32 i = 0; i < t->refs; i++) {
		u32 p = t->ref[i];

		if (!in[p]) {
			misses++;
			while (held == frames) {
				u64 key = heap_pop(&h);
				u32 victim = (u32)key;

				if (!in[victim] || use[victim] != key >> 32)
					continue;
				in[victim] = false;
				held--;
			}
			in[p] = true;
			held++;
		}
		use[p] = next[i];
		heap_push(&h, (u64)next[i] << 32 | p);
	}
	free(next);
	free(use);
	free(in);
	free(h.key);
	return misses;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zstore.c - compressed pages in chains of chunks. Contract: zstore.h.
 */
#include "mm/pager/zstore.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "mm/frame.h"
#include "mm/pager/lz4.h"
#include "mm/pager/vmmem.h"

#define NONE 0xffffffffu
#define HEAD 0xfffffffeu  /* prev of a first chunk */
#define LOOSE 0xfffffffdu /* prev of a chunk whose chain is being given up */
#define HOLDS (ZSTORE_CHUNK - 8)

struct head { u32 g, bytes, older, newer; };
struct chunk {
	u32 next, prev; /* of the chain */
	union {
		u8 data[HOLDS];
		struct { struct head head; u8 first[HOLDS - sizeof(struct head)]; };
	};
};
_Static_assert(sizeof(struct chunk) == ZSTORE_CHUNK, "struct chunk");
_Static_assert(ZSTORE_CHUNK * ZSTORE_CHUNKS == PAGE_SIZE, "chunks of a frame");
_Static_assert(ZSTORE_PAGE_CHUNKS <= ZSTORE_CHUNKS, "a page needs one new frame at most");

#define ROOM (ZSTORE_PAGE_CHUNKS * HOLDS - sizeof(struct head))

/* Between the page and the chunks; nothing waits in between, so all guests share them. */
static struct lz4_work work;
static u8 block[ROOM];
static u32 tried; /* bytes in it that zstore_put() will store */

static struct chunk *at(u32 h)
{
	return (struct chunk *)((u8 *)pfn_ptr((pfn_t){ h / ZSTORE_CHUNKS }) +
				h % ZSTORE_CHUNKS * ZSTORE_CHUNK);
}

static u32 last_chunk(const struct zstore *z)
{
	return z->last * ZSTORE_CHUNKS + z->used - 1;
}

static u32 chunks_for(u32 bytes)
{
	return (u32)((bytes + sizeof(struct head) + HOLDS - 1) / HOLDS);
}

void zstore_init(struct zstore *z)
{
	*z = (struct zstore){ .last = FRAME_NONE, .oldest = NONE, .newest = NONE };
}

/* ---- the order in which pages came ---- */

static void join(struct zstore *z, u32 h)
{
	struct head *p = &at(h)->head;

	p->newer = NONE;
	p->older = z->newest;
	if (z->newest == NONE)
		z->oldest = h;
	else
		at(z->newest)->head.newer = h;
	z->newest = h;
}

/* Page h's neighbours and the ends of the row point to `to` and, where it leaves, past it. */
static void relink(struct zstore *z, const struct head *p, u32 older_sees, u32 newer_sees)
{
	if (p->older == NONE)
		z->oldest = older_sees;
	else
		at(p->older)->head.newer = older_sees;
	if (p->newer == NONE)
		z->newest = newer_sees;
	else
		at(p->newer)->head.older = newer_sees;
}

/* ---- chunks ---- */

/* A new last chunk. The last frame is full or there is none: *spare becomes it. */
static u32 append(struct vm_mem *m, pfn_t *spare)
{
	struct zstore *z = &m->zip;

	if (z->last == FRAME_NONE || z->used == ZSTORE_CHUNKS) {
		struct frame *f = frame_of(*spare);

		BUG_ON(pfn_none(*spare) || spare->n >= BIT(27));
		frame_change(f, FRAME_ZIP);
		f->block = f->gpfn = 0;
		f->flags = 0;
		f->next = FRAME_NONE;
		f->prev = z->last;
		z->last = spare->n;
		z->used = 0;
		z->frames++;
		*spare = NO_PFN;
	}
	z->used++;
	z->chunks++;
	return last_chunk(z);
}

/* The last chunk goes to h, which nobody uses any more; everything that points to it follows. */
static void move_last(struct vm_mem *m, u32 h)
{
	struct chunk *c = at(h);

	memcpy(c, at(last_chunk(&m->zip)), sizeof(*c));
	if (c->prev == HEAD) {
		m->page[c->head.g].loc = h;
		relink(&m->zip, &c->head, h, h);
	} else if (c->prev != LOOSE) {
		at(c->prev)->next = h;
	}
	if (c->next != NONE)
		at(c->next)->prev = h;
}

/* The last chunk is no more; frames freed. */
static u32 shrink(struct zstore *z)
{
	pfn_t f = { z->last };

	z->chunks--;
	if (--z->used)
		return 0;
	z->last = frame_of(f)->prev;
	z->used = z->last == FRAME_NONE ? 0 : ZSTORE_CHUNKS;
	z->frames--;
	frame_put(f);
	return 1;
}

/* ---- pages ---- */

u32 zstore_try(const void *page)
{
	tried = lz4_compress(&work, page, PAGE_SIZE, block, ROOM);
	return tried ? chunks_for(tried) : 0;
}

u32 zstore_put(struct vm_mem *m, u32 g, pfn_t p)
{
	u32 bytes = tried, first = NONE, prev = HEAD, done = 0;
	struct zstore *z = &m->zip;

	BUG_ON(!bytes);
	tried = 0;
	for (u32 left = chunks_for(bytes); left; left--) {
		u32 h = append(m, &p), off = prev == HEAD ? (u32)sizeof(struct head) : 0,
		    n = MIN(HOLDS - off, bytes - done);
		struct chunk *c = at(h);

		memcpy(c->data + off, block + done, n);
		done += n;
		c->next = NONE;
		c->prev = prev;
		if (prev == HEAD)
			first = h;
		else
			at(prev)->next = h;
		prev = h;
	}
	at(first)->head.g = g;
	at(first)->head.bytes = bytes;
	join(z, first);
	z->pages++;
	m->page[g].state = GPAGE_ZIP;
	m->page[g].loc = first;
	if (pfn_none(p))
		return 0;
	frame_put(p);
	return 1;
}

void zstore_get(const struct vm_mem *m, u32 g, void *page)
{
	const struct chunk *c = at(m->page[g].loc);
	u32 bytes = c->head.bytes, off = sizeof(struct head);

	BUG_ON(m->page[g].state != GPAGE_ZIP || c->prev != HEAD || c->head.g != g || bytes > ROOM);
	tried = 0;
	for (u32 done = 0, n; done < bytes; done += n, off = 0) {
		n = MIN(HOLDS - off, bytes - done);
		memcpy(block + done, c->data + off, n);
		if (done + n < bytes)
			c = at(c->next);
	}
	BUG_ON(lz4_decompress(block, bytes, page, PAGE_SIZE) != (int)PAGE_SIZE);
}

u32 zstore_drop(struct vm_mem *m, u32 g)
{
	struct zstore *z = &m->zip;
	u32 h = m->page[g].loc, freed = 0;
	struct head *p = &at(h)->head;

	BUG_ON(m->page[g].state != GPAGE_ZIP || at(h)->prev != HEAD || p->g != g);
	relink(z, p, p->newer, p->older);
	z->pages--;
	while (h != NONE) {
		u32 next = at(h)->next, last = last_chunk(z);

		if (next != NONE)
			at(next)->prev = LOOSE;
		if (last != h)
			move_last(m, h);
		if (next == last)
			next = h;
		freed += shrink(z);
		h = next;
	}
	return freed;
}

u32 zstore_oldest(const struct vm_mem *m)
{
	return m->zip.oldest == NONE ? NO_GPFN.n : at(m->zip.oldest)->head.g;
}

void zstore_clear(struct vm_mem *m)
{
	struct zstore *z = &m->zip;

	while (z->last != FRAME_NONE) {
		pfn_t f = { z->last };

		z->last = frame_of(f)->prev;
		frame_put(f);
	}
	zstore_init(z);
}

/* ---- checks ---- */

struct check { const struct vm_mem *m; void (*say)(void *, const char *); void *ctx; u32 bad; };

static void complain(struct check *c, const char *what, u32 a, u32 b)
{
	char line[120];

	fmt(line, sizeof(line), "guest %u: store: %s: %x against %x", c->m->id, what, a, b);
	c->bad++;
	if (c->say)
		c->say(c->ctx, line);
}

/* Chunks of the page whose first is h. */
static u32 check_chain(struct check *c, u32 h)
{
	u32 n = 0, prev = HEAD, want = chunks_for(at(h)->head.bytes);

	for (; h != NONE && n <= ZSTORE_PAGE_CHUNKS; h = at(h)->next, n++) {
		if (frame_of((pfn_t){ h / ZSTORE_CHUNKS })->state != FRAME_ZIP || at(h)->prev != prev)
			complain(c, "chunk's place or chain", h, prev);
		prev = h;
	}
	if (n != want)
		complain(c, "chunks of a page", n, want);
	return n;
}

u32 zstore_check(const struct vm_mem *m, void (*say)(void *ctx, const char *line), void *ctx)
{
	struct check c = { .m = m, .say = say, .ctx = ctx };
	const struct zstore *z = &m->zip;
	u32 frames = 0, pages = 0, chunks = 0, older = NONE;

	for (u32 f = z->last; f != FRAME_NONE && frames <= z->frames;
	     f = frame_of((pfn_t){ f })->prev, frames++)
		if (frame_of((pfn_t){ f })->state != FRAME_ZIP || frame_of((pfn_t){ f })->owner != m->id)
			complain(&c, "frame of another state or owner", f, m->id);
	if (frames != z->frames || frames != frame_count_vm(m->id, FRAME_ZIP))
		complain(&c, "frames", frames, z->frames);
	for (u32 h = z->oldest; h != NONE && pages <= z->pages; h = at(h)->head.newer, pages++) {
		const struct head *p = &at(h)->head;

		if (p->g >= m->npages || m->page[p->g].state != GPAGE_ZIP || m->page[p->g].loc != h ||
		    p->older != older)
			complain(&c, "page and its place", p->g, h);
		chunks += check_chain(&c, h);
		older = h;
	}
	if (z->newest != older || pages != z->pages)
		complain(&c, "pages in a row", pages, z->pages);
	if (chunks != z->chunks || (chunks && chunks != (frames - 1) * ZSTORE_CHUNKS + z->used) ||
	    (!chunks && frames))
		complain(&c, "chunks", chunks, z->chunks);
	return c.bad;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * frame.c - the frame table: allocation, states and their counters.
 *
 * Contract in frame.h. A frame is on a free list exactly while it is FREE or ZEROED; the links of any
 * other state belong to whoever put it there. Nothing here decides who deserves a frame. No locking: one CPU;
 * may be called from interrupt windows.
 */
#include "mm/frame.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"

struct frame *frame_table;
u32 frame_table_size;
/* By owner, the last row is for those of no guest; and of all owners, for the states up to TABLE only: the
 * others change all the time and are summed up when asked for. */
u32 frame_counts[FRAME_MAX_VMS + 1][FRAME_STATES];
static u32 count[FRAME_TABLE + 1];
static u32 free_head[2] = { FRAME_NONE, FRAME_NONE }; /* FREE, ZEROED */

void frame_bad(pfn_t p)
{
	panic("no such frame: %x of %x", p.n, frame_table_size);
}

static u32 *row_of(u8 owner)
{
	return frame_counts[MIN(owner, FRAME_MAX_VMS)];
}

u32 frame_limit(void)
{
	return frame_table_size;
}

u32 frame_count(enum frame_state s)
{
	u32 n = 0;

	if (s <= FRAME_TABLE)
		return count[s];
	for (u32 v = 0; v <= FRAME_MAX_VMS; v++)
		n += frame_counts[v][s];
	return n;
}

u32 frame_count_vm(u8 vm, enum frame_state s)
{
	return vm < FRAME_MAX_VMS ? frame_counts[vm][s] : 0;
}

u32 frame_total(void)
{
	return frame_table_size - count[FRAME_RESERVED]; /* each frame is of one state */
}

u32 frame_held(u8 vm)
{
	const u32 *c;

	if (vm >= FRAME_MAX_VMS)
		return 0;
	c = frame_counts[vm];
	return c[FRAME_MAPPED] + c[FRAME_SOFT] + c[FRAME_CACHED] + c[FRAME_FILLING] + c[FRAME_WRITING] +
	       c[FRAME_BOUNCE] + c[FRAME_ZIP];
}

u32 frame_free(void)
{
	return count[FRAME_FREE] + count[FRAME_ZEROED];
}

static bool is_free(u8 state)
{
	return state == FRAME_FREE || state == FRAME_ZEROED;
}

static void list_add_free(u32 n)
{
	struct frame *f = &frame_table[n];
	u32 *head = &free_head[f->state == FRAME_ZEROED];

	f->prev = FRAME_NONE;
	f->next = *head;
	if (*head != FRAME_NONE)
		frame_table[*head].prev = n;
	*head = n;
}

static void list_remove_free(u32 n)
{
	struct frame *f = &frame_table[n];

	if (f->prev != FRAME_NONE)
		frame_table[f->prev].next = f->next;
	else
		free_head[f->state == FRAME_ZEROED] = f->next;
	if (f->next != FRAME_NONE)
		frame_table[f->next].prev = f->prev;
	f->next = f->prev = FRAME_NONE;
}

void frame_set_state(pfn_t p, u8 owner, enum frame_state s)
{
	struct frame *f = frame_of(p);

	if (is_free(f->state))
		list_remove_free(p.n);
	row_of(f->owner)[f->state]--;
	if (f->state <= FRAME_TABLE)
		count[f->state]--;
	f->state = (u8)s;
	f->owner = owner;
	row_of(owner)[s]++;
	if (s <= FRAME_TABLE)
		count[s]++;
	if (is_free((u8)s))
		list_add_free(p.n);
}

static void take(u32 n, u8 owner, enum frame_state s)
{
	struct frame *f = &frame_table[n];

	frame_set_state((pfn_t){ n }, owner, s);
	f->flags = 0;
	f->gpfn = NO_GPFN.n;
	f->block = 0;
	f->stamp = 0;
	f->next = f->prev = FRAME_NONE;
}

pfn_t frame_get(u8 owner, enum frame_state s, bool want_zero)
{
	u32 n = free_head[want_zero];
	bool zeroed = want_zero;

	if (n == FRAME_NONE) {
		zeroed = !zeroed;
		n = free_head[zeroed];
	}
	if (n == FRAME_NONE)
		return NO_PFN;
	take(n, owner, s);
	if (want_zero && !zeroed)
		arch_zero_page(pfn_ptr((pfn_t){ n }));
	return (pfn_t){ n };
}

void frame_put(pfn_t p)
{
	struct frame *f = frame_of(p);

	BUG_ON(is_free(f->state) || f->state == FRAME_RESERVED);
	row_of(f->owner)[f->state]--;
	if (f->state <= FRAME_TABLE)
		count[f->state]--;
	f->state = FRAME_FREE;
	f->owner = FRAME_NO_VM;
	f->block = 0;
	f->flags = 0;
	f->gpfn = NO_GPFN.n;
	frame_counts[FRAME_MAX_VMS][FRAME_FREE]++;
	count[FRAME_FREE]++;
	list_add_free(p.n);
}

pfn_t frame_get_run(u32 n)
{
	u32 run = 0, first;

	if (!n)
		return NO_PFN;
	/* From the top: low memory stays for whoever needs it. */
	for (u32 i = frame_table_size; i-- > 0;) {
		run = is_free(frame_table[i].state) ? run + 1 : 0;
		if (run < n)
			continue;
		first = i;
		for (u32 j = first; j < first + n; j++) {
			take(j, FRAME_NO_VM, FRAME_HYP);
			arch_zero_page(pfn_ptr((pfn_t){ j }));
		}
		return (pfn_t){ first };
	}
	return NO_PFN;
}

void frame_put_run(pfn_t p, u32 n)
{
	for (u32 i = 0; i < n; i++)
		frame_put((pfn_t){ p.n + i });
}

bool frame_zero_one(void)
{
	u32 n = free_head[0];

	if (n == FRAME_NONE)
		return false;
	arch_zero_page(pfn_ptr((pfn_t){ n }));
	frame_set_state((pfn_t){ n }, FRAME_NO_VM, FRAME_ZEROED);
	return true;
}

/* ---- boot ---- */

static bool overlaps(const struct boot_range *r, u64 start, u64 end)
{
	return r->start < end && start < r->end && r->start < r->end;
}

/* The lowest address at or above `from` in [from, end) from which `bytes` are free of reserved ranges. */
static u64 find_gap(u64 from, u64 end, u64 bytes, const struct boot_range *reserved, u32 nreserved)
{
	u64 at = ALIGN_UP(from, (u64)PAGE_SIZE);
	bool moved = true;

	while (moved && at + bytes <= end && at + bytes >= at) {
		moved = false;
		for (u32 i = 0; i < nreserved; i++) {
			if (!overlaps(&reserved[i], at, at + bytes))
				continue;
			at = ALIGN_UP(MIN(reserved[i].end, end), (u64)PAGE_SIZE);
			moved = true;
		}
	}
	return at + bytes <= end && at + bytes >= at ? at : 0;
}

/* Room for the table: in the largest usable range that has it, never below 1 MiB. */
static u64 place_table(const struct boot_range *usable, u32 nusable, const struct boot_range *reserved,
		       u32 nreserved, u64 bytes)
{
	u64 best = 0, best_size = 0;

	for (u32 i = 0; i < nusable; i++) {
		u64 start = MAX(usable[i].start, MIB), at;

		if (!usable[i].usable || start >= usable[i].end || usable[i].end - start <= best_size)
			continue;
		at = find_gap(start, usable[i].end, bytes, reserved, nreserved);
		if (at) {
			best = at;
			best_size = usable[i].end - start;
		}
	}
	return best;
}

static void mark(u64 start, u64 end, enum frame_state from, enum frame_state to)
{
	u64 last = MIN(end, (u64)frame_table_size << PAGE_SHIFT);

	for (u64 n = start >> PAGE_SHIFT; n < last >> PAGE_SHIFT; n++)
		if (frame_table[n].state == from)
			frame_set_state((pfn_t){ (u32)n }, FRAME_NO_VM, to);
}

int frame_init(const struct boot_range *usable, u32 nusable, const struct boot_range *reserved, u32 nreserved)
{
	u64 top = 0, bytes, at;

	memset(count, 0, sizeof(count));
	memset(frame_counts, 0, sizeof(frame_counts));
	free_head[0] = free_head[1] = FRAME_NONE;
	for (u32 i = 0; i < nusable; i++)
		if (usable[i].usable)
			top = MAX(top, usable[i].end);
	top = MIN(top, (u64)FRAME_NONE << PAGE_SHIFT);
	frame_table_size = (u32)(top >> PAGE_SHIFT);
	bytes = ALIGN_UP((u64)frame_table_size * sizeof(struct frame), (u64)PAGE_SIZE);
	at = place_table(usable, nusable, reserved, nreserved, bytes);
	if (!frame_table_size || !at) {
		frame_table_size = 0;
		return E_NOMEM;
	}
	frame_table = hpa_ptr((hpa_t){ at });
	for (u32 n = 0; n < frame_table_size; n++)
		frame_table[n] = (struct frame){ .state = FRAME_RESERVED,
						 .owner = FRAME_NO_VM,
						 .gpfn = NO_GPFN.n,
						 .next = FRAME_NONE,
						 .prev = FRAME_NONE };
	count[FRAME_RESERVED] = frame_counts[FRAME_MAX_VMS][FRAME_RESERVED] = frame_table_size;
	for (u32 i = 0; i < nusable; i++)
		if (usable[i].usable)
			mark(ALIGN_UP(usable[i].start, (u64)PAGE_SIZE), usable[i].end, FRAME_RESERVED,
			     FRAME_FREE);
	for (u32 i = 0; i < nreserved; i++)
		if (reserved[i].start < reserved[i].end)
			mark(reserved[i].start, ALIGN_UP(MIN(reserved[i].end, top), (u64)PAGE_SIZE),
			     FRAME_FREE, FRAME_HYP);
	mark(at, at + bytes, FRAME_FREE, FRAME_HYP);
	mark(0, PAGE_SIZE, FRAME_FREE, FRAME_HYP);
	return E_OK;
}

/* ---- checking ---- */

static u32 compare(u32 is, u32 counted, const char *what, u32 vm, u32 state,
		   void (*say)(void *, const char *), void *ctx)
{
	char line[96];

	if (is == counted)
		return 0;
	fmt(line, sizeof(line), "frames: %s %u state %u: counter %u, recounted %u", what, vm, state, is,
	    counted);
	if (say)
		say(ctx, line);
	return 1;
}

u32 frame_recount(void (*say)(void *ctx, const char *line), void *ctx)
{
	static u32 seen[FRAME_STATES], seen_vm[FRAME_MAX_VMS + 1][FRAME_STATES];
	u32 wrong = 0, listed[2] = { 0, 0 };

	memset(seen, 0, sizeof(seen));
	memset(seen_vm, 0, sizeof(seen_vm));
	for (u32 n = 0; n < frame_table_size; n++) {
		seen[frame_table[n].state]++;
		seen_vm[MIN(frame_table[n].owner, FRAME_MAX_VMS)][frame_table[n].state]++;
	}
	for (u32 z = 0; z < 2; z++)
		for (u32 n = free_head[z]; n != FRAME_NONE && listed[z] <= frame_table_size;
		     n = frame_table[n].next)
			listed[z]++;
	for (u32 s = 0; s < FRAME_STATES; s++) {
		wrong += compare(frame_count(s), seen[s], "all", 0, s, say, ctx);
		for (u32 v = 0; v <= FRAME_MAX_VMS; v++)
			wrong += compare(frame_counts[v][s], seen_vm[v][s], "guest", v, s, say, ctx);
	}
	wrong += compare(count[FRAME_FREE], listed[0], "free list", 0, FRAME_FREE, say, ctx);
	wrong += compare(count[FRAME_ZEROED], listed[1], "free list", 1, FRAME_ZEROED, say, ctx);
	return wrong;
}

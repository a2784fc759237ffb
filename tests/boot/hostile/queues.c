/* SPDX-License-Identifier: GPL-2.0-only */
/* queues.c - attacks by a disk's queue: broken rings, correct requests that write to where it
 * hurts, resets. */
#include "modes.h"

#define F_NEXT 1
#define F_WRITE 2
#define F_INDIRECT 4
#define RINGS SCRATCH              /* 64 KiB: three areas at random places, requests, tables */
#define RINGS_BYTES 0x10000ull
#define GOOD 0x130000006ull        /* VERSION_1, EVENT_IDX, INDIRECT, SEG_MAX, SIZE_MAX */

/* ---- broken rings ---- */

static u64 area(u64 align)
{
	u64 at = RINGS + below(RINGS_BYTES) / align * align;

	switch (below(24)) {
	case 0: return odd_address();
	case 1: return odd_number();
	case 2: return at + below(16);
	case 3: return RINGS;
	case 4: return (ram - below(2048)) / align * align;
	default: return at;
	}
}

static u64 some_data(void)
{
	switch (below(10)) {
	case 0: return odd_address();
	case 1: return odd_number();
	case 2: case 3: return RINGS + below(RINGS_BYTES);
	default:
		return (SCRATCH + RINGS_BYTES + below(ram - SCRATCH - 2 * RINGS_BYTES)) &
		       ~(below(2) ? PAGE - 1 : 0);
	}
}

static u32 some_length(void)
{
	static const u32 often[] = { 0,   1,    15,    16,      17,         511,       512,
				     513, 4096, 16384, 1 << 20, 0x7fffffff, 0xffffffff };

	return below(8) ? often[below(sizeof(often) / sizeof(often[0]))] : (u32)rnd();
}

static void random_table(struct desc *d, u32 n)
{
	for (u32 i = 0; i < n; i++)
		d[i] = (struct desc){ some_data(), some_length(), (u16)(below(8) ? below(4) : rnd()),
				      (u16)(below(8) ? i + 1 : below(n + 3)) };
}

/* A request as it should be: header, data, status, by descriptors i, i+1, i+2. */
static void good_request(struct desc *d, u32 i, u16 size)
{
	struct header *h = (struct header *)(RINGS + RINGS_BYTES + i * 32);
	static const u32 types[] = {
		T_IN, T_OUT, T_FLUSH, T_GET_ID, T_DISCARD, T_WRITE_ZEROES, 3, 0xffffffff
	};
	u32 type = types[below(8)];

	*h = (struct header){ type, 0, below(8) ? disk_room(1 << 20) : odd_number() };
	d[i % size] = (struct desc){ (u64)h, 16, F_NEXT, (u16)((i + 1) % size) };
	d[(i + 1) % size] = (struct desc){
		some_data(), type == T_DISCARD || type == T_WRITE_ZEROES ? 16 : (u32)below(64) * 512,
		F_NEXT | (type == T_IN || type == T_GET_ID ? F_WRITE : 0), (u16)((i + 2) % size)
	};
	d[(i + 2) % size] = (struct desc){ (u64)h + 16, 1, F_WRITE, 0 };
}

/* One field of a table that was right is not any more. */
static void spoil(struct desc *d, u16 size)
{
	struct desc *x = &d[below(size)];

	switch (below(5)) {
	case 0: x->addr = some_data(); break;
	case 1: x->len = some_length(); break;
	case 2: x->flags ^= (u16)(1u << below(3)); break;
	case 3: x->next = (u16)below(size + 2u); break;
	default:
		*x = (struct desc){ RINGS + below(RINGS_BYTES / 16) * 16, (u32)below(80) * 16, F_INDIRECT,
				    0 };
		break;
	}
}

static u64 round_areas[3];
static u16 round_size;

/* In an attempt: its areas may lie anywhere. */
static void fill_rings(void *unused)
{
	struct desc *d = (struct desc *)round_areas[0];
	u16 *avail = (u16 *)round_areas[1];

	(void)unused;
	random_table((struct desc *)RINGS, RINGS_BYTES / 16 / 4);
	if (below(4))
		for (u32 i = 0; i + 2 < round_size; i += 3)
			good_request(d, i, round_size);
	else
		random_table(d, round_size);
	for (u64 n = below(4); n; n--)
		spoil(d, round_size);
	for (u32 i = 0; i < round_size; i++)
		avail[2 + i] = (u16)(below(16) ? below(round_size) : rnd());
	avail[0] = (u16)below(2);
	avail[1] = (u16)(below(8) ? 1 + below(round_size) : rnd());
}

static void more_idx(void *unused)
{
	(void)unused;
	((volatile u16 *)round_areas[1])[1] += (u16)(below(8) ? 1 : rnd());
}

/* Registers in any order, with any values; most of them keep what the round needs. */
static void poke(void)
{
	u16 at = (u16)(disk_bar + below(256));

	switch (below(6)) {
	case 0: out8(at, (u8)odd_number()); break;
	case 1: out16(at, (u16)odd_number()); break;
	case 2: out32(at, (u32)odd_number()); break;
	case 3: in8(at); break;
	case 4: in16(at); break;
	default: in32(at); break;
	}
}

static void check_disk(void)
{
	if (disk_init() && disk_do(T_IN, 0, ram - PAGE, PAGE))
		say("WRONG: a correct read failed");
}

/* Rings of every bad kind. resets=N: the guest resets itself with requests in flight after N rounds. */
void mode_queues(void)
{
	static const u16 sizes[] = { 1, 2, 4, 8, 16, 32, 64, 64, 64, 128, 3, 0 };
	u64 resets = arg("resets", 0);

	mix_time();
	if (!disk_init())
		return;
	for (u64 n = 1;; n++) {
		u16 asked = sizes[below(12)];

		round_size = asked && asked <= QUEUE && !(asked & (asked - 1)) ? asked : QUEUE;
		round_areas[0] = area(16);
		round_areas[1] = area(2);
		round_areas[2] = area(4);
		(void)attempt(fill_rings, NULL);
		disk_start(below(16) ? GOOD & ~(below(4) ? 0 : 1ull << 29) : odd_number(), asked,
			   round_areas[0], round_areas[1], round_areas[2]);
		for (u64 k = 1 + below(6); k; k--) {
			disk_kick();
			(void)attempt(more_idx, NULL);
			if (!below(4))
				poke();
		}
		if (resets && n == resets)
			reset((u32)n);
		if (!below(8))
			disk_reset(); /* with whatever is in flight */
		if (!(n & 63)) {
			disk_find(); /* pokes may have moved nothing, but the interrupt may be off */
			check_disk();
		}
		beat(n);
	}
}

/* ---- correct requests, wrong places ---- */

#define CODE_PAGE (SCRATCH + 0x10000)
#define TABLE_PAGE (SCRATCH + 0x11000) /* a page table that maps WINDOW */
#define TABLE_ABOVE (SCRATCH + 0x12000)
#define WINDOW (3ull << 39)
#define PAGE_A (SCRATCH + 0x20000)
#define PAGE_B (SCRATCH + 0x30000)
#define STAGE (SCRATCH + 0x40000)

static void wrong(const char *what, u64 n)
{
	say("WRONG: %s, round %lu", what, n);
	for (;;)
		asm volatile("cli; hlt");
}

/* Code that answers n, by way of the disk, over code that just ran. */
static void dma_code(u64 n)
{
	u8 *stage = (u8 *)STAGE;
	u32 got;

	memset(stage, 0x90, PAGE);
	stage[0] = 0xb8;
	memcpy(stage + 1, &n, 4);
	stage[5] = 0xc3;
	(void)disk_do(T_OUT, 0, STAGE, PAGE);
	(void)disk_do(T_IN, 0, CODE_PAGE, PAGE);
	got = ((u32 (*)(void))CODE_PAGE)();
	if (got != (u32)n)
		wrong("code that came from the disk was not what ran", n);
}

/* A page table from the disk; the pages that it maps are told apart by their first word. */
static void dma_table(u64 n)
{
	u64 *stage = (u64 *)STAGE, want = n & 1 ? PAGE_A : PAGE_B;

	*(volatile u64 *)PAGE_A = PAGE_A;
	*(volatile u64 *)PAGE_B = PAGE_B;
	for (u32 i = 0; i < 512; i++)
		stage[i] = want | 7;
	page_tables[0][WINDOW >> 39] = TABLE_ABOVE | 7;
	((u64 *)TABLE_ABOVE)[0] = (TABLE_ABOVE + PAGE) | 7;
	((u64 *)(TABLE_ABOVE + PAGE))[0] = TABLE_PAGE | 7;
	(void)disk_do(T_OUT, 8, STAGE, PAGE);
	(void)disk_do(T_IN, 8, TABLE_PAGE, PAGE);
	asm volatile("invlpg (%0)" : : "r"(WINDOW) : "memory");
	if (*(volatile u64 *)WINDOW != want)
		wrong("a page table that came from the disk is not in force", n);
	*(volatile u64 *)(WINDOW + PAGE) = want; /* sets A and D in it */
}

/* Garbage into the rings while they are in use: the device may break, nothing else. */
static void dma_rings(void)
{
	static const u64 sizes[] = { 512, 1024, 4096, 8192 };
	u64 targets[] = { (u64)disk_desc, (u64)&disk_avail, (u64)&disk_used, (u64)disk_status & ~511ull };
	u64 at = targets[below(3)];

	for (u32 i = 0; i < PAGE / 8; i++)
		((u64 *)STAGE)[i] = below(4) ? 0 : rnd();
	(void)disk_do(T_OUT, 16, STAGE, PAGE);
	for (u32 i = 0; i < 8; i++)
		disk_put(i, T_IN, 16, at, sizes[below(3)]);
	disk_kick();
	for (u32 i = 0; i < 2000; i++)
		(void)in8(0x80);
	(void)disk_init(); /* with what is in flight */
}

/* Reads into code, page tables, rings; device resets in flight; with resets=N the guest's own after
 * N rounds. */
void mode_dma(void)
{
	u64 resets = arg("resets", 0);

	if (resets)
		mix_time();
	if (!disk_init())
		return;
	for (u64 n = 1;; n++) {
		dma_code(n);
		dma_table(n);
		if (!(n & 3))
			dma_rings();
		if (!(n & 7)) { /* a full queue, then a reset of the device */
			for (u32 i = 0; i < QUEUE; i++)
				disk_put(i, i & 1 ? T_IN : T_OUT, disk_room(1 << 16), SCRATCH + 0x100000,
					 1 << 16);
			disk_kick();
			if (resets && n >= resets)
				reset((u32)n);
			(void)disk_init();
		}
		beat(n);
	}
}

/* ---- a ring that fills itself ---- */

/* The page that each block of the disk is an image of: the available ring, then the header of the one
 * request. */
struct self_page {
	u16 flags, idx, ring[QUEUE], event;
	u32 unused;
	struct header header;
};

/*
 * Each block, read into the page of the available ring, makes the next request available and says that it
 * reads the next block: one kick, then the device goes on by itself while the guest sleeps. mib=N of the disk
 * hold the chain.
 */
void mode_selfill(void)
{
	u64 blocks = arg("mib", 8) * 256;
	struct self_page *p = (struct self_page *)STAGE, *ring = (struct self_page *)(SCRATCH + 0x50000);

	if (!disk_init())
		return;
	if (blocks > disk_sectors / 8)
		blocks = disk_sectors / 8;
	for (u64 b = 0; b < blocks; b++) {
		memset(p, 0, PAGE);
		p->idx = (u16)(b + 2);
		p->header = (struct header){ T_IN, 0, (b + 1) % blocks * 8 };
		(void)disk_do(T_OUT, b * 8, STAGE, PAGE);
		beat(b);
	}
	for (u64 n = 0;; n++) {
		memset(ring, 0, PAGE);
		disk_reset();
		memset(&disk_used, 0, sizeof(disk_used));
		disk_desc[0] = (struct desc){ (u64)&ring->header, 16, F_NEXT, 1 };
		disk_desc[1] = (struct desc){ (u64)ring, 4096, F_NEXT | F_WRITE, 2 };
		disk_desc[2] = (struct desc){ (u64)disk_status, 1, F_WRITE, 0 };
		ring->header = (struct header){ T_IN, 0, 0 };
		ring->flags = 1; /* no interrupts */
		disk_start(1ull << 32, QUEUE, (u64)disk_desc, (u64)ring, (u64)&disk_used);
		ring->idx = 1;
		disk_kick();
		for (u16 seen = 0, now;; seen = now) {
			sleep_until(rdtsc() + 20000 * tsc_mhz);
			now = *(volatile u16 *)&disk_used.idx;
			beat((n << 16) + now);
			if (now == seen)
				break;
		}
	}
}

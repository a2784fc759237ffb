/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * falseread.c - a plugin for QEMU's TCG: of the touches of evicted pages, how many are false reads?
 *
 * It watches every load, store and fetch of a guest on bare QEMU (no VMMB) and keeps its pages in an exact
 * LRU list of `frames`: what falls off is evicted, the next touch is a fault. A fault is a false read if the
 * whole page is overwritten before one of its old bytes is read; it is REP's if REP STOS or REP MOVS wrote
 * all of it, and whole if one such instruction did so in one run from the first byte on: what
 * exit_overwrite.c does unread.
 *
 * Not seen: what devices write to memory and the processor's own page walks (so a page that a disk read
 * filled counts as read when it is used); of an access across a page's end, the second page.
 *
 *   -plugin falseread.so,frames=N,out=FILE      FILE gets one JSON object when QEMU ends
 *
 * Source of the interface: QEMU 7.2, QEMU TCG Plugins, plugin API version 1. Debian has no header for it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the interface that QEMU exports --------------------------------------------------------- */

struct tb;
struct insn;
struct hwaddr;
struct info;

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*)(uint64_t id, struct tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct tb *, void (*)(unsigned cpu, void *), int regs, void *);
void qemu_plugin_register_vcpu_mem_cb(struct insn *,
				      void (*)(unsigned cpu, uint32_t info, uint64_t va, void *), int regs,
				      int rw, void *);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*)(uint64_t id, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct tb *);
struct insn *qemu_plugin_tb_get_insn(const struct tb *, size_t);
const void *qemu_plugin_insn_data(const struct insn *);
size_t qemu_plugin_insn_size(const struct insn *);
void *qemu_plugin_insn_haddr(const struct insn *);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
bool qemu_plugin_mem_is_store(uint32_t info);
struct hwaddr *qemu_plugin_get_hwaddr(uint32_t info, uint64_t va);
bool qemu_plugin_hwaddr_is_io(const struct hwaddr *);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct hwaddr *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(uint64_t id, const struct info *info, int argc, char **argv);

enum { NO_REGS = 0, READ_AND_WRITE = 3 };

/* ---- the guest's pages ----------------------------------------------------------------------- */

#define PAGE 4096u
#define MAX_PAGES (1u << 18) /* 1 GiB */
#define NONE 0u              /* of the list: page numbers are kept plus one */

enum { NEVER, HELD, EVICTED };

struct page {
	uint32_t next, prev; /* towards older, newer */
	uint8_t state;
	bool pending;        /* faulted by a store; not yet known whether its old bytes are needed */
	bool rep, other;     /* who has written bytes of it since */
	bool rep_first;      /* whose store the fault was */
	bool whole;          /* one REP from byte 0 on so far */
	uint16_t written;    /* bytes, each counted once */
	uint32_t run;        /* of that instruction */
	uint64_t by;         /* that instruction */
	uint64_t map[PAGE / 64];
};

static struct page *pages;
static uint32_t newest, oldest, held, frames;
static const char *out;
static uint8_t *ram; /* where QEMU has the guest's memory, for fetches */
/* REPs by where they end: how often one was seen to, an interrupt between its iterations apart. */
static struct {
	uint64_t end;
	uint32_t runs;
} reps[4096];
static struct {
	uint64_t faults, read, store, needed, undecided, rep, rep_whole, rep_then_other, other_then_rep,
		other;
} n;

static void unlink_page(uint32_t i)
{
	struct page *p = &pages[i];

	*(p->prev ? &pages[p->prev].next : &newest) = p->next;
	*(p->next ? &pages[p->next].prev : &oldest) = p->prev;
}

static void make_newest(uint32_t i)
{
	pages[i].prev = NONE;
	pages[i].next = newest;
	*(newest ? &pages[newest].prev : &oldest) = i;
	newest = i;
}

static void evict(void)
{
	struct page *p = &pages[oldest];

	unlink_page(oldest);
	p->state = EVICTED;
	n.undecided += p->pending;
	p->pending = false;
	held--;
}

static uint32_t runs_of(uint64_t by)
{
	uint64_t end = by >> 1;

	if (reps[end % 4096].end != end) {
		reps[end % 4096].end = end;
		reps[end % 4096].runs++; /* whoever was there is not taken to go on */
	}
	return reps[end % 4096].runs;
}

static void fault(struct page *p, bool store, bool rep, uint32_t at, uint64_t by)
{
	n.faults++;
	n.read += !store;
	n.store += store;
	if (!store)
		return;
	p->pending = true;
	p->rep = p->other = false;
	p->rep_first = rep;
	p->written = 0;
	p->by = by;
	p->run = rep ? runs_of(by) : 0;
	p->whole = rep && !at;
	memset(p->map, 0, sizeof(p->map));
}

/* The list's order; true if the page had been evicted. */
static bool touch(uint32_t i)
{
	struct page *p = &pages[i];
	bool was_evicted = p->state == EVICTED;

	if (i == newest)
		return false;
	if (p->state == HELD) {
		unlink_page(i);
	} else {
		if (held == frames)
			evict();
		held++;
		p->state = HELD;
	}
	make_newest(i);
	return was_evicted;
}

static void loaded(struct page *p, uint32_t at, uint32_t end)
{
	for (; at < end; at++) {
		if (!(p->map[at / 64] >> at % 64 & 1)) {
			n.needed++;
			p->pending = false;
			return;
		}
	}
	p->whole = false;
}

static void stored(struct page *p, uint32_t at, uint32_t end, bool rep, uint64_t by)
{
	if (!rep || by != p->by || at != p->written || p->run != runs_of(by))
		p->whole = false;
	*(rep ? &p->rep : &p->other) = true;
	for (; at < end; at++) {
		p->written += !(p->map[at / 64] >> at % 64 & 1);
		p->map[at / 64] |= 1ull << at % 64;
	}
	if (p->written < PAGE)
		return;
	p->pending = false;
	if (p->rep && p->other)
		(*(p->rep_first ? &n.rep_then_other : &n.other_then_rep))++;
	else if (p->other)
		n.other++;
	else
		n.rep++;
	n.rep_whole += p->whole;
}

static void access_page(uint64_t pa, uint32_t size, bool store, bool rep, uint64_t by)
{
	uint32_t i = (uint32_t)(pa / PAGE) + 1, at = pa % PAGE, end = at + size > PAGE ? PAGE : at + size;
	struct page *p = &pages[i];

	if (pa / PAGE >= MAX_PAGES)
		return;
	if (touch(i))
		fault(p, store, rep, at, by);
	if (p->pending) {
		if (store)
			stored(p, at, end, rep, by);
		else
			loaded(p, at, end);
	}
}

/* ---- what QEMU tells --------------------------------------------------------------------------- */

/* An instruction as a callback's argument: where QEMU has the next one, and in bit 0 whether it is REP STOS
 * or MOVS. */
static void *tag(struct insn *insn)
{
	const uint8_t *b = qemu_plugin_insn_data(insn);
	size_t k = 0, size = qemu_plugin_insn_size(insn);
	bool rep = false;

	for (; k < size && memchr("\x66\x67\xf2\xf3\x26\x2e\x36\x3e\x64\x65", b[k], 10); k++)
		rep |= b[k] == 0xf3 || b[k] == 0xf2;
	k += k < size && (b[k] & 0xf0) == 0x40;
	rep = rep && k < size && ((b[k] & 0xfe) == 0xaa || (b[k] & 0xfe) == 0xa4);
	return (void *)(((uintptr_t)qemu_plugin_insn_haddr(insn) + size) << 1 | rep);
}

static void on_access(unsigned cpu, uint32_t info, uint64_t va, void *arg)
{
	struct hwaddr *hw = qemu_plugin_get_hwaddr(info, va);

	(void)cpu;
	if (hw && !qemu_plugin_hwaddr_is_io(hw))
		access_page(qemu_plugin_hwaddr_phys_addr(hw), 1u << qemu_plugin_mem_size_shift(info),
			    qemu_plugin_mem_is_store(info), (uintptr_t)arg & 1, (uintptr_t)arg);
}

static void on_fetch(unsigned cpu, void *at)
{
	(void)cpu;
	/* REP ends QEMU's block, too */
	reps[(uintptr_t)at % 4096].runs += reps[(uintptr_t)at % 4096].end == (uintptr_t)at;
	access_page((uint64_t)((uint8_t *)at - ram), 1, false, false, 0);
}

/* The guest's memory is the largest mapping that holds a translated instruction of it. */
static void find_ram(const uint8_t *at)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && (uintptr_t)at >= from && (uintptr_t)at < to &&
		    to - from >= (size_t)frames * PAGE)
			ram = (uint8_t *)from; // NOLINT: an address of /proc/self/maps
	}
	if (f)
		fclose(f);
}

static void on_translation(uint64_t id, struct tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);
	uint8_t *at = qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(tb, 0));

	(void)id;
	if (at && !ram)
		find_ram(at);
	if (at && ram && at >= ram && at < ram + (uint64_t)MAX_PAGES * PAGE)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_fetch, NO_REGS, at);
	for (size_t i = 0; i < count; i++) {
		struct insn *insn = qemu_plugin_tb_get_insn(tb, i);

		qemu_plugin_register_vcpu_mem_cb(insn, on_access, NO_REGS, READ_AND_WRITE, tag(insn));
	}
}

static void report(uint64_t id, void *arg)
{
	FILE *f = fopen(out, "w");

	(void)id;
	(void)arg;
	if (!f)
		return;
	for (uint32_t i = 1; i <= MAX_PAGES; i++)
		n.undecided += pages[i].pending;
	fprintf(f,
		"{\"frames\": %u, \"faults\": %lu, \"read\": %lu, \"store\": %lu, \"needed\": %lu, "
		"\"undecided\": %lu, "
		"\"rep\": %lu, \"rep_whole\": %lu, \"rep_then_other\": %lu, \"other_then_rep\": %lu, "
		"\"other\": %lu}\n",
		frames, n.faults, n.read, n.store, n.needed, n.undecided, n.rep, n.rep_whole,
		n.rep_then_other, n.other_then_rep, n.other);
	fclose(f);
}

int qemu_plugin_install(uint64_t id, const struct info *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "frames=", 7))
			frames = (uint32_t)strtoul(argv[i] + 7, NULL, 10);
		else if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	}
	pages = calloc(MAX_PAGES + 1, sizeof(*pages));
	if (!frames || !out || !pages) {
		fprintf(stderr, "falseread: frames=N,out=FILE are needed\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, report, NULL);
	return 0;
}

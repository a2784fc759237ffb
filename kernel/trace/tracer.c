/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tracer.c - starts and ends recordings and moves records out. Contract: tracer.h.
 *
 * The ring is made of single frames, wherever they lie, so that it can be had on a machine whose memory is
 * all shared out; one run holds their addresses.
 */
#include "kernel/trace/tracer.h"
#include "arch/x86_64/arch.h"
#include "kernel/balancer.h"
#include "kernel/console/console.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "mm/pager/reclaim.h"
#include "kernel/vm.h"
#include "mm/frame.h"
#include "mm/share/promise.h"
#include "mm/pager/swap.h"

#define FRAMES_A_POLL 8
#define DUMP_RECORDS 24        /* a line of 552 letters */
#define DUMP_LINES_A_POLL 4
#define DUMP_QUEUED_MAX 1024u  /* bytes before the wire: keys are answered soon */
#define PARTIAL_NS 50000000ull /* a frame that is not full waits so long for more */

static struct {
	enum tracer_state state;
	char boot_line[24], line[24];
	void **page;
	u32 pages, table_frames;
	bool dumping;
	u64 dump_end;              /* records put when the dump was asked for */
	u64 started_ns, sent_ns, sent_bytes;
} tr;

void tracer_init(const char *line)
{
	str_copy(tr.boot_line, sizeof(tr.boot_line), strcmp(line, "none") ? line : "");
}

/* ---- memory ---- */

static void give_back(void)
{
	trace_forget();
	for (u32 i = 0; i < tr.pages; i++)
		frame_put(ptr_pfn(tr.page[i]));
	if (tr.page)
		frame_put_run(ptr_pfn(tr.page), tr.table_frames);
	tr.page = NULL;
	tr.pages = 0;
	tr.dumping = false;
	tr.state = TRACER_OFF;
}

/* What guests were promised stays theirs. */
static bool promised(u32 n)
{
	static const struct promise nothing;
	struct promise p = { 0 };
	u32 frames = pager_guest_frames();

	for (u32 i = 0; i < vm_count; i++) {
		const struct vm_mem *m = &vm_all[i]->mem;

		if (vm_has_memory(vm_all[i]))
			promise_add(&p, m->npages, m->min, m->max);
	}
	return promise_check(&p, &nothing, frames - MIN(n, frames), swap_slots()) != PROMISE_KEPT;
}

static int take(u32 pages, char *why, size_t size)
{
	u32 table = (u32)((pages * sizeof(void *) + PAGE_SIZE - 1) / PAGE_SIZE), have;
	char a[16], b[16];
	pfn_t run;

	if (promised(pages + table)) {
		fmt(why, size,
		    "%s would be taken from what guests were promised; nothing changed; try a smaller ring",
		    fmt_size(a, sizeof(a), (u64)pages * PAGE_SIZE));
		return E_NOMEM;
	}
	for (u32 i = 0; i < 8 && !pager_make_room(pages + table); i++)
		;
	have = frame_free() > reclaim_reserve() ? frame_free() - reclaim_reserve() : 0;
	run = have >= pages + table ? frame_get_run(table) : NO_PFN;
	if (pfn_none(run)) {
		fmt(why, size,
		    "%s of memory is free, %s are wanted; nothing changed; guests are asked for it: try "
		    "again, or a smaller ring",
		    fmt_size(a, sizeof(a), (u64)have * PAGE_SIZE),
		    fmt_size(b, sizeof(b), (u64)(pages + table) * PAGE_SIZE));
		return E_NOMEM;
	}
	tr.page = pfn_ptr(run);
	tr.table_frames = table;
	for (tr.pages = 0; tr.pages < pages; tr.pages++) {
		pfn_t p = frame_get(FRAME_NO_VM, FRAME_HYP, true);

		if (pfn_none(p)) {
			give_back();
			fmt(why, size, "memory ran out; nothing changed; try a smaller ring");
			return E_NOMEM;
		}
		tr.page[tr.pages] = pfn_ptr(p);
	}
	return 0;
}

/* ---- on and off ---- */

static int open_line(const char *line, char *why, size_t size)
{
	int err = tracer_port_open(line);

	if (err == E_BUSY)
		fmt(why, size,
		    "%.20s is the console's port; nothing changed; try another one, or none and trace dump",
		    line);
	else if (err == E_INVAL)
		fmt(why, size,
		    "%.20s: not com1 or com2 with a speed; nothing changed; try com2,115200 or none", line);
	else if (err)
		fmt(why, size,
		    "%.20s: this machine has no such port, or it has no interrupt; nothing changed; try none "
		    "and trace dump",
		    line);
	return err;
}

/* Everything that the records to come build on. */
static void note_all(void)
{
	const struct balance *b = balancer_state();

	trace_put(TRACE_MACHINE, TRACE_NO_VM, TRACE_VERSION, 0, b ? b->frames : pager_guest_frames(),
		  frame_free());
	for (u32 i = 0; i < vm_count; i++) {
		struct vm *vm = vm_all[i];
		const struct balance_vm *v;

		if (!vm_has_memory(vm))
			continue;
		v = balancer_vm(vm);
		trace_note_guest(vm, v ? TRACE_LIFE_THERE : TRACE_LIFE_OFF);
		trace_note_counts(vm);
		if (!v)
			continue;
		trace_note_pages(&vm->mem);
		trace_note_curve(&vm->mem);
		trace_put(TRACE_DECISION, vm->id, (u8)v->why.reason, 0, v->quota.target, v->quota.target);
		trace_put(TRACE_WANT, vm->id, 0, 0, v->quota.target, vmmem_held(&vm->mem));
		if (pager_breathe)
			pager_breathe();
	}
}

int tracer_on(u64 bytes, const char *line, char *why, size_t size)
{
	char a[16], b[16];
	int err = 0;

	bytes = bytes ? bytes : TRACER_DEFAULT_BYTES;
	line = line ? line : tr.boot_line;
	if (!strcmp(line, "none"))
		line = "";
	if (tr.state != TRACER_OFF) {
		fmt(why, size,
		    tr.state == TRACER_ON ? "it is on; nothing changed; try: trace show" :
					    "the last recording is not out yet; nothing changed; try trace "
					    "dump, or trace off to drop it");
		return E_INVAL;
	}
	if (bytes < TRACER_MIN_BYTES || bytes > TRACER_MAX_BYTES || bytes % PAGE_SIZE) {
		fmt(why, size, "the ring is %s to %s, in steps of 4K; nothing changed; try: trace on 1M",
		    fmt_size(a, sizeof(a), TRACER_MIN_BYTES), fmt_size(b, sizeof(b), TRACER_MAX_BYTES));
		return E_INVAL;
	}
	if (*line)
		err = open_line(line, why, size);
	if (!err)
		err = take((u32)(bytes / PAGE_SIZE), why, size);
	if (err)
		return err;
	str_copy(tr.line, sizeof(tr.line), line);
	tr.state = TRACER_ON;
	tr.started_ns = tr.sent_ns = arch_ns();
	tr.sent_bytes = 0;
	trace_start(tr.page, tr.pages);
	note_all();
	return 0;
}

static u32 waiting(void)
{
	struct trace_stats s;

	trace_stats(&s);
	return s.used;
}

static void stop(void)
{
	for (u32 i = 0; i < vm_count; i++)
		if (vm_has_memory(vm_all[i]))
			trace_note_counts(vm_all[i]);
	trace_stop();
	tr.state = tr.line[0] || tr.dumping ? TRACER_ENDING : TRACER_STOPPED;
	tr.dump_end = ~0ull;
}

int tracer_off(char *why, size_t size)
{
	if (tr.state == TRACER_OFF) {
		fmt(why, size, "it is off; nothing changed; try: trace on");
		return E_INVAL;
	}
	if (tr.state == TRACER_ON)
		stop();
	else
		give_back();
	return 0;
}

int tracer_dump(char *why, size_t size)
{
	struct trace_stats s;

	if (tr.state == TRACER_OFF) {
		fmt(why, size, "there is no recording; nothing changed; try: trace on");
		return E_INVAL;
	}
	if (tr.line[0] && tr.state != TRACER_STOPPED) {
		fmt(why, size, "it goes to %s by itself; nothing changed; try: trace on 1M none", tr.line);
		return E_INVAL;
	}
	trace_stats(&s);
	tr.dump_end = tr.state == TRACER_ON ? s.records : ~0ull;
	tr.dumping = true;
	if (tr.state == TRACER_STOPPED)
		tr.state = TRACER_ENDING;
	return 0;
}

void tracer_info(struct tracer_info *i)
{
	*i = (struct tracer_info){ .state = tr.state, .bytes = tr.pages * PAGE_SIZE, .dumping = tr.dumping,
				   .started_ns = tr.started_ns, .sent_bytes = tr.sent_bytes };
	str_copy(i->line, sizeof(i->line), tr.line);
	trace_stats(&i->stats);
}

/* ---- out ---- */

static void pump(u64 now_ns)
{
	u8 frame[TRACE_FRAME_BYTES(TRACE_FRAME_RECORDS)];
	u32 n;

	if (waiting() < TRACE_FRAME_RECORDS && tr.state == TRACER_ON && now_ns - tr.sent_ns < PARTIAL_NS)
		return;
	for (u32 i = 0; i < FRAMES_A_POLL && tracer_port_room() >= sizeof(frame); i++) {
		n = trace_frame(frame, TRACE_FRAME_RECORDS);
		if (!n)
			break;
		tracer_port_write(frame, n);
		tr.sent_bytes += n;
		tr.sent_ns = now_ns;
	}
}

static void base64(char *out, const u8 *in, u32 n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (u32 i = 0; i < n; i += 3) {
		u32 v = (u32)in[i] << 16 | (i + 1 < n ? (u32)in[i + 1] << 8 : 0) |
			(i + 2 < n ? in[i + 2] : 0);

		*out++ = digit[v >> 18];
		*out++ = digit[v >> 12 & 63];
		*out++ = i + 1 < n ? digit[v >> 6 & 63] : '=';
		*out++ = i + 2 < n ? digit[v & 63] : '=';
	}
	*out = 0;
}

static void dump_lines(void)
{
	u8 frame[TRACE_FRAME_BYTES(DUMP_RECORDS)];
	char line[8 + sizeof(frame) * 4 / 3 + 8] = "trace| ";

	for (u32 i = 0; i < DUMP_LINES_A_POLL && console_port_queued() < DUMP_QUEUED_MAX; i++) {
		struct trace_stats s;
		u32 n;

		trace_stats(&s);
		n = (u32)MIN(MIN((u64)s.used, (u64)DUMP_RECORDS), tr.dump_end - (s.records - s.used));
		n = n ? trace_frame(frame, n) : 0;
		if (!n) {
			tr.dumping = false;
			log_note("trace| end");
			return;
		}
		base64(line + 7, frame, n);
		tr.sent_bytes += n;
		log_note(line);
	}
}

void tracer_poll(u64 now_ns)
{
	if (likely(tr.state == TRACER_OFF || tr.state == TRACER_STOPPED) || (!tr.line[0] && !tr.dumping))
		return;
	if (tr.dumping && console_free())
		dump_lines();
	else if (tr.line[0])
		pump(now_ns);
	if (tr.state == TRACER_ENDING && !tr.dumping && !waiting())
		give_back();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd_vm.c - vm list, show, pause, resume, reset, stop; con; watch.
 */
#include "arch/x86_64/virt/virt.h"
#include "kernel/balancer.h"
#include "kernel/console/cmd.h"
#include "kernel/lib/lib.h"
#include "kernel/vm_life.h"
#include "mm/pager/guest_swap.h"

static const char *frames_str(char *buf, size_t size, u64 frames)
{
	return fmt_size(buf, size, frames * PAGE_SIZE);
}

static void vm_json(struct cmd *c, const struct vm *vm)
{
	const struct vm_mem *m = &vm->mem;

	cmd_json_begin(c);
	cmd_json_str(c, "name", vm->name);
	cmd_json_str(c, "state", vm_state_name(vm->state));
	cmd_json_str(c, "reason", vm->reason);
	cmd_json_u64(c, "ram", (u64)m->npages * PAGE_SIZE);
	cmd_json_u64(c, "held", (u64)vmmem_held(m) * PAGE_SIZE);
	cmd_json_u64(c, "target", (u64)m->target * PAGE_SIZE);
	cmd_json_u64(c, "min", (u64)m->min * PAGE_SIZE);
	cmd_json_u64(c, "max", (u64)m->max * PAGE_SIZE);
	cmd_json_u64(c, "weight", vm->weight);
	cmd_json_u64(c, "resets", vm->resets);
	cmd_json_u64(c, "run_ticks", vm->vcpu.run_ticks);
	cmd_json_u64(c, "stall_ticks", m->n.stall_ticks);
}

static void vm_list(struct cmd *c)
{
	char ram[16], held[16], target[16], min[16], max[16];

	cmd_line(c, "%-15s %-9s %8s %8s %8s %8s %8s %6s  %s", "name", "state", "ram", "held", "target", "min",
		 "max", "weight", "reason");
	for (u32 i = 0; i < vm_count; i++) {
		const struct vm *vm = vm_all[i];
		const struct vm_mem *m = &vm->mem;

		cmd_line(c, "%-15s %-9s %8s %8s %8s %8s %8s %6u  %s", vm->name, vm_state_name(vm->state),
			 frames_str(ram, sizeof(ram), m->npages),
			 frames_str(held, sizeof(held), vmmem_held(m)),
			 frames_str(target, sizeof(target), m->target), frames_str(min, sizeof(min), m->min),
			 frames_str(max, sizeof(max), m->max), vm->weight, vm->reason);
		if (c->json) {
			vm_json(c, vm);
			cmd_json_end(c);
		}
	}
	if (!vm_count)
		cmd_line(c, "no guests: name them in GRUB's module lines (help boot)");
}

static const struct {
	const char *name;
	size_t offset;
} counters[] = {
#define COUNTER(f) { #f, offsetof(struct vm_counters, f) }
	COUNTER(faults), COUNTER(zero_fills), COUNTER(soft_hits), COUNTER(cache_hits),
	COUNTER(cache_puts), COUNTER(cache_drops), COUNTER(disc_reads), COUNTER(swap_reads),
	COUNTER(swap_writes), COUNTER(clean_drops), COUNTER(zero_drops), COUNTER(rescues),
	COUNTER(bounce_reads), COUNTER(overwrites_unread), COUNTER(exchanged), COUNTER(copied),
	COUNTER(silent_swap_writes), COUNTER(stale_reads), COUNTER(double_paging), COUNTER(scans),
	COUNTER(scanned_entries), COUNTER(softened), COUNTER(around), COUNTER(demand_reads), COUNTER(ahead),
	COUNTER(ahead_background), COUNTER(ahead_used), COUNTER(ahead_wasted), COUNTER(copy_drops),
	COUNTER(zip_puts), COUNTER(zip_hits), COUNTER(zip_refused), COUNTER(zip_ousted),
	COUNTER(cache_false), COUNTER(swap_outs), COUNTER(swap_ins), COUNTER(refault_reads),
	COUNTER(refault_writes), COUNTER(rep_whole), COUNTER(rep_part), COUNTER(guest_reads),
	COUNTER(guest_writes), COUNTER(leaf_ticks), COUNTER(scan_ticks), COUNTER(flushes),
	COUNTER(stall_ticks), COUNTER(run_ticks),
#undef COUNTER
};

/* A put is false if its block is overwritten or erased before the guest asks for it: the eviction was none,
 * or not worth it. */
static void show_cache(struct cmd *c, const struct vm_mem *m)
{
	u64 ended = m->n.cache_hits + m->n.cache_drops + m->n.cache_false;
	u64 false_permille = ended ? m->n.cache_false * 1000 / ended : 0;

	if (m->n.cache_puts)
		cmd_line(c,
			 "its cache holds %u proven and %u blocks on probation; of %llu puts %llu were taken "
			 "back, %llu aged out, %llu were false (%llu.%llu %%)",
			 m->cache[CACHE_PROVEN].count, m->cache[CACHE_PROBATION].count,
			 (unsigned long long)m->n.cache_puts, (unsigned long long)m->n.cache_hits,
			 (unsigned long long)m->n.cache_drops, (unsigned long long)m->n.cache_false,
			 (unsigned long long)(false_permille / 10),
			 (unsigned long long)(false_permille % 10));
	if (guest_swap_slots(m))
		cmd_line(c, "its own swap areas: %u slots, %u live; swapped out %llu and in %llu pages",
			 guest_swap_slots(m), guest_swap_live_slots(m), (unsigned long long)m->n.swap_outs,
			 (unsigned long long)m->n.swap_ins);
}

static u32 mean_us(u64 ns, u64 n)
{
	return (u32)(ns / MAX(n, 1ull) / 1000);
}

static void show_zip(struct cmd *c, const struct vm_mem *m)
{
	const struct zplan *z = &m->zplan;

	if (!z->tried)
		return;
	cmd_line(c,
		 "compressed %u pages in %u frames of %u; %llu of %llu pages fit, in %llu/16 of one; us a "
		 "page: compressing %u, "
		 "decompressing %u, a read %u, a write %u",
		 m->zip.pages, m->zip.frames, z->budget, (unsigned long long)z->stored,
		 (unsigned long long)z->tried, (unsigned long long)(z->chunks / MAX(z->stored, 1ull)),
		 mean_us(z->try_ns, z->tried), mean_us(z->get_ns, z->gets), mean_us(z->read_ns, z->reads),
		 mean_us(z->write_ns, z->writes));
}

/* What keeps it from going on: "": nothing that the pager knows of. */
static const char *waits_for(const struct vm_mem *m)
{
	static const char *const entry[POOLS] = { "an entry for a disk request", "an entry for a fill",
						  "an entry for a swap write" };

	if (m->starving)
		return "a frame";
	for (u32 p = 0; p < POOLS; p++)
		if (m->pool[p].ticket)
			return entry[p];
	return "";
}

static void vm_show(struct cmd *c)
{
	struct vm *vm = cmd_vm(c, 0);
	char a[16], b[16], d[16], e[16], state[320];
	const struct vm_mem *m;

	if (!vm)
		return;
	m = &vm->mem;
	cmd_line(c, "%s is %s%s%s, ram %s, held %s, target %s, %u resets", vm->name, vm_state_name(vm->state),
		 vm->reason[0] ? ": " : "", vm->reason, frames_str(a, sizeof(a), m->npages),
		 frames_str(b, sizeof(b), vmmem_held(m)), frames_str(d, sizeof(d), m->target), vm->resets);
	cmd_line(c, "mapped %u, soft %u, cached %u, in I/O %u, tables %u (frames of 4 KiB), clock %u",
		 frame_count_vm(m->id, FRAME_MAPPED), frame_count_vm(m->id, FRAME_SOFT),
		 frame_count_vm(m->id, FRAME_CACHED),
		 frame_count_vm(m->id, FRAME_FILLING) + frame_count_vm(m->id, FRAME_WRITING) +
			 frame_count_vm(m->id, FRAME_BOUNCE),
		 frame_count_vm(m->id, FRAME_TABLE), m->clock);
	if (*waits_for(m))
		cmd_line(c, "waits for %s", waits_for(m));
	show_zip(c, m);
	show_cache(c, m);
	if (vm->vcpu.hw && backend->describe(vm->vcpu.hw, state, sizeof(state)) > 0)
		cmd_line(c, "%s", state);
	for (u32 i = 0; i < VMMEM_MAX_DISKS; i++)
		if (m->disk[i].used && m->disk[i].ext.dev)
			cmd_line(c, "disk %u is %s, first sector %llu, %s%s", i, m->disk[i].ext.dev->name,
				 (unsigned long long)m->disk[i].ext.first,
				 fmt_size(e, sizeof(e), m->disk[i].ext.sectors * SECTOR_SIZE),
				 m->disk[i].read_only ? ", read-only" : "");
	if (c->json)
		vm_json(c, vm);
	cmd_json_str(c, "waits_for", waits_for(m));
	cmd_json_u64(c, "guest_swap_slots", guest_swap_slots(m));
	cmd_json_u64(c, "guest_swap_live", guest_swap_live_slots(m));
	for (u32 i = 0; i < ARRAY_SIZE(counters); i++) {
		u64 n = *(const u64 *)((const char *)&m->n + counters[i].offset);

		cmd_json_u64(c, counters[i].name, n);
		if (n)
			cmd_line(c, "  %-20s %llu", counters[i].name, (unsigned long long)n);
	}
	cmd_json_u64(c, "zip_pages", m->zip.pages);
	cmd_json_u64(c, "zip_frames", m->zip.frames);
	cmd_json_u64(c, "zip_budget", m->zplan.budget);
	cmd_json_end(c);
}

/* The four verbs differ in the function and in the word that says what happened. */
static void verb(struct cmd *c, int (*fn)(struct vm *, char *, size_t), const char *what, const char *done)
{
	struct vm *vm = cmd_vm(c, 0);
	char why[160] = "";

	if (!vm)
		return;
	if (fn(vm, why, sizeof(why))) {
		cmd_error(c, "%s: can't %s: %s; nothing changed; try: vm show %s", vm->name, what, why,
			  vm->name);
		return;
	}
	cmd_line(c, "%s is %s", vm->name, done);
	cmd_json_begin(c);
	cmd_json_str(c, "name", vm->name);
	cmd_json_str(c, "done", done);
	cmd_json_end(c);
}

static void do_pause(struct cmd *c) { verb(c, vm_pause, "pause", "paused"); }
static void do_resume(struct cmd *c) { verb(c, vm_resume, "resume", "resumed"); }
static void do_reset(struct cmd *c) { verb(c, vm_reset, "reset", "resetting"); }
static void do_stop(struct cmd *c) { verb(c, vm_stop, "stop", "stopping"); }

static void con(struct cmd *c)
{
	struct vm *vm = cmd_vm(c, 0);

	if (!vm)
		return;
	if (c->json || !vm->console)
		cmd_error(c, "%s: %s; nothing changed; try: con %s", vm->name,
			  c->json ? "a terminal has no JSON form" :
				    "it was never started and has no terminal",
			  vm->name);
	else
		term_connect(vm);
}

static void watch(struct cmd *c)
{
	if (c->argc && !strcmp(c->argv[0], "on"))
		term_watch(true);
	else if (c->argc && !strcmp(c->argv[0], "off"))
		term_watch(false);
	else if (c->argc) {
		cmd_error(c, "watch %s: not on or off; nothing changed; try: watch off", c->argv[0]);
		return;
	}
	cmd_line(c, "guests' output is %s", term_watching() ? "shown here as it comes" : "kept for con");
	cmd_json_begin(c);
	cmd_json_u64(c, "watch", term_watching());
	cmd_json_end(c);
}

const struct cmd_entry cmd_vm_table[] = {
	{ "vm", "list", "", "all guests: state, memory, QoS", 0, 0, vm_list },
	{ "vm", "show", "<vm>", "one guest in detail, with its counters", 1, 1, vm_show },
	{ "vm", "pause", "<vm>", "its vCPU stops; memory stays until others need it", 1, 1, do_pause },
	{ "vm", "resume", "<vm>", "goes on after a pause", 1, 1, do_resume },
	{ "vm", "reset", "<vm>", "as the reset button; also starts a guest that is off", 1, 1, do_reset },
	{ "vm", "stop", "<vm>", "as pulling the plug; its frames are freed", 1, 1, do_stop },
	{ "con", NULL, "<vm>", "a guest's serial console (Ctrl-A d leaves, Ctrl-A Ctrl-A = literal)", 1, 1,
	  con },
	{ "watch", NULL, "[on|off]", "show guests' output lines above the prompt", 0, 1, watch },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};

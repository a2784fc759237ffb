/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd_qos.c - qos: show and set; why: the numbers behind a guest's share; top.
 */
#include "arch/x86_64/arch.h"
#include "boot/config.h"
#include "kernel/balancer.h"
#include "kernel/console/cmd.h"
#include "kernel/lib/lib.h"
#include "kernel/pager.h"
#include "kernel/vm.h"

static const char *frames_str(char *buf, size_t size, u64 frames)
{
	return fmt_size(buf, size, frames * PAGE_SIZE);
}

static const char *goal_str(char *buf, size_t size, u64 per_1000s)
{
	if (!per_1000s)
		return "none";
	if (per_1000s % 1000)
		fmt(buf, size, "%llu.%03llu/s", (unsigned long long)(per_1000s / 1000), (unsigned long long)(per_1000s % 1000));
	else
		fmt(buf, size, "%llu/s", (unsigned long long)(per_1000s / 1000));
	return buf;
}

static void show_one(struct cmd *c, const struct vm *vm)
{
	const struct vm_mem *m = &vm->mem;
	char min[16], max[16], target[16], held[16], goal[32];

	cmd_line(c, "%-15s min=%s max=%s weight=%u miss=%s  target %s, held %s", vm->name, frames_str(min, sizeof(min), m->min),
		 frames_str(max, sizeof(max), m->max), vm->weight, goal_str(goal, sizeof(goal), vm->miss_goal),
		 frames_str(target, sizeof(target), m->target), frames_str(held, sizeof(held), vmmem_held(m)));
	cmd_json_begin(c);
	cmd_json_str(c, "name", vm->name);
	cmd_json_u64(c, "min", (u64)m->min * PAGE_SIZE);
	cmd_json_u64(c, "max", (u64)m->max * PAGE_SIZE);
	cmd_json_u64(c, "weight", vm->weight);
	cmd_json_u64(c, "miss_per_1000s", vm->miss_goal);
	cmd_json_u64(c, "target", (u64)m->target * PAGE_SIZE);
	cmd_json_u64(c, "held", (u64)vmmem_held(m) * PAGE_SIZE);
	cmd_json_end(c);
}

/* One "key=value" into q. */
static bool parse_word(struct cmd *c, struct qos_change *q, char *word)
{
	char *value = strchr(word, '=');
	u64 n = 0;
	int err = E_INVAL;
	const char *expect = "nothing else";

	if (!value) {
		cmd_error(c, "qos: %s: not key=value; nothing changed; try: qos %s min=64M weight=200", word, q->vm->name);
		return false;
	}
	*value++ = '\0';
	if (!strcmp(word, "min") || !strcmp(word, "reservation")) {
		expect = "a size with its unit: min=64M";
		err = q->set_min ? E_BUSY : parse_size(value, &q->min);
		q->set_min = true;
	} else if (!strcmp(word, "max") || !strcmp(word, "limit")) {
		expect = "a size with its unit: max=256M";
		err = q->set_max ? E_BUSY : parse_size(value, &q->max);
		q->set_max = true;
	} else if (!strcmp(word, "weight") || !strcmp(word, "shares")) {
		expect = "a number from 1 to 10000: weight=200";
		err = q->set_weight ? E_BUSY : parse_u64(value, &n);
		if (!err && (!n || n > CONFIG_WEIGHT_MAX))
			err = E_RANGE;
		q->weight = (u32)n;
		q->set_weight = true;
	} else if (!strcmp(word, "miss")) {
		expect = "a rate with its unit, or none: miss=50/s";
		err = q->set_miss ? E_BUSY : !strcmp(value, "none") ? E_OK : parse_rate(value, &q->miss_goal);
		q->set_miss = true;
	} else {
		cmd_error(c, "qos: %s: no such word; nothing changed; try: min= max= weight= miss=", word);
		return false;
	}
	if (err)
		cmd_error(c, "qos: %s=%s: %s; nothing changed; try %s", word, value,
			  err == E_BUSY ? "given twice" : err == E_RANGE ? "out of range" : "not understood", expect);
	return !err;
}

static void set(struct cmd *c, struct vm *vm)
{
	struct qos_change q = { .vm = vm };
	char why[224], a[16], b[16], d[16], e[16], g[32], h[32];
	u32 old_min = vm->mem.min, old_max = vm->mem.max, old_weight = vm->weight;
	u64 old_goal = vm->miss_goal;

	for (u32 i = 1; i < c->argc; i++)
		if (!parse_word(c, &q, c->argv[i]))
			return;
	if (balancer_set_qos(&q, 1, why, sizeof(why))) {
		cmd_error(c, "qos %s: %s", vm->name, why);
		return;
	}
	log_info("qos %s: min %s max %s weight %u", vm->name, frames_str(a, sizeof(a), vm->mem.min),
		 frames_str(b, sizeof(b), vm->mem.max), vm->weight);
	cmd_line(c, "%-15s min %s -> %s, max %s -> %s, weight %u -> %u, miss %s -> %s", vm->name,
		 frames_str(a, sizeof(a), old_min), frames_str(b, sizeof(b), vm->mem.min), frames_str(d, sizeof(d), old_max),
		 frames_str(e, sizeof(e), vm->mem.max), old_weight, vm->weight, goal_str(g, sizeof(g), old_goal),
		 goal_str(h, sizeof(h), vm->miss_goal));
	if (c->json)
		show_one(c, vm);
}

static void qos(struct cmd *c)
{
	struct vm *vm;

	if (!c->argc) {
		for (u32 i = 0; i < vm_count; i++)
			show_one(c, vm_all[i]);
		return;
	}
	vm = cmd_vm(c, 0);
	if (!vm)
		return;
	if (c->argc == 1)
		show_one(c, vm);
	else
		set(c, vm);
}

static const struct { u32 flag; const char *text; } flag_text[] = {
	{ DIVIDE_FLOOR, "sits on its floor: more would not pay for others" },
	{ DIVIDE_CAPPED, "at its max" },
	{ DIVIDE_GOAL_MET, "its miss goal is met" },
	{ DIVIDE_GOAL_UNMET, "its miss goal can't be met" },
	{ DIVIDE_MIN_CUT, "got less than its min: the mins do not fit" },
	{ DIVIDE_FAIR_CUT, "touches more than its fair share protects" },
	{ DIVIDE_COARSE, "its curve is coarse: it touches more than a tenth of its memory in one scan" },
};

static void why_json(struct cmd *c, const struct vm *vm, const struct balance_vm *b)
{
	const struct balance_why *w = &b->why;

	cmd_json_begin(c);
	cmd_json_str(c, "name", vm->name);
	cmd_json_str(c, "reason", balance_reason_str(w->reason));
	cmd_json_u64(c, "tsc", arch_tsc());
	cmd_json_u64(c, "when_ms", w->when_ns / 1000000);
	cmd_json_u64(c, "held", vmmem_held(&vm->mem));
	cmd_json_u64(c, "target", vm->mem.target);
	cmd_json_u64(c, "from", w->from);
	cmd_json_u64(c, "to", w->to);
	cmd_json_u64(c, "wanted", w->wanted);
	cmd_json_u64(c, "w1", w->w1);
	cmd_json_u64(c, "used", w->used);
	cmd_json_u64(c, "floor", w->floor);
	cmd_json_u64(c, "fair", w->fair);
	cmd_json_u64(c, "short", w->short_frames);
	cmd_json_u64(c, "flags", w->flags);
	cmd_json_u64(c, "misses_from", w->misses_from);
	cmd_json_u64(c, "misses_to", w->misses_to);
	cmd_json_u64(c, "saving_us", w->saving_us);
	cmd_json_u64(c, "moving_us", w->moving_us);
	cmd_json_u64(c, "vetoes", w->vetoes);
	cmd_json_u64(c, "burst", w->burst);
	cmd_json_u64(c, "moves", b->moves);
	cmd_json_u64(c, "turns", b->turns);
	cmd_json_end(c);
}

static void why(struct cmd *c)
{
	struct vm *vm = cmd_vm(c, 0);
	const struct balance_vm *b;
	const struct balance_why *w;
	char s1[16], s2[16], s3[16], s4[16];

	if (!vm)
		return;
	b = balancer_vm(vm);
	if (!b) {
		cmd_error(c, "why %s: it takes no part in the division (%s); nothing changed; try: vm show %s", vm->name,
			  vm_state_name(vm->state), vm->name);
		return;
	}
	w = &b->why;
	if (c->json) {
		why_json(c, vm, b);
		return;
	}
	cmd_line(c, "%s holds %s; its target is %s: %s", vm->name, frames_str(s1, sizeof(s1), vmmem_held(&vm->mem)),
		 frames_str(s2, sizeof(s2), vm->mem.target), balance_reason_str(w->reason));
	cmd_line(c, "  last decision %llu ms ago%s: from %s to %s, the division said %s",
		 (unsigned long long)((arch_ns() - w->when_ns) / 1000000), w->burst ? " (a burst of misses asked)" : "",
		 frames_str(s1, sizeof(s1), w->from), frames_str(s2, sizeof(s2), w->to), frames_str(s3, sizeof(s3), w->wanted));
	cmd_line(c, "  touched in one scan (W1) %s, in use %s, fair share by weight %u: %s, so its floor is %s",
		 frames_str(s1, sizeof(s1), w->w1), frames_str(s2, sizeof(s2), w->used), vm->weight,
		 frames_str(s3, sizeof(s3), w->fair), frames_str(s4, sizeof(s4), w->floor));
	cmd_line(c, "  it would miss %llu.%03llu/s at %s and %llu.%03llu/s at %s", (unsigned long long)(w->misses_from / 1000),
		 (unsigned long long)(w->misses_from % 1000), frames_str(s1, sizeof(s1), w->from),
		 (unsigned long long)(w->misses_to / 1000), (unsigned long long)(w->misses_to % 1000),
		 frames_str(s2, sizeof(s2), w->wanted));
	cmd_line(c, "  the whole move saves %llu ms of waiting and costs %llu ms once", (unsigned long long)(w->saving_us / 1000),
		 (unsigned long long)(w->moving_us / 1000));
	for (u32 i = 0; i < ARRAY_SIZE(flag_text); i++)
		if (w->flags & flag_text[i].flag)
			cmd_line(c, "  %s%s", flag_text[i].text,
				 flag_text[i].flag & (DIVIDE_GOAL_UNMET | DIVIDE_MIN_CUT) ? " (frames lacking below)" : "");
	if (w->short_frames)
		cmd_line(c, "  %s more would be needed", frames_str(s1, sizeof(s1), w->short_frames));
	if (w->veto_until_ns > arch_ns())
		cmd_line(c, "  such a move did not pay before: vetoed for %llu ms more",
			 (unsigned long long)((w->veto_until_ns - arch_ns()) / 1000000));
}

/* Since the last `top`: what each guest did with the machine. */
static void top(struct cmd *c)
{
	static u64 last_tsc, last_run[VM_MAX], last_stall[VM_MAX], last_faults[VM_MAX], last_reads[VM_MAX];
	u64 now = arch_tsc(), span = MAX(now - last_tsc, 1ull), ms = MAX(arch_tsc_to_ns(span) / 1000000, 1ull);
	char held[16], target[16];

	cmd_line(c, "over %llu ms, %u free frames:", (unsigned long long)ms, frame_free());
	cmd_line(c, "%-15s %6s %7s %9s %10s %9s %9s", "name", "cpu%", "stall%", "faults/s", "reads/s", "held", "target");
	for (u32 i = 0; i < vm_count; i++) {
		struct vm *vm = vm_all[i];
		u64 reads = vm->mem.n.disc_reads + vm->mem.n.swap_reads;
		u64 cpu = (vm->vcpu.run_ticks - last_run[i]) * 1000 / span, stall = (vm->mem.n.stall_ticks - last_stall[i]) * 1000 / span;
		u64 faults = (vm->mem.n.faults - last_faults[i]) * 1000 / ms, rate = (reads - last_reads[i]) * 1000 / ms;

		cmd_line(c, "%-15s %4llu.%llu %5llu.%llu %9llu %10llu %9s %9s", vm->name, (unsigned long long)(cpu / 10),
			 (unsigned long long)(cpu % 10), (unsigned long long)(stall / 10), (unsigned long long)(stall % 10),
			 (unsigned long long)faults, (unsigned long long)rate, frames_str(held, sizeof(held), vmmem_held(&vm->mem)),
			 frames_str(target, sizeof(target), vm->mem.target));
		cmd_json_begin(c);
		cmd_json_str(c, "name", vm->name);
		cmd_json_u64(c, "cpu_permille", cpu);
		cmd_json_u64(c, "stall_permille", stall);
		cmd_json_u64(c, "faults_per_s", faults);
		cmd_json_u64(c, "reads_per_s", rate);
		cmd_json_end(c);
		last_run[i] = vm->vcpu.run_ticks;
		last_stall[i] = vm->mem.n.stall_ticks;
		last_faults[i] = vm->mem.n.faults;
		last_reads[i] = reads;
	}
	last_tsc = now;
}

const struct cmd_entry cmd_qos_table[] = {
	{ "qos", NULL, "[<vm> [min=..] [max=..] [weight=..] [miss=..]]", "show or, all or nothing, set", 0, 9, qos },
	{ "why", NULL, "<vm>", "the numbers behind a guest's share", 1, 1, why },
	{ "top", NULL, "", "CPU, stalls, faults of each guest since the last top", 0, 0, top },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};

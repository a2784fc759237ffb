/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd_qos.c - qos: what guests are owed, shown and set.
 */
#include "arch/x86_64/arch.h"
#include "boot/config.h"
#include "kernel/balancer.h"
#include "kernel/console/cmd.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
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
		fmt(buf, size, "%llu.%03llu/s", (unsigned long long)(per_1000s / 1000),
		    (unsigned long long)(per_1000s % 1000));
	else
		fmt(buf, size, "%llu/s", (unsigned long long)(per_1000s / 1000));
	return buf;
}

static const char *iops_str(char *buf, size_t size, u32 iops)
{
	if (!iops)
		return "none";
	fmt(buf, size, "%u", iops);
	return buf;
}

static const char *bps_str(char *buf, size_t size, u64 bps)
{
	return bps ? fmt_size(buf, size, bps) : "none";
}

/* How its goal stands by the last decision: "", or a phrase and what the goal needs and lacks. */
static const char *goal_state(char *buf, size_t size, const struct vm *vm)
{
	const struct balance_vm *b = balancer_vm(vm);
	char need[16], lack[16], cold[32];

	if (!vm->miss_goal)
		return "";
	if (!b || b->why.reason == BALANCE_NEW)
		return "not decided yet";
	if (b->why.flags & DIVIDE_GOAL_COLD)
		fmt(buf, size, "unmet: no memory can reach it, first touches alone miss %s",
		    goal_str(cold, sizeof(cold), MAX(curve_cold_misses(&vm->mem.curve), 1)));
	else if (b->why.flags & DIVIDE_GOAL_UNMET)
		fmt(buf, size, "unmet: it needs %s, %s short", frames_str(need, sizeof(need), b->why.need),
		    frames_str(lack, sizeof(lack), b->why.short_frames));
	else
		fmt(buf, size, "met: it needs %s", frames_str(need, sizeof(need), b->why.need));
	return buf;
}

static void show_one(struct cmd *c, const struct vm *vm)
{
	const struct vm_mem *m = &vm->mem;
	const struct balance_vm *b = balancer_vm(vm);
	char min[16], max[16], target[16], held[16], goal[32], state[128];
	const char *stands = goal_state(state, sizeof(state), vm);

	cmd_line(c, "%-15s min=%s max=%s weight=%u miss=%s  target %s, held %s%s%s", vm->name,
		 frames_str(min, sizeof(min), m->min), frames_str(max, sizeof(max), m->max), vm->weight,
		 goal_str(goal, sizeof(goal), vm->miss_goal), frames_str(target, sizeof(target), m->target),
		 frames_str(held, sizeof(held), vmmem_held(m)), *stands ? "; goal " : "", stands);
	if (vm->iops || vm->bps)
		cmd_line(c, "%-15s disks: iops=%s bps=%s", "", iops_str(min, sizeof(min), vm->iops),
			 bps_str(max, sizeof(max), vm->bps));
	if (b && b->why.flags & DIVIDE_MIN_CUT)
		cmd_line(c, "%-15s got less than its min, %s short: the mins do not fit", "",
			 frames_str(min, sizeof(min), b->why.short_frames));
	cmd_json_begin(c);
	cmd_json_str(c, "name", vm->name);
	cmd_json_u64(c, "min", (u64)m->min * PAGE_SIZE);
	cmd_json_u64(c, "max", (u64)m->max * PAGE_SIZE);
	cmd_json_u64(c, "weight", vm->weight);
	cmd_json_u64(c, "miss_per_1000s", vm->miss_goal);
	cmd_json_u64(c, "iops", vm->iops);
	cmd_json_u64(c, "bps", vm->bps);
	cmd_json_u64(c, "target", (u64)m->target * PAGE_SIZE);
	cmd_json_u64(c, "held", (u64)vmmem_held(m) * PAGE_SIZE);
	cmd_json_str(c, "goal", stands);
	cmd_json_u64(c, "goal_needs", b ? (u64)b->why.need * PAGE_SIZE : 0);
	cmd_json_u64(c, "short", b ? (u64)b->why.short_frames * PAGE_SIZE : 0);
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
		cmd_error(c, "qos: %s: not key=value; nothing changed; try: qos %s min=64M weight=200", word,
			  q->vm->name);
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
		if (!err && strcmp(value, "none") && !q->miss_goal)
			err = E_RANGE; /* no misses at all can't be promised */
		q->set_miss = true;
	} else if (!strcmp(word, "iops")) {
		expect = "a number of disk operations a second, or none: iops=500";
		err = q->set_iops ? E_BUSY : config_parse_iops(value, &q->iops);
		q->set_iops = true;
	} else if (!strcmp(word, "bps")) {
		expect = "a size from 64K to 1024G, or none: bps=20M";
		err = q->set_bps ? E_BUSY : config_parse_bps(value, &q->bps);
		q->set_bps = true;
	} else {
		cmd_error(c,
			  "qos: %s: no such word; nothing changed; try: min= max= weight= miss= iops= bps=",
			  word);
		return false;
	}
	if (err)
		cmd_error(c, "qos: %s=%s: %s; nothing changed; try %s", word, value,
			  err == E_BUSY  ? "given twice" :
			  err == E_RANGE ? "out of range" :
					   "not understood",
			  expect);
	return !err;
}

static void set(struct cmd *c, struct vm *vm)
{
	struct qos_change q = { .vm = vm };
	char why[224], a[16], b[16], d[16], e[16], g[32], h[32], state[128];
	u32 old_min = vm->mem.min, old_max = vm->mem.max, old_weight = vm->weight;
	u32 old_iops = vm->iops;
	u64 old_goal = vm->miss_goal, old_bps = vm->bps;

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
		 frames_str(a, sizeof(a), old_min), frames_str(b, sizeof(b), vm->mem.min),
		 frames_str(d, sizeof(d), old_max), frames_str(e, sizeof(e), vm->mem.max), old_weight,
		 vm->weight, goal_str(g, sizeof(g), old_goal), goal_str(h, sizeof(h), vm->miss_goal));
	if (q.set_iops || q.set_bps)
		cmd_line(c, "%-15s iops %s -> %s, bps %s -> %s", "", iops_str(a, sizeof(a), old_iops),
			 iops_str(b, sizeof(b), vm->iops), bps_str(g, sizeof(g), old_bps),
			 bps_str(h, sizeof(h), vm->bps));
	if (c->json)
		show_one(c, vm);
	else if (vm->miss_goal)
		cmd_line(c, "%-15s goal %s", "", goal_state(state, sizeof(state), vm));
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

const struct cmd_entry cmd_qos_table[] = {
	{ "qos", NULL, "[<vm> [min=..] [max=..] [weight=..] [miss=..] [iops=..] [bps=..]]",
	  "show or, all or nothing, set", 0, 9, qos },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};

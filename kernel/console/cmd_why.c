/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd_why.c - why: the numbers behind a guest's share; scan: what looking for touched pages costs; top.
 */
#include "arch/x86_64/arch.h"
#include "kernel/balancer.h"
#include "kernel/console/cmd.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "mm/share/scan_clock.h"
#include "kernel/vm.h"

static const char *frames_str(char *buf, size_t size, u64 frames)
{
	return fmt_size(buf, size, frames * PAGE_SIZE);
}

/* "0.5 %", "1.25 %" of parts in 1,000,000. */
static const char *ppm_str(char *buf, size_t size, u32 ppm)
{
	u32 part = ppm % 10000, digits = 4;

	for (; digits > 1 && part % 10 == 0; digits--)
		part /= 10;
	fmt(buf, size, "%u.%0*u %%", ppm / 10000, (int)digits, part);
	return buf;
}

static const struct {

	u32 flag;

	const char *text;

} flag_text[] = {
	{ DIVIDE_FLOOR, "sits on its floor: more would not pay for others" },
	{ DIVIDE_CAPPED, "at its max" },
	{ DIVIDE_GOAL_MET, "its miss goal is met" },
	{ DIVIDE_GOAL_UNMET,
	  "its miss goal can't be met: guests of more weight and what others are owed come first" },
	{ DIVIDE_GOAL_COLD, "no memory can reach its miss goal: first touches alone miss more often" },
	{ DIVIDE_MIN_CUT, "got less than its min: the mins do not fit" },
	{ DIVIDE_FAIR_CUT, "touches more than its fair share protects" },
};

static void why_json(struct cmd *c, const struct vm *vm, const struct balance_vm *b)
{
	const struct balance_why *w = &b->why;
	struct scan_state scan;

	scan_clock_state(vm->id, arch_ns(), &scan);
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
	cmd_json_u64(c, "need", w->need);
	cmd_json_u64(c, "flags", w->flags);
	cmd_json_u64(c, "misses_from", w->misses_from);
	cmd_json_u64(c, "misses_to", w->misses_to);
	cmd_json_u64(c, "saving_us", w->saving_us);
	cmd_json_u64(c, "moving_us", w->moving_us);
	cmd_json_u64(c, "vetoes", w->vetoes);
	cmd_json_u64(c, "burst", w->burst);
	cmd_json_u64(c, "moves", b->moves);
	cmd_json_u64(c, "turns", b->turns);
	cmd_json_u64(c, "w1_permille", scan.w1_permille);
	cmd_json_str(c, "scan_limit",
		     scan.limit == SCAN_BY_BUDGET ? "budget" :
		     scan.limit == SCAN_SHORTEST  ? "shortest" :
						    "none");
	cmd_json_end(c);
}

/* Above 10 % the curve knows too little near the top of the stack; and whose fault that is. */
static void why_coarse(struct cmd *c, const struct vm *vm)
{
	struct scan_state s;
	char budget[16];

	scan_clock_state(vm->id, arch_ns(), &s);
	cmd_line(c,
		 "  its curve is coarse: it touches %u.%u %% of what it holds between two scans, so moves "
		 "are more careful",
		 s.w1_permille / 10, s.w1_permille % 10);
	if (s.limit == SCAN_BY_BUDGET)
		cmd_line(c,
			 "  the scan budget is the reason: %s of the CPU allow a pass of %llu us each %llu "
			 "ms, wanted is one each "
			 "%llu ms; try: scan budget=..%%",
			 ppm_str(budget, sizeof(budget), scan_clock_budget()),
			 (unsigned long long)(s.cost_ns / 1000), (unsigned long long)(s.period_ns / 1000000),
			 (unsigned long long)(s.wanted_ns / 1000000));
	else if (s.limit == SCAN_SHORTEST)
		cmd_line(c, "  a scan each %llu ms is the shortest period there is",
			 (unsigned long long)(s.period_ns / 1000000));
	else
		cmd_line(c, "  its scans come each %llu ms and are getting closer",
			 (unsigned long long)(s.period_ns / 1000000));
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
		cmd_error(c,
			  "why %s: it takes no part in the division (%s); nothing changed; try: vm show %s",
			  vm->name, vm_state_name(vm->state), vm->name);
		return;
	}
	w = &b->why;
	if (c->json) {
		why_json(c, vm, b);
		return;
	}
	cmd_line(c, "%s holds %s; its target is %s: %s", vm->name,
		 frames_str(s1, sizeof(s1), vmmem_held(&vm->mem)), frames_str(s2, sizeof(s2), vm->mem.target),
		 balance_reason_str(w->reason));
	cmd_line(c, "  last decision %llu ms ago%s: from %s to %s, the division said %s",
		 (unsigned long long)((arch_ns() - w->when_ns) / 1000000),
		 w->burst ? " (a burst of misses asked)" : "", frames_str(s1, sizeof(s1), w->from),
		 frames_str(s2, sizeof(s2), w->to), frames_str(s3, sizeof(s3), w->wanted));
	cmd_line(c,
		 "  touched in one scan (W1) %s, in use %s, fair share by weight %u: %s, so its floor is %s",
		 frames_str(s1, sizeof(s1), w->w1), frames_str(s2, sizeof(s2), w->used), vm->weight,
		 frames_str(s3, sizeof(s3), w->fair), frames_str(s4, sizeof(s4), w->floor));
	cmd_line(c, "  it would miss %llu.%03llu/s at %s and %llu.%03llu/s at %s",
		 (unsigned long long)(w->misses_from / 1000), (unsigned long long)(w->misses_from % 1000),
		 frames_str(s1, sizeof(s1), w->from), (unsigned long long)(w->misses_to / 1000),
		 (unsigned long long)(w->misses_to % 1000), frames_str(s2, sizeof(s2), w->wanted));
	cmd_line(c, "  the whole move saves %llu ms of waiting and costs %llu ms once",
		 (unsigned long long)(w->saving_us / 1000), (unsigned long long)(w->moving_us / 1000));
	for (u32 i = 0; i < ARRAY_SIZE(flag_text); i++)
		if (w->flags & flag_text[i].flag)
			cmd_line(c, "  %s%s", flag_text[i].text,
				 flag_text[i].flag & (DIVIDE_GOAL_UNMET | DIVIDE_MIN_CUT) ?
					 " (frames lacking below)" :
					 "");
	if (w->need)
		cmd_line(c, "  its miss goal needs %s by its curve", frames_str(s1, sizeof(s1), w->need));
	if (w->short_frames)
		cmd_line(c, "  %s more would be needed", frames_str(s1, sizeof(s1), w->short_frames));
	if (w->flags & DIVIDE_COARSE)
		why_coarse(c, vm);
	if (w->veto_until_ns > arch_ns())
		cmd_line(c, "  such a move did not pay before: vetoed for %llu ms more",
			 (unsigned long long)((w->veto_until_ns - arch_ns()) / 1000000));
}

/* Since the last `top`: what each guest did with the machine. */
static void top(struct cmd *c)
{
	static u64 last_tsc, last_run[VM_MAX], last_stall[VM_MAX], last_faults[VM_MAX], last_reads[VM_MAX];
	u64 now = arch_tsc(), span = MAX(now - last_tsc, 1ull),
	    ms = MAX(arch_tsc_to_ns(span) / 1000000, 1ull);
	char held[16], target[16];

	cmd_line(c, "over %llu ms, %u free frames:", (unsigned long long)ms, frame_free());
	cmd_line(c, "%-15s %6s %7s %9s %10s %9s %9s", "name", "cpu%", "stall%", "faults/s", "reads/s", "held",
		 "target");
	for (u32 i = 0; i < vm_count; i++) {
		struct vm *vm = vm_all[i];
		u64 reads = vm->mem.n.disc_reads + vm->mem.n.swap_reads;
		u64 cpu = (vm->vcpu.run_ticks - last_run[i]) * 1000 / span,
		    stall = (vm->mem.n.stall_ticks - last_stall[i]) * 1000 / span;
		u64 faults = (vm->mem.n.faults - last_faults[i]) * 1000 / ms,
		    rate = (reads - last_reads[i]) * 1000 / ms;

		cmd_line(c, "%-15s %4llu.%llu %5llu.%llu %9llu %10llu %9s %9s", vm->name,
			 (unsigned long long)(cpu / 10), (unsigned long long)(cpu % 10),
			 (unsigned long long)(stall / 10), (unsigned long long)(stall % 10),
			 (unsigned long long)faults, (unsigned long long)rate,
			 frames_str(held, sizeof(held), vmmem_held(&vm->mem)),
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

/* ---- scan ---- */

static const char *const limit_text[] = {
	[SCAN_AS_WANTED] = "as wanted",
	[SCAN_BY_BUDGET] = "by the budget",
	[SCAN_SHORTEST] = "the shortest there is",
};

static void scan_one(struct cmd *c, const struct vm *vm, u64 now)
{
	struct scan_state s;
	char used[16];

	scan_clock_state(vm->id, now, &s);
	cmd_line(c,
		 "%-15s each %5llu ms (%s, W1 wants %llu), a pass takes %llu us, uses %s; W1 %u.%u %% of "
		 "what it holds",
		 vm->name, (unsigned long long)(s.period_ns / 1000000), limit_text[s.limit],
		 (unsigned long long)(s.wanted_ns / 1000000), (unsigned long long)(s.cost_ns / 1000),
		 ppm_str(used, sizeof(used), s.used_ppm), s.w1_permille / 10, s.w1_permille % 10);
	cmd_json_begin(c);
	cmd_json_str(c, "name", vm->name);
	cmd_json_u64(c, "period_ms", s.period_ns / 1000000);
	cmd_json_u64(c, "wanted_ms", s.wanted_ns / 1000000);
	cmd_json_u64(c, "pass_us", s.cost_ns / 1000);
	cmd_json_u64(c, "used_ppm", s.used_ppm);
	cmd_json_u64(c, "w1_permille", s.w1_permille);
	cmd_json_str(c, "limit", limit_text[s.limit]);
	cmd_json_end(c);
}

/* scan budget=0.5% */
static bool set_budget(struct cmd *c, const char *word)
{
	u64 ppm;

	if (strncmp(word, "budget=", 7)) {
		cmd_error(c, "scan: %s: no such word; nothing changed; try: scan budget=0.5%%", word);
		return false;
	}
	if (parse_percent(word + 7, &ppm) || ppm > SCAN_BUDGET_MAX ||
	    scan_clock_set_budget((u32)ppm, arch_ns())) {
		cmd_error(c,
			  "scan: %s: not a share of the CPU from 0.01%% to 20%%; nothing changed; try: scan "
			  "budget=0.5%%",
			  word);
		return false;
	}
	log_info("scan: budget %s", word + 7);
	return true;
}

static void scan(struct cmd *c)
{
	u64 now = arch_ns();
	u32 used, old = scan_clock_budget();
	char a[16], b[16], d[16];

	if (c->argc && !set_budget(c, c->argv[0]))
		return;
	used = scan_clock_used(now);
	if (c->argc)
		cmd_line(c, "budget %s -> %s of the CPU", ppm_str(a, sizeof(a), old),
			 ppm_str(b, sizeof(b), scan_clock_budget()));
	else
		cmd_line(c, "budget %s of the CPU for all passes together; used %s over the last %llu s",
			 ppm_str(a, sizeof(a), scan_clock_budget()), ppm_str(d, sizeof(d), used),
			 SCAN_SHOWN_NS / 1000000000);
	cmd_json_begin(c);
	cmd_json_u64(c, "budget_ppm", scan_clock_budget());
	cmd_json_u64(c, "used_ppm", used);
	cmd_json_u64(c, "over_ms", SCAN_SHOWN_NS / 1000000);
	cmd_json_end(c);
	for (u32 i = 0; i < vm_count && !c->argc; i++)
		if (balancer_vm(vm_all[i]))
			scan_one(c, vm_all[i], now);
}

const struct cmd_entry cmd_why_table[] = {
	{ "why", NULL, "<vm>", "the numbers behind a guest's share", 1, 1, why },
	{ "scan", NULL, "[budget=..%]", "what looking for touched pages costs, and may", 0, 1, scan },
	{ "top", NULL, "", "CPU, stalls, faults of each guest since the last top", 0, 0, top },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};

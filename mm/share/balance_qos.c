/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * balance_qos.c - guests come, go and change what they may have; the part of
 * balance.h that runs at an operator's pace. Whatever changes, targets stay
 * within min and max and their sum within the frames there are.
 */
#include "mm/share/balance.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

static const struct balance_config defaults = {
	.period_ns = NS_PER_S,
	.fast_ns = 200 * NS_PER_MS,
	.horizon_ns = 10 * NS_PER_S,
	.dwell_ns = 2 * NS_PER_S,
	.turn_ns = 300 * NS_PER_S,
	.veto_ns = 10 * NS_PER_S,
	.move_us = 50,
	.burst_misses = 16,
	.used_passes = 2,
	.used_ms = 250,
	.step_frames = CURVE_STEP_FRAMES,
};

const char *balance_reason_str(enum balance_reason r)
{
	static const char *const str[] = {
		[BALANCE_NEW] = "starting share, nothing decided yet",
		[BALANCE_KEEP] = "stays, the division leaves it here",
		[BALANCE_SMALL] = "stays, the saving is below twice the cost of moving",
		[BALANCE_GROW] = "grew, it misses most",
		[BALANCE_SHRINK] = "gave to who misses more",
		[BALANCE_DWELL] = "stays, it turned round too recently",
		[BALANCE_VETO] = "stays, the last such move did not pay",
		[BALANCE_QOS] = "moved, QoS or the memory there is changed",
		[BALANCE_AWAY] = "does not run now, what is above its min may go to who misses",
	};

	return (u32)r < ARRAY_SIZE(str) ? str[r] : "?";
}

void balance_init(struct balance *b, u32 frames, void *scratch, size_t bytes, u64 now_ns)
{
	*b = (struct balance){
		.cfg = defaults,
		.frames = frames,
		.scratch = scratch,
		.scratch_bytes = bytes,
		.due_ns = now_ns + defaults.period_ns,
		.rate_ns = now_ns,
	};
}


u32 balance_fair_work(struct balance *b)
{
	u32 n = 0;

	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		const struct balance_vm *v = &b->vm[i];
		const struct qos *q = &v->quota.qos;

		if (!v->used)
			continue;
		b->work[n++] = (struct divide_vm){
			.min = q->min_frames,
			.max = v->away ? q->min_frames : q->max_frames,
			.weight = q->weight,
		};
	}
	if (n)
		divide_fair(b->work, n, b->frames);
	return n;
}

/* Takes `over` frames from targets above floors, in proportion. Returns what it got. */
static u32 take_above(struct balance *b, bool keep_fair, u32 over)
{
	u64 excess = 0;
	u32 n = 0, got = 0;

	for (u32 pass = 0; pass < 2; pass++, n = 0) {
		for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
			struct quota *q = &b->vm[i].quota;
			u32 keep, extra;

			if (!b->vm[i].used)
				continue;
			keep = MAX(q->qos.min_frames, keep_fair ? b->work[n].fair : 0);
			n++;
			extra = q->target > keep ? q->target - keep : 0;
			if (!pass) {
				excess += extra;
				continue;
			}
			if (!excess)
				return 0;
			if (excess > over)
				extra = MIN(extra, (u32)((u64)extra * over / excess + 1));
			extra = MIN(extra, over - got);
			q->target -= extra;
			got += extra;
		}
	}
	return got;
}

/* After a change: clamp targets to min and max and their sum to the frames there are. */
static void make_fit(struct balance *b)
{
	u64 sum = 0;

	balance_fair_work(b);
	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		struct quota *q = &b->vm[i].quota;

		if (!b->vm[i].used)
			continue;
		q->target = MIN(MAX(q->target, q->qos.min_frames), q->qos.max_frames);
		b->vm[i].want = q->target;
		sum += q->target;
	}
	if (sum > b->frames)
		sum -= take_above(b, true, (u32)(sum - b->frames));
	if (sum > b->frames)
		sum -= take_above(b, false, (u32)(sum - b->frames));
	for (u32 i = 0; i < BALANCE_VMS_MAX && sum > b->frames; i++) {
		struct quota *q = &b->vm[i].quota; /* not even the mins fit */

		q->target = (u32)((u64)q->target * b->frames / sum);
	}
}

static void all_dirty(struct balance *b, u64 now_ns)
{
	for (u32 i = 0; i < BALANCE_VMS_MAX; i++)
		b->vm[i].qos_dirty = b->vm[i].used;
	b->trial.on = false;
	b->due_ns = MIN(b->due_ns, now_ns);
	make_fit(b);
}

static void start_fresh(struct balance_vm *vm)
{
	vm->dir = 0;
	vm->veto_shift = 0;
	vm->burst = false;
	vm->window_misses = 0;
	vm->why = (struct balance_why){ .reason = BALANCE_NEW, .from = vm->quota.target,
					.to = vm->quota.target, .wanted = vm->quota.target };
	vm->last_cost_us = vm->curve->total_cost_us;
}

int balance_add(struct balance *b, const struct qos *q, struct curve *c, const struct ages *a,
		u64 now_ns)
{
	u32 i = 0, at = 0;

	while (i < BALANCE_VMS_MAX && b->vm[i].used)
		i++;
	if (i == BALANCE_VMS_MAX)
		return E_NOMEM;
	b->vm[i] = (struct balance_vm){ .used = true, .curve = c, .ages = a, .quota.qos = *q };
	balance_fair_work(b);
	for (u32 j = 0; j < i; j++)
		at += b->vm[j].used;
	b->vm[i].quota.target = b->work[at].fair;
	all_dirty(b, now_ns);
	start_fresh(&b->vm[i]);
	return (int)i;
}

void balance_remove(struct balance *b, u32 vm, u64 now_ns)
{
	b->vm[vm].used = false;
	all_dirty(b, now_ns);
}

void balance_set_qos(struct balance *b, u32 vm, const struct qos *q, u64 now_ns)
{
	b->vm[vm].quota.qos = *q;
	b->vm[vm].why.veto_until_ns = b->vm[vm].why.dwell_until_ns = 0;
	all_dirty(b, now_ns);
}

void balance_set_frames(struct balance *b, u32 frames, u64 now_ns)
{
	b->frames = frames;
	all_dirty(b, now_ns);
}

/* Nobody's last direction says anything of this one. */
void balance_set_away(struct balance *b, u32 vm, bool away, u64 now_ns)
{
	if (b->vm[vm].away == away)
		return;
	b->vm[vm].away = away;
	b->vm[vm].qos_dirty = true;
	b->vm[vm].why.veto_until_ns = 0;
	for (u32 i = 0; i < BALANCE_VMS_MAX; i++)
		b->vm[i].dir = 0;
	b->trial.on = false;
	b->due_ns = MIN(b->due_ns, now_ns);
}

void balance_forget(struct balance *b, u32 vm, u64 now_ns)
{
	start_fresh(&b->vm[vm]);
	b->trial.on = false;
	b->due_ns = MIN(b->due_ns, now_ns + b->cfg.fast_ns);
}

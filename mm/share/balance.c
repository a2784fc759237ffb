/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * balance.c - when to move frames, how far at once, and when not. Contract: balance.h.
 *
 * A step measures what guests really waited, judges the last move by it, asks
 * divide.c where frames should be, and takes a bounded step there if that
 * pays. Damping is in four places: the division itself charges for every frame
 * moved, small differences are left alone, directions dwell, bad moves are vetoed.
 */
#include "mm/share/balance.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
/* Misses of one guest are counted in windows of this length; too many in one window are a burst. */
#define BURST_WINDOW_NS (250 * NS_PER_MS)
/* A guest's past is faded at most once in this time, however many bursts it has. */
#define FADE_NS (2 * NS_PER_S)
/* For this long after a burst decisions come fast, because what is known then changes fast. */
#define ALERT_NS NS_PER_S
/* One decision takes from a guest at most this many frames, or a quarter of what it holds if that is more. */
#define SHRINK_FRAMES 4096u
/* When a move has settled, what guests wait is measured for this long and compared with before. */
#define TRIAL_NS (2 * NS_PER_S)
/* A move that has not settled in this time is not judged any more. */
#define TRIAL_LIMIT_NS (60 * NS_PER_S)
/* The time of a veto doubles with each one in a row, at most this often. */
#define VETO_SHIFT_MAX 4
/* A target turns round only if that saves more than 1/50 of what the guests concerned wait: less is noise. */
#define TURN_PART 50
/*
 * A move that saves more than 1/8 of all waiting does not wait for dwell times. It must also save at least
 * this many microseconds a second for each frame that it moves, about one disk miss in thirty seconds, or
 * many frames would move for little. Both were chosen on phased mixes in tests/bench/oracle.py.
 */
#define URGENT_PART 8
#define URGENT_FRAME_US 50u

/* ---- what really happened ---- */

bool balance_note_miss(struct balance *b, u32 vm, u64 now_ns)
{
	struct balance_vm *v = &b->vm[vm];
	u64 expected, seen;

	if (now_ns - v->window_ns > BURST_WINDOW_NS) {
		v->window_ns = now_ns;
		v->window_misses = 0;
	}
	if (++v->window_misses != b->cfg.burst_misses)
		return false;
	expected = curve_misses_at(v->curve, MIN(v->quota.held, v->quota.target));
	seen = (u64)v->window_misses * 1000 * NS_PER_S / MAX(now_ns - v->window_ns, NS_PER_MS);
	if (seen < 4 * expected)
		return false;
	v->burst = true;
	b->due_ns = MIN(b->due_ns, MAX(now_ns, b->step_ns + b->cfg.fast_ns));
	if (v->fade_ns && now_ns - v->fade_ns <= FADE_NS)
		return false;
	curve_new_phase(v->curve, now_ns);
	v->fade_ns = now_ns;
	b->alert_ns = now_ns + ALERT_NS;
	return true;
}

static void measure(struct balance *b, u64 now_ns)
{
	u64 dt_us = (now_ns - b->rate_ns) / 1000;

	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		struct balance_vm *v = &b->vm[i];

		if (!v->used)
			continue;
		v->wait_us += v->curve->total_cost_us - v->last_cost_us;
		v->last_cost_us = v->curve->total_cost_us;
		if (dt_us < 900000)
			continue;
		v->rate_us = (v->wait_us - v->rate_total_us) * 1000 / MAX(dt_us / 1000, 1);
		v->rate_total_us = v->wait_us;
	}
	if (dt_us >= 900000)
		b->rate_ns = now_ns;
}

/* Waiting of the guests in the mask, weighted: in all, or a second. */
static u64 waited(const struct balance *b, u64 mask, bool rate)
{
	u64 sum = 0;

	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		const struct balance_vm *v = &b->vm[i];

		if (v->used && mask >> i & 1)
			sum += (rate ? v->rate_us : v->wait_us) * v->quota.qos.weight / 100;
	}
	return sum;
}

/* Those that grew have filled what they were given, so that misses tell. */
static bool filled(const struct balance *b)
{
	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		const struct quota *q = &b->vm[i].quota;

		if (b->trial.grew >> i & 1 && b->vm[i].used && q->held < q->target - q->target / 20)
			return false;
	}
	return true;
}

static void veto(struct balance *b, u64 now_ns)
{
	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		struct balance_vm *v = &b->vm[i];

		if (!v->used || !(b->trial.grew >> i & 1))
			continue;
		v->why.veto_until_ns = now_ns + (b->cfg.veto_ns << v->veto_shift);
		v->veto_us = v->rate_us;
		v->veto_shift = MIN(v->veto_shift + 1, VETO_SHIFT_MAX);
		v->why.vetoes++;
	}
}

/* By what is known now, those that grew would have waited far longer without: another load than the one that
 * was to be mended, which says nothing about the move. */
static bool load_changed(const struct balance *b)
{
	u64 without = 0;

	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		const struct balance_vm *v = &b->vm[i];

		if (v->used && b->trial.grew >> i & 1)
			without += curve_cost_at(v->curve, v->trial_from) * v->quota.qos.weight / 100;
	}
	return without > 2 * b->trial.before_us;
}

/* Did the last move pay? The waiting of those that grew must have fallen by a tenth at least. */
static void judge(struct balance *b, u64 now_ns)
{
	struct balance_trial *t = &b->trial;
	u64 after;

	if (!t->on || b->moving)
		return;
	if (now_ns - t->start_ns > TRIAL_LIMIT_NS) {
		t->on = false;
		return;
	}
	if (!t->settled_ns) {
		if (filled(b)) {
			t->settled_ns = now_ns;
			t->total_us = waited(b, t->grew, false);
		}
		return;
	}
	if (now_ns - t->settled_ns < TRIAL_NS)
		return;
	after = (waited(b, t->grew, false) - t->total_us) * 1000 / ((now_ns - t->settled_ns) / NS_PER_MS);
	if (after * 10 > t->before_us * 9 && !load_changed(b))
		veto(b, now_ns);
	else
		for (u32 i = 0; i < BALANCE_VMS_MAX; i++)
			if (t->grew >> i & 1)
				b->vm[i].veto_shift = 0;
	t->on = false;
}

/* ---- a decision ---- */

static u32 gather(struct balance *b)
{
	u32 n = balance_fair_work(b), k = 0;

	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		const struct balance_vm *v = &b->vm[i];
		struct divide_vm *w = &b->work[k];

		if (!v->used)
			continue;
		w->w1 = v->ages->w1_avg;
		w->used = b->cfg.used_passes ? MAX(ages_used(v->ages, b->cfg.used_passes),
						   curve_working_set(v->curve, b->cfg.used_ms)) : 0;
		w->now = v->quota.target;
		w->goal = v->away ? 0 : v->quota.qos.miss_goal;
		w->curve = v->curve;
		k++;
	}
	return n;
}

static bool run_division(struct balance *b, u32 n)
{
	u64 horizon_ms = MAX(b->cfg.horizon_ns / NS_PER_MS, 1);
	struct divide d = {
		.frames = b->frames,
		.step_frames = b->cfg.step_frames,
		.max_ops = b->cfg.max_ops,
		/* both ends of a move are charged: twice the cost of moving in all */
		.move_cost = (u64)b->cfg.move_us * 1000 * 1000 / horizon_ms,
	};

	if (divide_run(&d, b->work, n, b->scratch, b->scratch_bytes))
		return false;
	b->infeasible = d.infeasible;
	b->short_frames = d.short_frames;
	b->last_ops = d.ops;
	b->decisions++;
	return true;
}

/* Too little to bother, unless someone must move: 1 % and at least a step; 2 % if its curve is coarse. */
static bool is_small(const struct balance *b, const struct curve *c, u32 now, u32 want)
{
	u32 diff = want > now ? want - now : now - want;

	return diff < MAX(b->cfg.step_frames, c->coarse ? now / 50 : now / 100);
}

/* No choice: outside its bounds, or well below a floor (what it touches, its goal). */
static bool must_move(const struct balance *b, const struct balance_vm *v,
		      const struct divide_vm *w)
{
	u32 min = MIN(w->min, w->floor);

	return v->qos_dirty || w->now < min || w->now > w->max ||
	       (w->now < w->floor && !is_small(b, v->curve, w->now, w->floor));
}

/* The whole division, weighted. */
struct worth {
	u64 saving_us, moving_us; /* over the horizon; once */
	bool worth;  /* it pays, or some guest must move */
	bool turn;   /* it would end enough of the waiting of those it moves to turn them round */
	bool urgent; /* it would end a good part of all waiting, or somebody is owed it: then nobody dwells */
};

/* A coarse guest's frames count twice. */
static struct worth weigh(const struct balance *b, u32 n)
{
	u64 now = 0, then = 0, movers = 0, moved = 0, careful = 0, saved;
	struct worth x = { 0 };
	bool burst = false, owed = false;
	u32 k = 0;

	for (u32 i = 0; i < BALANCE_VMS_MAX && k < n; i++) {
		const struct divide_vm *w = &b->work[k];
		u32 by = w->target > w->now ? w->target - w->now : w->now - w->target;

		if (!b->vm[i].used)
			continue;
		k++;
		now += w->cost_now * w->weight / 100;
		then += w->cost_then * w->weight / 100;
		movers += by ? w->cost_now * w->weight / 100 : 0;
		moved += by;
		careful += (u64)by << w->curve->coarse;
		x.worth |= must_move(b, &b->vm[i], w);
		owed |= w->target > w->now && must_move(b, &b->vm[i], w);
		burst |= b->vm[i].burst && w->target > w->now;
	}
	saved = now > then ? now - then : 0;
	x.saving_us = saved * (b->cfg.horizon_ns / NS_PER_MS) / 1000;
	x.moving_us = (moved + 1) / 2 * b->cfg.move_us;
	x.worth |= x.saving_us > (careful + 1) / 2 * b->cfg.move_us * 2;
	x.turn = saved > movers / TURN_PART;
	x.urgent =
		owed || (burst && x.turn) || (saved > now / URGENT_PART && saved > moved * URGENT_FRAME_US);
	return x;
}

/* It waits, or would wait, twice as long as when its last move did not pay: that says nothing about
 * this one. */
static bool is_vetoed(const struct balance_vm *v, const struct divide_vm *w, u64 now_ns)
{
	return now_ns < v->why.veto_until_ns && MAX(w->cost_now, v->rate_us) < 2 * v->veto_us;
}

/* The direction this guest may move to: +1, -1, 0 with the reason. */
static s32 may_move(const struct balance *b, const struct balance_vm *v, const struct divide_vm *w,
		    u64 now_ns, const struct worth *x, enum balance_reason *why)
{
	s32 dir = w->target > w->now ? 1 : -1;

	if (w->target == w->now || (!must_move(b, v, w) && is_small(b, v->curve, w->now, w->target))) {
		*why = BALANCE_KEEP;
		return 0;
	}
	*why = dir > 0 ? BALANCE_GROW : BALANCE_SHRINK;
	if (must_move(b, v, w)) {
		*why = BALANCE_QOS;
		return dir;
	}
	if (v->dir == -dir && !x->urgent &&
	    now_ns - v->dir_ns < (x->turn ? b->cfg.dwell_ns : b->cfg.turn_ns)) {
		*why = BALANCE_DWELL;
		return 0;
	}
	if (dir > 0 && is_vetoed(v, w, now_ns)) {
		*why = BALANCE_VETO;
		return 0;
	}
	return dir;
}

static void explain(struct balance_vm *v, const struct divide_vm *w, u64 now_ns)
{
	struct balance_why *y = &v->why;

	y->when_ns = now_ns;
	y->from = w->now;
	y->to = v->quota.target;
	y->wanted = w->target;
	y->w1 = w->w1;
	y->used = w->used;
	y->floor = w->floor;
	y->fair = w->fair;
	y->short_frames = w->short_frames;
	y->need = w->need;
	y->flags = v->away ? w->flags & ~(u32)DIVIDE_CAPPED : w->flags; /* its max is no less than before */
	y->cost_from = w->cost_now;
	y->cost_to = w->cost_then;
	y->misses_from = curve_misses_at(v->curve, w->now);
	y->misses_to = curve_misses_at(v->curve, w->target);
	y->burst = v->burst;
}

static u32 shrink_step(const struct quota *q)
{
	return MAX(SHRINK_FRAMES, q->target / 4);
}

/* How much may move in this step: supply from shrinkers and unassigned frames, demand. */
static void offer(const struct balance *b, const s32 *dir, u64 *shrink, u64 *spare, u64 *demand)
{
	u64 assigned = 0;
	u32 k = 0;

	*shrink = *demand = 0;
	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		const struct quota *q = &b->vm[i].quota;
		const struct divide_vm *w = &b->work[k];

		if (!b->vm[i].used)
			continue;
		assigned += q->target;
		if (dir[k] < 0)
			*shrink += MIN(q->target - w->target, shrink_step(q));
		if (dir[k] > 0)
			*demand += w->target - q->target;
		k++;
	}
	*spare = assigned < b->frames ? b->frames - assigned : 0;
}

static void turn(struct balance_vm *v, s32 dir, u64 now_ns)
{
	if (v->dir == -dir)
		v->turns++;
	if (v->dir != dir)
		v->why.dwell_until_ns = now_ns;
	v->dir = dir;
	v->dir_ns = now_ns;
	v->moves++;
}

/* Takes the step. Returns how many targets changed; sets b->moving if more is to come. */
static u32 apply(struct balance *b, const s32 *dir, u64 now_ns, u64 *grew)
{
	u64 shrink, spare, demand, give;
	u32 k = 0, changed = 0;

	offer(b, dir, &shrink, &spare, &demand);
	give = demand > spare ? MIN(demand - spare, shrink) : 0; /* asked of the shrinkers */
	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		struct balance_vm *v = &b->vm[i];
		struct quota *q = &v->quota;
		const struct divide_vm *w = &b->work[k];
		u32 by = 0;

		if (!v->used)
			continue;
		if (dir[k] < 0) {
			u32 most = MIN(q->target - w->target, shrink_step(q));

			/* Above max it goes down even if nobody asks. Rounded up: those that grow take no
			 * more than that. */
			by = q->target > w->max ? most : (u32)((most * give + shrink - 1) / MAX(shrink, 1));
			q->target -= by;
		} else if (dir[k] > 0) {
			by = (u32)((w->target - q->target) * MIN(demand, spare + give) /
				   MAX(demand, 1));
			if (!(b->trial.on && b->trial.grew >> i & 1))
				v->trial_from = q->target;
			q->target += by;
			*grew |= by ? BIT64(i) : 0;
		}
		if (by) {
			turn(v, dir[k], now_ns);
			changed++;
			v->why.dwell_until_ns = now_ns + b->cfg.dwell_ns;
			b->moving |= !is_small(b, v->curve, q->target, w->target);
		}
		k++;
	}
	return changed;
}

static u32 decide(struct balance *b, u32 n, u64 now_ns)
{
	s32 dir[BALANCE_VMS_MAX] = { 0 };
	struct worth x = weigh(b, n);
	u64 grew = 0;
	u32 k = 0, changed;

	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		struct balance_vm *v = &b->vm[i];

		if (!v->used)
			continue;
		dir[k] = may_move(b, v, &b->work[k], now_ns, &x, &v->why.reason);
		if (v->away)
			v->why.reason = BALANCE_AWAY;
		if (dir[k] && !x.worth) {
			dir[k] = 0;
			v->why.reason = BALANCE_SMALL;
		}
		v->why.saving_us = x.saving_us;
		v->why.moving_us = x.moving_us;
		k++;
	}
	b->moving = false;
	changed = apply(b, dir, now_ns, &grew);
	if (grew && !b->trial.on)
		b->trial = (struct balance_trial){ .on = true, .start_ns = now_ns };
	if (grew) {
		b->trial.before_us += waited(b, grew & ~b->trial.grew, true);
		b->trial.grew |= grew;
		b->trial.settled_ns = 0;
	}
	return changed;
}

u32 balance_step(struct balance *b, u64 now_ns, u32 free_frames)
{
	u32 n, k = 0, changed = 0;

	b->free_frames = free_frames;
	b->step_ns = now_ns;
	measure(b, now_ns);
	judge(b, now_ns);
	n = gather(b);
	b->moving = false;
	if (n && run_division(b, n)) {
		changed = decide(b, n, now_ns);
		for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
			struct balance_vm *v = &b->vm[i];

			if (!v->used)
				continue;
			explain(v, &b->work[k++], now_ns);
			v->want = v->why.wanted;
			v->burst = false;
			v->qos_dirty = false;
		}
	}
	b->due_ns = now_ns + (b->moving || now_ns < b->alert_ns ? b->cfg.fast_ns : b->cfg.period_ns);
	return changed;
}

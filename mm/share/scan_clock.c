/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scan_clock.c - when each guest is scanned, and what scanning may cost. Contract: scan_clock.h.
 *
 * Two rules hold the budget. Periods share it out by what passes usually cost, but for a sixteenth; and no
 * pass begins before those made so far are paid for at the budget's rate, whatever they really cost. The
 * sixteenth keeps credit in hand, or one guest's long pass would put off the others'.
 */
#include "mm/share/scan_clock.h"
#include "mm/frame.h"

#define START_NS 1000000000ull /* from a guest's start to its first pass; its period then */
#define MIN_NS 100000000ull
#define MAX_NS 4000000000ull
#define W1_PART 50             /* 2 % */
#define ALERT_NS 3000000000ull
#define ALERT_PERIOD_NS 500000000ull
#define SPARE_PART 16
#define PPM 1000000ull
#define BUCKETS 10
#define BUCKET_NS (SCAN_SHOWN_NS / BUCKETS)

/* Time used, by second. */
struct meter {
	u64 used_ns[BUCKETS];
	u64 second[BUCKETS]; /* that used_ns is of */
};

struct clock {
	bool on;
	u32 hurry;           /* passes that do not wait for the period */
	u64 hurried_ns;
	u64 last_ns, period_ns, wanted_ns, cost_ns;
	u32 w1_permille;
	struct meter meter;
};

static struct {
	u32 budget;
	u64 paid_ns; /* all passes so far are paid for by then */
	u64 start_ns, alert_ns;
	struct clock of[FRAME_MAX_VMS];
} scan;

/* ---- what was used ---- */

static void meter_add(struct meter *m, u64 now, u64 ns)
{
	u64 second = now / BUCKET_NS;
	u32 i = (u32)(second % BUCKETS);

	if (m->second[i] != second)
		m->used_ns[i] = 0;
	m->second[i] = second;
	m->used_ns[i] += ns;
}

static u64 meter_sum(const struct meter *m, u64 now)
{
	u64 second = now / BUCKET_NS, sum = 0;

	for (u32 i = 0; i < BUCKETS; i++)
		if (m->second[i] + BUCKETS > second)
			sum += m->used_ns[i];
	return sum;
}

static u32 ppm_of(u64 used_ns, u64 now)
{
	/* the last second has only begun */
	u64 span = SCAN_SHOWN_NS - BUCKET_NS + now % BUCKET_NS;

	span = MAX(MIN(span, now - MIN(scan.start_ns, now)), BUCKET_NS / 10);
	return (u32)(used_ns * 1000 / (span / 1000));
}

u32 scan_clock_used(u64 now_ns)
{
	u64 sum = 0;

	for (u32 i = 0; i < FRAME_MAX_VMS; i++)
		sum += meter_sum(&scan.of[i].meter, now_ns);
	return ppm_of(sum, now_ns);
}

/* ---- periods ---- */

/* A guest that is paused gets no passes, and keeps no share from the others. */
static bool takes_part(const struct clock *c, u64 now)
{
	return c->on && now < c->last_ns + 2 * c->period_ns + MAX_NS;
}

/* CPU that guest vm may use: its wish if that is below an equal share, else a share of what such guests
 * leave. */
static u64 allowance(u32 vm, u64 now)
{
	bool served[FRAME_MAX_VMS] = { false }, again = true;
	u64 left = scan.budget - scan.budget / SPARE_PART;
	u32 n = 0;

	for (u32 i = 0; i < FRAME_MAX_VMS; i++)
		n += takes_part(&scan.of[i], now);
	while (again && n) {
		again = false;
		for (u32 i = 0; i < FRAME_MAX_VMS && n; i++) {
			const struct clock *c = &scan.of[i];
			u64 wish = c->cost_ns * PPM / MAX(c->wanted_ns, MIN_NS);

			if (served[i] || !takes_part(c, now) || wish > left / n)
				continue;
			if (i == vm)
				return MAX(left / n, 1);
			served[i] = again = true;
			left -= wish;
			n--;
		}
	}
	return MAX(left / MAX(n, 1), 1);
}

static void set_period(u32 vm, u64 now)
{
	struct clock *c = &scan.of[vm];

	c->period_ns = MAX(c->wanted_ns, c->cost_ns * PPM / allowance(vm, now));
}

static u64 debt_ns(u64 cost_ns)
{
	return cost_ns * PPM / scan.budget;
}

void scan_clock_init(u64 now_ns)
{
	scan.budget = SCAN_BUDGET_DEFAULT;
	scan.start_ns = now_ns;
	scan.alert_ns = 0;
	scan.paid_ns = now_ns - MIN(SCAN_CREDIT_NS, now_ns);
	for (u32 i = 0; i < FRAME_MAX_VMS; i++)
		scan.of[i] = (struct clock){ .on = false };
}

void scan_clock_start(u32 vm, u64 now_ns)
{
	struct meter used = scan.of[vm].meter; /* what its last life cost is not forgotten */

	scan.of[vm] = (struct clock){
		.on = true, .last_ns = now_ns, .period_ns = START_NS, .wanted_ns = START_NS, .meter = used
	};
}

void scan_clock_back(u32 vm, u64 now_ns)
{
	scan.of[vm].last_ns = now_ns;
}

void scan_clock_stop(u32 vm)
{
	scan.of[vm].on = false;
}

int scan_clock_set_budget(u32 ppm, u64 now_ns)
{
	if (ppm < SCAN_BUDGET_MIN || ppm > SCAN_BUDGET_MAX)
		return E_RANGE;
	if (scan.paid_ns > now_ns)
		scan.paid_ns = now_ns + (scan.paid_ns - now_ns) * scan.budget / ppm;
	scan.budget = ppm;
	for (u32 i = 0; i < FRAME_MAX_VMS; i++)
		if (scan.of[i].on)
			set_period(i, now_ns);
	return E_OK;
}

u32 scan_clock_budget(void)
{
	return scan.budget;
}

void scan_clock_hurry(u32 vm, u64 now_ns)
{
	struct clock *c = &scan.of[vm];

	if (c->hurried_ns && now_ns - c->hurried_ns < SCAN_CREDIT_NS)
		return;
	c->hurried_ns = now_ns;
	c->hurry = 2;
	scan.alert_ns = now_ns + ALERT_NS;
}

u64 scan_clock_due(u32 vm)
{
	const struct clock *c = &scan.of[vm];
	u64 wait = c->hurry ? MIN(MIN_NS, c->period_ns) : c->period_ns;

	if (c->last_ns + ALERT_PERIOD_NS < scan.alert_ns)
		wait = MIN(wait, ALERT_PERIOD_NS);
	return c->last_ns + wait;
}

u64 scan_clock_paid(void)
{
	return scan.paid_ns;
}

void scan_clock_passed(u32 vm, const struct ages *a, u64 start_ns, u64 cost_ns)
{
	struct clock *c = &scan.of[vm];
	u64 interval = start_ns - MIN(c->last_ns, start_ns);
	u64 want = (u64)a->resident / W1_PART, w1 = MAX(a->w1_avg, 1u);

	scan.paid_ns = MAX(scan.paid_ns, start_ns - MIN(SCAN_CREDIT_NS, start_ns)) + debt_ns(cost_ns);
	meter_add(&c->meter, start_ns, cost_ns);
	c->cost_ns = c->cost_ns ? (c->cost_ns * 3 + cost_ns) / 4 : cost_ns;
	c->w1_permille = (u32)((u64)a->w1_avg * 1000 / MAX(a->resident, 1u));
	/* One interval may have been odd: half or twice what it was, at most. */
	interval = MIN(MAX(interval, MIN_NS), MAX_NS);
	c->wanted_ns = MIN(MAX(interval * MAX(want, 1ull) / w1, c->wanted_ns / 2), c->wanted_ns * 2);
	c->wanted_ns = MIN(MAX(c->wanted_ns, MIN_NS), MAX_NS);
	c->last_ns = start_ns;
	c->hurry -= MIN(c->hurry, 1u);
	set_period(vm, start_ns);
}

void scan_clock_state(u32 vm, u64 now_ns, struct scan_state *s)
{
	const struct clock *c = &scan.of[vm];

	*s = (struct scan_state){
		.period_ns = c->period_ns, .wanted_ns = c->wanted_ns, .cost_ns = c->cost_ns,
		.used_ppm = ppm_of(meter_sum(&c->meter, now_ns), now_ns), .w1_permille = c->w1_permille,
	};
	if (c->period_ns > c->wanted_ns)
		s->limit = SCAN_BY_BUDGET;
	else if (c->wanted_ns == MIN_NS && c->w1_permille > 1000 / W1_PART)
		s->limit = SCAN_SHORTEST;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * balance.h - who deserves the frames, over time.
 *
 * Contract. One struct balance for the machine. The caller registers guests,
 * keeps held[] true, calls balance_note_miss() on every miss that costs I/O and
 * that more memory would have avoided, and balance_step() whenever
 * balance_due() says so: once a period, sooner on a burst of misses or while a
 * move is under way. A step only changes targets; the reclaimer takes from
 * guests above theirs when frames are wanted, faults give to those that miss.
 * "Moving a frame" is no rendezvous.
 *
 * A target moves only if the predicted saving over the horizon beats twice
 * the cost of moving; it grows at once and shrinks by bounded steps; a
 * direction may be reversed only after a dwell time, unless the move would end
 * a good part of all waiting; a move that did not pay for those that grew is
 * vetoed for a time that doubles, or until they wait far longer than then. A
 * guest whose curve is coarse (W1 above 10 %) is moved with care: what moving
 * it costs counts twice, and moves below 2 % of its target are left alone, 1 %
 * otherwise. Every decision leaves its numbers in struct balance_why. held may
 * exceed target while free frames are plentiful.
 *
 * No locks: called by one CPU at a time, never from an interrupt.
 */
#ifndef MM_SHARE_BALANCE_H
#define MM_SHARE_BALANCE_H

#include "kernel/lib/types.h"
#include "mm/share/ages.h"
#include "mm/share/curve.h"
#include "mm/share/divide.h"

#define BALANCE_VMS_MAX DIVIDE_VMS_MAX

struct qos {
	u32 min_frames, max_frames; /* guaranteed; cap */
	u32 weight;                 /* 1..10000, 100 is usual */
	u64 miss_goal;              /* 1/1000 misses a second at most; 0 = none */
};

struct quota {
	struct qos qos;
	u32 held;   /* frames it has: mapped, soft, cached, filling (caller's) */
	u32 target; /* frames it deserves (balance_step's) */
};

enum balance_reason {
	BALANCE_NEW,    /* no decision yet: the starting share */
	BALANCE_KEEP,   /* stays: the division would leave it here */
	BALANCE_SMALL,  /* stays: the saving is below twice the cost of moving */
	BALANCE_GROW,   /* grew: misses most */
	BALANCE_SHRINK, /* gave to who misses more */
	BALANCE_DWELL,  /* stays: turned round too recently */
	BALANCE_VETO,   /* stays: the last such move did not pay */
	BALANCE_QOS,    /* moved because QoS or the memory there is changed */
	BALANCE_AWAY,   /* it does not run: others may use what is above its min */
};

/* The numbers of the last decision about one guest, for `why`. */
struct balance_why {
	u64 when_ns;
	enum balance_reason reason;
	u32 from, to, wanted; /* target before, after; what the division said */
	u32 w1, used, floor, fair, short_frames;
	u32 need;             /* what its goal takes */
	u32 flags;            /* enum divide_flag */
	u64 cost_from, cost_to; /* us of waiting a second predicted at from and wanted */
	u64 misses_from, misses_to; /* 1/1000 a second */
	u64 saving_us;        /* of the whole move, all guests, weighted, over the horizon */
	u64 moving_us;        /* what moving all those frames costs, once */
	u64 veto_until_ns, dwell_until_ns;
	u32 vetoes;           /* moves so far that did not pay */
	bool burst;           /* a burst of misses asked for this decision */
};

struct balance_vm {
	bool used;
	struct quota quota;
	struct curve *curve; /* the caller's */
	const struct ages *ages;
	struct balance_why why;
	/* private to balance.c */
	s32 dir;               /* of the last move: +1, -1, 0 never */
	bool qos_dirty;
	bool away;             /* paused or resting */
	u32 veto_shift;
	bool burst;
	u32 want;              /* where the move under way ends */
	u32 window_misses, moves, turns; /* turns: changes of direction */
	u64 dir_ns, window_ns, fade_ns, last_cost_us;
	u64 wait_us;           /* measured waiting, unweighted, since it was added */
	u64 rate_total_us, rate_us; /* ... us a second, over about a second */
	u64 veto_us;           /* the waiting a second that the vetoed move did not mend */
	u32 trial_from;        /* its target before the move in trial */
};

/* A move in trial: did it pay? Private to balance.c. */
struct balance_trial {
	bool on;
	u64 start_ns, settled_ns; /* settled: targets reached and filled; 0 = not yet */
	u64 before_us;   /* us of waiting a second of those that grew, weighted, measured before */
	u64 total_us;    /* their waiting in all at settled_ns */
	u64 grew;        /* bit mask of the guests that grew */
};

struct balance_config {
	u64 period_ns;    /* 1 s */
	u64 fast_ns;      /* 200 ms: between steps of a move, and after a burst */
	u64 horizon_ns;   /* 10 s: how long a saving is believed to last */
	u64 dwell_ns;     /* 2 s: between turns that save a good part of the movers' waiting */
	u64 turn_ns;      /* 300 s: between those that save little */
	u64 veto_ns;      /* 10 s, doubling to 160 s */
	u32 move_us;      /* 50: cost of moving one frame (reclaim, some writing) */
	u32 burst_misses; /* 16: in 250 ms, and four times what the curve expects */
	u32 used_passes;  /* 2: pages touched in so many passes are protected; 0 = W1 alone */
	u32 used_ms;      /* 250: and what its curve says it touches again in so long, had it the frames */
	u32 step_frames;  /* 256 */
	u32 max_ops;      /* 0 = DIVIDE_OPS_DEFAULT */
};

struct balance {
	struct balance_config cfg;
	u32 frames; /* what guests can hold in all: the caller's, may change */
	struct balance_vm vm[BALANCE_VMS_MAX];
	u64 due_ns, step_ns; /* the next step, the last one */
	u64 alert_ns;        /* until then steps come fast: a burst began a moment ago */
	u32 free_frames; /* as told to the last step */
	bool burst, moving, infeasible;
	u32 short_frames; /* infeasible: frames the mins lack */
	u32 decisions, last_ops;
	void *scratch;
	size_t scratch_bytes;
	struct balance_trial trial;
	u64 rate_ns; /* when waiting was measured last */
	struct divide_vm work[BALANCE_VMS_MAX];
};

/* scratch: divide_scratch_bytes(most guests, frames, cfg.step_frames). */
void balance_init(struct balance *b, u32 frames, void *scratch, size_t bytes, u64 now_ns);
/* Returns the guest's index, or E_NOMEM. Starts at its weight-fair share. */
int balance_add(struct balance *b, const struct qos *q, struct curve *c, const struct ages *a,
		u64 now_ns) MUST_CHECK;
void balance_remove(struct balance *b, u32 vm, u64 now_ns);
void balance_set_qos(struct balance *b, u32 vm, const struct qos *q, u64 now_ns);
void balance_set_frames(struct balance *b, u32 frames, u64 now_ns);
/* The guest does not run now, and uses nothing: its target goes down to its min. / It is back: what its curve
 * says counts. */
void balance_set_away(struct balance *b, u32 vm, bool away, u64 now_ns);
/* The guest was reset or its curve is new: nothing of its past counts. */
void balance_forget(struct balance *b, u32 vm, u64 now_ns);

/* A miss of this guest that costs I/O and that more memory would have avoided (no first touch); cheap, call
 * it on each. True: a burst began that its curve does not explain: look soon at what it touches. */
bool balance_note_miss(struct balance *b, u32 vm, u64 now_ns);
static inline bool balance_due(const struct balance *b, u64 now_ns)
{
	return now_ns >= b->due_ns;
}
/* Returns how many targets changed. */
u32 balance_step(struct balance *b, u64 now_ns, u32 free_frames);

const char *balance_reason_str(enum balance_reason r);

/* Private to mm/balance*.c: bounds and fair shares of all guests into work[], in
 * the order of vm[]; returns how many. */
u32 balance_fair_work(struct balance *b);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slots.h - what the drivers of disks that take several commands at once share: which request is in which
 * slot, how far it is, what is tried again, when a reset is due. A request keeps its slot from start to
 * completion and is done by one command after another, each as long as the hardware's list of
 * addresses allows.
 *
 * A driver embeds struct slots, sets dev.depth, dev.ops = &slots_ops, dev.priv = the struct slots, issue and
 * timeout_ns, and calls block_register(). Nothing here touches hardware. Everything may be called from
 * interrupt windows; `later` says that the caller is not an interrupt handler (see block_complete_later).
 *
 * After a reset the requests that were on the hardware go again one at a time, before any others: so a
 * command that kills the device is known by name, and only it fails.
 */
#ifndef DRIVERS_SLOTS_H
#define DRIVERS_SLOTS_H

#include "arch/x86_64/arch.h"
#include "drivers/block.h"

#define SLOTS_MAX 32
#define SLOTS_RETRIES 3

struct slot {
	struct block_req *req;   /* NULL: the slot is free */
	struct block_at at, next; /* where the command in hand begins and ends */
	u32 done, sectors;       /* of req: finished; in the command in hand */
	u8 tries;
	bool issued;             /* on the hardware */
	bool suspect;            /* was there when a reset was necessary */
	u64 deadline_ns;
};

enum slots_state { SLOTS_READY, SLOTS_RESET, SLOTS_DEAD };

struct slots {
	struct block_dev dev;
	enum slots_state state;
	u32 taken, issued, suspects; /* slots with a request; those on the hardware; those that are suspect */
	u64 timeout_ns;          /* a command's; ten times that for FLUSH */
	/* Puts slot i's next command on the hardware; sets next and sectors. May call slots_done(..., later =
	 * true). */
	void (*issue)(struct slots *q, u32 i);
	struct slot slot[SLOTS_MAX];
};

extern const struct block_ops slots_ops;

/* What a device calls p, which lies in the direct map. */
static inline u64 slots_phys(const void *p)
{
	return pfn_hpa(ptr_pfn(p)).a + ((u64)p & PAGE_MASK);
}

/* Copies n bytes between r's segments at `at` and buf. */
void slots_copy(const struct block_req *r, struct block_at at, u8 *buf, u32 n, bool to_segs);

/* The command in slot i ended; status is for the log. A slot with nothing on the hardware:
 * logged, ignored. */
void slots_done(struct slots *q, u32 i, bool ok, u32 status, bool later);
/* A command has been on the hardware for longer than it may. */
bool slots_late(const struct slots *q, u64 now_ns);
/*
 * Nothing is issued until slots_reset_over(): alive false: all fails, now and for good. The device must have
 * no way to memory then: the requests' frames are somebody else's as soon as they have failed.
 */
void slots_reset(struct slots *q, const char *why);
void slots_reset_over(struct slots *q, bool alive);

#endif

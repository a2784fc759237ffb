/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * block.h - one face for every disk the host has, and for RAM disks.
 *
 * A request is queued by block_submit() and completes later, always from an interrupt window or
 * block_poll(), never from inside block_submit(). done() may submit again. Addresses are host-physical;
 * every segment is a multiple of 512 bytes, even-addressed, and may be of any length (drivers split
 * what their hardware can't take). Sectors are 512 bytes. Errors: E_IO after the driver's own retries;
 * E_RANGE for sectors outside the device; E_NOTSUP for a write to a read-only one; E_INVAL for segments
 * that do not add up.
 *
 * Whose turn: every request has an owner, and every owner a queue at each device. Owners share the
 * device's time by their weights (fair.h); of one owner's requests those of a lower class go first. A
 * request is handed to the driver in commands: whole; together with others of its owner that continue
 * it; or, while others have used the device within the last second, in pieces of 64 KiB. The device is
 * given no more commands at once than raise its throughput.
 *
 * Order, among requests of one owner: one that overlaps another that was submitted before it, where
 * either writes, waits for it; a FLUSH waits for the writes of classes up to its own that were
 * submitted before it, and those after it wait for the FLUSH. Requests of different owners that overlap
 * (the swap area's slots change hands when nothing is in flight) are kept apart on the hardware, but go
 * in any order. Others complete in any order.
 */
#ifndef DRIVERS_BLOCK_H
#define DRIVERS_BLOCK_H

#include "drivers/fair.h"
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

/* In this order within an owner. While frames are short (block_hurry) writes that free some count
 * as DEMAND. */
enum block_class {
	BLOCK_DEMAND, /* a page that a vCPU waits for */
	BLOCK_GUEST,  /* the guest's own disk requests, and what they need */
	BLOCK_AHEAD,  /* pages that nobody waits for yet */
	/*
	 * swap writes: they pay for the owner's limits, up to a second, but do not wait for them: others may
	 * wait for the frames
	 */
	BLOCK_BACK,
	BLOCK_CLASSES
};

#define BLOCK_HOST (FAIR_OWNERS - 1) /* the owner of the hypervisor's own requests */
#define BLOCK_PIECE 128u        /* sectors: 64 KiB */
#define BLOCK_SEGS 32u          /* segments of a command that is not one whole request: 128 KiB of pages */
#define BLOCK_RECENT_NS 1000000000ull /* an owner's requests are cut for so long after another's last one */

struct block_seg { hpa_t addr; u32 len; };
struct block_at { u32 seg, off; }; /* a place in a request's segments */

struct block_req {
	struct block_dev *dev;
	u8 op;             /* enum block_op */
	u8 class;          /* enum block_class */
	u8 owner;          /* below FAIR_OWNERS */
	u64 sector;
	u32 nsectors;      /* sum of the segments / 512 */
	const struct block_seg *segs;
	u32 nsegs;
	int err;
	void (*done)(struct block_req *r); /* r->err is 0 or a negative error */
	void *ctx;
	/* block.c's, until done(): */
	struct list link;
	struct block_req *next; /* that shares its command */
	u64 number;        /* of the device's, in the order of submission */
	u64 since_ns;      /* when it was submitted */
	struct block_at at;
	u32 handed, ended; /* sectors that were given to the driver, and came back */
	u32 out;           /* commands in flight */
	bool alone;        /* a command of several failed: it goes by itself now */
};

/* What the driver is given: `hw`. Its segs are a request's own, or seg. */
struct block_cmd {
	struct block_req hw;
	struct list link;  /* of the device's free or active ones */
	struct block_req *first; /* the requests it carries out, by next */
	u32 n;
	u64 guess_ns, work_ns; /* what it was thought to take; the device's work_ns when it started */
	struct block_seg seg[BLOCK_SEGS];
};

struct block_dev;
struct block_ops {
	/*
	 * Starts r on the hardware; the driver calls block_complete() when it is done. Called with at
	 * most `depth` in flight.
	 */
	void (*start)(struct block_dev *d, struct block_req *r);
};

/* Requests, but for commands, merged (requests that went with another) and pieces (of requests that were
 * cut). polled: commands whose end a driver's tick saw before an interrupt came: nearly all means that there
 * are none. */
struct block_stats {
	u64 reads, writes, flushes, sectors_read, sectors_written, errors, busy_ns, polled, commands, merged,
		pieces;
};

/* One owner's requests for one device. */
struct block_queue {
	struct list class[BLOCK_CLASSES]; /* waiting, in the order of submission */
	u32 waiting, writes;  /* requests; those of them that write */
	bool fresh;           /* it had nothing to do, or might not: it can't have saved up time */
	u32 active, active_writes, flushing; /* commands on the hardware; guests' writes, flushes of them */
	u64 last_ns;          /* its last submission; 0: none */
	u64 used_ns, requests, sectors; /* the device's time that it had, and what it got done */
	u64 demand_most_ns;   /* the longest that a DEMAND request took from its submission on */
};

struct block_dev {
	struct list link;
	char name[16];     /* "hd0", "nvme0", "ram:web" */
	u64 sectors;
	u32 depth;         /* commands the driver takes at once */
	u32 max_sectors;   /* a request longer than this is refused with E_RANGE */
	bool read_only;
	bool flush_alone;  /* its FLUSH can't be on the hardware beside other commands */
	const struct block_ops *ops;
	void *priv;
	struct block_queue queue[FAIR_OWNERS];
	u64 users;         /* owners that have ever submitted one: what goes over owners goes over these */
	u32 waiting;       /* requests, of all owners */
	u64 submitted;     /* requests so far */
	struct list active, free; /* commands */
	struct block_cmd *held;   /* active: a FLUSH that waits until it is alone */
	u32 in_flight;     /* active commands */
	u64 moved_ns, work_ns; /* work_ns grew by the time since moved_ns / commands in flight */
	u64 away_ns, away_work_ns; /* the host's last absence, and work_ns when it began */
	struct fair fair;
	struct fair_times times;
	struct fair_depth limit;
	struct block_stats stats;
	struct block_cmd one; /* a device needs one at least */
};

/* A run of sectors of one device: a partition, a whole disk, a module. */
struct block_extent { struct block_dev *dev; u64 first, sectors; };

void block_register(struct block_dev *d);      /* block.c keeps the list; takes frames for the commands */
struct block_dev *block_find(const char *name);
struct list *block_devices(void);
void block_submit(struct block_req *r);
void block_complete(struct block_req *r, int err); /* drivers only, never from inside start() */
/* the same from anywhere: done() is called by block_poll() */
void block_complete_later(struct block_req *r, int err);
/* completes what needs no interrupt (RAM disks, refused requests) */
void block_poll(void);
/* Owners that block_poll() has something to do for now, to complete or to start what waited: a piece that
 * ended outside an interrupt. */
u64 block_deferred(void);
bool block_idle(void);                         /* nothing queued or in flight anywhere */
/* Drops r if nothing of it was handed to the driver: true if it will not complete. */
bool block_cancel(struct block_req *r);

/* What an owner is given of all devices' time (1 to 10000, 100 at first), and what it may use; 0:
 * no limit. */
void block_share(u32 owner, u32 weight, u32 iops, u64 bps);
/* Others have used the device within BLOCK_RECENT_NS, and would wait for what is long. */
bool block_contended(const struct block_dev *d, u32 owner);
/*
 * An owner that is reset or stopped has to get done what it has under way: its limits do not hold until
 * it begins anew.
 */
void block_free(u32 owner, bool on);
/* Frames are short: swap writes go as soon as demands do. */
void block_hurry(bool on);
/*
 * on: the host has just looked at its disks, and does not until it says so again (interrupts are off
 * for longer work). A command whose end is found then may have ended at any time since: nobody is
 * charged for more than such commands take, because others' work kept the host away. At first the host
 * looks all the time.
 */
void block_away(bool on);
/* When block_poll() has something to start that now waits for its owner's limit, ns; 0: nothing does. */
u64 block_due_ns(void);

/* Bytes left in the segment at *at, whose address goes to *addr; 0 at the end. Steps over what is used up. */
u32 block_piece(const struct block_req *r, struct block_at *at, u64 *addr);

/* ramdisk.c: a device over memory (a GRUB module). */
struct block_dev *ramdisk_create(struct block_dev *d, const char *name, hpa_t start, u64 bytes);

#endif

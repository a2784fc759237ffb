/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * block.h - one face for every disk the host has, and for RAM disks.
 *
 * A request is queued by block_submit() and completes later, always from an interrupt
 * window or block_poll(), never from inside block_submit(). done() may submit again.
 * Addresses are host-physical; every segment is a multiple of 512 bytes, even-addressed, and may be of any
 * length (drivers split what their hardware can't take). Sectors are 512 bytes.
 * Errors: E_IO after the driver's own retries; E_RANGE for sectors outside the device; E_NOTSUP for a write to a
 * read-only one; E_INVAL for segments that do not add up.
 *
 * Order: requests start in the order of submission. One that overlaps another on the hardware, where either
 * writes, waits for it (and all behind it wait too); a FLUSH has the device to itself. So a later request sees what an
 * earlier one wrote, at any depth. Requests that do not overlap may complete in any order.
 */
#ifndef DRIVERS_BLOCK_H
#define DRIVERS_BLOCK_H

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

struct block_seg { hpa_t addr; u32 len; };

struct block_req {
	struct list link;  /* block.c's, until done() */
	struct block_dev *dev;
	u8 op;             /* enum block_op */
	u64 sector;
	u32 nsectors;      /* sum of the segments / 512 */
	const struct block_seg *segs;
	u32 nsegs;
	int err;
	void (*done)(struct block_req *r); /* r->err is 0 or a negative error */
	void *ctx;
};

struct block_dev;
struct block_ops {
	/* Starts r on the hardware; the driver calls block_complete() when it is done. Called with at most `depth` in flight. */
	void (*start)(struct block_dev *d, struct block_req *r);
};

/* polled: commands whose end a driver's tick saw before an interrupt came: nearly all means that there are none. */
struct block_stats { u64 reads, writes, flushes, sectors_read, sectors_written, errors, busy_ns, polled; };

struct block_dev {
	struct list link;
	char name[16];     /* "hd0", "nvme0", "ram:web" */
	u64 sectors;
	u32 depth;         /* requests the driver takes at once */
	u32 max_sectors;   /* a request longer than this is refused with E_RANGE */
	bool read_only;
	const struct block_ops *ops;
	void *priv;
	struct list queue; /* waiting */
	struct list active; /* on the hardware: in_flight of them */
	u32 in_flight;
	u64 busy_since_ns; /* while in_flight > 0 */
	struct block_stats stats;
};

/* A run of sectors of one device: a partition, a whole disk, a module. */
struct block_extent { struct block_dev *dev; u64 first, sectors; };

void block_register(struct block_dev *d);      /* block.c keeps the list */
struct block_dev *block_find(const char *name);
struct list *block_devices(void);
void block_submit(struct block_req *r);
void block_complete(struct block_req *r, int err); /* drivers only, never from inside start() */
void block_complete_later(struct block_req *r, int err); /* the same from anywhere: done() is called by block_poll() */
void block_poll(void);                         /* completes what needs no interrupt (RAM disks, refused requests) */
bool block_idle(void);                         /* nothing queued or in flight anywhere */
/* Drops r if it still waits in the queue: true if it will not complete. */
bool block_cancel(struct block_req *r);

/* ramdisk.c: a device over memory (a GRUB module). */
struct block_dev *ramdisk_create(struct block_dev *d, const char *name, hpa_t start, u64 bytes);

#endif

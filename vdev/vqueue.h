/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vqueue.h - a split virtqueue as the device sees it. Its three areas are pinned from the first
 * use until vqueue_disable(). Everything in them is hostile: whatever breaks the rules sets
 * `broken` to the reason, and the queue gives nothing more.
 * Source: Virtual I/O Device (VIRTIO) 1.2, "Split Virtqueues".
 */
#ifndef VDEV_VQUEUE_H
#define VDEV_VQUEUE_H

#include "vdev/ports.h"

#define VQUEUE_MAX 64

/* One of the three areas: at most VQUEUE_MAX * 16 bytes, so at most two pages. */
struct vqueue_area {
	u64 gpa;
	u32 len, first;      /* bytes; those of them in the first page */
	u8 *page[2];
	bool writable;
};

struct vqueue {
	struct vm *vm;
	u16 size;            /* a power of two, <= VQUEUE_MAX */
	u16 avail_next;      /* index of the next available entry to look at */
	u16 used_next;
	bool enabled;        /* the driver's queue_enable */
	bool pinned;
	bool event_idx, indirect; /* as negotiated */
	const char *broken;
	struct vqueue_area desc, driver, device;
};

/* A descriptor chain: what the device may read, then what it may write. Empty buffers are left out. */
struct vqueue_chain {
	u16 head;
	u16 nout, nin;
	u64 out_len, in_len; /* bytes */
	struct guest_seg_io seg[VQUEUE_MAX]; /* nout, then nin of them */
};

void vqueue_reset(struct vqueue *q, struct vm *vm);
/* Lets go of the pages. */
void vqueue_disable(struct vqueue *q);

/*
 * The next available chain. E_NOENT: none (the driver will notify when there is). E_AGAIN or E_NOMEM: a page
 * is missing, try again later. E_INVAL: broken.
 */
int vqueue_pop(struct vqueue *q, struct vqueue_chain *c) MUST_CHECK;
/* Undoes the last pop. */
void vqueue_unpop(struct vqueue *q);
/* Returns a chain to the driver; true: the driver wants an interrupt. */
bool vqueue_push(struct vqueue *q, u16 head, u32 written) MUST_CHECK;

#endif

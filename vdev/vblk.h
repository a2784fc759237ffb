/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vblk.h - a virtio 1.x block device: 1AF4:1042, modern only, every structure in one I/O BAR,
 * interrupts by INTA. Requests go to guest_io_submit(); at most VBLK_SLOTS are in flight.
 *
 * A reset by the driver with requests in flight is finished when they are done; until then
 * device_status does not read 0 and nothing else is accepted.
 * Source: Virtual I/O Device (VIRTIO) 1.2, "Virtio Over PCI Bus", "Block Device".
 */
#ifndef VDEV_VBLK_H
#define VDEV_VBLK_H

#include "vdev/ports.h"
#include "vdev/vqueue.h"

struct vboard;
struct vblk;

#define VBLK_SLOTS 16
#define VBLK_ID_BYTES 20

/* Layout of the I/O BAR. */
#define VBLK_BAR_SIZE 0x100
#define VBLK_COMMON 0x00
#define VBLK_COMMON_LEN 0x38
#define VBLK_NOTIFY 0x40
#define VBLK_NOTIFY_LEN 4
#define VBLK_ISR 0x44
#define VBLK_ISR_LEN 4
#define VBLK_CONFIG 0x80
#define VBLK_CONFIG_LEN 0x3c

struct vblk_req {
	struct guest_io io;
	struct vblk *disk;
	bool busy;
	u16 head;
	u32 in_len;          /* bytes the device may write, status included */
	u64 status_gpa;
	u8 *status;          /* pinned */
};

struct vblk {
	struct vboard *board;
	u8 index, slot;      /* of the disk; of the PCI device */
	bool read_only;
	u64 sectors;
	char serial[VBLK_ID_BYTES];

	u8 status, isr;
	u8 resetting;        /* waits for inflight == 0 */
	bool more;           /* the queue was not empty when it was last looked at */
	bool processing;     /* vblk_process() is on the stack */
	bool waiting;        /* for a page or its turn: vblk_retry() */
	u8 batch;            /* requests it may still take before vblk_notified() */
	bool complained;     /* one log line a guest is enough */
	u32 feature_select, driver_select;
	u64 driver_features;
	u16 queue_select;
	u32 inflight;
	struct vqueue queue;
	struct vqueue_chain chain;   /* scratch of vblk_process() */
	struct vblk_req req[VBLK_SLOTS];
};

void vblk_init(struct vblk *d, struct vboard *board, u8 index);
/* Power-on state; nothing is in flight. */
void vblk_reset(struct vblk *d);
/* The I/O BAR. */
u32 vblk_in(struct vblk *d, u16 offset, u8 size);
void vblk_out(struct vblk *d, u16 offset, u8 size, u32 value);
void vblk_retry(struct vblk *d);

/* vblk_req.c, for vblk.c: takes requests off the queue while there are slots for them. */
void vblk_process(struct vblk *d);
/* The guest, or the main loop, asked for it: the next batch. */
void vblk_notified(struct vblk *d);
/* vblk.c, for vblk_req.c */
void vblk_interrupt(struct vblk *d, u8 isr_bit);
void vblk_needs_reset(struct vblk *d, const char *why);
void vblk_drained(struct vblk *d);

#define VBLK_ISR_QUEUE 1
#define VBLK_ISR_CONFIG 2
#define VBLK_S_DRIVER_OK 4
#define VBLK_S_FEATURES_OK 8
#define VBLK_S_NEEDS_RESET 0x40
/* Requests taken off the queue before the main loop has a say: a ring that overlaps what requests write
 * can refill itself for ever. */
#define VBLK_BATCH 32
/* A go takes no further request off the queue after so long: 25,000 instructions at 500 million a second. A
 * chain of 64 descriptors in an indirect table takes some 20,000 instructions to read. */
#define VBLK_GO_NS 50000u
#define VBLK_MAX_DISCARD_SECTORS 65536u /* 32 MiB: bounds the work of one request */

#endif

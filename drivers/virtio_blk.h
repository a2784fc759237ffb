/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio_blk.h - the host's virtio block devices on PCI, modern interface: "vd0", "vd1", ... (What guests see
 * is vdev/vblk.c.) Source: Virtual I/O Device (VIRTIO) 1.2, "Virtio Over PCI Bus", "Split Virtqueues", "Block
 * Device".
 */
#ifndef DRIVERS_VIRTIO_BLK_H
#define DRIVERS_VIRTIO_BLK_H

#include "drivers/slots.h"

#define VIRTIO_BLK_VENDOR 0x1af4
#define VIRTIO_BLK_DEVICE 0x1042
#define VIRTIO_BLK_TRANSITIONAL 0x1001 /* used if it has the modern interface too */

struct pci_dev;

/* Starts a device and registers its disk. Returns 1 or 0. Waits (polled) while it looks. */
u32 virtio_blk_probe(const struct pci_dev *pci);
/* Lost interrupts, timeouts, the end of a reset. Completes with block_complete_later(). */
void virtio_blk_tick(u64 now_ns);

#define VIRTIO_QUEUE_MAX 256u
#define VIRTIO_CHAIN_MAX 32u /* descriptors of one command: header, data, status */

struct virtio_desc { u64 addr; u32 len; u16 flags, next; };
struct virtio_used { u32 id, len; };
struct virtio_blk_header { u32 type, reserved; u64 sector; };
_Static_assert(sizeof(struct virtio_desc) == 16 && sizeof(struct virtio_used) == 8, "device's format");
_Static_assert(sizeof(struct virtio_blk_header) == 16, "device's format");

/* What the device reads and writes. The queue is split evenly: slot i has descriptors i * chain and on. */
struct virtio_memory {
	struct virtio_desc desc[VIRTIO_QUEUE_MAX];
	struct { u16 flags, idx, ring[VIRTIO_QUEUE_MAX]; } avail;
	struct {
		u16 flags, idx;
		struct virtio_used ring[VIRTIO_QUEUE_MAX];
	} used __attribute__((aligned(8)));
	struct virtio_blk_header header[SLOTS_MAX] __attribute__((aligned(16)));
	u8 status[SLOTS_MAX];
};

/*
 * The chain of slot i, chain descriptors long at most, for what s has to do next; sets s->next and
 * s->sectors. No data descriptor is longer than size_max. base: physical address of m.
 */
void virtio_blk_chain(struct virtio_memory *m, u32 i, u32 chain, u32 size_max, struct slot *s, u64 base);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vpci.h - the guest's PCI bus 0, configuration mechanism 1: a host bridge at 00:00.0 and the
 * virtio disks from 00:01.0 on, one I/O BAR each, decoded at wherever the guest put it.
 * Source: PCI Local Bus Specification 3.0, "Configuration Space"; VIRTIO 1.2, "Virtio Over PCI Bus".
 */
#ifndef VDEV_VPCI_H
#define VDEV_VPCI_H

#include "kernel/lib/types.h"
#include "vdev/vboard.h"

#define VPCI_SLOTS (1 + VBOARD_MAX_DISKS)
#define VPCI_ADDRESS 0xcf8
#define VPCI_DATA 0xcfc
#define VPCI_BAR_FIRST 0xc000 /* where "firmware" puts the first disk's BAR */

struct vpci_function {
	bool present;
	bool intx;            /* the device asks for an interrupt */
	u8 config[256];
};

struct vpci {
	struct vboard *board;
	u32 address;          /* CF8h */
	struct vpci_function slot[VPCI_SLOTS];
};

void vpci_init(struct vpci *p, struct vboard *board, u32 ndisks);
void vpci_reset(struct vpci *p);
u32 vpci_in(struct vboard *b, u16 port, u8 size);
void vpci_out(struct vboard *b, u16 port, u8 size, u32 value);
/* The disk whose BAR decodes [port, port + size) and the offset in it; NULL: none. */
struct vblk *vpci_find_io(struct vpci *p, u16 port, u8 size, u16 *offset);
/* A device's interrupt condition changed. */
void vpci_intx(struct vpci *p, u8 slot, bool level);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * board.h - what a struct vboard is made of: for the files of vdev/ and their tests only.
 * Devices raise their lines through the three calls below; who listens is vboard.c's business.
 */
#ifndef VDEV_BOARD_H
#define VDEV_BOARD_H

#include "vdev/vacpi.h"
#include "vdev/vblk.h"
#include "vdev/vboard.h"
#include "vdev/vioapic.h"
#include "vdev/vlapic.h"
#include "vdev/vpci.h"
#include "vdev/vpic.h"
#include "vdev/vpit.h"
#include "vdev/vpm.h"
#include "vdev/vrtc.h"
#include "vdev/vuart.h"

struct vboard {
	struct vboard_config config;
	struct vlapic lapic;
	struct vioapic ioapic;
	struct vpic pic;
	struct vpit pit;
	struct vrtc rtc;
	struct vpm pm;
	struct vuart uart;
	struct vpci pci;
	struct vblk disk[VBOARD_MAX_DISKS];
	u8 first_disk; /* the one that vboard_retry() begins with; the next time it is the next one */
	/* TSC: when vboard_retry() began, since all disks share VBLK_GO_NS then; 0: it is not on the stack */
	u64 go_since;
	u8 acpi_image[VACPI_BYTES]; /* scratch of vboard_acpi() */
};

/* The line of an ISA interrupt (0: the 8254) or of PCI device `slot`'s INTA changed. */
void vboard_isa_irq(struct vboard *b, u8 irq, bool level);
void vboard_pci_irq(struct vboard *b, u8 slot, bool level);
/* The local APIC ended a level-triggered interrupt: tell the I/O APIC. */
void vboard_eoi_broadcast(struct vboard *b, u8 vector);

/* How INTA of PCI device `slot` is routed: I/O APIC pin, and 8259 line for guests without ACPI. */
u8 vboard_pci_gsi(u8 slot);
u8 vboard_pci_isa(u8 slot);

#endif

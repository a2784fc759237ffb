/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ahci.h - SATA disks behind an AHCI host bus adapter: "sd0", "sd1", ... in the order of adapters and ports,
 * by native command queuing where both sides have it. ATAPI devices and port multipliers are ignored.
 * Sources: Serial ATA AHCI 1.3.1; ATA8-ACS; Serial ATA 3.0, "Native command queuing".
 */
#ifndef DRIVERS_AHCI_H
#define DRIVERS_AHCI_H

#include "drivers/slots.h"

struct pci_dev;

/* Identifies an adapter's disks and registers them. Returns their number. Waits (polled) while it looks. */
u32 ahci_probe(const struct pci_dev *pci);
/* Lost interrupts, timeouts, the steps of a reset. Completes with block_complete_later(). */
void ahci_tick(u64 now_ns);

#define AHCI_PRDS 56 /* a command table is 1 KiB then */
#define AHCI_PRD_MAX (4u << 20)

struct ahci_header { u16 flags, prdtl; u32 prdbc, ctba, ctbau, reserved[4]; };
struct ahci_prd { u32 dba, dbau, reserved, dbc; /* bytes - 1 */ };
struct ahci_table { u8 cfis[64], acmd[16], reserved[48]; struct ahci_prd prd[AHCI_PRDS]; };
_Static_assert(sizeof(struct ahci_header) == 32, "hardware format");
_Static_assert(sizeof(struct ahci_table) == 1024, "hardware format, aligned to 128");

/* What the adapter reads and writes for one port. */
struct ahci_memory {
	struct ahci_header header[SLOTS_MAX];
	u8 fis[256];
	struct ahci_table table[SLOTS_MAX];
	u16 identify[256];
};
_Static_assert(offsetof(struct ahci_memory, fis) == 1024, "aligned to 256");
_Static_assert(offsetof(struct ahci_memory, table) % 128 == 0, "aligned to 128");

/* Command i for what s has to do next; sets s->next and s->sectors. table: physical address
 * of m->table[i]. */
void ahci_command(struct ahci_memory *m, u32 i, struct slot *s, bool ncq, u64 table);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nvme.h - NVMe controllers on PCI: "nvme0", "nvme1", ... the first namespace of each, by one pair of queues.
 * Sources: NVM Express Base Specification 1.4; NVM Express over PCIe (the same document).
 */
#ifndef DRIVERS_NVME_H
#define DRIVERS_NVME_H

#include "drivers/slots.h"

struct pci_dev;

/* Starts a controller and registers its disk. Returns 1 or 0. Waits (polled) while it looks. */
u32 nvme_probe(const struct pci_dev *pci);
/* Lost interrupts, timeouts, the steps of a reset. Completes with block_complete_later(). */
void nvme_tick(u64 now_ns);

struct nvme_command {
	u8 opcode, flags;
	u16 cid;
	u32 nsid, reserved[4];
	u64 prp[2];
	u32 cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
struct nvme_completion { u32 result, reserved; u16 sq_head, sq_id, cid, status; /* bit 0: phase */ };
_Static_assert(sizeof(struct nvme_command) == 64, "hardware format");
_Static_assert(sizeof(struct nvme_completion) == 16, "hardware format");

#define NVME_PRPS 64 /* of a command's list; its first page is in the command itself */

/*
 * The addresses of the longest part of r from *at on, max bytes at most, that one command can describe: only
 * the first piece may begin and only the last one end inside a page. list[NVME_PRPS] lies at list_hpa.
 * Returns the bytes and advances *at by them; 0: the piece at *at is not aligned to 4.
 */
u32 nvme_prps(const struct block_req *r, struct block_at *at, u32 max, u64 prp[2], u64 *list, u64 list_hpa);

#endif

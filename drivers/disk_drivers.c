/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * disk_drivers.c - which driver is for which PCI function. Pure but for what the drivers do.
 */
#include "drivers/disk_drivers.h"
#include "drivers/ahci.h"
#include "drivers/ide.h"
#include "drivers/nvme.h"
#include "drivers/pci.h"
#include "drivers/virtio_blk.h"

#define ANY 0xffffu /* of vendor: decided by class */
#define MASS_STORAGE 0x01

/* Source of classes: PCI Code and ID Assignment Specification, "Base Class 01h". */
static const struct {
	u16 vendor, device;
	u8 class, subclass;
	u32 (*probe)(const struct pci_dev *pci); /* number of disks */
} drivers[] = {
	{ ANY, ANY, MASS_STORAGE, 0x01, ide_probe },
	{ ANY, ANY, MASS_STORAGE, 0x06, ahci_probe },
	{ ANY, ANY, MASS_STORAGE, 0x08, nvme_probe },
	{ VIRTIO_BLK_VENDOR, VIRTIO_BLK_DEVICE, 0, 0, virtio_blk_probe },
	{ VIRTIO_BLK_VENDOR, VIRTIO_BLK_TRANSITIONAL, 0, 0, virtio_blk_probe },
};

static void (*const ticks[])(u64 now_ns) = { ide_tick, ahci_tick, nvme_tick, virtio_blk_tick };

u32 disk_drivers_init(void)
{
	u32 found = 0;

	for (u32 i = 0; i < pci_count(); i++) {
		const struct pci_dev *pci = pci_get(i);

		for (u32 k = 0; k < ARRAY_SIZE(drivers); k++)
			if (drivers[k].vendor == ANY ?
				    drivers[k].class == pci->class && drivers[k].subclass == pci->subclass :
				    drivers[k].vendor == pci->vendor && drivers[k].device == pci->device)
				found += drivers[k].probe(pci);
	}
	return found;
}

void disk_drivers_tick(u64 now_ns)
{
	static u64 last_ns;

	if (now_ns - last_ns < DISK_DRIVERS_TICK_NS)
		return;
	last_ns = now_ns;
	for (u32 i = 0; i < ARRAY_SIZE(ticks); i++)
		ticks[i](now_ns);
}

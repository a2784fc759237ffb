/* SPDX-License-Identifier: GPL-2.0-only */
/* disk.c - the first virtio disk (modern, over PCI, its registers in an I/O BAR); see rt.h. */
#include "rt.h"

#define CAP_VENDOR 9
#define F_NEXT 1
#define F_WRITE 2
#define F_INDIRECT 4
#define FEATURE_INDIRECT (1ull << 28)
#define FEATURE_VERSION_1 (1ull << 32)
#define FIRST_GSI 15 /* of slot 0 */
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };
/* of the common configuration */
enum {
	DFSELECT = 0,
	DF = 4,
	GFSELECT = 8,
	GF = 12,
	STATUS = 0x14,
	QSELECT = 0x16,
	QSIZE = 0x18,
	QENABLE = 0x1c,
	QDESC = 0x20,
	QDRIVER = 0x28,
	QDEVICE = 0x30
};

struct desc disk_desc[QUEUE] __attribute__((aligned(4096)));
struct avail disk_avail __attribute__((aligned(4096)));
struct used disk_used __attribute__((aligned(4096)));
u16 disk_bar;
u64 disk_sectors;
u8 disk_status[QUEUE];

static struct header header[QUEUE];
static struct { u64 sector; u32 sectors, flags; } range[QUEUE];
static struct desc table[QUEUE][SEGMENTS + 3] __attribute__((aligned(4096)));
static u16 common, notify, isr, config; /* offsets in the BAR */
static u16 used_seen;

static u32 pci_read(u32 slot, u32 reg)
{
	out32(0xcf8, 0x80000000u | slot << 11 | reg);
	return in32(0xcfc);
}

bool disk_find(void)
{
	u32 slot, cap;

	for (slot = 1; pci_read(slot, 0) != 0x10421af4; slot++)
		if (slot == 31)
			return false;
	out32(0xcf8, 0x80000000u | slot << 11 | 4);
	out16(0xcfc, 7); /* I/O, memory, bus master */
	disk_bar = pci_read(slot, 0x10) & 0xfffc;
	for (cap = pci_read(slot, 0x34) & 0xfc; cap; cap = pci_read(slot, cap) >> 8 & 0xfc) {
		u32 head = pci_read(slot, cap), offset = pci_read(slot, cap + 8);

		if ((head & 0xff) != CAP_VENDOR)
			continue;
		switch (head >> 24) {
		case 1: common = (u16)(disk_bar + offset); break;
		case 2: notify = (u16)(disk_bar + offset); break;
		case 3: isr = (u16)(disk_bar + offset); break;
		case 4: config = (u16)(disk_bar + offset); break;
		}
	}
	disk_sectors = in32(config) | (u64)in32(config + 4) << 32;
	route_irq(FIRST_GSI + slot, DISK_VECTOR);
	return true;
}

void disk_reset(void)
{
	out8(common + STATUS, 0);
	for (u32 i = 0; i < 10000000 && in8(common + STATUS); i++)
		;
}

static void write64(u16 at, u64 v)
{
	out32(at, (u32)v);
	out32(at + 4, (u32)(v >> 32));
}

void disk_start(u64 features, u16 size, u64 desc, u64 avail, u64 used)
{
	disk_reset();
	out8(common + STATUS, ACKNOWLEDGE | DRIVER);
	for (u32 i = 0; i < 2; i++) {
		out32(common + GFSELECT, i);
		out32(common + GF, (u32)(features >> 32 * i));
	}
	out8(common + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
	out16(common + QSELECT, 0);
	out16(common + QSIZE, size);
	write64(common + QDESC, desc);
	write64(common + QDRIVER, avail);
	write64(common + QDEVICE, used);
	out16(common + QENABLE, 1);
	out8(common + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

static void take_irq(u8 vector)
{
	if (vector == DISK_VECTOR)
		(void)in8(isr);
}

bool disk_init(void)
{
	if (!disk_find()) {
		say("WRONG: there is no disk");
		return false;
	}
	disk_reset();
	memset(&disk_avail, 0, sizeof(disk_avail));
	memset(&disk_used, 0, sizeof(disk_used));
	used_seen = 0;
	irq_hook = take_irq;
	disk_start(FEATURE_VERSION_1 | FEATURE_INDIRECT, QUEUE, (u64)disk_desc, (u64)&disk_avail,
		   (u64)&disk_used);
	return true;
}

static struct desc *add(struct desc *d, u64 addr, u64 bytes, u16 flags, struct desc *first)
{
	*d = (struct desc){ addr, (u32)bytes, flags | F_NEXT, (u16)(d - first + 1) };
	return d + 1;
}

void disk_put(u32 slot, u32 type, u64 sector, u64 data, u64 bytes)
{
	struct desc *d = table[slot], *first = d;

	header[slot] = (struct header){ type, 0, sector };
	d = add(d, (u64)&header[slot], sizeof(header[slot]), 0, first);
	if (type == T_DISCARD || type == T_WRITE_ZEROES) {
		range[slot].sector = sector;
		range[slot].sectors = (u32)(bytes / 512);
		header[slot].sector = 0;
		d = add(d, (u64)&range[slot], sizeof(range[slot]), 0, first);
		bytes = 0;
	}
	for (; bytes; bytes -= bytes < SEGMENT ? bytes : SEGMENT, data += SEGMENT)
		d = add(d, data, bytes < SEGMENT ? bytes : SEGMENT, type == T_IN ? F_WRITE : 0, first);
	disk_status[slot] = 0xff;
	*d = (struct desc){ (u64)&disk_status[slot], 1, F_WRITE, 0 };
	disk_desc[slot] = (struct desc){ (u64)first, (u32)((d - first + 1) * 16), F_INDIRECT, 0 };
	disk_avail.ring[disk_avail.idx % QUEUE] = (u16)slot;
	asm volatile("" : : : "memory");
	disk_avail.idx++;
}

void disk_kick(void)
{
	asm volatile("mfence" : : : "memory");
	out16(notify, 0);
}

int disk_done(void)
{
	asm volatile("" : : : "memory");
	if (*(volatile u16 *)&disk_used.idx == used_seen)
		return -1;
	return (int)(disk_used.ring[used_seen++ % QUEUE].id % QUEUE);
}

u8 disk_do(u32 type, u64 sector, u64 data, u64 bytes)
{
	disk_put(0, type, sector, data, bytes);
	disk_kick();
	while (disk_done() < 0)
		halt();
	return disk_status[0];
}

u64 disk_room(u64 bytes)
{
	return below((disk_sectors - bytes / 512) / 8) * 8;
}

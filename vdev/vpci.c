/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vpci.c - the guest's PCI bus 0.
 */
#include "vdev/vpci.h"

#include "kernel/lib/lib.h"
#include "vdev/board.h"

enum {
	VENDOR_ID = 0x00, DEVICE_ID = 0x02, COMMAND = 0x04, STATUS = 0x06, REVISION = 0x08, CLASS = 0x09,
	CACHE_LINE = 0x0c, BAR0 = 0x10, SUBSYSTEM_VENDOR = 0x2c, SUBSYSTEM = 0x2e, CAPABILITIES = 0x34,
	INTERRUPT_LINE = 0x3c, INTERRUPT_PIN = 0x3d,
};

#define ADDRESS_ENABLE BIT(31)
#define ADDRESS_WRITABLE 0x80fffffcu
#define COMMAND_IO BIT(0)
#define COMMAND_WRITABLE 0x0507u /* I/O, memory, bus master, SERR#, interrupt disable */
#define COMMAND_INTX_OFF BIT(10)
#define STATUS_INTERRUPT BIT(3)
#define STATUS_CAPABILITIES BIT(4)
#define BAR_IO 1u

/* The virtio capabilities, one after the other. */
enum {
	CAP_COMMON = 0x40,
	CAP_NOTIFY = 0x50,
	CAP_ISR = 0x64,
	CAP_DEVICE = 0x74,
	CAP_PCI = 0x84,
	CAP_END = 0x98
};
enum { CFG_COMMON = 1, CFG_NOTIFY, CFG_ISR, CFG_DEVICE, CFG_PCI };
/* Inside the last one: a window through which configuration accesses reach the BAR. */
enum { WINDOW_BAR = CAP_PCI + 4, WINDOW_OFFSET = CAP_PCI + 8, WINDOW_LENGTH = CAP_PCI + 12,
       WINDOW_DATA = CAP_PCI + 16 };

static u32 get(const struct vpci_function *f, u32 offset, u32 size)
{
	u32 v = 0;

	memcpy(&v, f->config + offset, size);
	return v;
}

static void put(struct vpci_function *f, u32 offset, u32 size, u32 value)
{
	memcpy(f->config + offset, &value, size);
}

static void put_cap(struct vpci_function *f, u32 at, u8 next, u8 len, u8 type, u32 offset, u32 bytes)
{
	put(f, at, 4, 0x09u | (u32)next << 8 | (u32)len << 16 | (u32)type << 24);
	put(f, at + 8, 4, offset);
	put(f, at + 12, 4, bytes);
}

static void reset_disk(struct vpci_function *f, u8 slot)
{
	put(f, VENDOR_ID, 2, 0x1af4);
	put(f, DEVICE_ID, 2, 0x1042);
	put(f, COMMAND, 2, COMMAND_IO);
	put(f, STATUS, 2, STATUS_CAPABILITIES);
	put(f, REVISION, 1, 1);
	put(f, CLASS, 3, 0x010000); /* mass storage, SCSI: what virtio-blk says */
	put(f, BAR0, 4, (VPCI_BAR_FIRST + (slot - 1u) * VBLK_BAR_SIZE) | BAR_IO);
	put(f, SUBSYSTEM_VENDOR, 2, 0x1af4);
	put(f, SUBSYSTEM, 2, 0x1042);
	put(f, CAPABILITIES, 1, CAP_COMMON);
	put(f, INTERRUPT_LINE, 1, vboard_pci_isa(slot));
	put(f, INTERRUPT_PIN, 1, 1);
	put_cap(f, CAP_COMMON, CAP_NOTIFY, 16, CFG_COMMON, VBLK_COMMON, VBLK_COMMON_LEN);
	put_cap(f, CAP_NOTIFY, CAP_ISR, 20, CFG_NOTIFY, VBLK_NOTIFY, VBLK_NOTIFY_LEN);
	put_cap(f, CAP_ISR, CAP_DEVICE, 16, CFG_ISR, VBLK_ISR, VBLK_ISR_LEN);
	put_cap(f, CAP_DEVICE, CAP_PCI, 16, CFG_DEVICE, VBLK_CONFIG, VBLK_CONFIG_LEN);
	put_cap(f, CAP_PCI, 0, 20, CFG_PCI, 0, 0);
}

void vpci_init(struct vpci *p, struct vboard *board, u32 ndisks)
{
	p->board = board;
	for (u32 i = 0; i < VPCI_SLOTS; i++)
		p->slot[i].present = i <= ndisks;
	vpci_reset(p);
}

void vpci_reset(struct vpci *p)
{
	struct vpci_function *bridge = &p->slot[0];

	p->address = 0;
	for (u8 i = 0; i < VPCI_SLOTS; i++) {
		memset(p->slot[i].config, 0, sizeof(p->slot[i].config));
		p->slot[i].intx = false;
		if (i)
			reset_disk(&p->slot[i], i);
	}
	/* A plain host bridge, of a kind that calls for no chipset quirks. */
	put(bridge, VENDOR_ID, 2, 0x1b36);
	put(bridge, DEVICE_ID, 2, 0x0008);
	put(bridge, CLASS, 3, 0x060000);
	put(bridge, SUBSYSTEM_VENDOR, 2, 0x1af4);
	put(bridge, SUBSYSTEM, 2, 0x1100);
}

static void update_intx(struct vpci *p, u8 slot)
{
	struct vpci_function *f = &p->slot[slot];
	u32 status = get(f, STATUS, 2) & ~STATUS_INTERRUPT;

	put(f, STATUS, 2, status | (f->intx ? STATUS_INTERRUPT : 0));
	vboard_pci_irq(p->board, slot, f->intx && !(get(f, COMMAND, 2) & COMMAND_INTX_OFF));
}

void vpci_intx(struct vpci *p, u8 slot, bool level)
{
	if (p->slot[slot].intx == level)
		return;
	p->slot[slot].intx = level;
	update_intx(p, slot);
}

struct vblk *vpci_find_io(struct vpci *p, u16 port, u8 size, u16 *offset)
{
	for (u32 i = 1; i < VPCI_SLOTS; i++) {
		struct vpci_function *f = &p->slot[i];
		u32 base = get(f, BAR0, 4) & ~3u;

		if (!f->present || !(get(f, COMMAND, 2) & COMMAND_IO))
			continue;
		if (port >= base && port + size <= base + VBLK_BAR_SIZE) {
			*offset = (u16)(port - base);
			return &p->board->disk[i - 1];
		}
	}
	return NULL;
}

/* The window of the PCI configuration access capability: what and where, if it is sane. */
static bool window(const struct vpci_function *f, u16 *offset, u8 *size)
{
	u32 at = get(f, WINDOW_OFFSET, 4), len = get(f, WINDOW_LENGTH, 4);

	if (get(f, WINDOW_BAR, 1) != 0 || (len != 1 && len != 2 && len != 4))
		return false;
	if (at >= VBLK_BAR_SIZE || at % len)
		return false;
	*offset = (u16)at;
	*size = (u8)len;
	return true;
}

static u32 config_read(struct vpci *p, u8 slot, u32 at, u8 size)
{
	struct vpci_function *f = &p->slot[slot];
	u16 offset;
	u8 len;

	if (slot && at == WINDOW_DATA && window(f, &offset, &len) && len == size)
		return vblk_in(&p->board->disk[slot - 1], offset, len);
	return get(f, at, size);
}

/* Which bits of the byte at this offset a guest may write. */
static u8 writable(u8 slot, u32 at)
{
	if (at == COMMAND)
		return COMMAND_WRITABLE & 0xff;
	if (at == COMMAND + 1)
		return COMMAND_WRITABLE >> 8;
	if (at == CACHE_LINE || at == CACHE_LINE + 1 || at == INTERRUPT_LINE)
		return 0xff;
	if (!slot)
		return 0;
	/* BAR0: the size is VBLK_BAR_SIZE; I/O space has 16 address lines. */
	if (at == BAR0 + 1)
		return 0xff;
	if (at == WINDOW_BAR || (at >= WINDOW_OFFSET && at < CAP_END))
		return 0xff;
	return 0;
}

static void config_write(struct vpci *p, u8 slot, u32 at, u8 size, u32 value)
{
	struct vpci_function *f = &p->slot[slot];
	u16 offset;
	u8 len;

	for (u32 i = 0; i < size; i++) {
		u8 mask = writable(slot, at + i), byte = (u8)(value >> 8 * i);

		f->config[at + i] = (f->config[at + i] & (u8)~mask) | (byte & mask);
	}
	if (slot && at == WINDOW_DATA && window(f, &offset, &len) && len == size)
		vblk_out(&p->board->disk[slot - 1], offset, len, value);
	if (slot && at <= COMMAND + 1 && at + size > COMMAND)
		update_intx(p, slot);
}

/* The function that CF8h selects; false: nobody, reads give all ones. */
static bool selected(const struct vpci *p, u8 *slot)
{
	u32 a = p->address;

	*slot = a >> 11 & 31;
	return (a & ADDRESS_ENABLE) && !(a >> 16 & 0xff) && !(a >> 8 & 7) && *slot < VPCI_SLOTS &&
	       p->slot[*slot].present;
}

u32 vpci_in(struct vboard *b, u16 port, u8 size)
{
	struct vpci *p = &b->pci;
	u8 slot;

	if (port == VPCI_ADDRESS && size == 4)
		return p->address;
	if (port == VPM_RESET && size == 1)
		return vpm_in_cf9(b);
	if (port < VPCI_DATA || !selected(p, &slot) || (port & 3) + size > 4)
		return 0xffffffff;
	return config_read(p, slot, (p->address & 0xfc) + (port & 3), size);
}

void vpci_out(struct vboard *b, u16 port, u8 size, u32 value)
{
	struct vpci *p = &b->pci;
	u8 slot;

	/* Only a whole double word is the address register: bytes there are other devices'. */
	if (port == VPCI_ADDRESS && size == 4)
		p->address = value & ADDRESS_WRITABLE;
	else if (port == VPM_RESET && size == 1)
		vpm_out_cf9(b, (u8)value);
	else if (port >= VPCI_DATA && selected(p, &slot) && (port & 3) + size <= 4)
		config_write(p, slot, (p->address & 0xfc) + (port & 3), size, value);
}

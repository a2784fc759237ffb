/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vblk.c - virtio block device: its registers. Requests are in vblk_req.c.
 */
#include "vdev/vblk.h"

#include "kernel/lib/lib.h"
#include "vdev/board.h"

#define F_SIZE_MAX BIT64(1)
#define F_SEG_MAX BIT64(2)
#define F_RO BIT64(5)
#define F_BLK_SIZE BIT64(6)
#define F_FLUSH BIT64(9)
#define F_TOPOLOGY BIT64(10)
#define F_DISCARD BIT64(13)
#define F_WRITE_ZEROES BIT64(14)
#define F_INDIRECT_DESC BIT64(28)
#define F_EVENT_IDX BIT64(29)
#define F_VERSION_1 BIT64(32)

#define SEG_BYTES_MAX 16384u              /* 62 of them stay below GUEST_IO_MAX_SECTORS */
#define SEG_COUNT_MAX (GUEST_IO_MAX_SEGS - 2) /* header and status take one each */
#define NO_VECTOR 0xffff

/* struct virtio_pci_common_cfg */
enum {
	DEVICE_FEATURE_SELECT = 0x00, DEVICE_FEATURE = 0x04, DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c, CONFIG_MSIX_VECTOR = 0x10, NUM_QUEUES = 0x12, DEVICE_STATUS = 0x14,
	CONFIG_GENERATION = 0x15, QUEUE_SELECT = 0x16, QUEUE_SIZE = 0x18, QUEUE_MSIX_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c, QUEUE_NOTIFY_OFF = 0x1e, QUEUE_DESC = 0x20, QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
};

/* struct virtio_blk_config up to and with write_zeroes */
struct blk_config {
	u64 capacity;
	u32 size_max, seg_max;
	u16 cylinders; u8 heads, geometry_sectors;
	u32 blk_size;
	u8 physical_block_exp, alignment_offset;
	u16 min_io_size;
	u32 opt_io_size;
	u8 writeback, unused0;
	u16 num_queues;
	u32 max_discard_sectors, max_discard_seg, discard_sector_alignment;
	u32 max_write_zeroes_sectors, max_write_zeroes_seg;
	u8 write_zeroes_may_unmap, unused1[3];
};
_Static_assert(sizeof(struct blk_config) == 0x40 && offsetof(struct blk_config, unused1) == 0x39,
	       "virtio_blk_config");

static u64 offered(const struct vblk *d)
{
	u64 f = F_SIZE_MAX | F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_INDIRECT_DESC |
		F_EVENT_IDX | F_VERSION_1;

	return f | (d->read_only ? F_RO : F_DISCARD | F_WRITE_ZEROES);
}

void vblk_init(struct vblk *d, struct vboard *board, u8 index)
{
	d->board = board;
	d->index = index;
	d->slot = index + 1;
	d->sectors = board->config.disk[index].sectors;
	d->read_only = board->config.disk[index].read_only;
	memcpy(d->serial, board->config.disk[index].serial, VBLK_ID_BYTES);
	vqueue_reset(&d->queue, board->config.vm);
	vblk_reset(d);
}

static void update_line(struct vblk *d)
{
	vpci_intx(&d->board->pci, d->slot, d->isr != 0);
}

static void finish_reset(struct vblk *d)
{
	vqueue_disable(&d->queue);
	vqueue_reset(&d->queue, d->board->config.vm);
	d->status = d->isr = d->resetting = 0;
	d->waiting = d->more = false;
	d->batch = VBLK_BATCH;
	d->feature_select = d->driver_select = 0;
	d->driver_features = 0;
	d->queue_select = 0;
	update_line(d);
}

void vblk_reset(struct vblk *d)
{
	BUG_ON(d->inflight);
	d->complained = false;
	finish_reset(d);
}

void vblk_drained(struct vblk *d)
{
	if (d->resetting)
		finish_reset(d);
}

void vblk_interrupt(struct vblk *d, u8 isr_bit)
{
	d->isr |= isr_bit;
	update_line(d);
}

void vblk_needs_reset(struct vblk *d, const char *why)
{
	if (!d->complained)
		log_warn("disk %u of a guest stopped: its driver broke the queue: %s", d->index, why);
	d->complained = true;
	if (d->status & VBLK_S_NEEDS_RESET)
		return;
	d->status |= VBLK_S_NEEDS_RESET;
	if (d->status & VBLK_S_DRIVER_OK)
		vblk_interrupt(d, VBLK_ISR_CONFIG);
}

static u32 config_read(const struct vblk *d, u16 offset, u8 size)
{
	struct blk_config c = {
		.capacity = d->sectors, .size_max = SEG_BYTES_MAX, .seg_max = SEG_COUNT_MAX,
		.blk_size = SECTOR_SIZE,
		/* 4 KiB are what moves without a read first: in logical blocks, a power of two */
		.physical_block_exp = 3, .min_io_size = SECTORS_PER_PAGE,
		.num_queues = 1,
		.max_discard_sectors = VBLK_MAX_DISCARD_SECTORS, .max_discard_seg = 1,
		.discard_sector_alignment = SECTORS_PER_PAGE,
		.max_write_zeroes_sectors = VBLK_MAX_DISCARD_SECTORS, .max_write_zeroes_seg = 1,
		.write_zeroes_may_unmap = 1,
	};
	u32 v = 0;

	if (offset + size > sizeof(c))
		return 0;
	memcpy(&v, (u8 *)&c + offset, size);
	return v;
}

static u64 *queue_address(struct vblk *d, u16 offset)
{
	switch (offset & ~7) {
	case QUEUE_DESC:
		return &d->queue.desc.gpa;
	case QUEUE_DRIVER:
		return &d->queue.driver.gpa;
	default:
		return &d->queue.device.gpa;
	}
}

static u32 queue_read(struct vblk *d, u16 offset)
{
	u64 address;

	if (d->queue_select != 0)
		return offset == QUEUE_MSIX_VECTOR ? NO_VECTOR : 0;
	switch (offset) {
	case QUEUE_SIZE:
		return d->queue.size;
	case QUEUE_MSIX_VECTOR:
		return NO_VECTOR;
	case QUEUE_ENABLE:
		return d->queue.enabled;
	case QUEUE_NOTIFY_OFF:
		return 0;
	default:
		if (offset < QUEUE_DESC || offset >= VBLK_COMMON_LEN || (offset & 3))
			return 0;
		address = *queue_address(d, offset);
		return (u32)(offset & 4 ? address >> 32 : address);
	}
}

static u32 common_read(struct vblk *d, u16 offset)
{
	switch (offset) {
	case DEVICE_FEATURE_SELECT:
		return d->feature_select;
	case DEVICE_FEATURE:
		return d->feature_select < 2 ? (u32)(offered(d) >> 32 * d->feature_select) : 0;
	case DRIVER_FEATURE_SELECT:
		return d->driver_select;
	case DRIVER_FEATURE:
		return d->driver_select < 2 ? (u32)(d->driver_features >> 32 * d->driver_select) : 0;
	case CONFIG_MSIX_VECTOR:
		return NO_VECTOR;
	case NUM_QUEUES:
		return 1;
	case DEVICE_STATUS:
		return d->status;
	case CONFIG_GENERATION:
		return 0;
	case QUEUE_SELECT:
		return d->queue_select;
	default:
		return queue_read(d, offset);
	}
}

u32 vblk_in(struct vblk *d, u16 offset, u8 size)
{
	u32 v;

	if (offset < VBLK_COMMON + VBLK_COMMON_LEN) {
		v = common_read(d, offset);
	} else if (offset >= VBLK_CONFIG) {
		v = config_read(d, offset - VBLK_CONFIG, size);
	} else if (offset == VBLK_ISR) {
		v = d->isr;
		d->isr = 0;
		update_line(d);
	} else {
		v = 0;
	}
	return size == 4 ? v : v & ((1u << size * 8) - 1);
}

static void write_status(struct vblk *d, u8 value)
{
	u64 f = d->driver_features;

	if (value == 0) {
		/* An interrupt that waits must not fire into a driver that has gone. */
		d->isr = 0;
		update_line(d);
		d->resetting = true;
		if (!d->inflight)
			finish_reset(d);
		else if (!d->status)
			d->status = 1; /* must not read 0 yet */
		return;
	}
	if (!(d->status & VBLK_S_FEATURES_OK) && (value & VBLK_S_FEATURES_OK) &&
	    ((f & ~offered(d)) || !(f & F_VERSION_1)))
		value &= (u8)~VBLK_S_FEATURES_OK; /* refused: the driver reads it back */
	/* The driver never clears a bit but by reset. */
	d->status |= value & (u8)~VBLK_S_NEEDS_RESET;
	if (d->status & VBLK_S_FEATURES_OK) {
		d->queue.event_idx = f & F_EVENT_IDX;
		d->queue.indirect = f & F_INDIRECT_DESC;
	}
	vblk_process(d);
}

static void write_driver_features(struct vblk *d, u32 value)
{
	u32 shift = 32 * d->driver_select;

	if (d->driver_select > 1 || (d->status & VBLK_S_FEATURES_OK))
		return;
	d->driver_features = (d->driver_features & ~(0xffffffffull << shift)) | (u64)value << shift;
}

static void queue_write(struct vblk *d, u16 offset, u32 value)
{
	struct vqueue *q = &d->queue;
	u64 *address;

	/* What a queue is made of does not change under it. */
	if (d->queue_select != 0 || q->enabled)
		return;
	if (offset == QUEUE_SIZE) {
		u16 n = (u16)value;

		if (n && n <= VQUEUE_MAX && !(n & (n - 1)))
			q->size = n;
	} else if (offset == QUEUE_ENABLE) {
		q->enabled = (u16)value == 1;
		vblk_process(d);
	} else if (offset >= QUEUE_DESC && offset < VBLK_COMMON_LEN && !(offset & 3)) {
		address = queue_address(d, offset);
		if (offset & 4)
			*address = (u32)*address | (u64)value << 32;
		else
			*address = (*address & 0xffffffff00000000ull) | value;
	}
}

static void common_write(struct vblk *d, u16 offset, u32 value)
{
	switch (offset) {
	case DEVICE_FEATURE_SELECT:
		d->feature_select = value;
		break;
	case DRIVER_FEATURE_SELECT:
		d->driver_select = value;
		break;
	case DRIVER_FEATURE:
		write_driver_features(d, value);
		break;
	case DEVICE_STATUS:
		write_status(d, (u8)value);
		break;
	case QUEUE_SELECT:
		d->queue_select = (u16)value;
		break;
	default:
		queue_write(d, offset, value);
		break;
	}
}

void vblk_out(struct vblk *d, u16 offset, u8 size, u32 value)
{
	(void)size;
	if (d->resetting)
		return;
	if (offset < VBLK_COMMON + VBLK_COMMON_LEN) {
		common_write(d, offset, value);
	} else if (offset == VBLK_NOTIFY && (u16)value == 0) {
		vblk_notified(d);
	}
}

void vblk_retry(struct vblk *d)
{
	if (d->waiting)
		vblk_notified(d);
}

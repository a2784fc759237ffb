/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * disks.c - host disks at boot. The only place that waits for a disk, since no guest runs yet.
 */
#include "kernel/disks.h"
#include "arch/x86_64/arch.h"
#include "drivers/partition.h"
#include "kernel/lib/lib.h"
#include "kernel/loop.h"
#include "kernel/vm.h"
#include "mm/frame.h"

#define DISKS_MAX 8
#define HEAD_SECTORS 40u /* GPT: header and 128 entries are in the first 34 */
#define READ_TIMEOUT_NS 10000000000ull

static struct { struct block_dev *dev; struct partition_table table; } disks_known[DISKS_MAX];
static u32 disks_count;

static void read_done(struct block_req *r)
{
	*(bool *)r->ctx = true;
}

static int read_head(struct block_dev *dev, void *buf, u32 sectors)
{
	bool done = false;
	struct block_seg seg = { pfn_hpa(ptr_pfn(buf)), sectors * SECTOR_SIZE };
	struct block_req r = { .dev = dev,
			       .op = BLOCK_READ,
			       .owner = BLOCK_HOST,
			       .nsectors = sectors,
			       .segs = &seg,
			       .nsegs = 1,
			       .done = read_done,
			       .ctx = &done };
	u64 end = arch_ns() + READ_TIMEOUT_NS;

	block_submit(&r);
	while (!done) {
		block_poll();
		if (loop_housekeeping)
			loop_housekeeping(arch_ns()); /* a lost interrupt, a silent drive */
		if (!done)
			arch_idle(arch_tsc() + arch_ns_to_tsc(1000000));
		/* A request that the driver still holds can't be left behind: its memory is ours. */
		if (!done && arch_ns() > end && block_cancel(&r))
			return E_IO;
	}
	return r.err;
}

static void scan_disk(struct block_dev *dev, void *buf)
{
	struct partition_table *t = &disks_known[disks_count].table;
	u32 sectors = (u32)MIN((u64)HEAD_SECTORS, dev->sectors);
	char why[128] = "", size[24];
	int err = read_head(dev, buf, sectors);

	if (err) {
		log_warn("%s: its first sectors can't be read: %s; it is not used", dev->name, err_str(err));
		return;
	}
	disks_known[disks_count++].dev = dev;
	err = partition_parse(buf, sectors, dev->sectors, t, why, sizeof(why));
	if (err) {
		t->count = 0;
		log_warn("%s: partition table: %s; only the whole disk can be used", dev->name, why);
	}
	log_info("%s: %s, %u partitions", dev->name, fmt_size(size, sizeof(size), dev->sectors * SECTOR_SIZE),
		 t->count);
	for (u32 i = 0; i < t->count; i++)
		log_info("%sp%u: %s%s", dev->name, t->part[i].number,
			 fmt_size(size, sizeof(size), t->part[i].sectors * SECTOR_SIZE),
			 t->part[i].vmmb_swap ? ", VMMB swap" : "");
}

void disks_scan(void)
{
	u32 frames = (HEAD_SECTORS * SECTOR_SIZE + PAGE_SIZE - 1) / PAGE_SIZE;
	pfn_t buf = frame_get_run(frames);

	if (pfn_none(buf)) {
		log_err("disks: no memory to read partition tables");
		return;
	}
	list_for_each(l, block_devices()) {
		if (disks_count < DISKS_MAX)
			scan_disk(container_of(l, struct block_dev, link), pfn_ptr(buf));
	}
	frame_put_run(buf, frames);
}

/* Splits "hd0p2" into the disk's name and 2; 0: no partition. */
static u32 split_name(const char *name, char *disk, size_t size)
{
	u64 number = 0;
	size_t n = strlen(name);
	const char *p = name + n;

	while (p > name && p[-1] >= '0' && p[-1] <= '9')
		p--;
	if (p > name + 1 && p[-1] == 'p' && p[-2] >= '0' && p[-2] <= '9' && *p && !parse_u64(p, &number)) {
		n = (size_t)(p - 1 - name);
		number = number && number < ~0u ? number : ~0u; /* "hd0p0" is not the whole disk */
	} else {
		number = 0;
	}
	str_copy(disk, MIN(size, n + 1), name);
	return (u32)number;
}

int disks_find(const char *name, struct block_extent *out, char *why, size_t size)
{
	char disk[CONFIG_NAME_MAX];
	u32 number = split_name(name, disk, sizeof(disk));

	for (u32 i = 0; i < disks_count; i++) {
		struct block_dev *dev = disks_known[i].dev;
		const struct partition_table *t = &disks_known[i].table;

		if (strcmp(dev->name, disk))
			continue;
		if (!number) {
			*out = (struct block_extent){ dev, 0, dev->sectors };
			return 0;
		}
		for (u32 k = 0; k < t->count; k++) {
			if (t->part[k].number != number)
				continue;
			*out = (struct block_extent){ dev, t->part[k].first, t->part[k].sectors };
			return 0;
		}
		fmt(why, size, "disk=%s: %s has no partition %u", name, disk, number);
		return E_NOENT;
	}
	fmt(why, size, "disk=%s: there is no disk %s", name, disk);
	return E_NOENT;
}

/* A guest that has the whole disk, its partition table too; NULL: none. */
static const struct vm_config *whole_disk_of(const struct config *c, const struct block_dev *dev)
{
	for (u32 i = 0; i < c->nvms; i++)
		for (u32 k = 0; k < c->vm[i].ndisks; k++)
			if (c->vm[i].disk[k].module < 0 && !strcmp(c->vm[i].disk[k].name, dev->name))
				return &c->vm[i];
	return NULL;
}

/*
 * The first partition of the swap type. Not on a disk that a guest has as a whole: a type that it wrote
 * itself would bring it every other guest's pages.
 */
static void find_swap(const struct config *c, struct block_extent *out)
{
	for (u32 i = 0; i < disks_count; i++) {
		const struct partition_table *t = &disks_known[i].table;
		struct block_dev *dev = disks_known[i].dev;
		const struct vm_config *vm = whole_disk_of(c, dev);

		for (u32 k = 0; k < t->count; k++) {
			const struct partition *p = &t->part[k];

			if (!p->vmmb_swap)
				continue;
			if (vm) {
				log_warn("%sp%u: not taken for swap: %s has all of %s and may have written "
					 "that entry; "
					 "try swap= with a partition of another disk",
					 dev->name, p->number, vm->name, dev->name);
				break;
			}
			if (out->sectors)
				log_warn("%sp%u: a second swap partition is not used", dev->name, p->number);
			else
				*out = (struct block_extent){ dev, p->first, p->sectors };
		}
	}
}

void disks_swap(const struct config *c, struct block_extent *out)
{
	char why[CONFIG_LINE_MAX];

	*out = (struct block_extent){ NULL, 0, 0 };
	if (!strcmp(c->swap, "none"))
		return;
	if (c->swap[0]) {
		if (disks_find(c->swap, out, why, sizeof(why)))
			log_err("swap: %s; there is no swap area", why);
		return;
	}
	find_swap(c, out);
}

/* A module as a disk. It lives as long as its guest: for good. */
static struct block_dev *make_ramdisk(const struct config_disk *d, const struct boot_module *m)
{
	pfn_t run = frame_get_run((sizeof(struct block_dev) + PAGE_MASK) / PAGE_SIZE);

	if (pfn_none(run))
		return NULL;
	return ramdisk_create(pfn_ptr(run), d->name, m->start, m->size & ~(u64)(SECTOR_SIZE - 1));
}

static int assign_one(const struct config_disk *d, const struct boot_info *bi, struct guest_disk *out,
		      char *why, size_t size)
{
	const struct boot_module *m;
	struct block_dev *dev;
	int err;

	*out = (struct guest_disk){ .read_only = d->read_only, .used = true };
	if (d->module < 0) {
		err = disks_find(d->name, &out->ext, why, size);
		if (!err)
			out->read_only |= out->ext.dev->read_only;
		return err;
	}
	m = &bi->modules[d->module];
	dev = make_ramdisk(d, m);
	if (!dev) {
		fmt(why, size, "there is no memory left to use module %d as a disk", d->module);
		return E_NOMEM;
	}
	out->ext = (struct block_extent){ dev, 0, dev->sectors };
	if (out->ext.sectors)
		return 0;
	fmt(why, size, "disk module %d is empty", d->module);
	return E_INVAL;
}

/* Overlaps, as one line in the error of each guest that loses. */
static void refuse_overlaps(struct config *c, struct extent_use *uses, u32 n)
{
	if (!config_check_extents(uses, n))
		return;
	for (u32 i = 0; i < n; i++) {
		const struct extent_use *u = &uses[i], *with;
		struct vm_config *vm;

		if (u->conflict < 0 || u->owner == CONFIG_OWNER_SWAP)
			continue;
		vm = &c->vm[u->owner];
		with = &uses[u->conflict];
		if (!vm->error[0])
			fmt(vm->error, sizeof(vm->error), "disk=%s overlaps %s of %s; give each its own",
			    u->name, with->name,
			    with->owner == CONFIG_OWNER_SWAP ? "the swap area" : c->vm[with->owner].name);
	}
}

void disks_assign(struct config *c, const struct boot_info *bi, const struct block_extent *swap,
		  struct guest_disk (*disks)[CONFIG_MAX_DISKS])
{
	static struct extent_use uses[1 + CONFIG_MAX_VMS * CONFIG_MAX_DISKS]; /* too big for the stack */
	u32 n = 0;

	if (swap->sectors)
		uses[n++] = (struct extent_use){ .dev = swap->dev,
						 .first = swap->first,
						 .sectors = swap->sectors,
						 .owner = CONFIG_OWNER_SWAP,
						 .name = "swap" };
	for (u32 i = 0; i < c->nvms; i++) {
		struct vm_config *vm = &c->vm[i];
		u32 before = n;

		for (u32 k = 0; k < vm->ndisks && !vm->error[0]; k++) {
			struct guest_disk *d = &disks[i][k];

			if (assign_one(&vm->disk[k], bi, d, vm->error, sizeof(vm->error)))
				break;
			uses[n++] = (struct extent_use){ .dev = d->ext.dev, .first = d->ext.first,
							 .sectors = d->ext.sectors, .read_only = d->read_only,
							 .owner = i, .name = vm->disk[k].name };
		}
		if (vm->error[0])
			n = before; /* it is not started: nobody has to give way to it */
	}
	refuse_overlaps(c, uses, n);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nvme.c - NVMe disks. A controller comes up, at the probe and after a reset, through the same steps, a look
 * at a time: disable, enable, three admin commands. Interrupt handler and tick run in interrupt windows,
 * never inside each other; nothing waits but the probe.
 */
#include "drivers/nvme.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/mmio.h"
#include "drivers/pci.h"
#include "kernel/lib/lib.h"
#include "mm/frame.h"

enum {
	REG_CAP = 0x00,
	REG_CC = 0x14,
	REG_CSTS = 0x1c,
	REG_AQA = 0x24,
	REG_ASQ = 0x28,
	REG_ACQ = 0x30,
	REG_DOORBELLS = 0x1000
};
#define CC_ENABLE BIT(0)
#define CC_ENTRY_SIZES (6u << 16 | 4u << 20) /* 64 and 16 bytes */
#define CSTS_READY BIT(0)
#define CSTS_FATAL BIT(1)

#define ADMIN_CREATE_SQ 0x01
#define ADMIN_CREATE_CQ 0x05
#define ADMIN_IDENTIFY 0x06
#define ADMIN_SET_FEATURES 0x09
#define FEATURE_QUEUES 0x07
#define IO_FLUSH 0x00
#define IO_WRITE 0x01
#define IO_READ 0x02

#define QUEUE_ENTRIES 64u
#define MS 1000000ull
#define TIMEOUT_NS (10000 * MS)
#define MAX_SECTORS 8192u
#define NOT_THERE 0xffffffffu /* what reads of a removed device give */

/* What the controller reads and writes: each of the first four is page-aligned. */
struct nvme_memory {
	struct nvme_command admin_sq[QUEUE_ENTRIES], sq[QUEUE_ENTRIES];
	union { struct nvme_completion cqe[QUEUE_ENTRIES]; u8 page[PAGE_SIZE]; } admin_cq, cq;
	u64 prp[SLOTS_MAX][NVME_PRPS]; /* or a sector's bounce buffer */
	u8 identify[PAGE_SIZE];
};
_Static_assert(NVME_PRPS * sizeof(u64) == SECTOR_SIZE &&
		       sizeof(struct nvme_command) * QUEUE_ENTRIES == PAGE_SIZE,
	       "");

struct queue {
	struct nvme_command *sq;
	struct nvme_completion *cq;
	u32 entries, tail, head, phase;
	u8 *doorbell;
};

enum step { RUNNING, DISABLING, ENABLING, CREATING, GONE };

struct nvme {
	struct slots q;
	struct nvme *next;
	const struct pci_dev *pci;
	u8 *regs;
	struct nvme_memory *m;
	struct queue admin, io;
	u32 stride, nsid, max_bytes, bounced; /* bounced: one bit a slot */
	enum step step;
	u32 setup;       /* in CREATING: which command is in hand */
	u64 until_ns, ready_ns;
};

static struct nvme *controllers;
static u32 named;

/* ---- queues ---- */

static void queue_init(struct nvme *c, struct queue *q, u32 id, struct nvme_command *sq,
		       struct nvme_completion *cq, u32 entries)
{
	memset(sq, 0, PAGE_SIZE);
	memset(cq, 0, PAGE_SIZE);
	*q = (struct queue){ .sq = sq, .cq = cq, .entries = entries, .phase = 1,
			     .doorbell = c->regs + REG_DOORBELLS + 2 * id * c->stride };
}

static void submit(struct queue *q, const struct nvme_command *cmd)
{
	q->sq[q->tail] = *cmd;
	q->tail = (q->tail + 1) % q->entries;
	mmio_write32(q->doorbell, q->tail);
}

/* The next completion there is; its doorbell is rung. */
static bool reap(const struct nvme *c, struct queue *q, struct nvme_completion *out)
{
	const struct nvme_completion *e = &q->cq[q->head];

	if ((__atomic_load_n(&e->status, __ATOMIC_ACQUIRE) & 1) != q->phase)
		return false;
	*out = *e;
	q->head = (q->head + 1) % q->entries;
	q->phase ^= q->head == 0;
	mmio_write32(q->doorbell + c->stride, q->head);
	return true;
}

/* ---- commands ---- */

u32 nvme_prps(const struct block_req *r, struct block_at *at, u32 max, u64 prp[2], u64 *list, u64 list_hpa)
{
	u32 n = 0, total = 0, left;
	u64 addr, end = 0;

	while (total < max && (left = block_piece(r, at, &addr))) {
		u32 step = MIN(MIN(left, max - total), PAGE_SIZE - (u32)(addr & PAGE_MASK));

		if (!n && addr & 3)
			break;
		if (n && ((addr | end) & PAGE_MASK) && addr != end)
			break;
		if (!n || !(addr & PAGE_MASK)) {
			if (n == NVME_PRPS + 1)
				break;
			if (n)
				list[n - 1] = addr;
			else
				prp[0] = addr;
			n++;
		}
		total += step;
		at->off += step;
		end = addr + step;
	}
	prp[1] = n == 2 ? list[0] : n > 2 ? list_hpa : 0;
	return total;
}

static void issue(struct slots *q, u32 i)
{
	struct nvme *c = container_of(q, struct nvme, q);
	struct slot *s = &q->slot[i];
	const struct block_req *r = s->req;
	struct nvme_command cmd = { .cid = (u16)i, .nsid = c->nsid };
	u64 lba = r->sector + s->done, *list = c->m->prp[i];
	u32 bytes;

	c->bounced &= ~BIT(i);
	if (r->op == BLOCK_FLUSH) {
		cmd.opcode = IO_FLUSH;
	} else {
		bytes = nvme_prps(r, &s->next, c->max_bytes, cmd.prp, list, slots_phys(list));
		if (!bytes) { /* a sector that the controller can't address */
			bytes = SECTOR_SIZE;
			c->bounced |= BIT(i);
			cmd.prp[0] = slots_phys(list);
			if (r->op == BLOCK_WRITE)
				slots_copy(r, s->at, (u8 *)list, SECTOR_SIZE, false);
			s->next.off += SECTOR_SIZE;
		}
		s->sectors = bytes / SECTOR_SIZE;
		cmd.opcode = r->op == BLOCK_WRITE ? IO_WRITE : IO_READ;
		cmd.cdw10 = (u32)lba;
		cmd.cdw11 = (u32)(lba >> 32);
		cmd.cdw12 = s->sectors - 1;
	}
	submit(&c->io, &cmd);
}

static bool service(struct nvme *c, bool later)
{
	struct nvme_completion e;
	u32 n = 0;

	while (c->step == RUNNING && n < QUEUE_ENTRIES && reap(c, &c->io, &e)) {
		struct slot *s = e.cid < c->q.dev.depth ? &c->q.slot[e.cid] : NULL;
		bool ok = !(e.status >> 1 & 0x7ff);

		if (s && s->issued && ok && c->bounced & BIT(e.cid) && s->req->op == BLOCK_READ)
			slots_copy(s->req, s->at, (u8 *)c->m->prp[e.cid], SECTOR_SIZE, true);
		slots_done(&c->q, e.cid, ok, e.status >> 1, later);
		n++;
	}
	return n != 0;
}

/* ---- coming up ---- */

static void begin_reset(struct nvme *c, u64 now)
{
	mmio_write32(c->regs + REG_CC, mmio_read32(c->regs + REG_CC) & ~CC_ENABLE);
	c->step = DISABLING;
	c->until_ns = now + c->ready_ns;
}

static void enable(struct nvme *c, u64 now)
{
	queue_init(c, &c->admin, 0, c->m->admin_sq, c->m->admin_cq.cqe, QUEUE_ENTRIES);
	queue_init(c, &c->io, 1, c->m->sq, c->m->cq.cqe, c->io.entries);
	mmio_write32(c->regs + REG_AQA, (QUEUE_ENTRIES - 1) << 16 | (QUEUE_ENTRIES - 1));
	mmio_write64(c->regs + REG_ASQ, slots_phys(c->m->admin_sq));
	mmio_write64(c->regs + REG_ACQ, slots_phys(&c->m->admin_cq));
	mmio_write32(c->regs + REG_CC, CC_ENTRY_SIZES | CC_ENABLE);
	c->step = ENABLING;
	c->until_ns = now + c->ready_ns;
}

static void set_up(struct nvme *c, u64 now)
{
	u32 size = (c->io.entries - 1) << 16 | 1;
	const struct nvme_command commands[] = {
		{ .opcode = ADMIN_SET_FEATURES, .cdw10 = FEATURE_QUEUES },
		/* interrupts, contiguous */
		{ .opcode = ADMIN_CREATE_CQ, .prp = { slots_phys(&c->m->cq) }, .cdw10 = size, .cdw11 = 3 },
		{ .opcode = ADMIN_CREATE_SQ,
		  .prp = { slots_phys(c->m->sq) },
		  .cdw10 = size,
		  .cdw11 = 1 << 16 | 1 },
	};

	if (c->setup == ARRAY_SIZE(commands)) {
		c->step = RUNNING;
		return;
	}
	submit(&c->admin, &commands[c->setup]);
	c->step = CREATING;
	c->until_ns = now + c->ready_ns;
}

/* One look: true at the end, RUNNING or GONE. */
static bool step(struct nvme *c, u64 now)
{
	u32 status = mmio_read32(c->regs + REG_CSTS);
	struct nvme_completion e;

	if (c->step == RUNNING || c->step == GONE)
		return true;
	if (status == NOT_THERE || now > c->until_ns) {
		c->step = GONE;
	} else if (c->step == DISABLING && !(status & CSTS_READY)) {
		enable(c, now);
	} else if (c->step == ENABLING && status & CSTS_READY) {
		c->setup = 0;
		set_up(c, now);
	} else if (c->step == CREATING && reap(c, &c->admin, &e)) {
		/* No count of queues to set is no reason to give up. */
		if (e.status >> 1 & 0x7ff && c->setup)
			c->step = GONE;
		else
			c->setup++, set_up(c, now);
	}
	return c->step == RUNNING || c->step == GONE;
}

/* A controller that was given up may still hold commands: it loses its way to memory before they end. */
static void reset_over(struct nvme *c)
{
	if (c->step == GONE)
		pci_disable(c->pci, PCI_COMMAND_MASTER);
	slots_reset_over(&c->q, c->step == RUNNING);
}

static bool interrupt(void *ctx)
{
	struct nvme *c = ctx;
	u32 head = c->admin.head;

	if (service(c, false))
		return true;
	if (c->q.state == SLOTS_RESET && step(c, arch_ns()))
		reset_over(c);
	return c->admin.head != head;
}

void nvme_tick(u64 now_ns)
{
	for (struct nvme *c = controllers; c; c = c->next) {
		bool fatal = false;

		if (c->q.state == SLOTS_RESET) {
			if (step(c, now_ns))
				reset_over(c);
			continue;
		}
		if (!c->q.issued || service(c, true))
			continue;
		fatal = mmio_read32(c->regs + REG_CSTS) & CSTS_FATAL;
		if (fatal || slots_late(&c->q, now_ns)) {
			slots_reset(&c->q, fatal ? "fatal controller status" : "no answer");
			begin_reset(c, now_ns);
		}
	}
}

/* ---- the probe ---- */

static bool identify(struct nvme *c, u32 what, u32 nsid)
{
	struct nvme_command cmd = {
		.opcode = ADMIN_IDENTIFY, .nsid = nsid, .prp = { slots_phys(c->m->identify) }, .cdw10 = what
	};
	u64 end = arch_ns() + TIMEOUT_NS;
	struct nvme_completion e;

	submit(&c->admin, &cmd);
	while (!reap(c, &c->admin, &e))
		if (arch_ns() > end)
			return false;
	return !(e.status >> 1 & 0x7ff);
}

static u32 le32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Looks for the first namespace with blocks of 512 bytes. */
static bool find_namespace(struct nvme *c)
{
	const u8 *id = c->m->identify;
	u32 count, mdts;

	if (!identify(c, 1, 0))
		return false;
	mdts = id[77];
	count = MIN(le32(id + 516), 16u);
	c->max_bytes = mdts && mdts < 6 ? PAGE_SIZE << mdts : NVME_PRPS * PAGE_SIZE;
	for (c->nsid = 1; c->nsid <= count; c->nsid++) {
		u32 format;

		if (!identify(c, 0, c->nsid))
			continue;
		c->q.dev.sectors = le32(id) | (u64)le32(id + 4) << 32;
		if (!c->q.dev.sectors)
			continue;
		format = le32(id + 128 + 4 * ((id[26] & 15u) | (id[26] & 0x60u) >> 1) % 64);
		if ((format >> 16 & 0xff) == 9 && !(format & 0xffff))
			return true;
		log_warn("NVMe: namespace %u has blocks of other than 512 bytes: not used", c->nsid);
	}
	return false;
}

static struct nvme *begin(const struct pci_dev *pci)
{
	u32 frames = (sizeof(struct nvme_memory) + sizeof(struct nvme) + PAGE_SIZE - 1) / PAGE_SIZE;
	struct nvme *c;
	pfn_t pfn;
	u8 *regs;
	u64 cap;

	pci_enable(pci, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	regs = pci_map(pci, 0, 0, REG_DOORBELLS);
	cap = regs ? mmio_read64(regs) : 0;
	regs = cap && !(cap >> 48 & 15) ? pci_map(pci, 0, 0, REG_DOORBELLS + 4 * (4u << (cap >> 32 & 15))) :
					  NULL;
	pfn = regs ? frame_get_run(frames) : NO_PFN;
	if (pfn_none(pfn))
		return NULL;
	c = (void *)((u8 *)pfn_ptr(pfn) + sizeof(struct nvme_memory));
	c->m = pfn_ptr(pfn);
	c->pci = pci;
	c->regs = regs;
	c->stride = 4u << (cap >> 32 & 15);
	c->ready_ns = (cap >> 24 & 0xff) * 500 * MS + 2000 * MS;
	c->io.entries = MIN(QUEUE_ENTRIES, (u32)(cap & 0xffff) + 1);
	c->q.dev.depth = MIN((u32)SLOTS_MAX, c->io.entries - 1);
	/* Before there are queues: QEMU's controller counts only vectors that are enabled when a queue is
	 * created. */
	if (pci_irq(pci, interrupt, c) < 0)
		return NULL;
	begin_reset(c, arch_ns());
	return c;
}

u32 nvme_probe(const struct pci_dev *pci)
{
	struct nvme *c = begin(pci);

	while (c && !step(c, arch_ns()))
		;
	if (!c || c->step != RUNNING || !c->q.dev.depth || !find_namespace(c)) {
		log_warn("NVMe: %s: not used", !c ? "no registers, memory, interrupt or 4 KiB pages" :
			 c->step == GONE ? "a controller that does not come up" : "no usable namespace");
		if (c)
			mmio_write32(c->regs + REG_CC, 0);
		return 0;
	}
	c->q.dev.max_sectors = MAX_SECTORS;
	c->q.dev.ops = &slots_ops;
	c->q.dev.priv = &c->q;
	c->q.issue = issue;
	c->q.timeout_ns = TIMEOUT_NS;
	fmt(c->q.dev.name, sizeof(c->q.dev.name), "nvme%u", named++);
	log_info("%s: NVMe, %llu MiB, depth %u", c->q.dev.name, (unsigned long long)(c->q.dev.sectors >> 11),
		 c->q.dev.depth);
	c->next = controllers;
	controllers = c;
	block_register(&c->q.dev);
	return 1;
}

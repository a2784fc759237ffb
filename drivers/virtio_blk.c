/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio_blk.c - virtio disks of a host that is a virtual machine itself. One queue; every command has its
 * own part of the descriptor table, so that there is no free list to keep right. Interrupt handler and tick
 * run in interrupt windows, never inside each other; nothing waits but the probe.
 */
#include "drivers/virtio_blk.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/mmio.h"
#include "drivers/pci.h"
#include "kernel/lib/lib.h"
#include "mm/frame.h"

#define CAP_TYPE 3
#define CAP_BAR 4
#define CAP_OFFSET 8
#define CAP_LENGTH 12
#define CAP_NOTIFY_MULTIPLIER 16
enum { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4, CAP_TYPES = 5 };

enum {
	COMMON_DF_SELECT = 0x00,
	COMMON_DF = 0x04,
	COMMON_GF_SELECT = 0x08,
	COMMON_GF = 0x0c,
	COMMON_STATUS = 0x14,
	COMMON_Q_SELECT = 0x16,
	COMMON_Q_SIZE = 0x18,
	COMMON_Q_MSIX = 0x1a,
	COMMON_Q_ENABLE = 0x1c,
	COMMON_Q_NOTIFY = 0x1e,
	COMMON_Q_DESC = 0x20,
	COMMON_Q_DRIVER = 0x28,
	COMMON_Q_DEVICE = 0x30,
	COMMON_BYTES = 0x38
};
enum {
	CONFIG_CAPACITY = 0,
	CONFIG_SIZE_MAX = 8,
	CONFIG_SEG_MAX = 12,
	CONFIG_BLK_SIZE = 20,
	CONFIG_BYTES = 24
};

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define STATUS_NEEDS_RESET 0x40

#define F_SIZE_MAX BIT64(1)
#define F_SEG_MAX BIT64(2)
#define F_RO BIT64(5)
#define F_BLK_SIZE BIT64(6)
#define F_FLUSH BIT64(9)
#define F_VERSION_1 BIT64(32)
#define F_WANTED (F_SIZE_MAX | F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH | F_VERSION_1)

#define DESC_NEXT 1
#define DESC_WRITE 2
#define BLK_IN 0
#define BLK_OUT 1
#define BLK_FLUSH 4

#define MS 1000000ull
#define TIMEOUT_NS (10000 * MS)
#define RESET_NS (2000 * MS)
#define MAX_SECTORS 8192u
#define DEPTH 8u

struct virtio_blk {
	struct slots q;
	struct virtio_blk *next;
	const struct pci_dev *pci;
	u8 *common, *notify, *isr, *config;
	struct virtio_memory *m;
	bool msix;
	u64 features;
	u32 size, chain, size_max; /* of the queue, of a command's part of it, of a descriptor */
	u16 seen;                  /* used ring entries taken */
	u64 until_ns;              /* of a reset */
};

static struct virtio_blk *devices;
static u32 named;

/* ---- commands ---- */

void virtio_blk_chain(struct virtio_memory *m, u32 i, u32 chain, u32 size_max, struct slot *s, u64 base)
{
	const struct block_req *r = s->req;
	struct virtio_desc *d = &m->desc[i * chain];
	u32 n = 1, bytes = 0, left;
	u64 addr, end = 0;

	m->header[i] = (struct virtio_blk_header){
		.type = r->op == BLOCK_READ ? BLK_IN : r->op == BLOCK_WRITE ? BLK_OUT : BLK_FLUSH,
		.sector = r->op == BLOCK_FLUSH ? 0 : r->sector + s->done };
	m->status[i] = 0xff;
	d[0] = (struct virtio_desc){ .addr = base + (u64)((u8 *)&m->header[i] - (u8 *)m),
				     .len = sizeof(m->header[i]) };
	while (r->op != BLOCK_FLUSH && (left = block_piece(r, &s->next, &addr))) {
		left = MIN(left, size_max);
		if (n > 1 && addr == end && left <= size_max - d[n - 1].len)
			d[n - 1].len += left;
		else if (n == chain - 1)
			break;
		else
			d[n++] = (struct virtio_desc){ addr, left, r->op == BLOCK_READ ? DESC_WRITE : 0, 0 };
		s->next.off += left;
		bytes += left;
		end = addr + left;
	}
	d[n] = (struct virtio_desc){ base + (u64)(&m->status[i] - (u8 *)m), 1, DESC_WRITE, 0 };
	for (u32 k = 0; k < n; k++) {
		d[k].flags |= DESC_NEXT;
		d[k].next = (u16)(i * chain + k + 1);
	}
	s->sectors = bytes / SECTOR_SIZE;
}

static void issue(struct slots *q, u32 i)
{
	struct virtio_blk *v = container_of(q, struct virtio_blk, q);
	struct virtio_memory *m = v->m;

	if (q->slot[i].req->op == BLOCK_FLUSH && !(v->features & F_FLUSH)) {
		slots_done(q, i, true, 0, true); /* it has no cache that could lose data */
		return;
	}
	virtio_blk_chain(m, i, v->chain, v->size_max, &q->slot[i], slots_phys(m));
	m->avail.ring[m->avail.idx % v->size] = (u16)(i * v->chain);
	__atomic_store_n(&m->avail.idx, (u16)(m->avail.idx + 1), __ATOMIC_RELEASE);
	mmio_write16(v->notify, 0);
}

static bool service(struct virtio_blk *v, bool later)
{
	struct virtio_memory *m = v->m;
	u32 n = 0;

	while (v->q.state == SLOTS_READY && n < v->size &&
	       v->seen != __atomic_load_n(&m->used.idx, __ATOMIC_ACQUIRE)) {
		u32 id = __atomic_load_n(&m->used.ring[v->seen % v->size].id, __ATOMIC_RELAXED),
		    i = id / v->chain;
		bool ours = id % v->chain == 0 && i < v->q.dev.depth;
		u8 status = ours ? m->status[i] : 0xff;

		v->seen++;
		n++;
		slots_done(&v->q, ours ? i : ~0u, status == 0, status, later);
	}
	return n != 0;
}

static bool interrupt(void *ctx)
{
	struct virtio_blk *v = ctx;
	/* Reading it takes an INTx back; with MSI-X it says nothing. */
	bool ours = !v->msix && mmio_read8(v->isr);

	return service(v, false) || ours;
}

/* ---- coming up ---- */

static void set_status(const struct virtio_blk *v, u8 bits)
{
	mmio_write8(v->common + COMMON_STATUS, mmio_read8(v->common + COMMON_STATUS) | bits);
}

static u64 offered(const struct virtio_blk *v)
{
	u32 low;

	mmio_write32(v->common + COMMON_DF_SELECT, 0);
	low = mmio_read32(v->common + COMMON_DF);
	mmio_write32(v->common + COMMON_DF_SELECT, 1);
	return low | (u64)mmio_read32(v->common + COMMON_DF) << 32;
}

/* After a reset: features and the queue's size. False: no device for us. */
static bool negotiate(struct virtio_blk *v)
{
	set_status(v, STATUS_ACKNOWLEDGE);
	set_status(v, STATUS_DRIVER);
	v->features = offered(v) & F_WANTED;
	for (u32 i = 0; i < 2; i++) {
		mmio_write32(v->common + COMMON_GF_SELECT, i);
		mmio_write32(v->common + COMMON_GF, (u32)(v->features >> 32 * i));
	}
	set_status(v, STATUS_FEATURES_OK);
	if (!(v->features & F_VERSION_1) || !(mmio_read8(v->common + COMMON_STATUS) & STATUS_FEATURES_OK))
		return false;
	mmio_write16(v->common + COMMON_Q_SELECT, 0);
	v->size = MIN(mmio_read16(v->common + COMMON_Q_SIZE), VIRTIO_QUEUE_MAX);
	v->size = v->size ? BIT(31 - (u32)__builtin_clz(v->size)) : 0;
	return v->size >= 4;
}

/* Gives it the queue and lets it go. */
static bool start(struct virtio_blk *v)
{
	memset(v->m, 0, sizeof(*v->m));
	v->seen = 0;
	mmio_write16(v->common + COMMON_Q_SIZE, (u16)v->size);
	if (v->msix) {
		mmio_write16(v->common + COMMON_Q_MSIX, 0);
		if (mmio_read16(v->common + COMMON_Q_MSIX) != 0)
			return false;
	}
	mmio_write64(v->common + COMMON_Q_DESC, slots_phys(v->m->desc));
	mmio_write64(v->common + COMMON_Q_DRIVER, slots_phys(&v->m->avail));
	mmio_write64(v->common + COMMON_Q_DEVICE, slots_phys(&v->m->used));
	mmio_write16(v->common + COMMON_Q_ENABLE, 1);
	set_status(v, STATUS_DRIVER_OK);
	return true;
}

static void begin_reset(struct virtio_blk *v, u64 now)
{
	mmio_write8(v->common + COMMON_STATUS, 0);
	v->until_ns = now + RESET_NS;
}

static void go_on_with_reset(struct virtio_blk *v, u64 now)
{
	bool reset = !mmio_read8(v->common + COMMON_STATUS), alive;
	u32 size = v->size;

	if (!reset && now <= v->until_ns)
		return;
	alive = reset && negotiate(v) && v->size >= size && (v->size = size, start(v));
	if (!alive) /* it may still hold commands: it loses its way to memory before they end */
		pci_disable(v->pci, PCI_COMMAND_MASTER);
	slots_reset_over(&v->q, alive);
}

static void tick(struct virtio_blk *v, u64 now)
{
	bool broken;

	if (v->q.state == SLOTS_RESET) {
		go_on_with_reset(v, now);
		return;
	}
	if (!v->q.issued || service(v, true))
		return;
	broken = mmio_read8(v->common + COMMON_STATUS) & STATUS_NEEDS_RESET;
	if (broken || slots_late(&v->q, now)) {
		slots_reset(&v->q, broken ? "asks for a reset" : "no answer");
		begin_reset(v, now);
	}
}

void virtio_blk_tick(u64 now_ns)
{
	for (struct virtio_blk *v = devices; v; v = v->next)
		tick(v, now_ns);
}

/* ---- the probe ---- */

/* Maps the structure of that type, of at least so many bytes; *cap gets its capability. */
static u8 *structure(const struct pci_dev *pci, u8 type, u32 bytes, u8 *cap)
{
	for (*cap = pci_capability(pci, PCI_CAP_VENDOR, 0); *cap;
	     *cap = pci_capability(pci, PCI_CAP_VENDOR, *cap)) {
		u32 length = pci_read32(pci, (u8)(*cap + CAP_LENGTH));
		u8 *p;

		if (pci_read8(pci, (u8)(*cap + CAP_TYPE)) != type || length < bytes)
			continue;
		p = pci_map(pci, pci_read8(pci, (u8)(*cap + CAP_BAR)),
			    pci_read32(pci, (u8)(*cap + CAP_OFFSET)), bytes);
		if (p)
			return p;
	}
	return NULL;
}

/* The place to write to for queue 0. */
static u8 *find_notify(const struct pci_dev *pci, const struct virtio_blk *v)
{
	u8 cap;
	u32 at;

	if (!structure(pci, CAP_NOTIFY, 2, &cap))
		return NULL;
	at = pci_read32(pci, (u8)(cap + CAP_NOTIFY_MULTIPLIER)) * mmio_read16(v->common + COMMON_Q_NOTIFY);
	if (at > pci_read32(pci, (u8)(cap + CAP_LENGTH)) - 2)
		return NULL;
	return pci_map(pci, pci_read8(pci, (u8)(cap + CAP_BAR)),
		       (u64)pci_read32(pci, (u8)(cap + CAP_OFFSET)) + at, 2);
}

/* From a device's pages to negotiated features; why not, or NULL. */
static const char *bring_up(const struct pci_dev *pci, struct virtio_blk *v)
{
	u64 end = arch_ns() + RESET_NS;
	u8 cap;

	v->common = structure(pci, CAP_COMMON, COMMON_BYTES, &cap);
	v->isr = structure(pci, CAP_ISR, 1, &cap);
	v->config = structure(pci, CAP_DEVICE, CONFIG_BYTES, &cap);
	if (!v->common || !v->isr || !v->config)
		return "no modern interface in memory";
	begin_reset(v, arch_ns());
	while (mmio_read8(v->common + COMMON_STATUS))
		if (arch_ns() > end)
			return "it does not reset";
	if (!negotiate(v))
		return "no agreement on features";
	if (v->features & F_BLK_SIZE && mmio_read32(v->config + CONFIG_BLK_SIZE) != SECTOR_SIZE)
		return "blocks of other than 512 bytes";
	v->notify = find_notify(pci, v);
	return v->notify ? NULL : "no place for notifications";
}

/* Shares the queue out: as many commands at once as leave each a useful length. */
static void take_limits(struct virtio_blk *v)
{
	u32 seg_max = v->features & F_SEG_MAX ? mmio_read32(v->config + CONFIG_SEG_MAX) : 1;

	v->q.dev.depth = MIN(DEPTH, v->size / 4);
	v->chain = MIN(MIN(v->size / v->q.dev.depth, VIRTIO_CHAIN_MAX),
		       MAX(seg_max, 1u) > 30 ? 32 : MAX(seg_max, 1u) + 2);
	v->size_max =
		v->features & F_SIZE_MAX ? mmio_read32(v->config + CONFIG_SIZE_MAX) & ~(SECTOR_SIZE - 1) : 0;
	v->size_max = v->size_max ? MIN(v->size_max, 1u << 20) : 1u << 20;
	v->q.dev.sectors = mmio_read64(v->config + CONFIG_CAPACITY);
	v->q.dev.read_only = v->features & F_RO;
}

u32 virtio_blk_probe(const struct pci_dev *pci)
{
	u32 frames =
		(sizeof(struct virtio_memory) + sizeof(struct virtio_blk) + 15 + PAGE_SIZE - 1) / PAGE_SIZE;
	pfn_t pfn = frame_get_run(frames);
	struct virtio_blk *v;
	const char *why;
	int irq;

	if (pfn_none(pfn))
		return 0;
	v = (void *)((u8 *)pfn_ptr(pfn) + ALIGN_UP(sizeof(struct virtio_memory), 16));
	v->m = pfn_ptr(pfn);
	v->pci = pci;
	pci_enable(pci, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	why = bring_up(pci, v);
	irq = why ? 0 : pci_irq(pci, interrupt, v);
	v->msix = irq == PCI_IRQ_MSIX;
	if (!why)
		take_limits(v);
	if (why || irq < 0 || !v->q.dev.sectors || !start(v)) {
		log_warn("virtio disk: %s: not used", why     ? why :
						      irq < 0 ? "no interrupt" :
								"empty, or no interrupt vector");
		if (v->common)
			mmio_write8(v->common + COMMON_STATUS, 0);
		return 0; /* its memory is not given back: the handler may be registered */
	}
	v->q.dev.max_sectors = MAX_SECTORS;
	v->q.dev.ops = &slots_ops;
	v->q.dev.priv = &v->q;
	v->q.issue = issue;
	v->q.timeout_ns = TIMEOUT_NS;
	fmt(v->q.dev.name, sizeof(v->q.dev.name), "vd%u", named++);
	log_info("%s: virtio, %llu MiB, depth %u%s", v->q.dev.name,
		 (unsigned long long)(v->q.dev.sectors >> 11), v->q.dev.depth,
		 v->q.dev.read_only ? ", read-only" : "");
	v->next = devices;
	devices = v;
	block_register(&v->q.dev);
	return 1;
}

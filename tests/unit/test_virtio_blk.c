/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: drivers/virtio_blk.c drivers/slots.c drivers/block.c drivers/block_turn.c drivers/fair.c drivers/depth.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_virtio_blk.c - the virtio driver against a device; chains by themselves. (The guests' device of the
 * project itself is no judge here: both could misread the specification alike.)
 */
#include "drivers/virtio_blk.h"
#include "tests/unit/disk_env.h"

#define QUEUE 128u
enum { COMMON = 0x0000, ISR = 0x1000, CONFIG = 0x2000, NOTIFY = 0x3000 };

static struct {
	u32 df_select, gf_select, status, enabled, vector, size;
	u64 features, desc, avail, used;
	u16 seen;
	u64 offered;
} dev = { .offered =
		  BIT64(32) | BIT64(9) | BIT64(6) | BIT64(2) | BIT64(1) | BIT64(28) | BIT64(29) | BIT64(0) };

static struct virtio_desc *desc(u32 i) { return (struct virtio_desc *)hpa_ptr((hpa_t){ dev.desc }) + i; }

static void used(u32 id)
{
	u16 *idx = (u16 *)hpa_ptr((hpa_t){ dev.used }) + 1;
	struct virtio_used *ring = (struct virtio_used *)(idx + 1);

	ring[*idx % dev.size] = (struct virtio_used){ id, 0 };
	++*idx;
}

static void env_report(const struct env_cmd *c, bool ok)
{
	u32 i = c->id;

	while (desc(i)->flags & 1)
		i = desc(i)->next;
	assert_int_equal(desc(i)->len, 1);
	assert_int_equal(desc(i)->flags, 2);
	*(u8 *)hpa_ptr((hpa_t){ desc(i)->addr }) = ok ? 0 : 1;
	used(c->id);
}

static void take(u32 head)
{
	const struct virtio_blk_header *h = hpa_ptr((hpa_t){ desc(head)->addr });
	struct env_cmd *e = &env.cmd[env.ncmds];
	u32 i = head, n = 0;

	assert_int_equal(desc(head)->len, 16);
	*e = (struct env_cmd){ .id = head,
			       .op = h->type == 0 ? BLOCK_READ :
				     h->type == 1 ? BLOCK_WRITE :
						    BLOCK_FLUSH,
			       .lba = h->sector };
	assert_true(h->type == 0 || h->type == 1 || h->type == 4);
	for (i = desc(head)->next; desc(i)->flags & 1; i = desc(i)->next) {
		assert_true(++n < dev.size);
		assert_int_equal(!!(desc(i)->flags & 2), h->type == 0);
		assert_true(desc(i)->len <= 8192);
		e->seg[e->nsegs].addr = desc(i)->addr;
		e->seg[e->nsegs++].len = desc(i)->len;
		e->sectors += desc(i)->len / SECTOR_SIZE;
	}
	assert_true(n <= 14);
	env_push();
}

static void notified(void)
{
	const u16 *avail = hpa_ptr((hpa_t){ dev.avail });

	assert_int_equal(dev.status, 15);
	for (; dev.seen != avail[1]; dev.seen++)
		take(avail[2 + dev.seen % dev.size]);
}

static u32 env_read(u64 offset, u32 bytes)
{
	switch (offset) {
	case COMMON + 0x04: return (u32)(dev.offered >> 32 * dev.df_select);
	case COMMON + 0x14: return assert_int_equal(bytes, 1), dev.status;
	case COMMON + 0x18: return dev.size;
	case COMMON + 0x1a: return dev.vector;
	case COMMON + 0x1e: return 3;
	case CONFIG + 0: return ENV_SECTORS;
	case CONFIG + 8: return 8192;
	case CONFIG + 12: return 254;
	case CONFIG + 20: return 512;
	default: return 0;
	}
}

static void put(u64 *field, u64 offset, u32 v)
{
	*field = offset & 4 ? (*field & 0xffffffff) | (u64)v << 32 : (*field & ~0xffffffffull) | v;
}

static void env_write(u64 offset, u32 bytes, u32 v)
{
	switch (offset) {
	case COMMON + 0x00: dev.df_select = v; break;
	case COMMON + 0x08: dev.gf_select = v; break;
	case COMMON + 0x0c: dev.features |= (u64)v << 32 * dev.gf_select; break;
	case COMMON + 0x14:
		if (!v) {
			env_forget();
			dev.features = dev.seen = dev.enabled = 0;
			dev.size = QUEUE;
			dev.vector = 0xffff;
		}
		if (v & 8)
			assert_int_equal(dev.features & ~dev.offered, 0);
		dev.status = env.dead ? 0x40 : v;
		break;
	case COMMON + 0x18: dev.size = v; break;
	case COMMON + 0x1a: dev.vector = v; break;
	case COMMON + 0x1c: dev.enabled = v; break;
	case COMMON + 0x20: case COMMON + 0x24: put(&dev.desc, offset, v); break;
	case COMMON + 0x28: case COMMON + 0x2c: put(&dev.avail, offset - 8, v); break;
	case COMMON + 0x30: case COMMON + 0x34: put(&dev.used, offset, v); break;
	case NOTIFY + 3 * 4: assert_int_equal(bytes | v << 8, 2); notified(); break;
	}
}

static void capability(u8 at, u8 next, u8 type, u32 offset, u32 length)
{
	const u8 head[] = { 9, next, 16, type, 4 };
	const u32 tail[] = { offset, length, 4 };

	memcpy(env.config + at, head, sizeof(head));
	memcpy(env.config + at + 8, tail, sizeof(tail));
}

static bool env_writes(void) { return env.dead && env.command & PCI_COMMAND_MASTER; }

static const struct env_driver driver = { "vd0", virtio_blk_tick };

static void test_probe(void **state)
{
	(void)state;
	env_reset();
	env.config[0x34] = 0x40;
	capability(0x40, 0x54, 1, COMMON, 0x38);
	capability(0x54, 0x68, 3, ISR, 1);
	capability(0x68, 0x7c, 4, CONFIG, 0x40);
	capability(0x7c, 0, 2, NOTIFY, 0x1000);
	assert_int_equal(virtio_blk_probe(&env.pci), 1);
	assert_non_null(block_find("vd0"));
	assert_int_equal(block_find("vd0")->sectors, ENV_SECTORS);
	assert_int_equal(block_find("vd0")->depth, 8);
	assert_int_equal(dev.enabled | dev.vector, 1);
	assert_int_equal(dev.features, BIT64(32) | BIT64(9) | BIT64(6) | BIT64(2) | BIT64(1));
}

static void test_refusals(void **state)
{
	u64 offered = dev.offered;

	(void)state;
	env.dead = false;
	dev.offered = BIT64(9); /* not of version 1 */
	assert_int_equal(virtio_blk_probe(&env.pci), 0);
	dev.offered = offered;
	env.config[0x7c + 12] = 1; /* notifications: shorter than one, then somewhere behind */
	env.config[0x7c + 13] = 0;
	assert_int_equal(virtio_blk_probe(&env.pci), 0);
	env.config[0x7c + 12] = 13;
	assert_int_equal(virtio_blk_probe(&env.pci), 0);
	env.config[0x34] = 0x54; /* no common structure */
	assert_int_equal(virtio_blk_probe(&env.pci), 0);
	assert_null(block_find("vd1"));
}

static void test_chain(void **state)
{
	static struct virtio_memory m;
	struct block_seg s[] = { { { 0x10000 }, 0x1000 },
				 { { 0x11000 }, 0x1000 },
				 { { 0x20000 }, 0x1000 },
				 { { 0x30000 }, 0x1000 } };
	struct block_req r = { .op = BLOCK_READ, .sector = 77, .nsectors = 32, .segs = s, .nsegs = 4 };
	struct slot slot = { .req = &r };

	(void)state;
	virtio_blk_chain(&m, 2, 4, 1 << 20, &slot, 0x100000);
	assert_int_equal(m.desc[8].addr, 0x100000 + offsetof(struct virtio_memory, header) + 32);
	assert_int_equal(m.desc[8].next, 9);
	assert_int_equal(m.desc[9].len, 0x2000); /* neighbours are one */
	assert_int_equal(m.desc[9].flags, 3);
	assert_int_equal(m.desc[10].addr, 0x20000);
	assert_int_equal(m.desc[11].flags, 2);
	assert_int_equal(slot.sectors, 24); /* the last one did not fit */
	assert_int_equal(slot.next.seg, 3);
	assert_int_equal(slot.next.off, 0);
	slot = (struct slot){ .req = &r, .at = slot.next, .next = slot.next, .done = 24 };
	virtio_blk_chain(&m, 2, 4, 0x800, &slot, 0x100000);
	assert_int_equal(m.header[2].sector, 77 + 24);
	assert_int_equal(slot.sectors, 8);
	assert_int_equal(m.desc[10].addr, 0x30800);
}

static void test_foreign_ids(void **state)
{
	(void)state;
	env_six(&driver);
	used(1); /* inside a chain */
	used(127);
	used(0xffffffff);
	env.handler(env.ctx);
	assert_int_equal(env.done, 0);
	while (env_work())
		;
	used(0);
	env.handler(env.ctx);
	env_expect(6);
}

static void test_needs_reset(void **state)
{
	(void)state;
	env.hung = true;
	env_six(&driver);
	dev.status |= 0x40;
	env_run(virtio_blk_tick, 20);
	env_expect(6);
}

static void test_random(void **state) { (void)state; env_random(&driver); }
static void test_flush(void **state) { (void)state; env_flush(&driver); }
static void test_bad_sector(void **state) { (void)state; env_bad_sector(&driver); }
static void test_lost_interrupts(void **state) { (void)state; env_lost_interrupts(&driver); }
static void test_killer(void **state) { (void)state; env_killer(&driver); }
static void test_death(void **state) { (void)state; env_death(&driver); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),           cmocka_unit_test(test_chain),
		cmocka_unit_test(test_random),          cmocka_unit_test(test_flush),
		cmocka_unit_test(test_foreign_ids),     cmocka_unit_test(test_bad_sector),
		cmocka_unit_test(test_lost_interrupts), cmocka_unit_test(test_killer),
		cmocka_unit_test(test_needs_reset),     cmocka_unit_test(test_death),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

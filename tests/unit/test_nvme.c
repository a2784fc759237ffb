/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: drivers/nvme.c drivers/slots.c drivers/block.c drivers/block_turn.c drivers/fair.c drivers/depth.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_nvme.c - the NVMe driver against a controller of 40 lines; PRP lists by themselves.
 */
#include "drivers/nvme.h"
#include "tests/unit/disk_env.h"

/* Admin queue pair 0, I/O queue pair 1. */
static struct { u32 cc, csts, tail[2], head[2], phase[2], entries[2]; u64 sq[2], cq[2]; } ctl;

static void report(u32 q, u32 cid, u32 status)
{
	struct nvme_completion *e = (struct nvme_completion *)hpa_ptr((hpa_t){ ctl.cq[q] }) + ctl.tail[q];

	*e = (struct nvme_completion){ .sq_id = (u16)q,
				       .cid = (u16)cid,
				       .status = (u16)(status << 1 | ctl.phase[q]) };
	ctl.tail[q] = (ctl.tail[q] + 1) % ctl.entries[q];
	ctl.phase[q] ^= ctl.tail[q] == 0;
}

static void env_report(const struct env_cmd *c, bool ok) { report(1, c->id, ok ? 0 : 0x281); }

static void identify(u32 what, u8 *buf)
{
	u32 v;

	memset(buf, 0, PAGE_SIZE);
	if (what == 1) {
		buf[77] = 5; /* 128 KiB a command */
		v = 1;
		memcpy(buf + 516, &v, 4);
	} else {
		v = ENV_SECTORS;
		memcpy(buf, &v, 4);
		buf[130] = 9;
	}
}

static void admin(const struct nvme_command *c)
{
	u32 status = 0;

	if (c->opcode == 6)
		identify(c->cdw10, hpa_ptr((hpa_t){ c->prp[0] }));
	else if (c->opcode == 5)
		ctl.cq[1] = c->prp[0], ctl.entries[1] = (c->cdw10 >> 16) + 1;
	else if (c->opcode == 1)
		ctl.sq[1] = c->prp[0], assert_int_equal(c->cdw11, 1 << 16 | 1);
	else if (c->opcode == 9)
		status = 2; /* it does not have to know that */
	report(0, c->cid, status);
}

/* By the letter of "Physical Region Page Entry and List". */
static void data(struct env_cmd *e, const struct nvme_command *c)
{
	u64 left = (u64)e->sectors * SECTOR_SIZE, n = MIN(left, PAGE_SIZE - (c->prp[0] & PAGE_MASK));
	const u64 *list = left - n > PAGE_SIZE ? hpa_ptr((hpa_t){ c->prp[1] }) : &c->prp[1];

	assert_int_equal(c->prp[0] & 3, 0);
	assert_true(left <= 128 * KIB);
	for (u64 addr = c->prp[0];; addr = *list++) {
		assert_true(e->nsegs == 0 || !(addr & PAGE_MASK));
		e->seg[e->nsegs].addr = addr;
		e->seg[e->nsegs++].len = n;
		left -= n;
		if (!left)
			break;
		n = MIN(left, PAGE_SIZE);
	}
}

static void io(const struct nvme_command *c)
{
	struct env_cmd *e = &env.cmd[env.ncmds];

	*e = (struct env_cmd){ .id = c->cid,
			       .op = c->opcode == 0 ? BLOCK_FLUSH :
				     c->opcode == 1 ? BLOCK_WRITE :
						      BLOCK_READ };
	assert_int_equal(c->nsid, 1);
	if (e->op != BLOCK_FLUSH) {
		e->lba = c->cdw10 | (u64)c->cdw11 << 32;
		e->sectors = (c->cdw12 & 0xffff) + 1;
		data(e, c);
	}
	env_push();
}

static u32 env_read(u64 offset, u32 bytes)
{
	assert_int_equal(bytes, 4);
	return offset == 0    ? 63 | 1 << 24 :
	       offset == 4    ? 0x20 :
	       offset == 0x14 ? ctl.cc :
	       offset == 0x1c ? ctl.csts :
				0;
}

static void env_write(u64 offset, u32 bytes, u32 v)
{
	u32 q = (u32)(offset >> 3 & 1);

	assert_int_equal(bytes, 4);
	if (offset == 0x14) {
		if (ctl.cc & ~v & 1) {
			env_forget();
			memset(&ctl.tail, 0, sizeof(ctl.tail));
			memset(&ctl.head, 0, sizeof(ctl.head));
		}
		ctl.phase[0] = ctl.phase[1] = 1;
		ctl.cc = v;
		ctl.csts = v & 1 && !env.dead;
	} else if (offset == 0x24) {
		ctl.entries[0] = (v & 0xfff) + 1;
	} else if (offset == 0x28) {
		ctl.sq[0] = v;
	} else if (offset == 0x30) {
		ctl.cq[0] = v;
	} else if (offset >= 0x1000 && !(offset & 4)) {
		while (ctl.head[q] != v) {
			const struct nvme_command *c =
				(struct nvme_command *)hpa_ptr((hpa_t){ ctl.sq[q] }) + ctl.head[q];

			ctl.head[q] = (ctl.head[q] + 1) % ctl.entries[q];
			q ? io(c) : admin(c);
		}
	}
}

static bool env_writes(void) { return env.dead && env.command & PCI_COMMAND_MASTER; }

static const struct env_driver driver = { "nvme0", nvme_tick };

static void test_probe(void **state)
{
	(void)state;
	env_reset();
	assert_int_equal(nvme_probe(&env.pci), 1);
	assert_non_null(block_find("nvme0"));
	assert_int_equal(block_find("nvme0")->sectors, ENV_SECTORS);
	assert_int_equal(block_find("nvme0")->depth, 32);
}

static void test_prps(void **state)
{
	struct block_seg s[] = { { { 0x10800 }, 0x1800 },
				 { { 0x20000 }, 0x1000 },
				 { { 0x30000 }, 0x800 },
				 { { 0x40000 }, 0x1000 } };
	struct block_req r = { .segs = s, .nsegs = 4 };
	struct block_at at = { 0, 0 };
	u64 prp[2], list[NVME_PRPS];

	(void)state;
	/* the third segment ends inside a page */
	assert_int_equal(nvme_prps(&r, &at, 1 << 20, prp, list, 0x7000), 0x3000);
	assert_int_equal(prp[0], 0x10800);
	assert_int_equal(prp[1], 0x7000);
	assert_int_equal(list[0], 0x11000);
	assert_int_equal(list[1], 0x20000);
	assert_int_equal(list[2], 0x30000);
	assert_int_equal(nvme_prps(&r, &at, 1 << 20, prp, list, 0x7000), 0x1000);
	assert_int_equal(prp[0], 0x40000);
	assert_int_equal(prp[1], 0);
	at = (struct block_at){ 0, 0 };
	assert_int_equal(nvme_prps(&r, &at, 0x1000, prp, list, 0x7000), 0x1000);
	assert_int_equal(prp[1], 0x11000); /* two pages: no list */
	s[0].addr.a = 0x10802;
	at = (struct block_at){ 0, 0 };
	assert_int_equal(nvme_prps(&r, &at, 1 << 20, prp, list, 0x7000), 0);
}

static void test_foreign_ids(void **state)
{
	(void)state;
	env_six(&driver);
	report(1, 31, 0);
	report(1, 65535, 0);
	env.handler(env.ctx);
	assert_int_equal(env.done, 0);
	while (env_work())
		;
	report(1, 0, 0); /* twice */
	env.handler(env.ctx);
	env_expect(6);
}

static void test_random(void **state) { (void)state; env_random(&driver); }
static void test_flush(void **state) { (void)state; env_flush(&driver); }
static void test_bad_sector(void **state) { (void)state; env_bad_sector(&driver); }
static void test_lost_interrupts(void **state) { (void)state; env_lost_interrupts(&driver); }
static void test_killer(void **state) { (void)state; env_killer(&driver); }

static void test_fatal_status(void **state)
{
	(void)state;
	env.hung = true;
	env_six(&driver);
	ctl.csts |= 2;
	env_run(nvme_tick, 20);
	env_expect(6);
}

static void test_death(void **state) { (void)state; env_death(&driver); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),           cmocka_unit_test(test_prps),
		cmocka_unit_test(test_random),          cmocka_unit_test(test_flush),
		cmocka_unit_test(test_foreign_ids),     cmocka_unit_test(test_bad_sector),
		cmocka_unit_test(test_lost_interrupts), cmocka_unit_test(test_killer),
		cmocka_unit_test(test_fatal_status),    cmocka_unit_test(test_death),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

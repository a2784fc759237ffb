/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: drivers/ahci.c drivers/ahci_probe.c drivers/slots.c drivers/block.c drivers/block_turn.c drivers/fair.c drivers/depth.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_ahci.c - the AHCI driver against an adapter with a disk on port 0, an ATAPI drive on port 1 (or a disk
 * that never answers) and nothing on port 2.
 */
#include "drivers/ahci_hw.h"
#include "tests/unit/disk_env.h"

static struct {
	u32 ghc, is;
	struct {
		u32 clb, cmd, is, ie, sctl, serr, sact, ci;
		bool linked;
	} port[3];
} hba;
static u32 queued; /* commands that were native queued ones */
static bool second; /* port 1 has a disk */
static bool stuck;  /* port 0 goes on with its list, whatever it is told */

static bool env_writes(void) { return stuck && env.command & PCI_COMMAND_MASTER; }

static void interrupt_of(u32 n, u32 bits)
{
	hba.port[n].is |= bits;
	if (hba.port[n].is & hba.port[n].ie)
		hba.is |= BIT(n);
}

static void env_report(const struct env_cmd *c, bool ok)
{
	hba.port[0].ci &= ~BIT(c->id);
	if (ok) {
		hba.port[0].sact &= ~BIT(c->id);
		interrupt_of(0, c->op == BLOCK_FLUSH ? 1 : 8);
		return;
	}
	if (!(hba.port[0].sact & BIT(c->id)))
		hba.port[0].ci |= BIT(c->id);
	interrupt_of(0, BIT(30));
	env.hung = true; /* all stops until the reset */
}

static void identify(u8 *buf)
{
	u16 id[256] = { [75] = 31, [76] = BIT(8), [83] = 0x4400, [100] = ENV_SECTORS };

	memcpy(buf, id, sizeof(id));
}

static void command(u32 n, u32 i)
{
	const struct ahci_header *h = (struct ahci_header *)hpa_ptr((hpa_t){ hba.port[n].clb }) + i;
	const struct ahci_table *t = hpa_ptr((hpa_t){ h->ctba });
	const u8 *f = t->cfis;
	struct env_cmd *e = &env.cmd[env.ncmds];
	bool ncq = f[2] == 0x60 || f[2] == 0x61;

	assert_true(n == 0 || (n == 1 && second)); /* the others are no disks */
	assert_int_equal(h->flags & 31, 5);
	assert_int_equal(f[0] | f[1] << 8, 0x8027);
	if (f[2] == 0xec) {
		identify(hpa_ptr((hpa_t){ t->prd[0].dba }));
		hba.port[n].ci &= ~BIT(i);
		return;
	}
	if (n)
		return;
	*e = (struct env_cmd){ .id = i,
			       .op = f[2] == 0xea                 ? BLOCK_FLUSH :
				     f[2] == 0x35 || f[2] == 0x61 ? BLOCK_WRITE :
								    BLOCK_READ };
	assert_int_equal(ncq, !!(hba.port[n].sact & BIT(i)));
	for (u32 k = 0; k < env.ncmds; k++) /* never mixed */
		assert_int_equal(ncq, !!(hba.port[n].sact & BIT(env.cmd[k].id)));
	queued += ncq;
	assert_int_equal(!!(h->flags & BIT(6)), e->op == BLOCK_WRITE);
	for (u32 k = 0; e->op != BLOCK_FLUSH && k < 3; k++)
		e->lba |= (u64)f[4 + k] << 8 * k | (u64)f[8 + k] << (24 + 8 * k);
	e->sectors = ncq ? f[3] | f[11] << 8 : f[12] | f[13] << 8;
	if (ncq)
		assert_int_equal(f[12] >> 3, i);
	for (u32 k = 0; k < h->prdtl; k++, e->nsegs++) {
		e->seg[k].addr = t->prd[k].dba | (u64)t->prd[k].dbau << 32;
		e->seg[k].len = (t->prd[k].dbc & 0x3fffff) + 1;
	}
	env_push();
}

static u32 read_port(u32 n, u32 reg)
{
	bool up = hba.port[n].linked && !(n == 0 && env.dead);

	switch (reg) {
	case 0x10: return hba.port[n].is;
	case 0x18: return hba.port[n].cmd | (hba.port[n].cmd & CMD_ST || (stuck && n == 0) ? CMD_CR : 0) |
			  (hba.port[n].cmd & CMD_FRE ? CMD_FR : 0);
	case 0x20: return n == 0 && env.hung ? 0x441 : up ? 0x50 : 0x7f;
	case 0x24: return n && !second ? 0xeb140101 : 0x101;
	case 0x28: return up ? 0x123 : 0;
	case 0x34: return hba.port[n].sact;
	case 0x38: return hba.port[n].ci;
	default: return 0;
	}
}

static u32 env_read(u64 offset, u32 bytes)
{
	assert_int_equal(bytes, 4);
	if (offset >= 0x100 && offset < 0x100 + 3 * 0x80)
		return read_port((u32)(offset - 0x100) / 0x80, offset & 0x7f);
	return offset == 0   ? CAP_S64A | CAP_SNCQ | 31 << 8 :
	       offset == 4   ? hba.ghc :
	       offset == 8   ? hba.is :
	       offset == 0xc ? 7 :
			       0;
}

static void write_port(u32 n, u32 reg, u32 v)
{
	if (reg == 0x00) {
		hba.port[n].clb = v;
	} else if (reg == 0x10) {
		hba.port[n].is &= ~v;
	} else if (reg == 0x14) {
		hba.port[n].ie = v;
	} else if (reg == 0x18) {
		if (hba.port[n].cmd & ~v & CMD_ST)
			hba.port[n].ci = hba.port[n].sact = 0;
		hba.port[n].cmd = v & ~(CMD_CR | CMD_FR);
	} else if (reg == 0x2c) {
		if (hba.port[n].sctl & ~v & 1 && n < 2) {
			hba.port[n].linked = true;
			if (n == 0)
				env_forget();
		}
		hba.port[n].sctl = v;
		fake_tsc += 3000000; /* the probe waits by the clock alone */
	} else if (reg == 0x34) {
		hba.port[n].sact |= v;
	} else if (reg == 0x38) {
		hba.port[n].ci |= v;
		assert_true(hba.port[n].cmd & CMD_ST);
		for (u32 i = 0; i < 32; i++)
			if (v & BIT(i))
				command(n, i);
	}
}

static void env_write(u64 offset, u32 bytes, u32 v)
{
	assert_int_equal(bytes, 4);
	if (offset >= 0x100 && offset < 0x100 + 3 * 0x80)
		write_port((u32)(offset - 0x100) / 0x80, offset & 0x7f, v);
	else if (offset == 4)
		hba.ghc = v;
	else if (offset == 8)
		hba.is &= ~v;
}

/* The probe polls: time passes when it looks. */
static void test_probe(void **state)
{
	(void)state;
	env_reset();
	assert_int_equal(ahci_probe(&env.pci), 1);
	assert_non_null(block_find("sd0"));
	assert_null(block_find("sd1"));
	assert_int_equal(block_find("sd0")->sectors, ENV_SECTORS);
	assert_int_equal(block_find("sd0")->depth, 32);
	assert_int_equal(hba.ghc & GHC_IE, GHC_IE);
	assert_int_equal(hba.port[1].cmd & (CMD_ST | CMD_FRE), 0);
}

static const struct env_driver driver = { "sd0", ahci_tick };

static void test_command(void **state)
{
	static struct ahci_memory m;
	struct block_seg s[] = { { { 0x10000 }, 0x800000 },
				 { { 0x810000 }, 0x1000 },
				 { { 0x120000002 }, 0x200 } };
	struct block_req r = {
		.op = BLOCK_WRITE, .sector = 0x123456789a, .nsectors = 0x4009, .segs = s, .nsegs = 3
	};
	struct slot slot = { .req = &r };

	(void)state;
	ahci_command(&m, 5, &slot, false, 0x200004000);
	assert_int_equal(m.header[5].prdtl, 4); /* 4 MiB are the most */
	assert_int_equal(m.header[5].ctbau, 2);
	assert_int_equal(m.table[5].prd[1].dbc, (4 << 20) - 1);
	assert_int_equal(m.table[5].prd[2].dba, 0x810000);
	assert_int_equal(m.table[5].prd[3].dba, 0x20000002);
	assert_int_equal(m.table[5].prd[3].dbau, 1);
	assert_int_equal(slot.sectors, 0x4009);
	assert_int_equal(m.table[5].cfis[12], 0x09);
	assert_int_equal(m.table[5].cfis[13], 0x40);
}

static void test_random(void **state)
{
	(void)state;
	env_random(&driver);
	assert_true(queued > 100);
}

static void test_flush(void **state) { (void)state; env_flush(&driver); }

/* Each failure stops the queue: the driver finds by itself which command it was. */
static void test_bad_sector(void **state)
{
	(void)state;
	env.resets = 0;
	env_bad_sector(&driver);
	assert_in_range(env.resets, 4, 5);
}

static void test_lost_interrupts(void **state) { (void)state; env_lost_interrupts(&driver); }
static void test_killer(void **state) { (void)state; env_killer(&driver); }

/* Pulled out and put in again. */
static void test_link_lost(void **state)
{
	(void)state;
	env_six(&driver);
	env.hung = true;
	interrupt_of(0, BIT(22) | BIT(6));
	env.handler(env.ctx);
	env_run(ahci_tick, 20);
	env_expect(6);
}

/* No device asked: a shared line. */
static void test_not_ours(void **state)
{
	(void)state;
	assert_false(env.handler(env.ctx));
}

/* The adapter serves its other disks on. */
static void test_death(void **state)
{
	(void)state;
	env_death(&driver);
	assert_true(env.command & PCI_COMMAND_MASTER);
}

/* Only the whole adapter can be kept from memory: its other disk ends with it. */
static void test_stuck(void **state)
{
	static const struct env_driver again = { "sd1", ahci_tick };
	struct block_seg seg[] = { { { 0x8000 }, PAGE_SIZE }, { { 0x9000 }, PAGE_SIZE } };
	struct block_req r[2];

	(void)state;
	env.dead = false;
	second = true;
	assert_int_equal(ahci_probe(&env.pci), 2);
	for (u32 i = 0; i < 2; i++)
		r[i] = (struct block_req){ .dev = block_find("sd2"),
					   .op = BLOCK_READ,
					   .sector = 8 * i,
					   .nsectors = 8,
					   .segs = &seg[i],
					   .nsegs = 1,
					   .done = env_done };
	stuck = true;
	env_six(&again); /* the first one hangs */
	block_submit(&r[0]);
	env_run(ahci_tick, 30000);
	assert_int_equal(env.done, 7);
	assert_int_equal(env_q[0].r.err, E_IO);
	assert_int_equal(r[0].err, E_IO);
	block_submit(&r[1]);
	block_poll();
	assert_int_equal(env.done, 8);
	assert_int_equal(r[1].err, E_IO);
	assert_true(block_idle());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),      cmocka_unit_test(test_command),
		cmocka_unit_test(test_random),     cmocka_unit_test(test_flush),
		cmocka_unit_test(test_bad_sector), cmocka_unit_test(test_lost_interrupts),
		cmocka_unit_test(test_killer),     cmocka_unit_test(test_link_lost),
		cmocka_unit_test(test_not_ours),   cmocka_unit_test(test_death),
		cmocka_unit_test(test_stuck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

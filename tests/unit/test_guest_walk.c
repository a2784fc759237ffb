/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @kernel */
/*
 * test_guest_walk.c - guests' page tables in every mode, rights, accessed and dirty bits, and copies.
 */
#include "tests/unit/kernel_env.h"

static struct walk_fault f;
static gpa_t out;

static int walk(u64 la, enum walk_access how)
{
	f = (struct walk_fault){ 0, 0 };
	return guest_walk(&env.vm[0], &env.hw[0].mode, env.hw[0].regs.rflags, la, how, &out, &f);
}

static void put32(u64 gpa, u32 value) { memcpy(env.ram + gpa, &value, 4); }

static void test_off(void **state)
{
	(void)state;
	assert_int_equal(walk(0x1234, WALK_READ), 0);
	assert_int_equal(out.a, 0x1234);
}

static void test_two_levels(void **state)
{
	struct guest_mode *m = &env.hw[0].mode;

	(void)state;
	m->cr0 = 0x80010001;
	m->cr3 = 0x1000;
	m->cr4 = 0x10;
	put32(0x1000 + 4 * 1, 0x2000 | 7);          /* 4 MiB: table */
	put32(0x2000 + 4 * 5, 0x9000 | 7);
	put32(0x1000 + 4 * 2, 0xc00000 | 0x83);     /* 8 MiB: a 4 MiB page, supervisor */
	assert_int_equal(walk(0x405123, WALK_READ), 0);
	assert_int_equal(out.a, 0x9123);
	assert_int_equal(env.ram[0x2014] & 0x60, 0x20);
	assert_int_equal(walk(0x405123, WALK_WRITE), 0);
	assert_int_equal(env.ram[0x2014] & 0x60, 0x60);
	assert_int_equal(walk(0x812345, WALK_READ), 0);
	assert_int_equal(out.a, 0xc12345);
	m->cpl = 3;
	assert_int_equal(walk(0x812345, WALK_READ), E_INVAL);
	assert_int_equal(f.code, PF_PRESENT | PF_USER);
	assert_int_equal(f.la, 0x812345);
	m->cpl = 0;
	assert_int_equal(walk(0xc00000, WALK_WRITE), E_INVAL);
	assert_int_equal(f.code, PF_WRITE);
}

static void test_pae(void **state)
{
	struct guest_mode *m = &env.hw[0].mode;

	(void)state;
	m->cr0 = 0x80010001;
	m->cr3 = 0x1020; /* 32-byte aligned */
	m->cr4 = 0x30;
	m->efer = 0x800;
	put64(0x1020, 0x2000 | 1);                  /* PDPTE: only P */
	put64(0x2000, 0x3000 | 7);
	put64(0x2008, 0x600000 | 0x83);             /* 2 MiB page */
	put64(0x3008, 0x9000 | 7 | 1ull << 63);     /* NX */
	assert_int_equal(walk(0x1010, WALK_WRITE), 0);
	assert_int_equal(out.a, 0x9010);
	assert_int_equal(get64(0x1020), 0x2001);    /* no accessed bit there */
	assert_int_equal(walk(0x1010, WALK_FETCH), E_INVAL);
	assert_int_equal(f.code, PF_PRESENT | PF_FETCH);
	assert_int_equal(walk(0x212345, WALK_FETCH), 0);
	assert_int_equal(out.a, 0x612345);
}

static void test_long_mode(void **state)
{
	struct guest_mode *m = &env.hw[0].mode;

	(void)state;
	env_long_mode(&env.hw[0]);
	assert_int_equal(walk(0x7abc, WALK_READ), 0);
	assert_int_equal(out.a, 0x7abc);
	assert_int_equal(get64(0x1000) & 0x20, 0x20);
	assert_int_equal(walk(0x800000000000, WALK_READ), E_INVAL);
	assert_int_equal(f.code, WALK_NOT_CANONICAL);
	put64(0x2008, 0x40000000 | 0x83);           /* a 1 GiB page */
	assert_int_equal(walk(0x40000000 + 0x123456, WALK_READ), 0);
	assert_int_equal(out.a, 0x40123456);
	/* Five levels: page 5 on top. */
	put64(0x5000, 0x1000 | 7);
	m->cr3 = 0x5000;
	m->cr4 |= BIT64(12);
	assert_int_equal(walk(0x7abc, WALK_READ), 0);
	assert_int_equal(out.a, 0x7abc);
	m->cr3 = 0xff000000; /* not RAM */
	assert_int_equal(walk(0x7abc, WALK_READ), E_INVAL);
	assert_int_equal(f.code, PF_PRESENT | PF_RSVD);
}

static void test_rights(void **state)
{
	struct guest_mode *m = &env.hw[0].mode;

	(void)state;
	env_long_mode(&env.hw[0]);
	put64(0x4000 + 8 * 8, 0x8000 | 5);          /* page 8: user, read-only */
	put64(0x4000 + 9 * 8, 0x9000 | 3);          /* page 9: supervisor */
	assert_int_equal(walk(0x8000, WALK_WRITE), E_INVAL); /* CR0.WP */
	assert_int_equal(f.code, PF_PRESENT | PF_WRITE);
	m->cr0 &= ~(1ull << 16);
	assert_int_equal(walk(0x8000, WALK_WRITE), 0);
	m->cr4 |= BIT64(20) | BIT64(21);            /* SMEP, SMAP */
	assert_int_equal(walk(0x7000, WALK_FETCH), E_INVAL);
	assert_int_equal(walk(0x7000, WALK_READ), E_INVAL);
	assert_int_equal(walk(0x9000, WALK_READ), 0);
	env.hw[0].regs.rflags |= REGS_AC;
	assert_int_equal(walk(0x7000, WALK_READ), 0);
	m->cpl = 3;
	assert_int_equal(walk(0x9000, WALK_READ), E_INVAL);
	assert_int_equal(walk(0x7000, WALK_FETCH), 0);
}

static void test_evicted_table(void **state)
{
	(void)state;
	env_long_mode(&env.hw[0]);
	env.again_page = 3;
	assert_int_equal(walk(0x7000, WALK_READ), E_AGAIN);
	env.again_page = ~0u;
	assert_int_equal(walk(0x7000, WALK_READ), 0);
}

#define LEAF7 (0x4000 + 8 * 7)

/* Another processor of the guest changes page 7's entry after it was read, before A and D are marked
 * in it. */
static u64 leaf_then;
static u32 changes_left;

static void change_leaf(gpa_t gpa, bool write)
{
	if (gpa.a >> 3 != LEAF7 >> 3 || !write || !changes_left)
		return;
	changes_left--;
	put64(LEAF7, leaf_then);
}

static int walk_while_it_becomes(u64 entry, u32 times)
{
	put64(LEAF7, 0x7000 | 7);
	leaf_then = entry;
	changes_left = times;
	env.before_pin = change_leaf;
	return walk(0x7abc, WALK_WRITE);
}

static void test_changed_entry(void **state)
{
	(void)state;
	env_long_mode(&env.hw[0]);
	/* Unmapped: the page fault of an entry that is not there, and no bit in what the guest keeps
	 * in it. */
	assert_int_equal(walk_while_it_becomes(0, 1), E_INVAL);
	assert_int_equal(f.code, PF_WRITE);
	assert_int_equal(get64(LEAF7), 0);
	assert_int_equal(walk_while_it_becomes(0x123400, 1), E_INVAL);
	assert_int_equal(get64(LEAF7), 0x123400);
	/* Write-protected: its rights are looked at anew. */
	assert_int_equal(walk_while_it_becomes(0x7000 | 5, 1), E_INVAL);
	assert_int_equal(f.code, PF_PRESENT | PF_WRITE);
	assert_int_equal(get64(LEAF7), 0x7000 | 5);
	/* Another page: that one is meant, and marked. */
	assert_int_equal(walk_while_it_becomes(0x9000 | 7, 1), 0);
	assert_int_equal(out.a, 0x9abc);
	assert_int_equal(get64(LEAF7), 0x9000 | 0x67);
	/* Only marked by the processor, far above the low byte. */
	assert_int_equal(walk_while_it_becomes(BIT64(58) | 0x7000 | 0x27, 1), 0);
	assert_int_equal(get64(LEAF7), BIT64(58) | 0x7000 | 0x67);
	/* 32-bit entries: the neighbour in the same 8 bytes is left alone. */
	env.hw[0].mode = (struct guest_mode){ .cr0 = 0x80010001, .cr3 = 0x1000 };
	put32(0x1000, 0x4000 | 7);
	put32(0x4000 + 4 * 14, 0x7000 | 7);
	put32(0x4000 + 4 * 15, 0x8000 | 7);
	leaf_then = 0x00009007000ab007ull;
	changes_left = 1;
	assert_int_equal(walk(0xeabc, WALK_WRITE), 0);
	assert_int_equal(out.a, 0xababc);
	assert_int_equal(get64(0x4000 + 8 * 7), 0x00009007000ab067ull);
}

static u32 flips;

static void flip_leaf(gpa_t gpa, bool write)
{
	if (gpa.a >> 3 == LEAF7 >> 3 && write)
		put64(LEAF7, ++flips % 2 ? 0x8000 | 7 : 0x7000 | 7);
}

/* It never stands still: given up for now, with everything unpinned and the processor free for others. */
static void test_entry_that_keeps_changing(void **state)
{
	struct vcpu *v = &env.vm[0].vcpu;
	int err;

	(void)state;
	env_long_mode(&env.hw[0]);
	env.before_pin = flip_leaf;
	flips = 0;
	err = walk(0x7abc, WALK_WRITE);
	assert_int_equal(err, E_NOMEM);
	assert_in_range(flips, 2, 100);
	assert_int_equal(env.pins, 0);
	assert_int_equal(guest_walk_verdict(v, err, &f, "walking"), V_RETRY);
}

static void test_copies(void **state)
{
	struct vcpu *v = &env.vm[0].vcpu;
	u8 buf[64], bytes[16];
	u32 n = 0;

	(void)state;
	env_long_mode(&env.hw[0]);
	put64(0x4000 + 11 * 8, 0x14000 | 7);        /* page 11 lies elsewhere */
	memset(env.ram + 0xaff0, 0x11, 16);
	memset(env.ram + 0x14000, 0x22, 48);
	assert_int_equal(guest_copy_in(v, &env.hw[0].mode, 0xaff0, buf, 64, WALK_READ, &f), 0);
	assert_int_equal(buf[15], 0x11);
	assert_int_equal(buf[16], 0x22);
	memset(buf, 0x33, sizeof(buf));
	put64(0x4000 + 11 * 8, 0);                  /* second page gone: nothing is written */
	assert_int_equal(guest_copy_out(v, &env.hw[0].mode, 0xaff0, buf, 64, &f), E_INVAL);
	assert_int_equal(f.la, 0xb000);
	assert_int_equal(env.ram[0xaff0], 0x11);
	/* An instruction at the end of a page, nothing behind it. */
	v->regs->rip = 0xaffa;
	assert_int_equal(guest_fetch(v, &env.hw[0].mode, bytes, &n, &f), 0);
	assert_int_equal(n, 6);
	/* One whose second half is on disk waits for it, one that ends in the first page does not. */
	put64(0x4000 + 11 * 8, 0x14000 | 7);
	env.again_page = 0x14;
	memcpy(env.ram + 0xaffa, "\xf3\x48\xab\x90\x90\x90", 6); /* REP STOSQ */
	assert_int_equal(guest_fetch(v, &env.hw[0].mode, bytes, &n, &f), 0);
	assert_int_equal(n, 6);
	memcpy(env.ram + 0xaffa, "\x0f\xa2\x90\x90\x90\x90", 6); /* CPUID, which insn_decode does not know */
	assert_int_equal(guest_fetch(v, &env.hw[0].mode, bytes, &n, &f), 0);
	memcpy(env.ram + 0xaffa, "\x66\x48\xc7\x84\x24\x10", 6); /* MOV imm to memory, cut */
	assert_int_equal(guest_fetch(v, &env.hw[0].mode, bytes, &n, &f), E_AGAIN);
	env.again_page = ~0u;
	assert_int_equal(guest_fetch(v, &env.hw[0].mode, bytes, &n, &f), 0);
	assert_int_equal(n, 15);
	assert_int_equal(bytes[6], 0x22);
	/* prefixes only: what follows must be seen */
	memcpy(env.ram + 0xaffa, "\x66\x66\x66\x66\x66\x66", 6);
	assert_int_equal(guest_fetch(v, &env.hw[0].mode, bytes, &n, &f), 0);
	assert_int_equal(n, 15);
}

static void test_verdicts(void **state)
{
	struct vcpu *v = &env.vm[0].vcpu;

	(void)state;
	env.vm[0].state = VM_RUNNING;
	f = (struct walk_fault){ 0x123, PF_WRITE };
	assert_int_equal(guest_walk_verdict(v, E_AGAIN, &f, "x"), V_BLOCK);
	assert_int_equal(guest_walk_verdict(v, E_INVAL, &f, "x"), V_RETRY);
	assert_int_equal(env.hw[0].exc, 14);
	assert_int_equal(env.hw[0].exc_code, PF_WRITE);
	assert_int_equal(v->regs->cr2, 0x123);
	assert_int_equal(guest_walk_verdict(v, E_RANGE, &f, "x"), V_KILL);
	assert_int_equal(env.vm[0].state, VM_STOPPING);
	assert_int_equal(env.vm[0].after, VM_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		env_test(test_off), env_test(test_two_levels), env_test(test_pae), env_test(test_long_mode),
		env_test(test_rights), env_test(test_evicted_table), env_test(test_changed_entry),
		env_test(test_entry_that_keeps_changing), env_test(test_copies), env_test(test_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @kernel */
/*
 * test_mmio.c - instructions that the hypervisor completes: device moves and arithmetic, string I/O,
 * whole-page overwrites. Guest code lies at 8000h, paging off unless a test turns it on.
 */
#include "tests/unit/kernel_env.h"

#define CODE 0x8000
#define DEVICE 0xfec00010ull

static struct vmexit x;

static enum verdict run_at(u64 gpa, const char *code, u32 n)
{
	memcpy(env.ram + CODE, code, n);
	env.hw[0].regs.rip = CODE;
	env.vm[0].state = VM_RUNNING;
	x = (struct vmexit){ .kind = VMEXIT_SLAT };
	x.slat.gpa.a = gpa;
	return exit_table[VMEXIT_SLAT](&env.vm[0].vcpu, &x);
}
#define run(gpa, code) run_at(gpa, code, sizeof(code) - 1)

static void test_moves(void **state)
{
	struct guest_regs *r = &env.hw[0].regs;
	struct vboard *b = &env.board[0];

	(void)state;
	r->gpr[REG_RCX] = 0xaabbccdd11223344ull;
	assert_int_equal(run(DEVICE, "\x89\x08"), V_NEXT); /* mov [eax], ecx */
	assert_int_equal(x.insn_len, 2);
	assert_int_equal(b->last_addr, DEVICE);
	assert_int_equal(b->last_value, 0x11223344);
	assert_int_equal(b->last_size, 4);
	b->value = 0x99887766;
	assert_int_equal(run(DEVICE, "\x8b\x08"), V_NEXT); /* mov ecx, [eax] */
	assert_int_equal(r->gpr[REG_RCX], 0x99887766);
	assert_int_equal(run(DEVICE, "\x8a\x28"), V_NEXT); /* mov ch, [eax] */
	assert_int_equal(r->gpr[REG_RCX], 0x99886666);
	assert_int_equal(run(DEVICE, "\x0f\xb6\x10"), V_NEXT); /* movzx edx, byte [eax] */
	assert_int_equal(r->gpr[REG_RDX], 0x66);
	b->value = 0x80;
	assert_int_equal(run(DEVICE, "\x0f\xbe\x10"), V_NEXT); /* movsx edx, byte [eax] */
	assert_int_equal(r->gpr[REG_RDX], 0xffffff80);
	assert_int_equal(run(DEVICE, "\xc7\x00\x78\x56\x34\x12"), V_NEXT); /* mov dword [eax], imm */
	assert_int_equal(b->last_value, 0x12345678);
	assert_int_equal(run(0xdead0000, "\x8b\x08"), V_NEXT); /* nobody there */
	assert_int_equal(r->gpr[REG_RCX], 0xffffffff);
	b->value = 5;
	r->gpr[REG_RCX] = 6;
	assert_int_equal(run(DEVICE, "\x87\x08"), V_NEXT); /* xchg [eax], ecx */
	assert_int_equal(r->gpr[REG_RCX], 5);
	assert_int_equal(b->last_value, 6);
}

static void test_apic(void **state)
{
	struct guest_regs *r = &env.hw[0].regs;
	struct vmexit e = { .kind = VMEXIT_APIC_ACCESS, .apic = { .offset = 0x30 } };

	(void)state;
	memcpy(env.ram + CODE, "\x8b\x08", 2);
	r->rip = CODE;
	env.board[0].value = 0x50014;
	assert_int_equal(exit_apic_access(&env.vm[0].vcpu, &e), V_NEXT);
	assert_int_equal(env.board[0].last_addr, 0x30);
	assert_int_equal(r->gpr[REG_RCX], 0x50014);
	assert_int_equal(e.insn_len, 2);
	r->gpr[REG_RCX] = 0x123;
	assert_int_equal(run(VBOARD_LAPIC_GPA + 0x380, "\x89\x08"), V_NEXT);
	assert_int_equal(env.board[0].last_addr, 0x380);
	assert_int_equal(env.board[0].last_value, 0x123);
	e = (struct vmexit){ .kind = VMEXIT_APIC_WRITE, .apic = { .offset = 0xb0 } };
	env.vm[0].vcpu.look = false;
	assert_int_equal(exit_apic_write(&env.vm[0].vcpu, &e), V_RETRY);
	assert_true(env.vm[0].vcpu.look);
}

static void test_arithmetic(void **state)
{
	struct guest_regs *r = &env.hw[0].regs;
	struct vboard *b = &env.board[0];

	(void)state;
	b->value = 0xf0;
	r->gpr[REG_RCX] = 0x0f;
	assert_int_equal(run(DEVICE, "\x09\x08"), V_NEXT); /* or [eax], ecx */
	assert_int_equal(b->last_value, 0xff);
	assert_int_equal(run(DEVICE, "\x21\x08"), V_NEXT); /* and [eax], ecx */
	assert_int_equal(b->last_value, 0);
	assert_true(r->rflags & REGS_ZF);
	b->value = 0xffffffff;
	r->gpr[REG_RCX] = 1;
	assert_int_equal(run(DEVICE, "\x03\x08"), V_NEXT); /* add ecx, [eax] */
	assert_int_equal(r->gpr[REG_RCX], 0);
	assert_int_equal(r->rflags & (REGS_CF | REGS_ZF | REGS_OF | REGS_AF), REGS_CF | REGS_ZF | REGS_AF);
	b->value = 0x80000000;
	b->writes = 0;
	r->gpr[REG_RCX] = 1;
	assert_int_equal(run(DEVICE, "\x39\x08"), V_NEXT); /* cmp [eax], ecx */
	assert_int_equal(b->writes, 0);
	assert_int_equal(r->rflags & (REGS_CF | REGS_ZF | REGS_SF | REGS_OF), REGS_OF);
	assert_int_equal(run(DEVICE, "\x3b\x08"), V_NEXT); /* cmp ecx, [eax] */
	assert_int_equal(r->rflags & (REGS_CF | REGS_ZF | REGS_SF | REGS_OF), REGS_CF | REGS_SF | REGS_OF);
	assert_int_equal(run(DEVICE, "\xf7\x00\x00\x00\x00\x80"), V_NEXT); /* test dword [eax], imm */
	assert_int_equal(r->rflags & (REGS_ZF | REGS_SF), REGS_SF);
	assert_true(r->dirty);
	b->value = 4;
	r->gpr[REG_RCX] = 2;
	assert_int_equal(run(DEVICE, "\x0f\xb3\x08"), V_NEXT); /* btr [eax], ecx */
	assert_true(r->rflags & REGS_CF);
	assert_int_equal(b->last_value, 0);
}

static void test_strings(void **state)
{
	struct guest_regs *r = &env.hw[0].regs;
	struct vboard *b = &env.board[0];

	(void)state;
	memcpy(env.ram + 0x9000, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	r->gpr[REG_RSI] = 0x9000;
	r->gpr[REG_RDI] = DEVICE;
	r->gpr[REG_RCX] = 2;
	assert_int_equal(run(DEVICE, "\xf3\xa5"), V_RETRY); /* rep movsd: one element an exit */
	assert_int_equal(b->last_value, 0x04030201);
	assert_int_equal(r->gpr[REG_RCX], 1);
	assert_int_equal(r->gpr[REG_RSI], 0x9004);
	assert_int_equal(run(DEVICE + 4, "\xf3\xa5"), V_NEXT);
	assert_int_equal(b->last_addr, DEVICE + 4);
	assert_int_equal(r->gpr[REG_RCX], 0);
	/* From the device to RAM. */
	b->value = 0xcafe;
	r->gpr[REG_RSI] = DEVICE;
	r->gpr[REG_RDI] = 0x9100;
	assert_int_equal(run(DEVICE, "\xa5"), V_NEXT);
	assert_memory_equal(env.ram + 0x9100, "\xfe\xca\x00\x00", 4);
	r->gpr[REG_RAX] = 0x77;
	r->gpr[REG_RDI] = DEVICE;
	r->rflags = REGS_DF;
	assert_int_equal(run(DEVICE, "\xaa"), V_NEXT); /* stosb, backward */
	assert_int_equal(b->last_value, 0x77);
	assert_int_equal(r->gpr[REG_RDI], DEVICE - 1);
}

static void test_not_supported(void **state)
{
	(void)state;
	assert_int_equal(run(DEVICE, "\x0f\x10\x00"), V_KILL); /* movups */
	assert_int_equal(env.vm[0].after, VM_FAILED);
	assert_non_null(strstr(env.vm[0].reason, "0f 10 00"));
}

static void test_no_memory(void **state)
{
	struct vcpu *v = &env.vm[0].vcpu;

	(void)state;
	env.vm[0].state = VM_RUNNING;
	x = (struct vmexit){ .kind = VMEXIT_SLAT };
	x.slat.gpa.a = 0xf0000000;
	x.slat.fetch = true;
	assert_int_equal(exit_table[VMEXIT_SLAT](v, &x), V_KILL);
}

static void test_port_io(void **state)
{
	struct vcpu *v = &env.vm[0].vcpu;
	struct guest_regs *r = v->regs;

	(void)state;
	x = (struct vmexit){ .kind = VMEXIT_IO, .io = { .port = 0x3f8, .size = 1, .in = true } };
	r->gpr[REG_RAX] = 0x1122334455667788ull;
	env.board[0].value = 0xee;
	assert_int_equal(exit_io(v, &x), V_NEXT);
	assert_int_equal(r->gpr[REG_RAX], 0x11223344556677eeull);
	x.io.size = 4;
	assert_int_equal(exit_io(v, &x), V_NEXT);
	assert_int_equal(r->gpr[REG_RAX], 0xee);
	x.io.in = false;
	x.io.size = 2;
	r->gpr[REG_RAX] = 0xffff1234;
	assert_int_equal(exit_io(v, &x), V_NEXT);
	assert_int_equal(env.board[0].last_value, 0x1234);
}

static void test_string_io(void **state)
{
	struct vcpu *v = &env.vm[0].vcpu;
	struct guest_regs *r = v->regs;

	(void)state;
	memcpy(env.ram + CODE, "\xf3\x6e", 2); /* rep outsb */
	memcpy(env.ram + 0x9000, "ab", 2);
	r->rip = CODE;
	r->gpr[REG_RSI] = 0x9000;
	r->gpr[REG_RCX] = 2;
	x = (struct vmexit){ .kind = VMEXIT_IO,
			     .io = { .port = 0x80, .size = 1, .string = true, .rep = true } };
	assert_int_equal(exit_io(v, &x), V_RETRY);
	assert_int_equal(env.board[0].last_value, 'a');
	assert_int_equal(exit_io(v, &x), V_NEXT);
	assert_int_equal(env.board[0].last_value, 'b');
	assert_int_equal(x.insn_len, 2);
	memcpy(env.ram + CODE, "\x6d", 1); /* insd */
	x.io.size = 4;
	x.io.in = true;
	x.io.rep = false;
	env.board[0].value = 0x64636261;
	r->gpr[REG_RDI] = 0x9ffe; /* crosses a page */
	assert_int_equal(exit_io(v, &x), V_NEXT);
	assert_memory_equal(env.ram + 0x9ffe, "abcd", 4);
	assert_int_equal(r->gpr[REG_RDI], 0xa002);
	/* A store that would fault does not read the port. */
	env_long_mode(&env.hw[0]);
	put64(0x4000 + 8 * 0x20, 0);
	r->gpr[REG_RDI] = 0x20000;
	env.board[0].reads = 0;
	assert_int_equal(exit_io(v, &x), V_RETRY);
	assert_int_equal(env.board[0].reads, 0);
	assert_int_equal(env.hw[0].exc, 14);
	assert_int_equal(r->cr2, 0x20000);
}

static enum verdict write_fault(u64 gpa, const char *code, u32 n)
{
	memcpy(env.ram + CODE, code, n);
	env.hw[0].regs.rip = CODE;
	x = (struct vmexit){ .kind = VMEXIT_SLAT };
	x.slat.gpa.a = gpa;
	x.slat.write = true;
	return exit_table[VMEXIT_SLAT](&env.vm[0].vcpu, &x);
}

static void test_overwrite(void **state)
{
	struct guest_regs *r = &env.hw[0].regs;

	(void)state;
	env_long_mode(&env.hw[0]);
	env.needs_read = true;
	memset(env.ram + 0x10000, 0x55, 3 * PAGE_SIZE);
	r->gpr[REG_RDI] = 0x10000;
	r->gpr[REG_RCX] = 600;
	r->gpr[REG_RAX] = 0;
	assert_int_equal(write_fault(0x10000, "\xf3\x48\xab", 3), V_RETRY); /* rep stosq */
	assert_int_equal(env.overwrites, 1);
	assert_int_equal(r->gpr[REG_RCX], 88);
	assert_int_equal(r->gpr[REG_RDI], 0x11000);
	assert_int_equal(env.ram[0x10fff], 0);
	assert_int_equal(env.ram[0x11000], 0x55);
	/* Less than a page is left: the ordinary way. */
	assert_int_equal(write_fault(0x11000, "\xf3\x48\xab", 3), V_RETRY);
	assert_int_equal(env.overwrites, 1);
	assert_int_equal(env.faults, 1);
	/* copy_page */
	for (u32 i = 0; i < PAGE_SIZE; i++)
		env.ram[0x18000 + i] = (u8)(i * 7);
	r->gpr[REG_RDI] = 0x12000;
	r->gpr[REG_RSI] = 0x18000;
	r->gpr[REG_RCX] = 512;
	assert_int_equal(write_fault(0x12000, "\xf3\x48\xa5", 3), V_RETRY);
	assert_int_equal(env.overwrites, 2);
	assert_memory_equal(env.ram + 0x12000, env.ram + 0x18000, PAGE_SIZE);
	assert_int_equal(r->gpr[REG_RCX], 0);
	assert_int_equal(r->gpr[REG_RSI], 0x19000);
	assert_true(get64(0x4000 + 8 * 0x12) & 0x40); /* the guest's own dirty bit */
	/* A source on any address, across two pages. */
	r->gpr[REG_RDI] = 0x12000;
	r->gpr[REG_RSI] = 0x18123;
	r->gpr[REG_RCX] = 4096 + 5;
	assert_int_equal(write_fault(0x12000, "\xf3\xa4", 2), V_RETRY);
	assert_int_equal(env.overwrites, 3);
	assert_memory_equal(env.ram + 0x12000, env.ram + 0x18123, PAGE_SIZE);
	assert_int_equal(r->gpr[REG_RCX], 5);
	assert_int_equal(r->gpr[REG_RSI], 0x19123);
	assert_int_equal(env.vm[0].mem.n.rep_whole, 3);
	/* The target is part of the source. */
	r->gpr[REG_RDI] = 0x12000;
	r->gpr[REG_RSI] = 0x11800;
	r->gpr[REG_RCX] = 4096;
	env.faults = 0;
	write_fault(0x12000, "\xf3\xa4", 2);
	assert_int_equal(env.overwrites, 3);
	assert_int_equal(env.faults, 1);
	assert_int_equal(env.vm[0].mem.n.rep_part, 2);
	/* Its source is not there: the guest's own fault, and nothing is counted. */
	r->gpr[REG_RDI] = 0x12000;
	r->gpr[REG_RCX] = 512;
	put64(0x4000 + 8 * 0x17, 0);
	r->gpr[REG_RSI] = 0x17000;
	assert_int_equal(write_fault(0x12000, "\xf3\x48\xa5", 3), V_RETRY);
	assert_int_equal(env.hw[0].exc, 14);
	assert_int_equal(r->cr2, 0x17000);
	assert_int_equal(env.vm[0].mem.n.rep_whole, 3);
	/* No frame for it: park, with the source given back and nothing done. */
	r->gpr[REG_RSI] = 0x18000;
	env.no_frame = true;
	assert_int_equal(write_fault(0x12000, "\xf3\x48\xa5", 3), V_BLOCK);
	assert_int_equal(write_fault(0x12000, "\xf3\x48\xab", 3), V_BLOCK);
	env.no_frame = false;
	assert_int_equal(env.overwrites, 5);
	env.overwrites = 3;
	assert_int_equal(r->gpr[REG_RCX], 512);
	assert_int_equal(env.pins, 0);
	/* Its source is on disk: park, and give up nothing. */
	r->gpr[REG_RDI] = 0x12000;
	r->gpr[REG_RSI] = 0x18000;
	r->gpr[REG_RCX] = 512;
	env.again_page = 0x18;
	assert_int_equal(write_fault(0x12000, "\xf3\x48\xa5", 3), V_BLOCK);
	assert_int_equal(env.overwrites, 3);
}

static void test_no_overwrite(void **state)
{
	struct guest_regs *r = &env.hw[0].regs;

	(void)state;
	env_long_mode(&env.hw[0]);
	env.needs_read = true;
	r->gpr[REG_RDI] = 0x10008; /* not from the page's start */
	r->gpr[REG_RCX] = 512;
	write_fault(0x10008, "\xf3\x48\xab", 3);
	r->gpr[REG_RDI] = 0x10000;
	r->rflags = REGS_DF;
	write_fault(0x10000, "\xf3\x48\xab", 3);
	r->rflags = 0;
	write_fault(0x10000, "\x48\xab", 2); /* no REP */
	write_fault(0x10000, "\x89\x08", 2);
	write_fault(0x20000, "\xf3\x48\xab", 3); /* RDI leads elsewhere */
	r->rflags = REGS_TF; /* a trap after each iteration */
	write_fault(0x10000, "\xf3\x48\xab", 3);
	r->rflags = 0;
	env.hw[0].mode.dr7 = 0x400 | 1; /* a breakpoint may lie in the page */
	write_fault(0x10000, "\xf3\x48\xab", 3);
	env.hw[0].mode.dr7 = 0x400;
	r->gpr[REG_RSI] = 0xfffff800; /* goes on at 0 */
	r->gpr[REG_RCX] = 4096;
	write_fault(0x10000, "\x67\xf3\xa4", 3);
	env.needs_read = false;
	write_fault(0x10000, "\xf3\x48\xab", 3);
	assert_int_equal(env.overwrites, 0);
	assert_int_equal(env.faults, 9);
	assert_int_equal(env.vm[0].mem.n.rep_part, 6);
	assert_int_equal(env.vm[0].mem.n.refault_writes, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		env_test(test_moves), env_test(test_apic), env_test(test_arithmetic), env_test(test_strings),
		env_test(test_not_supported), env_test(test_no_memory), env_test(test_port_io),
		env_test(test_string_io), env_test(test_overwrite), env_test(test_no_overwrite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/exit/insn.c */
/* test_insn - instructions that kernels really use on device memory, byte for byte; and refusals. fuzz_insn
 * has the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/exit/insn.h"

#define BYTES(...) (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ })

static struct insn in;

static void decode(u8 mode, const u8 *bytes, size_t n, int err)
{
	assert_int_equal(insn_decode(bytes, (u32)n, mode, &in), err);
	if (!err)
		assert_int_equal(in.len, n);
}

static void test_moves(void **state)
{
	(void)state;
	decode(64, BYTES(0x89, 0xb7, 0x00, 0xb0, 0x5f, 0xff), 0); /* mov [rdi-0xa05000], esi: apic write */
	assert_int_equal(in.op, INSN_MOV);
	assert_true(in.mem_is_dst && !in.mem_is_src);
	assert_int_equal(in.base, 7);
	assert_int_equal(in.reg, 6);
	assert_int_equal(in.size, 4);
	assert_int_equal(in.disp, -0xa05000);
	decode(64, BYTES(0x8b, 0x04, 0x25, 0x20, 0xd0, 0x5f, 0xff), 0); /* mov eax, [ff5fd020] */
	assert_int_equal(in.base, -1);
	assert_int_equal(in.index, -1);
	assert_int_equal(in.disp, -0xa02fe0);
	decode(64, BYTES(0x4c, 0x8b, 0x64, 0xc8, 0x08), 0); /* mov r12, [rax+rcx*8+8] */
	assert_int_equal(in.size, 8);
	assert_int_equal(in.reg, 12);
	assert_int_equal(in.index, 1);
	assert_int_equal(in.scale, 8);
	decode(64, BYTES(0xc7, 0x05, 0x10, 0, 0, 0, 0x78, 0x56, 0x34, 0x82), 0); /* mov dword [rip+16], imm */
	assert_int_equal(in.base, 16);
	assert_true(in.has_imm);
	assert_int_equal(in.imm, (s64)(s32)0x82345678);
	decode(64, BYTES(0xa3, 1, 2, 3, 4, 5, 6, 7, 8), 0);
	assert_int_equal(in.disp, 0x0807060504030201);
	decode(64, BYTES(0x88, 0x20), 0); /* mov [rax], ah */
	assert_true(in.reg_high);
	assert_int_equal(in.reg, 0);
	decode(64, BYTES(0x40, 0x88, 0x20), 0); /* mov [rax], spl */
	assert_false(in.reg_high);
	assert_int_equal(in.reg, 4);
	decode(64, BYTES(0x44, 0x0f, 0xb7, 0x0b), 0); /* movzx r9d, word [rbx] */
	assert_int_equal(in.op, INSN_MOVZX);
	assert_int_equal(in.size, 2);
	assert_int_equal(in.reg_size, 4);
	decode(64, BYTES(0x48, 0x63, 0x03), 0); /* movsxd rax, [rbx] */
	assert_int_equal(in.reg_size, 8);
	assert_int_equal(in.size, 4);
	decode(64, BYTES(0x65, 0x8b, 0x00), 0);
	assert_int_equal(in.seg, 5);
	decode(64, BYTES(0x2e, 0x8b, 0x00), 0); /* CS: ignored in 64-bit mode */
	assert_int_equal(in.seg, 0xff);
	/* add [12e00c5h], cl: REX.B does not make R13 of a base that is not there (SDM volume 2, "Special
	 * Cases of REX Encodings"). */
	decode(64, BYTES(0x67, 0x41, 0x00, 0x0c, 0x65, 0xc5, 0x00, 0x2e, 0x01), 0);
	assert_int_equal(in.base, -1);
	assert_int_equal(in.index, -1);
	assert_int_equal(in.disp, 0x12e00c5);
	assert_int_equal(in.len, 9);
	decode(16, BYTES(0x89, 0x47, 0xfe), 0); /* mov [bx-2], ax */
	assert_int_equal(in.size, 2);
	assert_int_equal(in.addr_size, 2);
	assert_int_equal(in.base, 3);
	assert_int_equal(in.disp, -2);
	decode(32, BYTES(0x66, 0xc7, 0x06, 0x34, 0x12), 0);
	assert_int_equal(in.imm, 0x1234);
}

static void test_others(void **state)
{
	(void)state;
	decode(64, BYTES(0xf3, 0x48, 0xab), 0); /* rep stosq: clear_page */
	assert_int_equal(in.op, INSN_STOS);
	assert_true(in.rep);
	assert_int_equal(in.size, 8);
	assert_int_equal(in.base, 7);
	decode(64, BYTES(0xf3, 0x48, 0xa5), 0); /* rep movsq: copy_page */
	assert_int_equal(in.op, INSN_MOVS);
	assert_true(in.mem_is_src && in.mem_is_dst);
	assert_int_equal(in.base, 6);
	decode(64, BYTES(0xf0, 0x0f, 0xba, 0x28, 0x03), 0); /* lock bts dword [rax], 3 */
	assert_int_equal(in.op, INSN_BTS);
	assert_true(in.lock);
	assert_int_equal(in.imm, 3);
	decode(64, BYTES(0x87, 0x87, 0x00, 0xd3, 0x5f, 0xff), 0); /* xchg [rdi+..], eax: old apic writes */
	assert_int_equal(in.op, INSN_XCHG);
	assert_true(in.mem_is_src && in.mem_is_dst);
	decode(64, BYTES(0x83, 0x20, 0xf0), 0); /* and dword [rax], -16 */
	assert_int_equal(in.op, INSN_AND);
	assert_int_equal(in.imm, -16);
	decode(64, BYTES(0xf7, 0x00, 0, 0x10, 0, 0), 0); /* test dword [rax], 1000h */
	assert_int_equal(in.op, INSN_TEST);
	assert_false(in.mem_is_dst);
	decode(64, BYTES(0x3b, 0x03), 0);
	assert_int_equal(in.op, INSN_CMP);
	assert_true(in.mem_is_src && !in.mem_is_dst);
}

static void test_refusals(void **state)
{
	(void)state;
	decode(64, BYTES(0x89, 0xc0), E_NOTSUP); /* registers only; its length is known */
	assert_int_equal(in.len, 2);
	decode(64, BYTES(0xf0, 0x89, 0x00), E_NOTSUP); /* LOCK MOV is #UD */
	assert_int_equal(in.len, 3);
	decode(64, BYTES(0x0f, 0x28, 0x00), E_NOTSUP); /* movaps */
	assert_int_equal(in.len, 0);
	decode(64, BYTES(0x81, 0x10, 0, 0, 0, 0), E_NOTSUP); /* adc */
	decode(64, BYTES(0x89), E_INVAL); /* cut off */
	decode(64, BYTES(0x48), E_INVAL);
	decode(64, NULL, 0, E_INVAL);
	decode(64,
	       BYTES(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x89,
		     0x00),
	       E_INVAL); /* 16 bytes */
	decode(32, BYTES(0x63, 0x00), E_NOTSUP); /* ARPL */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_moves), cmocka_unit_test(test_others),
					    cmocka_unit_test(test_refusals) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

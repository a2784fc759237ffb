/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simd SEED ROUNDS - keeps values in all vector registers across long loops; prints a checksum
 * that depends on the seed alone. Two guests doing this at once show whether vector state is switched.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef uint32_t v8 __attribute__((vector_size(32)));
typedef uint32_t v4 __attribute__((vector_size(16)));

/* The registers stay live in one asm block for all iterations: no spill hides a lost one. */
static uint64_t sse(uint32_t seed, long n)
{
	v4 mem[16] __attribute__((aligned(64)));
	uint64_t sum = 0;

	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 4; j++)
			mem[i][j] = seed * 977u + (uint32_t)(i * 4 + j) * 131u;
	__asm__ volatile("movdqa (%[m]),%%xmm0; movdqa 16(%[m]),%%xmm1; movdqa 32(%[m]),%%xmm2; movdqa "
			 "48(%[m]),%%xmm3;"
			 "movdqa 64(%[m]),%%xmm4; movdqa 80(%[m]),%%xmm5; movdqa 96(%[m]),%%xmm6; movdqa "
			 "112(%[m]),%%xmm7;"
			 "movdqa 128(%[m]),%%xmm8; movdqa 144(%[m]),%%xmm9; movdqa 160(%[m]),%%xmm10; movdqa "
			 "176(%[m]),%%xmm11;"
			 "movdqa 192(%[m]),%%xmm12; movdqa 208(%[m]),%%xmm13; movdqa 224(%[m]),%%xmm14; "
			 "movdqa 240(%[m]),%%xmm15;"
			 "1: paddd %%xmm15,%%xmm0; pxor %%xmm0,%%xmm1; paddd %%xmm1,%%xmm2; pxor "
			 "%%xmm2,%%xmm3; paddd %%xmm3,%%xmm4;"
			 "pxor %%xmm4,%%xmm5; paddd %%xmm5,%%xmm6; pxor %%xmm6,%%xmm7; paddd %%xmm7,%%xmm8; "
			 "pxor %%xmm8,%%xmm9;"
			 "paddd %%xmm9,%%xmm10; pxor %%xmm10,%%xmm11; paddd %%xmm11,%%xmm12; pxor "
			 "%%xmm12,%%xmm13;"
			 "paddd %%xmm13,%%xmm14; pxor %%xmm14,%%xmm15; dec %[n]; jnz 1b;"
			 "movdqa %%xmm0,(%[m]); movdqa %%xmm7,112(%[m]); movdqa %%xmm14,224(%[m]); movdqa "
			 "%%xmm15,240(%[m])"
			 : [n] "+r"(n)
			 : [m] "r"(mem)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
			   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 4; j++)
			sum = sum * 1000003u + mem[i][j];
	return sum;
}

__attribute__((target("avx"))) static uint64_t avx(uint32_t seed, long n)
{
	v8 mem[4] __attribute__((aligned(64)));
	uint64_t sum = 0;

	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 8; j++)
			mem[i][j] = 0x3f800000u + ((seed * 7919u + (uint32_t)(i * 8 + j) * 613u) & 0xffffu);
	__asm__ volatile("vmovaps (%[m]),%%ymm0; vmovaps 32(%[m]),%%ymm1; vmovaps 64(%[m]),%%ymm8; vmovaps "
			 "96(%[m]),%%ymm15;"
			 "1: vxorps %%ymm0,%%ymm1,%%ymm1; vperm2f128 $1,%%ymm1,%%ymm1,%%ymm0; vxorps "
			 "%%ymm8,%%ymm0,%%ymm8;"
			 "vshufps $0x39,%%ymm8,%%ymm15,%%ymm15; vxorps %%ymm15,%%ymm1,%%ymm0; dec %[n]; jnz "
			 "1b;"
			 "vmovaps %%ymm0,(%[m]); vmovaps %%ymm1,32(%[m]); vmovaps %%ymm8,64(%[m]); vmovaps "
			 "%%ymm15,96(%[m]); vzeroupper"
			 : [n] "+r"(n)
			 : [m] "r"(mem)
			 : "memory", "cc", "xmm0", "xmm1", "xmm8", "xmm15");
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 8; j++)
			sum = sum * 1000003u + mem[i][j];
	return sum;
}

int main(int argc, char **argv)
{
	uint32_t seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1;
	long rounds = argc > 2 ? atol(argv[2]) : 1000000;

	printf("SSE %016llx\n", (unsigned long long)sse(seed, rounds));
	if (__builtin_cpu_supports("avx"))
		printf("AVX %016llx\n", (unsigned long long)avx(seed, rounds));
	printf("DONE\n");
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * seed.c - preloaded into Bochs by the benchmark. Bochs seeds the generator behind RDRAND with the time of
 * day, and stock kernels place themselves by RDRAND; without a seed every run draws the same numbers.
 */
void srand(unsigned int seed);

void srand(unsigned int seed)
{
	(void)seed;
}

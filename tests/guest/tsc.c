/* SPDX-License-Identifier: GPL-2.0-only */
/* tsc - prints the time stamp counter: when user space was reached, with the word `tsc` on the kernel's
 * command line. */
#include <stdio.h>
#include <x86intrin.h>

int main(void)
{
	unsigned long long t = __rdtsc();

	printf("TSC %llu\n", t);
	return 0;
}

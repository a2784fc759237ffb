/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * string.c - the memory and string functions that gcc and we call by name. Left out
 * on Linux, where the C library has them.
 *
 * Contract: as in the C standard. Callable from anywhere, no state.
 * Why no builtins or string instructions here: a loop that the compiler recognises would become
 * a call of the very function it is in (NO_IDIOM), and kernel/lib holds no assembly. Brackets around a name
 * keep lib.h's macro of that name away.
 */
#include "kernel/lib/lib.h"

#ifdef __clang__
#define NO_IDIOM __attribute__((no_builtin))
#else
#define NO_IDIOM __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

/* Unaligned words that may alias anything: x86 allows both. */
typedef u64 word __attribute__((may_alias, aligned(1)));

NO_IDIOM void *(memcpy)(void *d, const void *s, size_t n)
{
	u8 *to = d;
	const u8 *from = s;

	for (; n >= 32; n -= 32, to += 32, from += 32) {
		u64 a = ((const word *)from)[0], b = ((const word *)from)[1];
		u64 c = ((const word *)from)[2], e = ((const word *)from)[3];

		((word *)to)[0] = a;
		((word *)to)[1] = b;
		((word *)to)[2] = c;
		((word *)to)[3] = e;
	}
	for (; n >= 8; n -= 8, to += 8, from += 8)
		*(word *)to = *(const word *)from;
	for (; n; n--)
		*to++ = *from++;
	return d;
}

NO_IDIOM void *memmove(void *d, const void *s, size_t n)
{
	u8 *to = d;
	const u8 *from = s;

	/* Forward copying is safe if the target lies below the source or wholly past it. */
	if ((uintptr_t)to - (uintptr_t)from >= n)
		return memcpy(d, s, n);
	for (; n >= 8; n -= 8)
		*(word *)(to + n - 8) = *(const word *)(from + n - 8);
	for (; n; n--)
		to[n - 1] = from[n - 1];
	return d;
}

NO_IDIOM void *(memset)(void *d, int c, size_t n)
{
	u8 *to = d;
	u64 v = 0x0101010101010101ull * (u8)c;

	for (; n >= 8; n -= 8, to += 8)
		*(word *)to = v;
	for (; n; n--)
		*to++ = (u8)c;
	return d;
}

NO_IDIOM int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n >= 8 && *(const word *)x == *(const word *)y; n -= 8, x += 8, y += 8)
		;
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

NO_IDIOM size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

NO_IDIOM int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (u8)*a < (u8)*b ? -1 : 1;
		if (!*a)
			break;
	}
	return 0;
}

NO_IDIOM int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (u8)*a - (u8)*b;
}

NO_IDIOM char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)(uintptr_t)s;
}

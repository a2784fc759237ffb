/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lz4.c - LZ4 blocks. Contract: lz4.h.
 *
 * A block is a row of sequences: a token (count of literals, length of the match - 4; 15 in either says that
 * bytes follow which add up, the last one below 255), the literals, the match's distance in two bytes. The
 * last sequence has literals only. A match starts 12 bytes or more before the end and leaves 5 bytes or more
 * for literals.
 */
#include "mm/pager/lz4.h"
#include "kernel/lib/lib.h"

#define MIN_MATCH 4u
#define MATCH_START_BEFORE_END 12u
#define LAST_LITERALS 5u
#define SKIP_SHIFT 5 /* a step grows by one for every 32 bytes without a match */
#define STEP 8u

static u32 load32(const u8 *p)
{
	u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static u64 load64(const u8 *p)
{
	u64 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static void store64(u8 *p, u64 v)
{
	__builtin_memcpy(p, &v, sizeof(v));
}

/* Whole steps: up to 7 bytes beyond n are read and written. Overlap is right if d - s >= 8. */
static void copy_steps(u8 *d, const u8 *s, u32 n)
{
	for (u32 i = 0; i < n; i += STEP)
		store64(d + i, load64(s + i));
}

/* ---- compression ---- */

static u32 hash(u32 v)
{
	return v * 0x9e3779b1u >> (32 - LZ4_HASH_BITS);
}

/* How many of the first `most` bytes are the same. most bytes of either may be read. */
static u32 common(const u8 *a, const u8 *b, u32 most)
{
	u32 n = 0;

	for (; n + STEP <= most; n += STEP) {
		u64 differ = load64(a + n) ^ load64(b + n);

		if (differ)
			return n + (u32)__builtin_ctzll(differ) / 8;
	}
	while (n < most && a[n] == b[n])
		n++;
	return n;
}

/* What a count beyond the token's 15 takes. */
static inline u8 *put_rest(u8 *d, u32 rest)
{
	for (; rest >= 255; rest -= 255)
		*d++ = 255;
	*d++ = (u8)rest;
	return d;
}

static bool has_room(const u8 *d, const u8 *end, u32 n, u32 over, bool match)
{
	u64 room = (u64)(end - d);

	/* more than enough, without a division */
	if (likely(room >= (u64)n + n / 128 + over / 128 + 2 * STEP))
		return true;
	return room >= 1 + n + (n + 240) / 255 + (match ? 2 + (over + 240) / 255 : 0);
}

/* A sequence; match 0: the last one. NULL: no room. Up to 7 bytes after the literals may be read if there is
 * a match. */
static inline u8 *put_sequence(u8 *d, const u8 *end, const u8 *literals, u32 n, u32 distance, u32 match)
{
	u32 over = match ? match - MIN_MATCH : 0;
	u8 *token = d;

	if (!has_room(d++, end, n, over, match))
		return NULL;
	*token = (u8)(MIN(n, 15) << 4 | MIN(over, 15));
	if (n >= 15)
		d = put_rest(d, n - 15);
	if (match && end - d >= (s64)n + (s64)STEP)
		copy_steps(d, literals, n);
	else
		memcpy(d, literals, n);
	d += n;
	if (!match)
		return d;
	*d++ = (u8)distance;
	*d++ = (u8)(distance >> 8);
	return over >= 15 ? put_rest(d, over - 15) : d;
}

u32 lz4_compress(struct lz4_work *w, const void *src, u32 n, void *dst, u32 room)
{
	const u8 *s = src, *end = (u8 *)dst + room;
	u32 done = 0, at = 1;
	u8 *d = dst;

	BUG_ON(!n || n > LZ4_MOST);
	memset(w, 0, sizeof(*w)); /* place 0 has been seen, so to speak */
	while (at + MATCH_START_BEFORE_END <= n) {
		u32 word = load32(s + at), h = hash(word), from = w->place[h], len;

		w->place[h] = (u16)at;
		if (load32(s + from) != word) {
			at += 1 + ((at - done) >> SKIP_SHIFT);
			continue;
		}
		while (at > done && from && s[at - 1] == s[from - 1]) {
			at--;
			from--;
		}
		len = MIN_MATCH + common(s + at + MIN_MATCH, s + from + MIN_MATCH,
					 n - LAST_LITERALS - MIN_MATCH - at);
		d = put_sequence(d, end, s + done, at - done, at - from, len);
		if (!d)
			return 0;
		done = at += len;
		w->place[hash(load32(s + at - 2))] = (u16)(at - 2);
	}
	d = put_sequence(d, end, s + done, n - done, 0, 0);
	return d ? (u32)(d - (u8 *)dst) : 0;
}

/* ---- decompression ---- */

struct in { const u8 *at, *end; };

static u32 left(const struct in *in)
{
	return (u32)(in->end - in->at);
}

/* A count whose token said 15. False: the block ends in it. It can't overflow: at most 255 a byte of a u32's
 * many. */
static bool get_rest(struct in *in, u32 *n)
{
	u8 b;

	do {
		if (in->at == in->end || *n > LZ4_MOST)
			return false;
		b = *in->at++;
		*n += b;
	} while (b == 255);
	return true;
}

/* n bytes from `distance` before d, which may overlap them: then they repeat. slack: writable bytes from d
 * on, >= n. */
static void copy_match(u8 *d, u32 distance, u32 n, u32 slack)
{
	const u8 *s = d - distance;
	u32 i = 0;

	if (distance < STEP) {
		/* After one step the content has grown to a multiple of the distance that a step fits in. */
		for (; i < n && i < STEP; i++)
			d[i] = s[i];
		s = d - distance * ((STEP + distance - 1) / distance);
	}
	for (; i < n && i + STEP <= slack; i += STEP)
		store64(d + i, load64(s + i));
	for (; i < n; i++)
		d[i] = s[i];
}

/*
 * Sequences of the usual kind - up to 14 literals, a match of up to 18 bytes from 8 bytes away or more - far
 * enough from both ends to copy whole steps. Stops before the first other one.
 */
static void usual(struct in *in, const u8 *start, u8 **at, const u8 *end)
{
	const u8 *s = in->at;
	u8 *d = *at;

	while (in->end - s >= 20 && end - d >= 40) {
		u32 literals = *s >> 4, match = *s & 15, distance;
		const u8 *from;

		if (literals == 15 || match == 15)
			break;
		distance = s[1 + literals] | (u32)s[2 + literals] << 8;
		if (distance < STEP || distance > (u32)(d - start) + literals)
			break;
		store64(d, load64(s + 1));
		store64(d + STEP, load64(s + 1 + STEP));
		s += 3 + literals;
		d += literals;
		from = d - distance;
		store64(d, load64(from));
		store64(d + STEP, load64(from + STEP));
		store64(d + 2 * STEP, load64(from + 2 * STEP));
		d += match + MIN_MATCH;
	}
	in->at = s;
	*at = d;
}

int lz4_decompress(const void *src, u32 n, void *dst, u32 room)
{
	struct in in = { src, (const u8 *)src + n };
	u8 *d = dst, *end = d + room;

	for (;;) {
		u32 count, distance;
		u8 token;

		usual(&in, dst, &d, end);
		if (in.at == in.end)
			break;
		token = *in.at++;
		count = token >> 4;
		if (count == 15 && !get_rest(&in, &count))
			break;
		if (count > left(&in) || count > (u32)(end - d))
			break;
		if (left(&in) - count >= STEP && (u32)(end - d) - count >= STEP)
			copy_steps(d, in.at, count);
		else
			memcpy(d, in.at, count);
		in.at += count;
		d += count;
		if (in.at == in.end)
			return (int)(d - (u8 *)dst);
		if (left(&in) < 2)
			break;
		distance = in.at[0] | (u32)in.at[1] << 8;
		in.at += 2;
		count = token & 15;
		if (count == 15 && !get_rest(&in, &count))
			break;
		count += MIN_MATCH;
		if (!distance || distance > (u32)(d - (u8 *)dst) || count > (u32)(end - d))
			break;
		copy_match(d, distance, count, (u32)(end - d));
		d += count;
	}
	return E_INVAL;
}

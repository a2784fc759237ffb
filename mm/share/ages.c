/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ages.c - ages of guest pages from accessed bits. Contract and locking: ages.h.
 *
 * The scan loop is the one that the tracking budget pays for. It counts only
 * what was touched: how many pages of an age were not is known, since pop[] is
 * kept true between passes. So eight untouched entries cost one OR of their
 * bits and one addition to their eight age bytes, whatever those are, and a
 * touched one costs four instructions more.
 */
#include "mm/share/ages.h"

#define BYTES_OF(k) ((u64)(k) * 0x0101010101010101ull)

void ages_reset(struct ages *a)
{
	*a = (struct ages){ .epoch = AGES_N };
	for (u32 k = 0; k < AGES_N; k++)
		a->stamp[k] = a->epoch + 1 - k;
}

/*
 * Every age moves up by one to make room for this pass; two neighbours must
 * share one, those whose pages will be confused least.
 */
static u32 merge_at(const struct ages *a)
{
	u64 least = ~0ull;
	u32 at = AGE_MAX - 1;

	for (u32 k = AGE_MAX - 1; k >= AGE_LINEAR; k--) {
		u64 both = ((u64)a->pop[k] + a->gone[k]) * ((u64)a->pop[k + 1] + a->gone[k + 1]);

		if (both < least) {
			least = both;
			at = k;
		}
		if (!least)
			break;
	}
	return at;
}

void ages_begin_pass(struct ages *a)
{
	a->merge = merge_at(a);
	for (u32 k = 0; k < AGES_N; k++)
		a->touch[k] = 0;
}

/* The age that an untouched page of age k gets in this pass. */
static inline u32 next_age(const struct ages *a, u32 k)
{
	return k <= a->merge ? k + 1 : k;
}

/*
 * next_age() of eight ages at once. Adding 255 - merge to a byte carries out of
 * it if and only if the byte is above merge; merge >= 128, so the carry is bit 7
 * of both the byte and the sum of the low seven bits. Everything else goes up.
 */
static inline u64 next_eight(u64 x, u64 not_merge)
{
	u64 sum = (x & BYTES_OF(0x7f)) + not_merge;

	return x + BYTES_OF(1) - ((sum & x) >> 7 & BYTES_OF(1));
}

static inline void age_eight(u8 *age, u64 not_merge)
{
	u64 x;

	__builtin_memcpy(&x, age, 8);
	x = next_eight(x, not_merge);
	__builtin_memcpy(age, &x, 8);
}

/* Eight entries. */
static inline u64 any_of(const u64 *e)
{
	return e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7];
}

/*
 * Some of eight entries are touched: counts and clears those; ageing will make
 * AGE_TOUCHED of AGE_NEW. Hardware may set A and D meanwhile: so A goes by an
 * atomic and, never a store, and entries are read again (the fence; it also
 * spares the registers), which finds what any_of() saw and perhaps more.
 */
static inline __attribute__((always_inline)) void take_touched(struct ages *a, u64 *e, u8 *age, u64 a_bit)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
#pragma GCC unroll 8
	for (u32 i = 0; i < 8; i++) {
		if (likely(e[i] & a_bit)) {
			a->touch[age[i]]++;
			age[i] = AGE_NEW;
			__atomic_fetch_and(&e[i], ~a_bit, __ATOMIC_RELAXED);
		}
	}
}

static inline __attribute__((always_inline)) void scan_leaf(struct ages *a, u64 *entries, u8 *age, u64 a_bit)
{
	const u64 *end = entries + AGES_LEAF;
	const u64 not_merge = BYTES_OF(255 - a->merge);

	for (u64 *e = entries; e < end; e += 8, age += 8) {
		if (unlikely(any_of(e) & a_bit))
			take_touched(a, e, age, a_bit);
		age_eight(age, not_merge);
	}
}

void ages_scan_leaf(struct ages *a, u64 *entries, u8 *age, u64 a_bit)
{
	if (a_bit == BIT64(8)) /* EPT's: a constant saves an instruction an entry */
		scan_leaf(a, entries, age, BIT64(8));
	else
		scan_leaf(a, entries, age, a_bit);
}

void ages_skip_leaf(struct ages *a, u8 *age)
{
	const u64 not_merge = BYTES_OF(255 - a->merge);

	for (u32 i = 0; i < AGES_LEAF; i += 8)
		age_eight(age + i, not_merge);
}

/*
 * A page of age k that was touched again has below it on the LRU stack all
 * pages younger than k (base[k]), perhaps the rest of its own age, perhaps
 * the older ones that were touched in the same interval.
 */
static void set_ranges(struct ages *a)
{
	u32 older = a->cold;

	for (u32 k = AGE_MAX; k >= AGE_TOUCHED; k--) {
		u32 same = a->base[k + 1] - a->base[k];

		a->range_lo[k] = a->base[k];
		a->range_hi[k] = a->base[k] + (same ? same - 1 : 0) + older;
		older += a->touch[k] + a->back[k];
	}
	a->range_lo[AGE_NEW] = a->range_hi[AGE_NEW] = 0;
}

static void shift_gone(struct ages *a)
{
	for (u32 k = AGE_MAX; k-- > 0;) {
		u32 n = next_age(a, k);

		if (n == k)
			continue;
		/* From above: what is at n has moved on, or is what k merges with. */
		if (next_age(a, n) == n)
			a->gone[n] += a->gone[k];
		else
			a->gone[n] = a->gone[k];
		a->stamp[n] = a->stamp[k];
		a->gone[k] = 0;
	}
	a->epoch++;
	a->stamp[AGE_TOUCHED] = a->epoch;
	a->stamp[AGE_NEW] = a->epoch + 1;
}

/* Pages move up by an age, but for those that were touched. */
static void shift_pages(struct ages *a)
{
	u32 pop[AGES_N] = { [AGE_TOUCHED] = a->w1 };

	for (u32 k = 0; k < AGES_N; k++)
		pop[next_age(a, k)] += a->pop[k] - MIN(a->pop[k], a->touch[k]);
	a->resident = 0;
	a->base[AGE_NEW] = a->base[AGE_TOUCHED] = 0;
	for (u32 k = 0; k < AGES_N; k++) {
		a->pop[k] = pop[k];
		a->back[k] = 0;
		a->resident += pop[k];
		if (k >= AGE_TOUCHED)
			a->base[k + 1] = a->base[k] + pop[k] + a->gone[k];
	}
}

void ages_end_pass(struct ages *a)
{
	set_ranges(a);
	a->w1 = 0;
	for (u32 k = 0; k < AGES_N; k++)
		a->w1 += a->touch[k];
	a->touched = a->w1 - a->touch[AGE_NEW];
	a->w1_avg = a->epoch == AGES_N ? a->w1 : (u32)(((u64)a->w1_avg * 3 + a->w1 + 2) / 4);
	shift_gone(a);
	shift_pages(a);
	a->cold = a->returned = 0;
}

u32 ages_age(const struct ages *a, u32 stamp)
{
	u32 lo = 0, hi = AGE_MAX;

	while (lo < hi) {
		u32 mid = (lo + hi + 1) / 2;

		if ((s32)(a->stamp[mid] - stamp) >= 0)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

/* Between passes the older ones touched since are known only as far as they
 * came in; of the resident ones half of what the last interval saw may be. */
static void range_now(const struct ages *a, u32 k, struct ages_range *r)
{
	u32 came = a->cold + a->returned;
	u32 total = a->base[AGES_N] + a->cold; /* those that returned are in base */

	if (k == AGE_NEW) {
		*r = (struct ages_range){ 0, came };
		return;
	}
	r->lo = a->base[k];
	r->hi = MIN(a->base[k + 1] + came + a->touched / 2, total);
	r->hi = r->hi > r->lo ? r->hi - 1 : r->lo;
}

static inline void take(u32 *count)
{
	if (*count)
		--*count;
}

void ages_arrive(struct ages *a, u8 *age)
{
	*age = AGE_NEW;
	a->pop[AGE_NEW]++;
	a->resident++;
	a->cold++;
}

u32 ages_evict(struct ages *a, u8 *age)
{
	u32 k = *age;

	ages_drop(a, age);
	a->gone[k]++;
	return a->stamp[k];
}

u32 ages_leave(struct ages *a)
{
	a->gone[AGE_NEW]++;
	return a->stamp[AGE_NEW];
}

void ages_distance(const struct ages *a, u32 stamp, struct ages_range *r)
{
	range_now(a, ages_age(a, stamp), r);
}

void ages_return(struct ages *a, u32 stamp, u8 *age, struct ages_range *r)
{
	u32 k = ages_age(a, stamp);

	range_now(a, k, r);
	take(&a->gone[k]);
	if (k != AGE_NEW) {
		a->back[k]++;
		a->returned++;
	}
	*age = AGE_NEW;
	a->pop[AGE_NEW]++;
	a->resident++;
}

void ages_restore(struct ages *a, u32 stamp, u8 *age)
{
	u32 k = ages_age(a, stamp);

	take(&a->gone[k]);
	*age = (u8)k;
	a->pop[k]++;
	a->resident++;
}

bool ages_touch(struct ages *a, u8 *age, struct ages_range *r)
{
	u32 k = *age;

	if (k <= AGE_TOUCHED)
		return false;
	range_now(a, k, r);
	take(&a->pop[k]);
	a->back[k]++;
	a->returned++;
	*age = AGE_NEW;
	a->pop[AGE_NEW]++;
	return true;
}

void ages_drop(struct ages *a, u8 *age)
{
	take(&a->pop[*age]);
	take(&a->resident);
	*age = AGE_NONE;
}

void ages_forget(struct ages *a, u32 stamp)
{
	take(&a->gone[ages_age(a, stamp)]);
}

u32 ages_threshold(const struct ages *a, u32 n)
{
	u32 sum = 0;

	for (u32 k = AGE_MAX; k > 0; k--) {
		sum += a->pop[k];
		if (sum >= n)
			return k;
	}
	return 0;
}

u32 ages_used(const struct ages *a, u32 passes)
{
	u32 sum = 0;

	for (u32 k = 0; k <= MIN(passes, AGE_MAX); k++)
		sum += a->pop[k];
	return sum;
}

void ages_choose(const struct ages *a, u32 n, struct ages_choice *ch)
{
	*ch = (struct ages_choice){ 0 };
	for (u32 k = AGES_N; k-- > 0 && ch->pages < n;) {
		if (!a->pop[k])
			continue;
		ch->map[k / 32] |= BIT(k % 32);
		ch->pages += a->pop[k];
		ch->edge = (u8)k;
	}
}

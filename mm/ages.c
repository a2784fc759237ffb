/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ages.c - ages of guest pages from accessed bits. Contract and locking: ages.h.
 *
 * The scan loop is the one that the tracking budget pays for, so it looks at
 * eight entries at a time: eight that are untouched and of one age, the usual
 * case in a guest's cold memory, cost about 30 instructions together.
 */
#include "mm/ages.h"

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
	u32 at = merge_at(a);

	for (u32 k = 0; k < AGES_N; k++) {
		a->next[k] = (u8)(k <= at ? k + 1 : k);
		a->touch[k] = 0;
		a->seen[k] = 0;
	}
	a->last_up8 = BYTES_OF(at);
}

static inline void age_one(struct ages *a, u8 *age)
{
	a->seen[*age]++;
	*age = a->next[*age];
}

/* next[] of eight ages at once: each byte that is not above last_up goes up by one. */
static inline u64 next_eight(const struct ages *a, u64 x)
{
	const u64 top = BYTES_OF(0x80);
	u64 up = a->last_up8, low = (up | top) - (x & ~top);

	return x + (((~x & up) | (~(x ^ up) & low)) >> 7 & BYTES_OF(1));
}

static inline u64 load_ages(const u8 *age)
{
	u64 x;

	__builtin_memcpy(&x, age, 8);
	return x;
}

static inline void store_ages(u8 *age, u64 x)
{
	__builtin_memcpy(age, &x, 8);
}

static __attribute__((noinline)) void age_eight_various(struct ages *a, u8 *age, u64 x)
{
#pragma GCC unroll 8
	for (u32 i = 0; i < 8; i++)
		a->seen[age[i]]++;
	store_ages(age, next_eight(a, x));
}

static inline void age_eight(struct ages *a, u8 *age)
{
	u64 x = load_ages(age);

	if (unlikely(x != (x << 8 | x >> 56))) {
		age_eight_various(a, age, x);
		return;
	}
	a->seen[x & 0xff] += 8;
	store_ages(age, BYTES_OF(a->next[x & 0xff]));
}

/* Hardware may set D or A meanwhile, so A goes by an atomic and, never a store. */
static inline void clear_a(u64 *entry, u64 a_bit)
{
	__atomic_fetch_and(entry, ~a_bit, __ATOMIC_RELAXED);
}

static inline bool is_touched(const u64 *entry, u64 a_bit)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED) & a_bit;
}

/* Eight entries, all present, some touched: age all, then put the touched right. */
static __attribute__((noinline)) u32 scan_mixed(struct ages *a, u64 *e, u8 *age, u64 a_bit)
{
	u64 x = load_ages(age), young = 0;
	u32 touched = 0;

#pragma GCC unroll 8
	for (u32 i = 0; i < 8; i++) {
		if (likely(!is_touched(&e[i], a_bit))) {
			a->seen[age[i]]++;
			continue;
		}
		clear_a(&e[i], a_bit);
		a->touch[age[i]]++;
		young |= 0xffull << 8 * i;
		touched++;
	}
	store_ages(age, (next_eight(a, x) & ~young) | (BYTES_OF(AGE_TOUCHED) & young));
	return touched;
}

/* Eight entries, some not present. */
static __attribute__((noinline)) u32 scan_holes(struct ages *a, u64 *e, u8 *age, u64 a_bit,
						u64 present_mask)
{
	u32 touched = 0;

	for (u32 i = 0; i < 8; i++) {
		u64 entry = __atomic_load_n(&e[i], __ATOMIC_RELAXED);

		if (!(entry & present_mask))
			continue;
		if (entry & a_bit) {
			clear_a(&e[i], a_bit);
			a->touch[age[i]]++;
			age[i] = AGE_TOUCHED;
			touched++;
		} else {
			age_one(a, age + i);
		}
	}
	return touched;
}

static __attribute__((noinline)) u32 touch_eight(struct ages *a, u64 *e, u8 *age, u64 a_bit)
{
	u64 x = load_ages(age);

#pragma GCC unroll 8
	for (u32 i = 0; i < 8; i++) {
		clear_a(&e[i], a_bit);
		a->touch[x >> 8 * i & 0xff]++;
	}
	store_ages(age, BYTES_OF(AGE_TOUCHED));
	return 8;
}

/* The bits that any, that all of eight entries have. Read twice, which is fine:
 * a bit set between is met by the next pass; and the fence saves registers. */
static inline u64 any_of(const u64 *e)
{
	return e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7];
}

static inline u64 all_of(const u64 *e)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return e[0] & e[1] & e[2] & e[3] & e[4] & e[5] & e[6] & e[7];
}

u32 ages_scan_leaf(struct ages *a, u64 *entries, u8 *age, u64 a_bit, u64 present_mask)
{
	const u64 *end = entries + AGES_LEAF;
	u32 touched = 0;

	for (u64 *e = entries; e < end; e += 8, age += 8) {
		u64 any = any_of(e), all = all_of(e);

		if (likely(all & present_mask)) {
			if (likely(!(any & a_bit)))
				age_eight(a, age);
			else if (all & a_bit)
				touched += touch_eight(a, e, age, a_bit);
			else
				touched += scan_mixed(a, e, age, a_bit);
		} else if (any & present_mask) {
			touched += scan_holes(a, e, age, a_bit, present_mask);
		}
	}
	return touched;
}

void ages_skip_leaf(struct ages *a, const u64 *entries, u8 *age, u64 present_mask)
{
	for (u32 i = 0; i < AGES_LEAF; i += 8) {
		if (all_of(entries + i) & present_mask) {
			age_eight(a, age + i);
			continue;
		}
		for (u32 j = i; j < i + 8; j++)
			if (entries[j] & present_mask)
				age_one(a, age + j);
	}
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
		u32 n = a->next[k];

		if (n == k)
			continue;
		/* From above: what is at n has moved on, or is what k merges with. */
		if (a->next[n] == n)
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

static void count_pages(struct ages *a)
{
	a->resident = 0;
	for (u32 k = 0; k < AGES_N; k++)
		a->pop[k] = a->back[k] = 0;
	a->pop[AGE_TOUCHED] = a->w1;
	for (u32 k = 0; k < AGES_N; k++)
		a->pop[a->next[k]] += a->seen[k];
	a->base[AGE_NEW] = a->base[AGE_TOUCHED] = 0;
	for (u32 k = 0; k < AGES_N; k++) {
		a->resident += a->pop[k];
		if (k >= AGE_TOUCHED)
			a->base[k + 1] = a->base[k] + a->pop[k] + a->gone[k];
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
	count_pages(a);
	a->cold = a->returned = 0;
}

/* The age that pages last touched in pass `stamp` have by now. */
static u32 age_of(const struct ages *a, u32 stamp)
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
	u32 came = a->cold + a->returned, total = a->base[AGES_N] + came;

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

u32 ages_evict(struct ages *a, u8 age)
{
	take(&a->pop[age]);
	take(&a->resident);
	a->gone[age]++;
	return a->stamp[age];
}

void ages_distance(const struct ages *a, u32 stamp, struct ages_range *r)
{
	range_now(a, age_of(a, stamp), r);
}

void ages_return(struct ages *a, u32 stamp, u8 *age, struct ages_range *r)
{
	u32 k = age_of(a, stamp);

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

void ages_drop(struct ages *a, u8 age)
{
	take(&a->pop[age]);
	take(&a->resident);
}

void ages_forget(struct ages *a, u32 stamp)
{
	take(&a->gone[age_of(a, stamp)]);
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

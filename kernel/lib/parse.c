/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parse.c - whole-string parsers of numbers, sizes and rates, and a size's way back to text.
 *
 * Contract: lib.h. The text is an operator's or GRUB's: anything but a whole valid value is
 * E_INVAL, a value that does not fit is E_RANGE, and *out is then untouched. No state.
 */
#include "kernel/lib/lib.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* Leading digits of s; *end is the first character that is none. */
static int parse_digits(const char *s, u64 *out, const char **end)
{
	int base = 10;
	u64 v = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (digit(*s) >= base)
		return E_INVAL;
	for (; digit(*s) < base; s++) {
		if (__builtin_mul_overflow(v, (u64)base, &v) ||
		    __builtin_add_overflow(v, (u64)digit(*s), &v))
			return E_RANGE;
	}
	*out = v;
	*end = s;
	return 0;
}

int parse_u64(const char *s, u64 *out)
{
	const char *end;
	u64 v;
	int err = parse_digits(s, &v, &end);

	if (err)
		return err;
	if (*end)
		return E_INVAL;
	*out = v;
	return 0;
}

int parse_size(const char *s, u64 *bytes)
{
	static const char units[] = "KMGT";
	const char *end, *unit;
	u64 v;
	int err = parse_digits(s, &v, &end);

	if (err)
		return err;
	if (!*end && !v) {
		*bytes = 0;
		return 0;
	}
	if (!*end || end[1])
		return E_INVAL;
	unit = strchr(units, *end >= 'a' && *end <= 'z' ? *end - 'a' + 'A' : *end);
	if (!unit)
		return E_INVAL;
	if (__builtin_mul_overflow(v, 1ull << (10 * (unit - units + 1)), &v))
		return E_RANGE;
	*bytes = v;
	return 0;
}

int parse_rate(const char *s, u64 *per_1000s)
{
	const char *end;
	u64 v;
	int err = parse_digits(s, &v, &end);

	if (err)
		return err;
	if (__builtin_mul_overflow(v, 1000ull, &v))
		return E_RANGE;
	if (!strcmp(end, "/s"))
		*per_1000s = v;
	else if (!strcmp(end, "/min"))
		*per_1000s = v / 60;
	else
		return E_INVAL;
	return 0;
}

int parse_percent(const char *s, u64 *ppm)
{
	u64 v = 0, unit = 10000;

	if (*s < '0' || *s > '9')
		return E_INVAL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(v, 10ull, &v) || __builtin_add_overflow(v, (u64)(*s - '0'), &v))
			return E_RANGE;
	if (__builtin_mul_overflow(v, unit, &v))
		return E_RANGE;
	if (*s == '.') {
		if (s[1] < '0' || s[1] > '9')
			return E_INVAL;
		for (s++; *s >= '0' && *s <= '9'; s++) {
			unit /= 10;
			if (!unit)
				return E_INVAL;
			if (__builtin_add_overflow(v, (u64)(*s - '0') * unit, &v))
				return E_RANGE;
		}
	}
	if (strcmp(s, "%"))
		return E_INVAL;
	*ppm = v;
	return 0;
}

const char *fmt_size(char *buf, size_t size, u64 bytes)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	u32 i = ARRAY_SIZE(names) - 1;
	u64 unit, tenths;

	while (i && (bytes < (1ull << (10 * i)) ||
		     (bytes & ((1ull << (10 * i)) - 1)) * 10 % (1ull << (10 * i))))
		i--;
	unit = 1ull << (10 * i);
	tenths = (bytes & (unit - 1)) * 10 / unit;
	if (tenths)
		fmt(buf, size, "%lu.%lu %s", bytes / unit, tenths, names[i]);
	else
		fmt(buf, size, "%lu %s", bytes / unit, names[i]);
	return buf;
}

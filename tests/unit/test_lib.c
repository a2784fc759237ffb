/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/lib/fmt.c kernel/lib/parse.c kernel/lib/log.c kernel/lib/err.c */
/*
 * kernel/lib: formatting against the C library's own as the oracle, parsers, the log ring;
 * string.c too, under other names, against the C library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "kernel/lib/lib.h"

/* string.c under names of its own, so that it does not replace the C library. */
void *my_memcpy(void *d, const void *s, size_t n);
void *my_memmove(void *d, const void *s, size_t n);
void *my_memset(void *d, int c, size_t n);
int my_memcmp(const void *a, const void *b, size_t n);
size_t my_strlen(const char *s);
int my_strcmp(const char *a, const char *b);
int my_strncmp(const char *a, const char *b, size_t n);
char *my_strchr(const char *s, int c);
#define memcpy my_memcpy
#define memmove my_memmove
#define memset my_memset
#define memcmp my_memcmp
#define strlen my_strlen
#define strcmp my_strcmp
#define strncmp my_strncmp
#define strchr my_strchr
#include "kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#undef strncmp
#undef strchr

#define SAME(...)                                                      \
	do {                                                           \
		char a_[80], b_[80];                                   \
		int x_ = fmt(a_, sizeof(a_), __VA_ARGS__);             \
		int y_ = snprintf(b_, sizeof(b_), __VA_ARGS__);        \
		assert_string_equal(a_, b_);                           \
		assert_int_equal(x_, y_);                              \
	} while (0)

static void fmt_matches_libc(void **state)
{
	char small[5];
	int star = 7;

	(void)state;
	SAME("plain");
	SAME("%d %i %u", -5, 7, 9u);
	SAME("%5d|%-5d|%05d|%+d", 42, 42, -42, 42);
	SAME("%x %X %#x %08x %016lx", 0xbeefu, 0xbeefu, 0x1fu, 0xau, 0x123456789abcul);
	SAME("%ld %lu %llx %zu", -1234567890123l, ~0ul, ~0ull, (size_t)77);
	SAME("%d %ld", -2147483647 - 1, -9223372036854775807l - 1);
	SAME("%s|%10s|%-10s|%.2s|%.*s", "a", "bc", "de", "xyz", 3, "abcdef");
	SAME("%c%c%% %3c", 'x', 'y', 'z');
	SAME("%*d|%-*d|", star, 1, star, 2);
	SAME("%.5d|%8.3u|%-8.3u|", 12, 7u, 7u);
	SAME("%p", (void *)0x1234);
	assert_int_equal(fmt(small, sizeof(small), "%s", "longer"), 6);
	assert_string_equal(small, "long");
	assert_int_equal(fmt(NULL, 0, "%d", 123), 3);
}

static void str_copy_cuts(void **state)
{
	char buf[4];

	(void)state;
	assert_true(str_copy(buf, sizeof(buf), "abc"));
	assert_false(str_copy(buf, sizeof(buf), "abcd"));
	assert_string_equal(buf, "abc");
	assert_false(str_copy(buf, 0, "x"));
}

static void numbers(void **state)
{
	u64 v = 77;

	(void)state;
	assert_int_equal(parse_u64("0", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(parse_u64("18446744073709551615", &v), 0);
	assert_true(v == ~0ull);
	assert_int_equal(parse_u64("0x1F", &v), 0);
	assert_int_equal(v, 31);
	assert_int_equal(parse_u64("18446744073709551616", &v), E_RANGE);
	assert_int_equal(parse_u64("", &v), E_INVAL);
	assert_int_equal(parse_u64("0x", &v), E_INVAL);
	assert_int_equal(parse_u64("-1", &v), E_INVAL);
	assert_int_equal(parse_u64(" 1", &v), E_INVAL);
	assert_int_equal(parse_u64("1 ", &v), E_INVAL);
	assert_int_equal(v, 31);
}

static void sizes_and_rates(void **state)
{
	static const char *const no_percent[] = { "",     "%",      "5",        ".5%",  "5.%",
						  "-1%",  "+1%",    " 1%",      "1 %",  "1%%",
						  "0x1%", "1.2.3%", "0.00001%", "1e3%", "nan%" };
	char buf[32];
	u64 v;

	(void)state;
	assert_int_equal(parse_size("256M", &v), 0);
	assert_true(v == 256 * MIB);
	assert_int_equal(parse_size("4k", &v), 0);
	assert_true(v == 4096);
	assert_int_equal(parse_size("0", &v), 0);
	assert_int_equal(parse_size("256", &v), E_INVAL);
	assert_int_equal(parse_size("256MB", &v), E_INVAL);
	assert_int_equal(parse_size("M", &v), E_INVAL);
	assert_int_equal(parse_size("99999999999T", &v), E_RANGE);
	assert_int_equal(parse_rate("50/s", &v), 0);
	assert_int_equal(v, 50000);
	assert_int_equal(parse_rate("3/min", &v), 0);
	assert_int_equal(v, 50);
	assert_int_equal(parse_rate("50", &v), E_INVAL);
	assert_int_equal(parse_rate("50/h", &v), E_INVAL);
	assert_int_equal(parse_percent("0.5%", &v), 0);
	assert_int_equal(v, 5000);
	assert_int_equal(parse_percent("2%", &v), 0);
	assert_int_equal(v, 20000);
	assert_int_equal(parse_percent("12.0305%", &v), 0);
	assert_int_equal(v, 120305);
	for (u32 i = 0; i < ARRAY_SIZE(no_percent); i++)
		assert_int_equal(parse_percent(no_percent[i], &v), E_INVAL);
	assert_int_equal(parse_percent("99999999999999999999%", &v), E_RANGE);
	assert_int_equal(parse_percent("9999999999999999999%", &v), E_RANGE);
	assert_int_equal(v, 120305); /* untouched by what is refused */
	assert_string_equal(fmt_size(buf, sizeof(buf), 256 * MIB), "256 MiB");
	assert_string_equal(fmt_size(buf, sizeof(buf), 1536 * KIB), "1.5 MiB");
	assert_string_equal(fmt_size(buf, sizeof(buf), 4096), "4 KiB");
	assert_string_equal(fmt_size(buf, sizeof(buf), 4097), "4097 B");
	assert_string_equal(fmt_size(buf, sizeof(buf), 0), "0 B");
	assert_string_equal(fmt_size(buf, sizeof(buf), 1000 * KIB), "1000 KiB");
	assert_string_equal(fmt_size(buf, sizeof(buf), ~0ull), "18446744073709551615 B");
}

static char seen[200][160];
static unsigned int nseen;

static void collect(void *ctx, const char *line)
{
	(void)ctx;
	if (nseen < ARRAY_SIZE(seen))
		str_copy(seen[nseen], sizeof(seen[0]), line);
	nseen++;
}

static void sink(enum log_level level, const char *line)
{
	(void)level;
	collect(NULL, line);
	log_info("from the sink"); /* must not recurse */
}

static u64 clock_1234(void)
{
	return 1234;
}

static void log_ring(void **state)
{
	char longline[600];

	(void)state;
	nseen = 0;
	log_last(10, collect, NULL);
	assert_int_equal(nseen, 0);
	log_clock_ms = clock_1234;
	log_info("one %d", 1);
	log_err("bell \a and esc \033[2J");
	log_last(10, collect, NULL);
	assert_int_equal(nseen, 2);
	assert_string_equal(seen[0], "[    1.234] one 1");
	assert_string_equal(seen[1], "[    1.234] error: bell ? and esc ?[2J");
	memset(longline, 'a', sizeof(longline));
	longline[sizeof(longline) - 1] = 0;
	log_info("%s", longline);
	for (int i = 0; i < 20000; i++) {
		log_info("line %d", i);
		if (i % 1777)
			continue;
		nseen = 0;
		log_last(1, collect, NULL);
		assert_int_equal(nseen, 1);
	}
	nseen = 0;
	log_last(3, collect, NULL);
	assert_int_equal(nseen, 3);
	assert_non_null(strstr(seen[0], "line 19997"));
	assert_non_null(strstr(seen[2], "line 19999"));
	nseen = 0;
	log_last(~0u, collect, NULL);
	assert_in_range(nseen, LOG_RING_BYTES / 24, LOG_RING_BYTES / 20);
	assert_memory_equal(seen[0], "[    1.234] line ", 17);
	nseen = 0;
	log_sink = sink;
	log_warn("shown");
	log_sink = NULL;
	assert_int_equal(nseen, 1);
	assert_string_equal(seen[0], "[    1.234] warning: shown");
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void strings_match_libc(void **state)
{
	u8 a[160], b[160], c[160];

	(void)state;
	srand(1);
	for (int i = 0; i < 20000; i++) {
		size_t n = (size_t)rand() % 80, x = (size_t)rand() % 40, y = (size_t)rand() % 40;

		for (size_t k = 0; k < sizeof(a); k++)
			a[k] = b[k] = (u8)(1 + rand() % 3);
		assert_int_equal(sign(my_memcmp(a + x, a + y, n)), sign(memcmp(a + x, a + y, n)));
		assert_ptr_equal(my_memmove(a + x, a + y, n), a + x);
		memmove(b + x, b + y, n);
		assert_memory_equal(a, b, sizeof(a));
		memset(c, 0, sizeof(c));
		assert_ptr_equal(my_memcpy(c + y, a + x, n), c + y);
		assert_memory_equal(c + y, a + x, n);
		my_memset(a + x, (int)y, n);
		memset(b + x, (int)y, n);
		assert_memory_equal(a, b, sizeof(a));
	}
	assert_int_equal(my_strlen("hello"), 5);
	assert_true(my_strcmp("abc", "abd") < 0 && my_strcmp("b", "abc") > 0);
	assert_true(my_strcmp("\xff", "a") > 0 && !my_strcmp("", ""));
	assert_true(!my_strncmp("abcx", "abcy", 3) && my_strncmp("ab", "abc", 3) < 0);
	assert_string_equal(my_strchr("a=b=c", '='), "=b=c");
	assert_null(my_strchr("abc", 'x'));
	assert_non_null(my_strchr("abc", 0));
}

static void error_names(void **state)
{
	(void)state;
	assert_string_equal(err_str(0), "no error");
	assert_string_equal(err_str(E_NOTSUP), "not supported");
	assert_string_equal(err_str(-99), "unknown error");
	assert_string_equal(err_str(3), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fmt_matches_libc), cmocka_unit_test(str_copy_cuts),
		cmocka_unit_test(numbers), cmocka_unit_test(sizes_and_rates),
		cmocka_unit_test(log_ring), cmocka_unit_test(strings_match_libc),
		cmocka_unit_test(error_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/console/editor.c */
/* The line editor: what is typed, edited, recalled and completed, and that nothing overruns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/console/editor.h"

static char screen[65536];
static u32 screen_len;

static void sink(const char *bytes, u32 n)
{
	if (screen_len + n < sizeof(screen)) {
		memcpy(screen + screen_len, bytes, n);
		screen_len += n;
		screen[screen_len] = '\0';
	}
}

static u32 complete(struct editor *e, char *add, u32 size)
{
	(void)size;
	if (strcmp(e->line, "vm li"))
		return 0;
	memcpy(add, "st ", 3);
	return 3;
}

static struct editor e;

static int setup(void **state)
{
	(void)state;
	editor_init(&e, "> ", sink, complete);
	screen_len = 0;
	editor_next(&e);
	return 0;
}

/* Types all; true if the last byte completed a line. */
static bool type(const char *keys)
{
	bool line = false;

	for (; *keys; keys++)
		line = editor_key(&e, (u8)*keys);
	return line;
}

static void plain_line(void **state)
{
	(void)state;
	assert_true(type("vm list\r"));
	assert_string_equal(e.line, "vm list");
	editor_next(&e);
	assert_false(type("\n")); /* LF after CR is the same key */
	assert_true(type("x\n"));
}

static void editing(void **state)
{
	(void)state;
	assert_true(type("vm lost\b\b\bist\x01\x04V\x05!\r"));
	assert_string_equal(e.line, "Vm list!");
	editor_next(&e);
	assert_true(type("one two\x17three\x01\x1b[C\x1b[CX\r"));
	assert_string_equal(e.line, "onXe three");
	editor_next(&e);
	assert_true(type("rubbish\x15ok\x1b[3~\x1b[99;5~\r"));
	assert_string_equal(e.line, "ok");
}

static void history(void **state)
{
	(void)state;
	type("first\r");
	editor_next(&e);
	type("second\r");
	editor_next(&e);
	assert_true(type("typed\x1b[A\x1b[A\x1b[A\r"));
	assert_string_equal(e.line, "first");
	editor_next(&e);
	assert_true(type("typed\x1b[A\x1b[B\r"));
	assert_string_equal(e.line, "typed");
}

static void completion(void **state)
{
	(void)state;
	assert_true(type("vm li\t\r"));
	assert_string_equal(e.line, "vm list ");
}

static void cancel_and_overflow(void **state)
{
	(void)state;
	assert_false(type("half a line\x03"));
	assert_int_equal(e.len, 0);
	for (int i = 0; i < 400; i++)
		editor_key(&e, 'a');
	assert_true(e.overflow);
	assert_int_equal(e.len, EDITOR_LINE_MAX - 1);
	assert_true(type("\r"));
}

static void hide_and_show(void **state)
{
	(void)state;
	type("mem ch");
	screen_len = 0;
	editor_hide(&e);
	editor_hide(&e);
	assert_string_equal(screen, "\r\x1b[K");
	editor_show(&e);
	assert_string_equal(screen, "\r\x1b[K> mem ch");
	assert_true(type("eck\r"));
	assert_string_equal(e.line, "mem check");
}

static void random_keys(void **state)
{
	(void)state;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		if (editor_key(&e, (u8)(rand() % 4 ? rand() % 128 : rand() % 256)))
			editor_next(&e);
		assert_true(e.cursor <= e.len && e.len < EDITOR_LINE_MAX && e.line[e.len] == '\0');
		screen_len = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(plain_line, setup),
		cmocka_unit_test_setup(editing, setup),
		cmocka_unit_test_setup(history, setup),
		cmocka_unit_test_setup(completion, setup),
		cmocka_unit_test_setup(cancel_and_overflow, setup),
		cmocka_unit_test_setup(hide_and_show, setup),
		cmocka_unit_test_setup(random_keys, setup),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}

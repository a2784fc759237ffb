/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/console/term.c kernel/console/editor.c kernel/lib/fmt.c kernel/lib/log.c tests/fake/fake_arch.c */
/* Guests that print faster than the wire: nobody waits, the watched one is held, and what is lost is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/console.h"
#include "kernel/console/cmd.h"
#include "kernel/lib/lib.h"
#include "kernel/vm.h"
#include "mm/frame.h"
#include "tests/fake/fake_arch.h"

#define MOST (2048 + 256) /* that may wait for the wire: the bound and one line */

struct vm *vm_all[VM_MAX];
u32 vm_count;
static struct vm vms[2];
static char wire[1 << 20];
static u32 nwire, queued, most_queued;
static const char *keys = "";

void console_port_write(const char *bytes, u32 n)
{
	assert_true(nwire + n < sizeof(wire));
	memcpy(wire + nwire, bytes, n);
	wire[nwire += n] = 0;
	queued += n;
	most_queued = MAX(most_queued, queued);
}

u32 console_port_queued(void) { return queued; }
int console_port_read(void) { return *keys ? (u8)*keys++ : -1; }
void console_port_flush(void) { }
void cmd_run(char *line)
{
	if (!strcmp(line, "con"))
		term_connect(&vms[0]);
}
u32 cmd_complete(const char *line, u32 len, char *add, u32 size, void (*list)(const char *word))
{
	(void)line;
	(void)len;
	(void)add;
	(void)size;
	(void)list;
	return 0;
}
u32 vboard_uart_rx(struct vboard *b, const u8 *bytes, u32 n)
{
	(void)b;
	(void)bytes;
	return n;
}
pfn_t frame_get_run(u32 n)
{
	static u32 next = 1;

	next += n;
	return (pfn_t){ next - n };
}

static int setup(void **state)
{
	(void)state;
	nwire = queued = most_queued = 0;
	if (vm_count)
		return 0;
	fake_arena(64);
	for (; vm_count < 2; vm_count++) {
		vm_all[vm_count] = &vms[vm_count];
		vms[vm_count].state = VM_RUNNING;
		str_copy(vms[vm_count].name, sizeof(vms[0].name), vm_count ? "db" : "web");
		assert_int_equal(console_vm_init(&vms[vm_count]), 0);
	}
	console_init();
	return 0;
}

/* The wire takes n bytes. */
static void drain(u32 n)
{
	queued -= MIN(n, queued);
	(void)console_poll();
}

static void lines(struct vm *vm, u32 from, u32 n)
{
	char line[32];

	for (u32 i = from; i < from + n; i++) {
		fmt(line, sizeof(line), "line %06u\n", i);
		for (const char *p = line; *p; p++)
			console_guest_tx(vm, (u8)*p);
	}
}

static void nobody_waits(void **state)
{
	(void)state;
	for (u32 i = 0; i < 200; i++) { /* 44 KiB against 10 */
		lines(&vms[1], i * 20, 20);
		assert_false(console_holds(&vms[1]));
		drain(50);
	}
	assert_true(most_queued <= MOST);
	assert_non_null(strstr(wire, "db| line 000000\r\n"));
	assert_non_null(strstr(wire, "bytes were too fast to be shown"));
	for (u32 i = 0; i < 100; i++)
		drain(1000);
	assert_non_null(strstr(wire, "db| line 003999\r\n"));
}

/* A line that is shown before its end has come loses nothing where it is cut. */
static void half_lines_lose_nothing(void **state)
{
	u32 shown = 0;

	(void)state;
	for (u32 i = 0; i < 250; i++) {
		console_guest_tx(&vms[1], 'x');
		drain(1000);
	}
	console_guest_tx(&vms[1], '\n');
	drain(1000);
	for (const char *p = wire; *p; p++)
		shown += *p == 'x';
	assert_int_equal(shown, 250);
}

static u32 count(const char *what)
{
	u32 n = 0;

	for (const char *p = wire; (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* One that floods does not hide what another says now and then, and two that do share the wire. */
static void in_turns(void **state)
{
	u32 web, db;

	(void)state;
	for (u32 i = 0, n = 0; i < 1500; i++) { /* 10 ms each at 115200 baud */
		lines(&vms[0], i * 20, 20);
		if (i % 100 == 0)
			lines(&vms[1], n++, 1);
		drain(115);
	}
	drain(115);
	assert_int_equal(count("db| line"), 15);
	assert_true(nwire > 1499 * 115); /* the wire is never idle */
	nwire = 0;
	for (u32 i = 0; i < 500; i++) {
		lines(&vms[0], i * 20, 20);
		lines(&vms[1], i * 20, 20);
		drain(i % 2 ? 30 : 1000);
	}
	web = count("web| line");
	db = count("db| line");
	assert_in_range(web, db * 9 / 10, db * 11 / 10);
	for (u32 i = 0; i < 100; i++)
		drain(1000);
}

static void the_watched_one_is_held(void **state)
{
	u32 n = 0;

	(void)state;
	keys = "con\r";
	(void)console_poll();
	nwire = 0;
	for (u32 i = 0; n < 2000; i++) {
		assert_true(i < 100000);
		if (console_holds(&vms[0]))
			drain(100);
		else
			lines(&vms[0], n++, 1);
	}
	for (u32 i = 0; i < 1000; i++)
		drain(100);
	assert_true(most_queued <= MOST);
	assert_int_equal(nwire, 2000 * 12); /* all of it */
	assert_false(console_holds(&vms[0]));
	keys = "\001d";
	(void)console_poll();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nobody_waits, setup),
		cmocka_unit_test_setup(half_lines_lose_nothing, setup), cmocka_unit_test_setup(in_turns, setup),
		cmocka_unit_test_setup(the_watched_one_is_held, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/console/term.c kernel/console/ring.c kernel/console/editor.c kernel/lib/fmt.c kernel/lib/log.c tests/fake/fake_arch.c */
/* Guests that print faster than the wire: nobody waits, the watched one is held, and what is lost is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/console/console.h"
#include "kernel/console/cmd.h"
#include "kernel/lib/lib.h"
#include "kernel/turn.h"
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
static u64 paid[2], own;          /* ticks: a byte on the wire takes one */

void console_port_write(const char *bytes, u32 n)
{
	assert_true(nwire + n < sizeof(wire));
	memcpy(wire + nwire, bytes, n);
	wire[nwire += n] = 0;
	queued += n;
	fake_tsc += n;
	most_queued = MAX(most_queued, queued);
}

u32 console_port_queued(void) { return queued; }
int console_port_read(void) { return *keys ? (u8)*keys++ : -1; }
void console_port_flush(void) { }
void turn_charge(struct vcpu *v, u64 ticks) { paid[v->vm - vms] += ticks; }
void turn_own(u64 ticks) { own += ticks; }
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
	paid[0] = paid[1] = own = 0;
	if (vm_count)
		return 0;
	fake_arena(64);
	for (; vm_count < 2; vm_count++) {
		vm_all[vm_count] = &vms[vm_count];
		vms[vm_count].state = VM_RUNNING;
		vms[vm_count].vcpu.vm = &vms[vm_count];
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

static void repeat(struct vm *vm, char c, u32 n)
{
	while (n--)
		console_guest_tx(vm, (u8)c);
}

/* The guest's ring is the first thing in its terminal. What is changed there after a look shows if a byte is
 * looked at again. */
static void each_byte_is_looked_at_once(void **state)
{
	(void)state;
	/* Wherever the ring is now, all of it is to be in it. */
	repeat(&vms[1], 7, 8000);
	for (u32 i = 0; i < 10; i++)
		drain(1000);
	memset(vms[1].console, 'A', 8192);
	console_guest_tx(&vms[1], 'b');
	console_guest_tx(&vms[1], '\n');
	drain(1000);
	assert_non_null(strstr(wire, "db| b\r\n"));
	assert_null(strchr(wire, 'A'));
	/* An escape sequence and a line that come in pieces. */
	nwire = 0;
	for (const char *p = "c\033[1;31md\n"; *p; p++) {
		console_guest_tx(&vms[1], (u8)*p);
		drain(1000);
	}
	assert_non_null(strstr(wire, "db| cd\r\n"));
}

/* A turn looks at 2048 bytes of a guest at most: the others are still what they were made meanwhile. */
static void a_look_is_bounded(void **state)
{
	u32 shown = 0;

	(void)state;
	repeat(&vms[1], 7, 8000);
	drain(1000);
	memset(vms[1].console, 'A', 8192);
	for (u32 i = 0; i < 50; i++)
		drain(1000);
	console_guest_tx(&vms[1], '\n');
	drain(1000);
	for (const char *p = wire; *p; p++)
		shown += *p == 'A';
	assert_int_equal(shown, 8000 - 2048);
}

static void who_prints_pays(void **state)
{
	u64 before;

	(void)state;
	console_guest_tx(&vms[0], 'x');
	drain(1000);
	before = paid[0];
	for (u32 i = 0; i < 10; i++)
		drain(1000); /* half a line waits: nothing to look at */
	assert_int_equal(paid[0], before);
	console_guest_tx(&vms[0], '\n');
	drain(1000);
	assert_true(paid[0] >= before + strlen("web| x\r\n"));
	assert_int_equal(paid[1], 0);
	assert_int_equal(own, 0);
	keys = "x\b";
	drain(1000);
	assert_true(own > 0);
	assert_int_equal(paid[1], 0);
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
		cmocka_unit_test_setup(half_lines_lose_nothing, setup),
		cmocka_unit_test_setup(in_turns, setup),
		cmocka_unit_test_setup(the_watched_one_is_held, setup),
		cmocka_unit_test_setup(each_byte_is_looked_at_once, setup),
		cmocka_unit_test_setup(a_look_is_bounded, setup),
		cmocka_unit_test_setup(who_prints_pays, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

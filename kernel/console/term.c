/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * term.c - who has the terminal: the operator's line, or one guest's console.
 *
 * Whole lines of guests' output and of the log are shown above the line being typed, which is
 * taken off the screen and put back; nothing ever appears inside it. A guest's last output is kept in a
 * ring (ring.h), so that `con` shows where it stands. Called from the main loop.
 */
#include "kernel/console/console.h"
#include "kernel/console/cmd.h"
#include "kernel/console/editor.h"
#include "kernel/console/ring.h"
#include "kernel/lib/lib.h"
#include "kernel/turn.h"
#include "kernel/vm.h"
#include "arch/x86_64/arch.h"

/*
 * At most this many bytes of guests' output wait in the serial port's queue; the rest waits in the guests'
 * rings. So the main loop never waits for the wire, and the echo of a key comes after at most 0.2 s of output
 * at 115200 baud.
 */
#define QUEUED_MAX 2048u
#define CON_ESCAPE 1 /* Ctrl-A */
/* One turn of the main loop takes at most this many keys: one full receiver's worth is 16. */
#define KEYS_A_POLL 64
/*
 * One turn of the main loop looks at no more than this many bytes that one guest wrote, as many as may wait
 * for the wire. That is some 20,000 instructions; the guest paid an exit for each byte.
 */
#define LOOKED_MAX QUEUED_MAX

static struct editor editor;      /* one terminal, one operator */
static struct vm *connected;      /* whose console has the terminal */
static bool escape_seen;
static bool watch = true;
static bool ready, busy;           /* busy: a command runs, the line is not the operator's */
static u32 next_shown;            /* the guest whose lines come first */
static u64 log_missed;            /* log lines not shown while connected */

void term_write(const char *bytes, u32 n) { console_port_write(bytes, n); }
void term_puts(const char *s) { console_port_write(s, (u32)strlen(s)); }
void term_watch(bool on) { watch = on; }
bool term_watching(void) { return watch; }

static void log_to_term(enum log_level level, const char *line)
{
	static const char *const prefix[] = {
		[LOG_ERR] = "! ", [LOG_WARN] = "* ", [LOG_INFO] = "- ", [LOG_NOTE] = ""
	};

	if (level == LOG_DEBUG)
		return;
	if (connected) {
		log_missed += level != LOG_NOTE;
		return;
	}
	editor_hide(&editor);
	term_puts(prefix[level]);
	term_puts(line);
	term_puts("\r\n");
	if (ready && !busy)
		editor_show(&editor);
}

static void list_word(const char *word)
{
	if (editor.shown) {
		term_puts("\r\n");
		editor.shown = false;
	}
	term_puts(word);
	term_puts("  ");
}

static u32 complete(struct editor *e, char *add, u32 size)
{
	u32 n = cmd_complete(e->line, e->len, add, size, list_word);

	if (!e->shown)
		term_puts("\r\n");
	return n;
}

void console_init(void)
{
	editor_init(&editor, "vmmb> ", term_write, complete);
	log_sink = log_to_term;
	term_puts("\r\nVMMB ");
	term_puts(vmmb_version);
	term_puts(": type help for the commands, con <vm> for a guest's console\r\n");
	ready = true;
	editor_next(&editor);
}

/* All up to here is dealt with: the next line starts here. */
static void start_line(struct guest_term *g, u64 at)
{
	g->shown = g->looked = at;
	g->len = 0;
	g->escape = false;
}

static u32 room(void)
{
	u32 queued = console_port_queued();

	return queued < QUEUED_MAX ? QUEUED_MAX - queued : 0;
}

static void show_raw(struct guest_term *g)
{
	u64 from = MAX(g->shown, ring_start(g)), end = MIN(g->written, from + room());

	while (from < end) {
		u32 at = (u32)(from % RING_BYTES);
		u32 n = (u32)MIN((u64)(RING_BYTES - at), end - from);

		term_write(g->out + at, n);
		from += n;
	}
	start_line(g, from);
}

void term_connect(struct vm *vm)
{
	struct guest_term *g = vm->console;
	u64 back = MIN(g->written - ring_start(g), (u64)1024);

	connected = vm;
	g->connected = true;
	ring_taken = true;
	escape_seen = false;
	log_missed = 0;
	term_puts("[");
	term_puts(vm->name);
	term_puts(": Ctrl-A d leaves, Ctrl-A Ctrl-A sends Ctrl-A]\r\n");
	start_line(g, g->written - back);
}

static void disconnect(const char *why)
{
	char note[160];

	fmt(note, sizeof(note), "\r\n[left %s%s%s%s]\r\n", connected->name, why ? ": " : "", why ? why : "",
	    log_missed ? "; new lines in log" : "");
	((struct guest_term *)connected->console)->connected = false;
	ring_taken = false;
	connected = NULL;
	term_puts(note);
	editor_next(&editor);
}

static void guest_key(u8 c)
{
	struct guest_term *g = connected->console;

	if (escape_seen) {
		escape_seen = false;
		if (c == 'd' || c == 'D') {
			disconnect(NULL);
			return;
		}
		if (c != CON_ESCAPE) {
			term_puts("\a");
			return;
		}
	} else if (c == CON_ESCAPE) {
		escape_seen = true;
		return;
	}
	if (g->in_count == RING_INPUT_BYTES)
		term_puts("\a");
	else
		g->in[(g->in_head + g->in_count++) % RING_INPUT_BYTES] = c;
}

/* Gives the UART what it has room for. */
static void feed_guest(struct vm *vm)
{
	struct guest_term *g = vm->console;

	while (g->in_count) {
		u32 n = MIN(g->in_count, RING_INPUT_BYTES - g->in_head);
		u32 taken = vboard_uart_rx(vm->board, g->in + g->in_head, n);

		g->in_head = (g->in_head + taken) % RING_INPUT_BYTES;
		g->in_count -= taken;
		if (taken < n)
			return;
	}
}

/* The line that is complete; an empty one is nothing to show. */
static bool show_line(const struct vm *vm, const struct guest_term *g)
{
	if (!g->len)
		return false;
	editor_hide(&editor);
	term_puts(vm->name);
	term_puts("| ");
	term_write(g->line, g->len);
	term_puts("\r\n");
	return true;
}

/* Bytes that nobody has looked at are gone from the ring. False: there is no room to say so. */
static bool say_lost(const struct vm *vm, struct guest_term *g, u32 share)
{
	char line[80];

	if (!share)
		return false;
	fmt(line, sizeof(line), "%s| ... %llu bytes were too fast to be shown\r\n", vm->name,
	    (unsigned long long)(ring_start(g) - g->shown));
	editor_hide(&editor);
	term_puts(line);
	start_line(g, ring_start(g));
	return true;
}

/* Shows whole lines of a guest that is not connected, made harmless for the terminal, until its share of the
 * wire is used; the line that uses it up is shown whole. Each byte is looked at once. */
static bool show_lines(const struct vm *vm, u32 share)
{
	u32 most = console_port_queued() + share;
	struct guest_term *g = vm->console;
	bool any = false;
	u64 end;

	if (ring_start(g) > g->looked) {
		any = say_lost(vm, g, share);
		if (!any)
			return false;
	}
	end = MIN(g->written, g->looked + LOOKED_MAX);
	for (; g->looked < end; g->looked++) {
		u8 c = (u8)g->out[g->looked % RING_BYTES];

		if (g->escape) { /* colours and cursor moves end with a letter */
			g->escape = !((c | 32) >= 'a' && (c | 32) <= 'z');
			continue;
		}
		if (c == '\n' || g->len == RING_LINE_BYTES) {
			if (console_port_queued() >= most)
				break;
			any |= show_line(vm, g);
			g->len = 0;
			g->shown = c == '\n' ? g->looked + 1 : g->looked;
		}
		g->escape = c == 27;
		if (c >= 32 && c < 127)
			g->line[g->len++] = (char)c;
	}
	return any;
}

static bool wants_to_show(const struct vm *vm)
{
	const struct guest_term *g = vm->console;

	return g && g->looked != g->written;
}

/* In turns, or one that floods would hide the others. */
static bool show_guests(void)
{
	u32 first = next_shown, wanting = 0;
	bool any = false;
	u64 start;

	for (u32 i = 0; i < vm_count; i++)
		wanting += wants_to_show(vm_all[i]);
	for (u32 i = 0; i < vm_count; i++) {
		u32 n = (first + i) % vm_count;
		struct guest_term *g = vm_all[n]->console;

		if (!wants_to_show(vm_all[n]))
			continue;
		if (!watch) {
			start_line(g, g->written);
			continue;
		}
		start = arch_tsc();
		/* What the first leave of their shares is the others'. */
		if (show_lines(vm_all[n], room() / wanting--) && !any) {
			any = true;
			next_shown = n + 1;
		}
		turn_charge(&vm_all[n]->vcpu, arch_tsc() - start);
	}
	if (any)
		editor_show(&editor);
	return any;
}

static void operator_key(u8 c)
{
	editor_show(&editor);
	if (!editor_key(&editor, c))
		return;
	if (editor.overflow)
		term_puts("error: line longer than 255 bytes; nothing changed; try a shorter one\r\n");
	else {
		busy = true;
		cmd_run(editor.line); /* which cuts the line into words */
		busy = false;
	}
	if (!connected)
		editor_next(&editor);
}

/* True: keys came. What they cost is the hypervisor's own. */
static bool take_keys(void)
{
	u64 start = arch_tsc();
	u32 n = 0;

	for (; n < KEYS_A_POLL; n++) {
		int c = console_port_read();

		if (c < 0)
			break;
		if (connected)
			guest_key((u8)c);
		else
			operator_key((u8)c);
	}
	if (n)
		turn_own(arch_tsc() - start);
	return n;
}

bool console_poll(void)
{
	bool did = take_keys();
	u64 start;

	for (u32 i = 0; i < vm_count; i++)
		if (vm_all[i]->console && vm_all[i]->state == VM_RUNNING)
			feed_guest(vm_all[i]);
	if (!connected)
		return show_guests() || did;
	start = arch_tsc();
	show_raw(connected->console);
	turn_charge(&connected->vcpu, arch_tsc() - start);
	if (connected->state == VM_OFF || connected->state == VM_FAILED || connected->state == VM_REFUSED)
		disconnect(connected->reason);
	return did;
}

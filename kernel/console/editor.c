/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * editor.c - see editor.h. Every key either edits and redraws from the cursor, or rings the bell.
 */
#include "kernel/console/editor.h"

#include "kernel/lib/lib.h"

enum {
	KEY_HOME = 1,
	KEY_LEFT,
	KEY_CANCEL,
	KEY_DELETE,
	KEY_END,
	KEY_RIGHT,
	KEY_BS = 8,
	KEY_TAB,
	KEY_LF,
	KEY_KILL,
	KEY_REDRAW,
	KEY_CR,
	KEY_DOWN,
	KEY_UP = 16,
	KEY_KILL_ALL = 21,
	KEY_WORD = 23,
	KEY_ESC = 27,
	KEY_RUBOUT = 127
};

static void put(struct editor *e, const char *s)
{
	e->write(s, (u32)strlen(s));
}

static void back(struct editor *e, u32 n)
{
	while (n--)
		put(e, "\b");
}

void editor_init(struct editor *e, const char *prompt, void (*write)(const char *, u32),
		 u32 (*complete)(struct editor *, char *, u32))
{
	memset(e, 0, sizeof(*e));
	e->prompt = prompt;
	e->write = write;
	e->complete = complete;
}

void editor_hide(struct editor *e)
{
	if (!e->shown)
		return;
	put(e, "\r\x1b[K");
	e->shown = false;
}

void editor_show(struct editor *e)
{
	if (e->shown)
		return;
	put(e, e->prompt);
	e->write(e->line, e->len);
	back(e, e->len - e->cursor);
	e->shown = true;
}

void editor_next(struct editor *e)
{
	e->len = e->cursor = 0;
	e->line[0] = '\0';
	e->overflow = false;
	e->history_pos = e->history_count;
	e->shown = false;
	editor_show(e);
}

/* Redraws from the cursor on; `gone` columns at the end hold old text. */
static void redraw_tail(struct editor *e)
{
	e->write(e->line + e->cursor, e->len - e->cursor);
	put(e, "\x1b[K");
	back(e, e->len - e->cursor);
}

static void insert(struct editor *e, const char *s, u32 n)
{
	if (e->len + n >= EDITOR_LINE_MAX) {
		e->overflow = true;
		put(e, "\a");
		return;
	}
	memmove(e->line + e->cursor + n, e->line + e->cursor, e->len - e->cursor);
	memcpy(e->line + e->cursor, s, n);
	e->len += n;
	e->line[e->len] = '\0';
	e->write(s, n);
	e->cursor += n;
	if (e->cursor < e->len)
		redraw_tail(e);
}

/* Removes n bytes before the cursor. */
static void erase_back(struct editor *e, u32 n)
{
	if (!n)
		return;
	memmove(e->line + e->cursor - n, e->line + e->cursor, e->len - e->cursor);
	e->len -= n;
	e->cursor -= n;
	e->line[e->len] = '\0';
	back(e, n);
	redraw_tail(e);
}

static void move(struct editor *e, u32 to)
{
	while (e->cursor > to) {
		put(e, "\b");
		e->cursor--;
	}
	while (e->cursor < to) {
		e->write(e->line + e->cursor, 1);
		e->cursor++;
	}
}

static void replace(struct editor *e, const char *text)
{
	move(e, e->len);
	erase_back(e, e->len);
	insert(e, text, (u32)strlen(text));
}

static void history_walk(struct editor *e, bool up)
{
	u32 oldest = e->history_count > EDITOR_HISTORY ? e->history_count - EDITOR_HISTORY : 0;

	if (up ? e->history_pos == oldest : e->history_pos == e->history_count) {
		put(e, "\a");
		return;
	}
	if (e->history_pos == e->history_count)
		memcpy(e->saved, e->line, sizeof(e->saved));
	e->history_pos = up ? e->history_pos - 1 : e->history_pos + 1;
	replace(e, e->history_pos == e->history_count ? e->saved
						      : e->history[e->history_pos % EDITOR_HISTORY]);
}

static void history_add(struct editor *e)
{
	const char *last = e->history[(e->history_count - 1) % EDITOR_HISTORY];

	if (!e->len || (e->history_count && !strcmp(last, e->line)))
		return;
	memcpy(e->history[e->history_count++ % EDITOR_HISTORY], e->line, EDITOR_LINE_MAX);
}

static void kill_word(struct editor *e)
{
	u32 n = 0;

	while (n < e->cursor && e->line[e->cursor - n - 1] == ' ')
		n++;
	while (n < e->cursor && e->line[e->cursor - n - 1] != ' ')
		n++;
	erase_back(e, n);
}

static void complete(struct editor *e)
{
	char add[EDITOR_LINE_MAX];
	u32 n;

	if (!e->complete || e->cursor != e->len)
		return;
	n = e->complete(e, add, sizeof(add));
	editor_show(e);
	if (n)
		insert(e, add, n);
}

static void delete_here(struct editor *e)
{
	if (e->cursor < e->len) {
		move(e, e->cursor + 1);
		erase_back(e, 1);
	}
}

/* ESC [ A, ESC O A, ESC [ 3 ~ and the like; anything unknown is swallowed whole. */
static void escape_key(struct editor *e, u8 c)
{
	if (e->escape == 1) {
		e->escape = c == '[' || c == 'O' ? 2 : 0;
		e->escape_arg = 0;
		return;
	}
	if ((c >= '0' && c <= '9') || c == ';') {
		e->escape_arg = c;
		return;
	}
	e->escape = 0;
	switch (c == '~' ? e->escape_arg : c) {
	case 'A': history_walk(e, true); break;
	case 'B': history_walk(e, false); break;
	case 'C': move(e, MIN(e->cursor + 1, e->len)); break;
	case 'D': move(e, e->cursor ? e->cursor - 1 : 0); break;
	case 'H': case '1': case '7': move(e, 0); break;
	case 'F': case '4': case '8': move(e, e->len); break;
	case '3': delete_here(e); break;
	default: break;
	}
}

static bool end_of_line(struct editor *e)
{
	put(e, "\r\n");
	e->shown = false;
	history_add(e);
	return true;
}

static void control_key(struct editor *e, u8 c)
{
	switch (c) {
	case KEY_HOME: move(e, 0); break;
	case KEY_END: move(e, e->len); break;
	case KEY_LEFT: move(e, e->cursor ? e->cursor - 1 : 0); break;
	case KEY_RIGHT: move(e, MIN(e->cursor + 1, e->len)); break;
	case KEY_DELETE: delete_here(e); break;
	case KEY_BS: case KEY_RUBOUT: erase_back(e, e->cursor ? 1 : 0); break;
	case KEY_TAB: complete(e); break;
	case KEY_KILL: e->len = e->cursor; e->line[e->len] = '\0'; redraw_tail(e); break;
	case KEY_KILL_ALL: erase_back(e, e->cursor); break;
	case KEY_WORD: kill_word(e); break;
	case KEY_UP: history_walk(e, true); break;
	case KEY_DOWN: history_walk(e, false); break;
	case KEY_REDRAW: editor_hide(e); editor_show(e); break;
	case KEY_CANCEL: put(e, "^C\r\n"); editor_next(e); break;
	case KEY_ESC: e->escape = 1; break;
	default: break;
	}
}

bool editor_key(struct editor *e, u8 c)
{
	char text = (char)c;
	bool after_cr = e->last_cr;

	e->last_cr = c == KEY_CR;
	if (e->escape) {
		escape_key(e, c);
		return false;
	}
	if (c == KEY_LF && after_cr)
		return false;
	if (c == KEY_CR || c == KEY_LF)
		return end_of_line(e);
	if (c < 32 || c == KEY_RUBOUT)
		control_key(e, c);
	else if (c < 127)
		insert(e, &text, 1);
	return false;
}

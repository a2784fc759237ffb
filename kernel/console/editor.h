/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * editor.h - a one-line editor for a serial terminal: cursor keys, history, completion.
 *
 * Pure: bytes in, bytes out through a callback. The terminal is assumed to know the
 * ECMA-48 sequences CR, BS and CSI K; a dumb one still shows what is typed at the end of the line.
 */
#ifndef CONSOLE_EDITOR_H
#define CONSOLE_EDITOR_H

#include "kernel/lib/types.h"

#define EDITOR_LINE_MAX 256
#define EDITOR_HISTORY 16

struct editor {
	void (*write)(const char *bytes, u32 n);
	/* Completes line[0..len): returns how many bytes to add, lists candidates itself if there are
	 * several. */
	u32 (*complete)(struct editor *e, char *add, u32 size);
	const char *prompt;
	char line[EDITOR_LINE_MAX];
	u32 len, cursor;
	bool overflow;               /* bytes were refused: said once a line */
	u8 escape;                   /* state of an escape sequence being received */
	u8 escape_arg;
	bool last_cr;                /* CR LF is one end of line */
	bool shown;                  /* prompt and line are on the screen */
	char history[EDITOR_HISTORY][EDITOR_LINE_MAX];
	u32 history_count, history_pos;
	char saved[EDITOR_LINE_MAX]; /* what was typed before history was walked */
};

void editor_init(struct editor *e, const char *prompt, void (*write)(const char *, u32),
		 u32 (*complete)(struct editor *, char *, u32));
/* Feeds one byte; true: a line is complete in e->line (terminated). Call editor_next() when it
 * was executed. */
bool editor_key(struct editor *e, u8 byte);
void editor_next(struct editor *e);
/* Takes the line off the screen before other output, and puts it back. */
void editor_hide(struct editor *e);
void editor_show(struct editor *e);

#endif

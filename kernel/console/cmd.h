/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd.h - the console's command table and what command functions may use.
 *
 * A command prints lines. With -j it prints JSON objects, one a line, nothing else.
 * An error is one line: what, why, that nothing changed, what to try.
 */
#ifndef CONSOLE_CMD_H
#define CONSOLE_CMD_H

#include "kernel/lib/types.h"

struct vm;

#define CMD_ARGS_MAX 12

struct cmd {
	bool json;
	u32 argc;
	char *argv[CMD_ARGS_MAX];      /* without the words of noun and verb, and without -j */
	char json_buf[2048];           /* the object being built */
	u32 json_len;
	bool failed;
};

struct cmd_entry {
	const char *noun, *verb;       /* verb NULL: none */
	const char *args;              /* for help */
	const char *help;
	u8 args_min, args_max;
	void (*run)(struct cmd *c);
};

/* The tables, one a file; each ends with a NULL noun. */
extern const struct cmd_entry cmd_vm_table[], cmd_qos_table[], cmd_why_table[], cmd_mem_table[],
	cmd_trace_table[], cmd_sys_table[];
extern const struct cmd_entry *const cmd_tables[];
extern const u32 cmd_ntables;

/* Executes one line (modified). */
void cmd_run(char *line);
/* For the editor's TAB: candidates of the word that ends at len. */
u32 cmd_complete(const char *line, u32 len, char *add, u32 size, void (*list)(const char *word));

/* Output, terminated by CR LF. In JSON mode cmd_line is not printed. */
void cmd_line(struct cmd *c, const char *format, ...) PRINTF_LIKE(2, 3);
/* "error: <text>"; in JSON mode {"error":"<text>"}. */
void cmd_error(struct cmd *c, const char *format, ...) PRINTF_LIKE(2, 3);
/* One JSON object: begin, members, end. No-ops outside JSON mode. */
void cmd_json_begin(struct cmd *c);
void cmd_json_str(struct cmd *c, const char *key, const char *value);
void cmd_json_u64(struct cmd *c, const char *key, u64 value);
void cmd_json_end(struct cmd *c);
/* Looks a guest up by argv[i]; says the error itself. */
struct vm *cmd_vm(struct cmd *c, u32 i);

/* The terminal: implemented in term.c. */
void term_write(const char *bytes, u32 n);
void term_puts(const char *s);
void term_connect(struct vm *vm);
void term_watch(bool on);
bool term_watching(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd.c - finds the command of a line in the tables, checks its arguments and runs it.
 * Called from the main loop only, one line at a time.
 */
#include "kernel/console/cmd.h"

#include "kernel/lib/lib.h"
#include "kernel/vm.h"

const struct cmd_entry *const cmd_tables[] = { cmd_vm_table, cmd_qos_table, cmd_why_table, cmd_mem_table,
					       cmd_trace_table, cmd_sys_table };
const u32 cmd_ntables = ARRAY_SIZE(cmd_tables);

#define cmd_for_each(e)                               \
	for (u32 t_ = 0; t_ < cmd_ntables; t_++)      \
		for (const struct cmd_entry *e = cmd_tables[t_]; e->noun; e++)

void cmd_line(struct cmd *c, const char *format, ...)
{
	char buf[512];
	va_list ap;

	if (c->json)
		return;
	va_start(ap, format);
	vfmt(buf, sizeof(buf), format, ap);
	va_end(ap);
	term_puts(buf);
	term_puts("\r\n");
}

void cmd_error(struct cmd *c, const char *format, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, format);
	vfmt(buf, sizeof(buf), format, ap);
	va_end(ap);
	c->failed = true;
	if (c->json) {
		cmd_json_begin(c);
		cmd_json_str(c, "error", buf);
		cmd_json_end(c);
		return;
	}
	term_puts("error: ");
	term_puts(buf);
	term_puts("\r\n");
}

static void json_put(struct cmd *c, const char *s, u32 n)
{
	/* room is kept for the closing brace; a member that does not fit is cut by json_member */
	if (c->json_len + n < sizeof(c->json_buf) - 2) {
		memcpy(c->json_buf + c->json_len, s, n);
		c->json_len += n;
	}
}

static void json_key(struct cmd *c, const char *key)
{
	if (c->json_len > 1)
		json_put(c, ",", 1);
	json_put(c, "\"", 1);
	json_put(c, key, (u32)strlen(key));
	json_put(c, "\":", 2);
}

void cmd_json_begin(struct cmd *c)
{
	c->json_len = 0;
	json_put(c, "{", 1);
}

void cmd_json_str(struct cmd *c, const char *key, const char *value)
{
	char esc[8];

	if (!c->json)
		return;
	json_key(c, key);
	json_put(c, "\"", 1);
	for (; *value; value++) {
		u8 ch = (u8)*value;

		if (ch == '"' || ch == '\\')
			json_put(c, esc, (u32)fmt(esc, sizeof(esc), "\\%c", ch));
		else if (ch < 32 || ch > 126)
			json_put(c, esc, (u32)fmt(esc, sizeof(esc), "\\u%04x", ch));
		else
			json_put(c, value, 1);
	}
	json_put(c, "\"", 1);
}

void cmd_json_u64(struct cmd *c, const char *key, u64 value)
{
	char num[24];

	if (!c->json)
		return;
	json_key(c, key);
	json_put(c, num, (u32)fmt(num, sizeof(num), "%llu", (unsigned long long)value));
}

void cmd_json_end(struct cmd *c)
{
	if (!c->json)
		return;
	c->json_buf[c->json_len++] = '}';
	term_write(c->json_buf, c->json_len);
	term_puts("\r\n");
}

struct vm *cmd_vm(struct cmd *c, u32 i)
{
	struct vm *vm = i < c->argc ? vm_by_name(c->argv[i]) : NULL;

	if (!vm)
		cmd_error(c, "%s: no guest of that name; nothing changed; try: vm list",
			  i < c->argc ? c->argv[i] : "?");
	return vm;
}

/* Splits at blanks, takes -j out; returns the number of words or -1 for too many. */
static int split(char *line, char **word, u32 max, bool *json)
{
	u32 n = 0;

	for (char *p = line; *p;) {
		char *start;

		while (*p == ' ')
			*p++ = '\0';
		if (!*p)
			break;
		start = p;
		while (*p && *p != ' ')
			p++;
		if (*p)
			*p++ = '\0';
		if (!strcmp(start, "-j"))
			*json = true;
		else if (n == max)
			return -1;
		else
			word[n++] = start;
	}
	return (int)n;
}

static const struct cmd_entry *find(char **word, u32 n, bool *noun_known)
{
	const struct cmd_entry *plain = NULL;

	*noun_known = false;
	cmd_for_each(e) {
		if (strcmp(e->noun, word[0]))
			continue;
		*noun_known = true;
		if (!e->verb)
			plain = e;
		else if (n > 1 && !strcmp(e->verb, word[1]))
			return e;
	}
	return plain;
}

void cmd_run(char *line)
{
	static struct cmd c; /* 2 KiB of JSON: kept off the stack; the console is never re-entered */
	char *word[CMD_ARGS_MAX + 2];
	const struct cmd_entry *e;
	bool noun_known;
	u32 skip;
	int n;

	memset(&c, 0, sizeof(c));
	n = split(line, word, ARRAY_SIZE(word), &c.json);
	if (n == 0)
		return;
	if (n < 0) {
		cmd_error(&c, "%s: more than %u words; nothing changed; try: help", word[0],
			  (u32)ARRAY_SIZE(word));
		return;
	}
	e = find(word, (u32)n, &noun_known);
	if (!e) {
		if (noun_known)
			cmd_error(&c, "%s %s: no such verb; nothing changed; try: help %s", word[0],
				  n > 1 ? word[1] : "", word[0]);
		else
			cmd_error(&c, "%s: no such command; nothing changed; try: help", word[0]);
		return;
	}
	skip = e->verb ? 2 : 1;
	c.argc = (u32)n - skip;
	if (c.argc < e->args_min || c.argc > e->args_max) {
		cmd_error(&c, "%s: wrong number of arguments (%u); nothing changed; try: %s%s%s %s", word[0],
			  c.argc, e->noun, e->verb ? " " : "", e->verb ? e->verb : "", e->args);
		return;
	}
	for (u32 i = 0; i < c.argc; i++)
		c.argv[i] = word[i + skip];
	e->run(&c);
}

struct completion { const char *prefix; u32 len; const char *found[32]; u32 count; };

static void candidate(struct completion *k, const char *word)
{
	if (strncmp(word, k->prefix, k->len) || k->count == ARRAY_SIZE(k->found))
		return;
	for (u32 i = 0; i < k->count; i++)
		if (!strcmp(k->found[i], word))
			return;
	k->found[k->count++] = word;
}

static void gather(struct completion *k, const char *line, u32 word_start)
{
	static const char *const qos_keys[] = { "min=", "max=", "weight=", "miss=" };

	cmd_for_each(e) {
		if (word_start == 0)
			candidate(k, e->noun);
		else if (e->verb && !strncmp(line, e->noun, strlen(e->noun)) &&
			 word_start == strlen(e->noun) + 1)
			candidate(k, e->verb);
	}
	if (word_start == 0)
		return;
	for (u32 i = 0; i < vm_count; i++)
		candidate(k, vm_all[i]->name);
	if (!strncmp(line, "qos ", 4) && word_start > 4)
		for (u32 i = 0; i < ARRAY_SIZE(qos_keys); i++)
			candidate(k, qos_keys[i]);
}

u32 cmd_complete(const char *line, u32 len, char *add, u32 size, void (*list)(const char *word))
{
	struct completion k = { .count = 0 };
	u32 start = len, common;

	while (start && line[start - 1] != ' ')
		start--;
	k.prefix = line + start;
	k.len = len - start;
	gather(&k, line, start);
	if (!k.count)
		return 0;
	common = (u32)strlen(k.found[0]);
	for (u32 i = 1; i < k.count; i++) {
		u32 same = 0;

		while (same < common && k.found[0][same] == k.found[i][same])
			same++;
		common = same;
	}
	if (k.count > 1 && common == k.len)
		for (u32 i = 0; i < k.count; i++)
			list(k.found[i]);
	common = MIN(common - k.len, size - 2);
	memcpy(add, k.found[0] + k.len, common);
	if (k.count == 1 && (!common || add[common - 1] != '='))
		add[common++] = ' ';
	return common;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd_trace.c - recordings of what guests miss, touch and are given.
 */
#include "arch/x86_64/arch.h"
#include "kernel/console/cmd.h"
#include "kernel/lib/lib.h"
#include "kernel/trace/tracer.h"

static void say(struct cmd *c, const char *what, const char *line)
{
	cmd_line(c, "%s", line);
	cmd_json_begin(c);
	cmd_json_str(c, "trace", what);
	cmd_json_end(c);
}

/* [SIZE] [LINE], in any order. */
static void on(struct cmd *c)
{
	const char *line = NULL;
	struct tracer_info i;
	char why[200], text[200], a[16];
	u64 bytes = 0;

	for (u32 k = 0; k < c->argc; k++) {
		const char *w = c->argv[k];
		bool is_size = *w >= '0' && *w <= '9';

		if (is_size ? bytes || parse_size(w, &bytes) || !bytes : line != NULL) {
			cmd_error(c,
				  "trace on: %.32s: not a size or a line, or one too many; nothing changed; "
				  "try: trace on 1M com2,115200",
				  w);
			return;
		}
		if (!is_size)
			line = w;
	}
	if (tracer_on(bytes, line, why, sizeof(why))) {
		cmd_error(c, "trace on: %s", why);
		return;
	}
	tracer_info(&i);
	fmt(text, sizeof(text), "tracing into %s of memory, %s%s", fmt_size(a, sizeof(a), i.bytes),
	    i.line[0] ? "out over " : "until it is full: trace dump shows it", i.line);
	say(c, "on", text);
}

static void off(struct cmd *c)
{
	struct tracer_info i;
	char why[200], text[120];

	if (tracer_off(why, sizeof(why))) {
		cmd_error(c, "trace off: %s", why);
		return;
	}
	tracer_info(&i);
	if (i.state == TRACER_STOPPED) {
		fmt(text, sizeof(text),
		    "stopped; %u records wait: trace dump shows them, trace off drops them", i.stats.used);
		say(c, "stopped", text);
	} else if (i.state == TRACER_ENDING) {
		fmt(text, sizeof(text),
		    "stopped; %u records are on their way out, then the memory is given back", i.stats.used);
		say(c, "ending", text);
	} else {
		say(c, "off", "off");
	}
}

static void dump(struct cmd *c)
{
	char why[200];

	if (tracer_dump(why, sizeof(why)))
		cmd_error(c, "trace dump: %s", why);
	else
		say(c, "dumping",
		    "records follow as lines that begin with trace|; the last of them says end");
}

static void show(struct cmd *c)
{
	static const char *const state[] = { "off", "on", "ending", "stopped" };
	static const struct {
		enum trace_kind kind;
		const char *name;
	} kinds[] = {
		{ TRACE_MISS, "misses" }, { TRACE_PASS, "passes" },        { TRACE_MASK, "masks" },
		{ TRACE_RUN, "runs" },    { TRACE_DECISION, "decisions" }, { TRACE_PUT, "puts" },
	};
	struct tracer_info i;
	u64 ms;

	tracer_info(&i);
	ms = i.state == TRACER_OFF ? 0 : (arch_ns() - i.started_ns) / 1000000;
	cmd_line(c,
		 "%s%s%s%s, ring %u of %u records, kept %llu, lost %llu, sent %llu bytes in %u frames, %llu "
		 "ms",
		 state[i.state], i.line[0] && i.state ? ", out over " : "", i.state ? i.line : "",
		 i.dumping ? ", dumping" : "", i.stats.used, i.stats.room,
		 (unsigned long long)i.stats.records, (unsigned long long)i.stats.lost,
		 (unsigned long long)i.sent_bytes, i.stats.frames, (unsigned long long)ms);
	cmd_json_begin(c);
	cmd_json_str(c, "trace", state[i.state]);
	cmd_json_str(c, "line", i.state ? i.line : "");
	cmd_json_u64(c, "bytes", i.bytes);
	cmd_json_u64(c, "used", i.stats.used);
	cmd_json_u64(c, "room", i.stats.room);
	cmd_json_u64(c, "records", i.stats.records);
	cmd_json_u64(c, "lost", i.stats.lost);
	cmd_json_u64(c, "sent", i.sent_bytes);
	cmd_json_u64(c, "frames", i.stats.frames);
	cmd_json_u64(c, "dumping", i.dumping);
	cmd_json_u64(c, "ms", ms);
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		cmd_json_u64(c, kinds[k].name, i.stats.kind[kinds[k].kind]);
		if (i.state)
			cmd_line(c, "  %-12s %llu", kinds[k].name,
				 (unsigned long long)i.stats.kind[kinds[k].kind]);
	}
	cmd_json_end(c);
}

const struct cmd_entry cmd_trace_table[] = {
	{ "trace", "on", "[size] [comN[,baud]|none]", "record misses, touches and decisions", 0, 2, on },
	{ "trace", "off", "", "end the recording; again: drop what is left", 0, 0, off },
	{ "trace", "show", "", "how the recording stands", 0, 0, show },
	{ "trace", "dump", "", "print what the ring holds, for tools/trace", 0, 0, dump },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};

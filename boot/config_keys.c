/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_keys.c - the table of configuration words, their parsers and their help.
 *
 * Contract: config_keys.h. One table serves every line and `help boot`. A parser changes the
 * configuration only if its value is whole and valid. No state.
 */
#include "boot/config_keys.h"
#include "kernel/lib/lib.h"

const struct config_role config_roles[CONFIG_ROLES] = {
	{ "kernel", "a Linux kernel (bzImage); what follows -- is its command line", ON_KERNEL,
	  CONFIG_LINUX },
	{ "multiboot", "a Multiboot kernel (ELF, or load addresses in its header), with the words of kernel",
	  ON_KERNEL, CONFIG_MULTIBOOT },
	{ "initrd", "the kernel's initial RAM disk", ON_INITRD, CONFIG_NO_KERNEL },
	{ "module", "a module of a Multiboot kernel, up to 16 times; what follows -- is its string",
	  ON_MODULE, CONFIG_NO_KERNEL },
	{ "disk", "a RAM disk with this file's content", ON_DISK, CONFIG_NO_KERNEL },
};

struct key {
	const char *word, *alias;  /* alias may be NULL */
	const char *shape;         /* of the value; NULL: a bare word */
	const char *help;
	u8 on;
	bool repeats;
	int (*parse)(struct config_line *l, const char *value); /* why: only the reason */
};

static int bad(struct config_line *l, const char *because)
{
	str_copy(l->why, l->why_size, because);
	return E_INVAL;
}

static int parse_bytes(struct config_line *l, const char *value, u64 *bytes)
{
	u64 n = 0;
	int err = parse_size(value, &n);

	if (err == E_RANGE || (!err && n > CONFIG_SIZE_MAX))
		return bad(l, "too large; at most 1T");
	if (err)
		return bad(l, "a size is a number with its unit K, M, G or T; try 256M");
	if (n % PAGE_SIZE)
		return bad(l, "not a multiple of 4K");
	*bytes = n;
	return 0;
}

bool config_name_ok(const char *name)
{
	size_t n = 0;

	for (; name[n]; n++) {
		char c = name[n];

		if (n + 1 >= CONFIG_NAME_MAX)
			return false;
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !(c == '-' && n))
			return false;
	}
	return n > 0;
}

static int parse_vm(struct config_line *l, const char *value)
{
	/* The line's guest was looked up before its words are applied. */
	return config_name_ok(value) ? 0 : bad(l, "a name is 1 to 15 of a-z, 0-9 and -");
}

static int parse_ram(struct config_line *l, const char *value)
{
	u64 bytes;
	int err = parse_bytes(l, value, &bytes);

	if (err)
		return err;
	if (bytes < CONFIG_RAM_MIN || bytes > CONFIG_RAM_MAX)
		return bad(l, "not between 16M and 3G");
	if (bytes % MIB)
		return bad(l, "not a multiple of 1M");
	l->vm->ram = bytes;
	return 0;
}

static int parse_min(struct config_line *l, const char *value)
{
	l->min_given = true;
	return parse_bytes(l, value, &l->vm->min);
}

static int parse_max(struct config_line *l, const char *value)
{
	l->max_given = true;
	return parse_bytes(l, value, &l->vm->max);
}

static int parse_weight(struct config_line *l, const char *value)
{
	u64 v;

	if (parse_u64(value, &v) || v < 1 || v > CONFIG_WEIGHT_MAX)
		return bad(l, "a weight is a number from 1 to 10000");
	l->vm->weight = (u32)v;
	return 0;
}

static int parse_miss(struct config_line *l, const char *value)
{
	u64 v;

	if (parse_rate(value, &v))
		return bad(l, "a rate is a number with its unit /s or /min; try 50/s");
	if (!v)
		return bad(l, "a goal of no misses at all can't be kept; try 1/min");
	l->vm->miss_per_1000s = v;
	return 0;
}

static int parse_iops(struct config_line *l, const char *value)
{
	return config_parse_iops(value, &l->vm->iops) ?
		       bad(l, "a limit is a number from 1 to 10000000, or none; try iops=500") :
		       0;
}

static int parse_bps(struct config_line *l, const char *value)
{
	return config_parse_bps(value, &l->vm->bps) ?
		       bad(l, "a limit is a size from 64K to 1024G, or none; try bps=20M") :
		       0;
}

static int parse_zip(struct config_line *l, const char *value)
{
	char number[4];
	size_t n = strlen(value);
	u64 v;

	if (!strcmp(value, "auto") || !strcmp(value, "off")) {
		l->vm->zip_percent = *value == 'a' ? CONFIG_ZIP_AUTO : 0;
		return 0;
	}
	if (n < 2 || n > sizeof(number) || value[n - 1] != '%')
		return bad(l, "not auto, off or a share of its frames; try zip=auto or zip=25%");
	memcpy(number, value, n - 1);
	number[n - 1] = 0;
	if (parse_u64(number, &v) || v < 1 || v > CONFIG_ZIP_MOST)
		return bad(l, "not from 1% to 50%; try zip=25%");
	l->vm->zip_percent = (u8)v;
	return 0;
}

static int parse_cache(struct config_line *l, const char *value)
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return bad(l, "not on or off; try cache=off");
	l->vm->no_cache = !strcmp(value, "off");
	return 0;
}

static int parse_vcpus(struct config_line *l, const char *value)
{
	u64 v;

	if (parse_u64(value, &v) || v != 1)
		return bad(l, "a guest has 1 vCPU so far");
	l->vm->vcpus = 1;
	return 0;
}

static bool device_name_ok(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (n + 1 >= CONFIG_NAME_MAX ||
		    (!(s[n] >= 'a' && s[n] <= 'z') && !(s[n] >= '0' && s[n] <= '9')))
			return false;
	return n > 0;
}

static int parse_disk(struct config_line *l, const char *value)
{
	struct vm_config *vm = l->vm;
	struct config_disk d = { .module = -1 };
	size_t n = strlen(value);

	if (vm->ndisks == CONFIG_MAX_DISKS)
		return bad(l, "more than 4 disks");
	if (n > 3 && !strcmp(value + n - 3, ",ro")) {
		d.read_only = true;
		n -= 3;
	}
	if (n >= sizeof(d.name))
		return bad(l, "no such disk name; try hd0p2 or hd0p2,ro");
	memcpy(d.name, value, n);
	if (!device_name_ok(d.name))
		return bad(l, "a disk is a device or a partition of it; try hd0p2 or hd0p2,ro");
	for (u32 i = 0; i < vm->ndisks; i++)
		if (!strcmp(vm->disk[i].name, d.name))
			return bad(l, "this guest has that disk already");
	vm->disk[vm->ndisks++] = d;
	return 0;
}

static int parse_ro(struct config_line *l, const char *value)
{
	(void)value;
	l->read_only = true;
	return 0;
}

/* "comN[,BAUD]"; most: the highest N. */
static int parse_com(struct config_line *l, const char *value, char most, u32 *com, u32 *speed)
{
	u64 baud = 115200;

	if (strncmp(value, "com", 3) || value[3] < '1' || value[3] > most ||
	    (value[4] && value[4] != ','))
		return bad(l, most == '4' ? "not com1 to com4 or none; try com1,115200" :
					    "not com1, com2 or none; try com2,115200");
	if (value[4] && (parse_u64(value + 5, &baud) || baud < 1200 || baud > 115200 || 115200 % baud))
		return bad(l, "no such speed; try 115200, 57600, 38400, 19200 or 9600");
	*com = (u32)(value[3] - '0');
	*speed = (u32)baud;
	return 0;
}

static int parse_console(struct config_line *l, const char *value)
{
	if (!strcmp(value, "none")) {
		l->out->console_com = 0;
		return 0;
	}
	return parse_com(l, value, '4', &l->out->console_com, &l->out->console_baud);
}

static int parse_trace(struct config_line *l, const char *value)
{
	u32 com, baud;

	if (strcmp(value, "none") && parse_com(l, value, '2', &com, &baud))
		return E_INVAL;
	fmt(l->out->trace, sizeof(l->out->trace), "%s", value);
	return 0;
}

static int parse_reserve(struct config_line *l, const char *value)
{
	return parse_bytes(l, value, &l->out->reserve);
}

static int parse_swap(struct config_line *l, const char *value)
{
	if (!device_name_ok(value))
		return bad(l, "not a partition; try hd0p3 or none");
	str_copy(l->out->swap, sizeof(l->out->swap), value);
	return 0;
}

static int parse_scan(struct config_line *l, const char *value)
{
	u64 ppm;

	if (parse_percent(value, &ppm) || ppm < CONFIG_SCAN_MIN || ppm > CONFIG_SCAN_MAX)
		return bad(l, "a share of the CPU from 0.01% to 20%; try 0.5%");
	l->out->scan_ppm = (u32)ppm;
	return 0;
}

static int parse_log(struct config_line *l, const char *value)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(value, names[i])) {
			l->out->log_level = i;
			return 0;
		}
	}
	return bad(l, "not error, warning, info or debug");
}

/* These two are obeyed by arch/x86_64/start.c, long before anything else is read; here they are checked. */
static int parse_panic(struct config_line *l, const char *value)
{
	u64 v;

	return parse_u64(value, &v) || v > 3600 ? bad(l, "not 0 to 3600 seconds") : 0;
}

static int parse_selftest(struct config_line *l, const char *value)
{
	static const char *const names[] = { "fault", "text", "stack", "panic" };

	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(value, names[i]))
			return 0;
	return bad(l, "not fault, text, stack or panic");
}

static const struct key keys[] = {
	{ "vm", NULL, "NAME", "the guest that this module belongs to: 1 to 15 of a-z, 0-9, -", ON_ANY_MODULE,
	  false, parse_vm },
	{ "ram", NULL, "SIZE", "memory that the guest sees: 16M to 3G, whole MiB; required", ON_KERNEL, false,
	  parse_ram },
	{ "min", "reservation", "SIZE", "memory it is guaranteed (default: ram/16, at least 8M)", ON_KERNEL,
	  false, parse_min },
	{ "max", "limit", "SIZE", "memory it may hold, its cache included (default: ram)", ON_KERNEL, false,
	  parse_max },
	{ "weight", "shares", "1..10000",
	  "its share of CPU and disks, and what its misses count (default: 100)", ON_KERNEL, false,
	  parse_weight },
	{ "miss", NULL, "RATE", "goal: at most so many misses, 50/s or 3/min (default: none)", ON_KERNEL,
	  false, parse_miss },
	{ "iops", NULL, "N", "disk operations a second, all its disks together (default: none, no limit)",
	  ON_KERNEL, false, parse_iops },
	{ "bps", NULL, "SIZE", "bytes a second from and to its disks, 20M (default: none, no limit)",
	  ON_KERNEL, false, parse_bps },
	{ "zip", NULL, "auto|off|N%",
	  "its frames for compressed pages: what pays, none, 1% to 50% (default: auto)", ON_KERNEL, false,
	  parse_zip },
	{ "cache", NULL, "on|off", "keep what the guest itself evicts while there is room (default: on)",
	  ON_KERNEL, false, parse_cache },
	{ "vcpus", NULL, "1", "processors (default: 1)", ON_KERNEL, false, parse_vcpus },
	{ "disk", NULL, "NAME[,ro]", "a disk or partition of the host, hd0 or hd0p2; up to 4 times",
	  ON_KERNEL, true, parse_disk },
	{ "ro", NULL, NULL, "the guest can only read this disk", ON_DISK, false, parse_ro },
	{ "console", NULL, "comN[,BAUD]", "the operator's console, or none (default: com1,115200)", ON_VMMB,
	  false, parse_console },
	{ "trace", NULL, "comN[,BAUD]", "where `trace on` sends its records, or none (default: none)",
	  ON_VMMB, false, parse_trace },
	{ "reserve", NULL, "SIZE", "memory that no guest gets (default: 0)", ON_VMMB, false, parse_reserve },
	{ "swap", NULL, "NAME", "swap partition, or none (default: those of the swap type)", ON_VMMB, false,
	  parse_swap },
	{ "scan", NULL, "PERCENT", "what looking for touched pages may cost of the CPU (default: 0.5%)",
	  ON_VMMB, false, parse_scan },
	{ "log", NULL, "LEVEL", "show log lines up to error, warning, info or debug (default: info)", ON_VMMB,
	  false, parse_log },
	{ "panic", NULL, "SECONDS", "reboot so long after an exception report (default: 0, halt)", ON_VMMB,
	  false, parse_panic },
	{ "selftest", NULL, "WORD", "end in an exception report: fault, text, stack or panic", ON_VMMB, false,
	  parse_selftest },
};
_Static_assert(ARRAY_SIZE(keys) <= 32, "config_line.seen has 32 bits");

bool config_next_word(const char **p, char word[CONFIG_WORD_MAX])
{
	size_t n = 0;

	while (**p == ' ' || **p == '\t')
		(*p)++;
	for (; **p && **p != ' ' && **p != '\t'; (*p)++)
		if (n + 1 < CONFIG_WORD_MAX)
			word[n++] = **p;
	word[n] = 0;
	return n > 0;
}

static const struct key *find_key(const struct config_line *l, const char *word)
{
	for (u32 i = 0; i < ARRAY_SIZE(keys); i++)
		if ((keys[i].on & l->on) && (!strcmp(word, keys[i].word) ||
					     (keys[i].alias && !strcmp(word, keys[i].alias))))
			return &keys[i];
	return NULL;
}

int config_apply_word(struct config_line *l, char *word)
{
	char *value = strchr(word, '=');
	const struct key *k;
	char because[CONFIG_LINE_MAX];
	u32 bit;
	int err;

	if (value)
		*value++ = 0;
	k = find_key(l, word);
	if (!k) {
		fmt(l->why, l->why_size, "%.32s: no such key here; `help boot` lists them", word);
		return E_INVAL;
	}
	bit = BIT(k - keys);
	if ((l->seen & bit) && !k->repeats) {
		fmt(l->why, l->why_size, "%s is given twice; leave one", k->word);
		return E_INVAL;
	}
	l->seen |= bit;
	if (!value != !k->shape || (value && !*value)) {
		if (k->shape)
			fmt(l->why, l->why_size, "%s needs a value: %s=%s", word, word, k->shape);
		else
			fmt(l->why, l->why_size, "%s takes no value", word);
		return E_INVAL;
	}
	err = k->parse(l, value);
	if (err) {
		str_copy(because, sizeof(because), l->why);
		fmt(l->why, l->why_size, "%s=%.40s: %s", word, value ? value : "", because);
	}
	return err;
}

void config_help(void (*line)(void *ctx, const char *where, const char *word, const char *help), void *ctx)
{
	static const struct {
		u8 on;
		const char *where;
	} places[] = {
		{ ON_KERNEL, "kernel" }, { ON_INITRD, "initrd" }, { ON_MODULE, "module" },
		{ ON_DISK, "disk" },     { ON_VMMB, "vmmb" },
	};
	char text[40];

	for (u32 i = 0; i < ARRAY_SIZE(config_roles); i++)
		line(ctx, "first", config_roles[i].word, config_roles[i].help);
	for (u32 p = 0; p < ARRAY_SIZE(places); p++) {
		for (u32 i = 0; i < ARRAY_SIZE(keys); i++) {
			if (!(keys[i].on & places[p].on))
				continue;
			fmt(text, sizeof(text), "%s%s%s", keys[i].word, keys[i].shape ? "=" : "",
			    keys[i].shape ? keys[i].shape : "");
			line(ctx, places[p].where, text, keys[i].help);
		}
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config.c - from command lines to checked guests: which module belongs to whom, what
 * is missing, what contradicts itself.
 *
 * Contract: config.h. Runs once at boot, over text that anybody may have written. The first
 * mistake about a guest is kept as its error; reading goes on, since other guests do not depend
 * on it. The words themselves are in config_keys.c.
 */
#include "boot/config.h"
#include "boot/config_keys.h"
#include "kernel/lib/lib.h"

static void config_error(struct config *out, const char *format, ...) PRINTF_LIKE(2, 3);
static void config_error(struct config *out, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (out->nerrors < CONFIG_MAX_ERRORS)
		vfmt(out->error[out->nerrors], CONFIG_LINE_MAX, format, ap);
	va_end(ap);
	out->nerrors++;
}

/* The first mistake is the one to repair first. */
static void vm_error(struct vm_config *vm, const char *format, ...) PRINTF_LIKE(2, 3);
static void vm_error(struct vm_config *vm, const char *format, ...)
{
	va_list ap;

	if (vm->error[0])
		return;
	va_start(ap, format);
	vfmt(vm->error, sizeof(vm->error), format, ap);
	va_end(ap);
}

static struct vm_config *vm_find_or_add(struct config *out, const char *name)
{
	struct vm_config *vm;

	for (u32 i = 0; i < out->nvms; i++)
		if (!strcmp(out->vm[i].name, name))
			return &out->vm[i];
	if (out->nvms == CONFIG_MAX_VMS)
		return NULL;
	vm = &out->vm[out->nvms++];
	str_copy(vm->name, sizeof(vm->name), name);
	vm->weight = CONFIG_WEIGHT_DEFAULT;
	vm->zip_percent = CONFIG_ZIP_AUTO;
	vm->vcpus = 1;
	vm->kernel_module = vm->initrd_module = -1;
	vm->cmdline = "";
	return vm;
}

/* Where the guest's own command line begins, and the length of our part before it. */
static const char *split_cmdline(const char *line, size_t *ours)
{
	char word[CONFIG_WORD_MAX];
	const char *p = line;

	for (;;) {
		*ours = (size_t)(p - line);
		if (!config_next_word(&p, word))
			return p;
		if (strcmp(word, "--"))
			continue;
		while (*p == ' ' || *p == '\t')
			p++;
		return p;
	}
}

/* The line's guest, found or made; NULL with an error line if there is none. */
static struct vm_config *line_owner(struct config *out, const char *text, s32 module)
{
	char word[CONFIG_WORD_MAX];
	struct vm_config *vm;

	for (const char *p = text; config_next_word(&p, word);) {
		if (strncmp(word, "vm=", 3))
			continue;
		if (!config_name_ok(word + 3))
			break;
		vm = vm_find_or_add(out, word + 3);
		if (!vm)
			config_error(out, "module %d: %.24s: more than %u guests; the module is ignored",
				     module, word, CONFIG_MAX_VMS);
		return vm;
	}
	config_error(out, "module %d \"%.60s\": it needs vm=NAME (1 to 15 of a-z, 0-9 and -); it is ignored",
		     module, text);
	return NULL;
}

/* In the order of GRUB's lines, wherever the kernel's own line is. */
static void attach_module(struct vm_config *vm, s32 module, const char *string)
{
	u32 at = vm->nmodules;

	if (at == CONFIG_MAX_MODULES) {
		vm_error(vm, "module %d: more than %u modules", module, CONFIG_MAX_MODULES);
		return;
	}
	for (; at > 0 && vm->module[at - 1].module > module; at--)
		vm->module[at] = vm->module[at - 1];
	vm->module[at] = (struct config_module){ module, string };
	vm->nmodules++;
}

static void attach_disk(struct config_line *l)
{
	struct vm_config *vm = l->vm;
	struct config_disk *d;

	if (vm->ndisks == CONFIG_MAX_DISKS) {
		vm_error(vm, "module %d: more than %u disks", l->module, CONFIG_MAX_DISKS);
		return;
	}
	d = &vm->disk[vm->ndisks++];
	fmt(d->name, sizeof(d->name), "ram%d", l->module);
	d->module = l->module;
	d->read_only = l->read_only;
}

/* rest: what follows -- on the line. */
static void attach(struct config_line *l, enum config_kind kind, const char *rest)
{
	struct vm_config *vm = l->vm;

	if (l->on == ON_KERNEL) {
		if (vm->kernel_module >= 0)
			vm_error(vm, "two kernels (modules %d and %d); leave one", vm->kernel_module,
				 l->module);
		vm->kernel_module = l->module;
		vm->kind = kind;
		vm->cmdline = rest;
	} else if (l->on == ON_INITRD) {
		if (vm->initrd_module >= 0)
			vm_error(vm, "two initrds (modules %d and %d); leave one", vm->initrd_module,
				 l->module);
		vm->initrd_module = l->module;
	} else if (l->on == ON_MODULE) {
		attach_module(vm, l->module, rest);
	} else {
		attach_disk(l);
	}
}

/* Defaults that depend on other keys, once the kernel's line has been read. */
static void finish_sizes(struct config_line *l)
{
	struct vm_config *vm = l->vm;
	char why[CONFIG_LINE_MAX];

	if (!vm->ram) {
		vm_error(vm, "ram is missing; try ram=256M on its kernel line");
		return;
	}
	if (!l->max_given)
		vm->max = vm->ram;
	if (!l->min_given)
		vm->min = MIN(MAX(vm->ram / 16, 8 * MIB), vm->max);
	if (config_check_qos(vm->min, vm->max, vm->weight, why, sizeof(why)))
		vm_error(vm, "%s", why);
}

/* Applies the words of text (after the first) to l. Each mistake goes to the guest, or to the list. */
static void apply_words(struct config_line *l, const char *text)
{
	char word[CONFIG_WORD_MAX], why[CONFIG_LINE_MAX];

	l->why = why;
	l->why_size = sizeof(why);
	while (config_next_word(&text, word)) {
		if (!config_apply_word(l, word))
			continue;
		if (l->vm)
			vm_error(l->vm, "%s", why);
		else
			config_error(l->out, "command line: %s; it is ignored", why);
	}
}

/* The role's own part of a line of l->vm; text: what follows the first word. */
static void read_role(struct config_line *l, const struct config_role *role, const struct boot_module *m,
		      const char *text, const char *rest)
{
	if (m->bad)
		vm_error(l->vm, "module %d (%s) can not be used: %s", l->module, role->word, m->bad);
	if (m->cmdline_cut)
		vm_error(l->vm, "module %d (%s): its command line is longer than %u characters", l->module,
			 role->word, BOOT_CMDLINE_MAX - 1);
	l->on = role->on;
	apply_words(l, text);
	attach(l, role->kind, rest);
	if (l->on == ON_KERNEL)
		finish_sizes(l);
	else if (*rest && l->on != ON_MODULE)
		vm_error(l->vm, "module %d (%s): only a kernel takes a command line", l->module, role->word);
}

static void read_module(struct config *out, const struct boot_module *m, s32 module)
{
	char text[BOOT_CMDLINE_MAX];
	struct config_line l = { .out = out, .module = module };
	char role[CONFIG_WORD_MAX];
	const char *rest = text, *cmdline;
	size_t ours;

	cmdline = split_cmdline(m->cmdline, &ours);
	memcpy(text, m->cmdline, ours);
	text[ours] = 0;
	l.vm = line_owner(out, text, module);
	if (!l.vm)
		return;
	if (!config_next_word(&rest, role))
		role[0] = 0;
	for (u32 i = 0; i < CONFIG_ROLES; i++)
		if (!strcmp(role, config_roles[i].word)) {
			read_role(&l, &config_roles[i], m, rest, cmdline);
			return;
		}
	vm_error(l.vm, "module %d begins with \"%.24s\"; try kernel, multiboot, initrd, module or disk",
		 module, role);
}

/* Once all lines of a guest have been read, in whatever order. */
static void finish_vm(struct vm_config *vm)
{
	if (vm->kind == CONFIG_NO_KERNEL)
		vm_error(vm, "it has no kernel; add a module line \"kernel vm=%s ram=256M\"", vm->name);
	if (vm->kind == CONFIG_LINUX && vm->nmodules)
		vm_error(vm, "module %d: a Linux kernel takes no modules; try initrd", vm->module[0].module);
	if (vm->kind == CONFIG_MULTIBOOT && vm->initrd_module >= 0) {
		attach_module(vm, vm->initrd_module, "");
		vm->initrd_module = -1;
	}
}

int config_build(const struct boot_info *bi, struct config *out)
{
	struct config_line hv = { .out = out, .module = -1, .on = ON_VMMB };
	bool wrong = false;

	memset(out, 0, sizeof(*out));
	out->console_com = 1;
	out->console_baud = 115200;
	out->log_level = LOG_INFO;
	if (bi->cmdline_cut)
		config_error(out,
			     "the hypervisor's command line is longer than %u characters; the rest is "
			     "ignored",
			     BOOT_CMDLINE_MAX - 1);
	apply_words(&hv, bi->cmdline);
	if (out->trace[0] && out->console_com && out->trace[3] - '0' == (s32)out->console_com)
		config_error(out, "trace=%s is the console's port; try com%u", out->trace,
			     out->console_com == 2 ? 1 : 2);
	if (bi->nmodules_lost)
		config_error(out, "%u modules beyond the first %u are ignored", bi->nmodules_lost,
			     BOOT_MAX_MODULES);
	for (u32 i = 0; i < bi->nmodules; i++)
		read_module(out, &bi->modules[i], (s32)i);
	for (u32 i = 0; i < out->nvms; i++) {
		finish_vm(&out->vm[i]);
		wrong |= out->vm[i].error[0] != 0;
	}
	return wrong || out->nerrors ? E_INVAL : 0;
}

int config_parse_iops(const char *value, u32 *iops)
{
	u64 n = 0;
	int err = strcmp(value, "none") ? parse_u64(value, &n) : 0;

	if (!err && strcmp(value, "none") && (!n || n > CONFIG_IOPS_MAX))
		err = E_RANGE;
	if (!err)
		*iops = (u32)n;
	return err;
}

int config_parse_bps(const char *value, u64 *bps)
{
	u64 n = 0;
	int err = strcmp(value, "none") ? parse_size(value, &n) : 0;

	if (!err && strcmp(value, "none") && (n < CONFIG_BPS_MIN || n > CONFIG_BPS_MAX))
		err = E_RANGE;
	if (!err)
		*bps = n;
	return err;
}

int config_check_qos(u64 min, u64 max, u32 weight, char *why, size_t why_size)
{
	char a[24], b[24];

	if (min % PAGE_SIZE || max % PAGE_SIZE)
		fmt(why, why_size, "min and max are multiples of 4K");
	else if (max < CONFIG_MAX_MIN)
		fmt(why, why_size, "max=%s: a guest needs at least %s", fmt_size(a, sizeof(a), max),
		    fmt_size(b, sizeof(b), CONFIG_MAX_MIN));
	else if (min > max)
		fmt(why, why_size, "min %s is above max %s; try a smaller min or a larger max",
		    fmt_size(a, sizeof(a), min), fmt_size(b, sizeof(b), max));
	else if (weight < 1 || weight > CONFIG_WEIGHT_MAX)
		fmt(why, why_size, "weight %u is not from 1 to %u", weight, CONFIG_WEIGHT_MAX);
	else
		return 0;
	return E_INVAL;
}

/* ---- who may use which sectors ---- */

static bool collide(const struct extent_use *a, const struct extent_use *b)
{
	if (a->dev != b->dev || !a->sectors || !b->sectors || (a->read_only && b->read_only))
		return false;
	return a->first < b->first ? b->first - a->first < a->sectors : a->first - b->first < b->sectors;
}

/* A use of the same owner, or of one that was accepted, that uses[i] collides with; -1: none. */
static s32 find_collision(const struct extent_use *uses, u32 n, u32 i)
{
	for (u32 j = 0; j < n; j++)
		if (j != i && (uses[j].owner == uses[i].owner || !uses[j].refused) &&
		    collide(&uses[i], &uses[j]))
			return (s32)j;
	return -1;
}

/* Accepts all uses of one owner or none. */
static void settle_owner(struct extent_use *uses, u32 n, u32 owner)
{
	bool refused = false;

	for (u32 i = 0; i < n; i++) {
		if (uses[i].owner != owner)
			continue;
		uses[i].conflict = find_collision(uses, n, i);
		refused |= uses[i].conflict >= 0;
	}
	for (u32 i = 0; i < n; i++)
		if (uses[i].owner == owner)
			uses[i].refused = refused;
}

static bool seen_before(const struct extent_use *uses, u32 i)
{
	for (u32 j = 0; j < i; j++)
		if (uses[j].owner == uses[i].owner)
			return true;
	return false;
}

u32 config_check_extents(struct extent_use *uses, u32 n)
{
	u32 count = 0;

	for (u32 i = 0; i < n; i++) {
		uses[i].conflict = -1;
		uses[i].refused = true; /* until its owner's turn */
	}
	settle_owner(uses, n, CONFIG_OWNER_SWAP);
	for (u32 i = 0; i < n; i++)
		if (uses[i].owner != CONFIG_OWNER_SWAP && !seen_before(uses, i))
			settle_owner(uses, n, uses[i].owner);
	for (u32 i = 0; i < n; i++)
		count += uses[i].refused;
	return count;
}

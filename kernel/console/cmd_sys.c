/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd_sys.c - help, stats, log, version, reboot, poweroff.
 */
#include "arch/x86_64/arch.h"
#include "boot/config.h"
#include "drivers/block.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/console/console.h"
#include "kernel/console/cmd.h"
#include "kernel/lib/lib.h"
#include "kernel/vm.h"

static void help_line(struct cmd *c, const struct cmd_entry *e)
{
	char usage[64];

	fmt(usage, sizeof(usage), "%s%s%s %s", e->noun, e->verb ? " " : "", e->verb ? e->verb : "", e->args);
	cmd_line(c, "  %-34s %s", usage, e->help);
	cmd_json_begin(c);
	cmd_json_str(c, "command", usage);
	cmd_json_str(c, "help", e->help);
	cmd_json_end(c);
}

static void help_say(void *ctx, const char *where, const char *word, const char *help_text)
{
	struct cmd *c = ctx;

	cmd_line(c, "  %-10s %-26s %s", where, word, help_text);
	cmd_json_begin(c);
	cmd_json_str(c, "where", where);
	cmd_json_str(c, "word", word);
	cmd_json_str(c, "help", help_text);
	cmd_json_end(c);
}

static void help(struct cmd *c)
{
	bool found = false;

	if (c->argc && !strcmp(c->argv[0], "boot")) {
		config_help(help_say, c);
		return;
	}
	for (u32 t = 0; t < cmd_ntables; t++)
		for (const struct cmd_entry *e = cmd_tables[t]; e->noun; e++)
			if (!c->argc || !strcmp(c->argv[0], e->noun)) {
				help_line(c, e);
				found = true;
			}
	if (!found)
		cmd_error(c, "help %s: no such command; nothing changed; try: help", c->argv[0]);
	else if (!c->argc)
		cmd_line(c, "  Units are required (256M, 50/s). -j with any command prints JSON lines. help "
			    "boot: module words.");
}

static const char *const exit_names[VMEXIT_KINDS] = {
	[VMEXIT_INTR] = "intr", [VMEXIT_NMI] = "nmi", [VMEXIT_MCE] = "mce", [VMEXIT_TIMER] = "timer",
	[VMEXIT_IRQ_WINDOW] = "irq_window", [VMEXIT_NMI_WINDOW] = "nmi_window", [VMEXIT_CPUID] = "cpuid",
	[VMEXIT_HLT] = "hlt", [VMEXIT_PAUSE] = "pause", [VMEXIT_IO] = "io", [VMEXIT_RDMSR] = "rdmsr",
	[VMEXIT_WRMSR] = "wrmsr", [VMEXIT_CR] = "cr", [VMEXIT_XSETBV] = "xsetbv", [VMEXIT_WBINVD] = "wbinvd",
	[VMEXIT_SLAT] = "slat", [VMEXIT_APIC_ACCESS] = "apic_access", [VMEXIT_APIC_WRITE] = "apic_write",
	[VMEXIT_EOI] = "eoi", [VMEXIT_EXCEPTION] = "exception", [VMEXIT_VIRT_INSN] = "virt_insn",
	[VMEXIT_TRIPLE] = "triple", [VMEXIT_INIT] = "init", [VMEXIT_BAD] = "bad",
};

static void stats_vm(struct cmd *c, const struct vm *vm)
{
	u64 total = 0;

	for (u32 k = 0; k < VMEXIT_KINDS; k++)
		total += vm->vcpu.exits[k];
	cmd_line(c, "%-15s %llu exits, %llu ms in the guest", vm->name, (unsigned long long)total,
		 (unsigned long long)(arch_tsc_to_ns(vm->vcpu.run_ticks) / 1000000));
	cmd_json_begin(c);
	cmd_json_str(c, "name", vm->name);
	cmd_json_u64(c, "run_ticks", vm->vcpu.run_ticks);
	cmd_json_u64(c, "entered_at", vm->vcpu.entered_at);
	cmd_json_u64(c, "exits", total);
	for (u32 k = 0; k < VMEXIT_KINDS; k++) {
		cmd_json_u64(c, exit_names[k], vm->vcpu.exits[k]);
		if (vm->vcpu.exits[k])
			cmd_line(c, "  %-12s %llu", exit_names[k], (unsigned long long)vm->vcpu.exits[k]);
	}
	cmd_json_end(c);
}

/* What one guest had of a disk. */
static void stats_share(struct cmd *c, const struct block_dev *d, u32 owner)
{
	const struct block_queue *q = &d->queue[owner];
	const char *name = owner < vm_count ? vm_all[owner]->name : "hypervisor";

	if (!q->requests)
		return;
	cmd_line(c, "%-15s   %s: %llu requests (%llu sectors), %llu ms of its time; a page at most %llu us",
		 "", name, (unsigned long long)q->requests, (unsigned long long)q->sectors,
		 (unsigned long long)q->used_ns / 1000000, (unsigned long long)q->demand_most_ns / 1000);
	cmd_json_begin(c);
	cmd_json_str(c, "disk", d->name);
	cmd_json_str(c, "name", name);
	cmd_json_u64(c, "requests", q->requests);
	cmd_json_u64(c, "sectors", q->sectors);
	cmd_json_u64(c, "used_ns", q->used_ns);
	cmd_json_u64(c, "demand_most_ns", q->demand_most_ns);
	cmd_json_end(c);
}

static void stats_disk(struct cmd *c, const struct block_dev *d)
{
	const struct block_stats *s = &d->stats;

	cmd_line(c, "%-15s %llu reads (%llu sectors), %llu writes (%llu sectors), %llu flushes, %llu errors",
		 d->name, (unsigned long long)s->reads, (unsigned long long)s->sectors_read,
		 (unsigned long long)s->writes, (unsigned long long)s->sectors_written,
		 (unsigned long long)s->flushes, (unsigned long long)s->errors);
	cmd_json_begin(c);
	cmd_json_str(c, "disk", d->name);
	cmd_json_u64(c, "reads", s->reads);
	cmd_json_u64(c, "sectors_read", s->sectors_read);
	cmd_json_u64(c, "writes", s->writes);
	cmd_json_u64(c, "sectors_written", s->sectors_written);
	cmd_json_u64(c, "flushes", s->flushes);
	cmd_json_u64(c, "errors", s->errors);
	cmd_json_u64(c, "busy_ns", s->busy_ns);
	cmd_json_u64(c, "polled", s->polled);
	cmd_json_u64(c, "commands", s->commands);
	cmd_json_u64(c, "merged", s->merged);
	cmd_json_u64(c, "pieces", s->pieces);
	cmd_json_u64(c, "at_once", d->limit.base);
	cmd_json_end(c);
	for (u32 i = 0; i < FAIR_OWNERS; i++)
		stats_share(c, d, i);
}

static void stats(struct cmd *c)
{
	cmd_line(c, "up %llu ms, TSC %llu at %llu Hz", (unsigned long long)(arch_ns() / 1000000),
		 (unsigned long long)arch_tsc(), (unsigned long long)arch_tsc_hz());
	cmd_json_begin(c);
	cmd_json_u64(c, "tsc", arch_tsc());
	cmd_json_u64(c, "tsc_hz", arch_tsc_hz());
	cmd_json_u64(c, "typed_lost", console_port_lost());
	cmd_json_end(c);
	if (console_port_lost())
		cmd_line(c, "%llu bytes that were typed are lost: they came faster than they could be taken",
			 (unsigned long long)console_port_lost());
	for (u32 i = 0; i < vm_count; i++)
		stats_vm(c, vm_all[i]);
	list_for_each(it, block_devices())
		stats_disk(c, container_of(it, struct block_dev, link));
}

static void log_say(void *ctx, const char *line)
{
	struct cmd *c = ctx;

	cmd_line(c, "%s", line);
	cmd_json_begin(c);
	cmd_json_str(c, "line", line);
	cmd_json_end(c);
}

static void log_cmd(struct cmd *c)
{
	u64 lines = 40;

	if (c->argc && (parse_u64(c->argv[0], &lines) || !lines || lines > 10000)) {
		cmd_error(c, "log %s: not a number of lines from 1 to 10000; nothing changed; try: log 100",
			  c->argv[0]);
		return;
	}
	log_last((unsigned int)lines, log_say, c);
}

static void version(struct cmd *c)
{
	cmd_line(c, "VMMB %s on %s", vmmb_version, backend->name);
	cmd_json_begin(c);
	cmd_json_str(c, "version", vmmb_version);
	cmd_json_str(c, "backend", backend->name);
	cmd_json_end(c);
}

static void leave(struct cmd *c, bool off)
{
	for (u32 i = 0; i < vm_count; i++)
		if (vm_all[i]->state == VM_RUNNING || vm_all[i]->state == VM_PAUSED)
			cmd_line(c, "%s is cut off as by a power failure", vm_all[i]->name);
	cmd_json_begin(c);
	cmd_json_str(c, "done", off ? "power off" : "reboot");
	cmd_json_end(c);
	console_port_flush();
	backend->cpu_off();
	if (off)
		arch_poweroff();
	arch_reboot();
}

static void do_reboot(struct cmd *c) { leave(c, false); }
static void do_poweroff(struct cmd *c) { leave(c, true); }

const struct cmd_entry cmd_sys_table[] = {
	{ "help", NULL, "[word|boot]", "this list; one command; the words of GRUB's module lines", 0, 1,
	  help },
	{ "stats", NULL, "", "exits by kind, time, disks", 0, 0, stats },
	{ "log", NULL, "[lines]", "the last lines of the log", 0, 1, log_cmd },
	{ "version", NULL, "", "version and backend", 0, 0, version },
	{ "reboot", NULL, "", "restart the machine at once", 0, 0, do_reboot },
	{ "poweroff", NULL, "", "switch the machine off at once", 0, 0, do_poweroff },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};

/* SPDX-License-Identifier: GPL-2.0-only */
/* main.c - the table of attacks; see rt.h for the command line. */
#include "modes.h"

static const struct { const char *name; void (*run)(void); } modes[] = {
	{ "idle", mode_idle },
	{ "quiet", mode_quiet },
	{ "spin", mode_spin },
	{ "ports", mode_ports },
	{ "msrs", mode_msrs },
	{ "cpuid", mode_cpuid },
	{ "apic", mode_apic },
	{ "regs", mode_regs },
	{ "insns", mode_insns },
	{ "tables", mode_tables },
	{ "queues", mode_queues },
	{ "dma", mode_dma },
	{ "selfill", mode_selfill },
	{ "timer", mode_timer },
	{ "uart", mode_uart },
	{ "reset", mode_reset },
	{ "disk", mode_disk },
	{ "overwrite", mode_overwrite },
	{ "memory", mode_memory },
};

void main(void);
void main(void)
{
	rt_init();
	for (u32 i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!arg_is("mode", modes[i].name))
			continue;
		say("%s seed=%lu ram=%lu", modes[i].name, arg("seed", 1), ram);
		sleep_until(arg("from", 0) * 1000 * tsc_mhz);
		modes[i].run();
		say("DONE");
		return;
	}
	say("WRONG: no such mode");
}

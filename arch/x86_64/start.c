/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * start.c - the first C: from GRUB's bytes to kernel_main() with paging, traps, interrupts
 * and time at work. The one file of arch/ that reaches upward: it drives the boot parsers
 * and gives panic() and the log a serial port before the console exists.
 */
#include "arch/x86_64/arch.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/desc.h"
#include "arch/x86_64/early.h"
#include "arch/x86_64/irq.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/power.h"
#include "arch/x86_64/start.h"
#include "arch/x86_64/time.h"
#include "arch/x86_64/trap.h"
#include "boot/acpi.h"
#include "boot/multiboot2.h"
#include "drivers/serial.h"
#include "kernel/lib/lib.h"

#define MBI_MAX (16 * MIB)
#define DEFAULT_CONSOLE "com1,115200"

extern const char __image_start[], __image_end[];

static struct boot_info boot_info;

static void early_sink(enum log_level level, const char *line)
{
	(void)level;
	serial_write_polled(line, strlen(line));
	serial_write_polled("\r\n", 2);
}

/* The value of the word "key=value" of the command line; false if there is none or it is too long. */
static bool option(const char *cmdline, const char *key, char *value, size_t size)
{
	size_t n = strlen(key), len = 0;

	for (const char *p = cmdline; *p; p++) {
		if ((p != cmdline && p[-1] != ' ') || strncmp(p, key, n) != 0)
			continue;
		p += n;
		while (p[len] && p[len] != ' ')
			len++;
		if (len >= size)
			return false;
		memcpy(value, p, len);
		value[len] = 0;
		return true;
	}
	return false;
}

/* The boot tables map 4 GiB: tables above that are not looked at. */
static const void *map_table(void *ctx, u64 phys, u64 len)
{
	(void)ctx;
	if (phys >= LAYOUT_BOOT_MAPPED || len > LAYOUT_BOOT_MAPPED - phys)
		return NULL;
	return arch_direct_map + phys;
}

static void parse_boot_info(u32 magic, u32 mbi)
{
	const struct acpi_mem mem = { map_table, NULL };
	char why[128] = "";

	if (multiboot2_parse(magic, arch_direct_map + mbi, MIN(MBI_MAX, (u64)LAYOUT_BOOT_MAPPED - mbi),
			     &boot_info, why, sizeof(why))) {
		log_err("boot: %s; halted", why);
		arch_halt();
	}
	multiboot2_exclude(&boot_info, arch_image_phys(__image_start), arch_image_phys(__image_end));
	if (acpi_parse(&mem, &boot_info, &boot_info.acpi, why, sizeof(why)))
		log_warn("ACPI: %s", why);
}

static void choose_console(void)
{
	char spec[32] = DEFAULT_CONSOLE, seconds[8];
	u64 n;

	if (option(boot_info.cmdline, "console=", spec, sizeof(spec)) && serial_init(spec) == E_INVAL)
		log_err("console=%s: not comN[,baud] or none: using " DEFAULT_CONSOLE, spec);
	if (option(boot_info.cmdline, "panic=", seconds, sizeof(seconds)) && !parse_u64(seconds, &n))
		panic_reboot_s = (u32)MIN(n, 3600);
}

static void cpu_features(void)
{
	struct arch_cpuid id1 = arch_cpuid(1, 0), id7 = { 0, 0, 0, 0 };
	u64 cr4 = cpu_read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_MCE;

	if (arch_cpuid(0, 0).eax >= 7)
		id7 = arch_cpuid(7, 0);
	if (id1.ecx & CPUID_1_ECX_XSAVE)
		cr4 |= CR4_OSXSAVE;
	if (id7.ebx & CPUID_7_EBX_SMEP)
		cr4 |= CR4_SMEP;
	if (id7.ebx & CPUID_7_EBX_SMAP)
		cr4 |= CR4_SMAP;
	if (id7.ecx & CPUID_7_ECX_UMIP)
		cr4 |= CR4_UMIP;
	cpu_write_cr4(cr4);
	if (id1.ecx & CPUID_1_ECX_XSAVE)
		cpu_xsetbv(0, arch_xcr0_supported());
	log_info("CPU: NX WP%s%s%s", cr4 & CR4_SMEP ? " SMEP" : "", cr4 & CR4_SMAP ? " SMAP" : "",
		 cr4 & CR4_UMIP ? " UMIP" : "");
}

/* Overflows the stack: each call keeps a frame. */
static u32 recurse(volatile u32 *depth)
{
	volatile u32 here = *depth + 1;

	return here == 0 ? 0 : recurse(&here) + here;
}

/* Words for the boot tests: the exception report must work. */
static void selftest(void)
{
	char what[16];
	volatile u32 depth = 0;

	if (!option(boot_info.cmdline, "selftest=", what, sizeof(what)))
		return;
	if (!strcmp(what, "fault"))
		*(volatile u8 *)stack_main.guard = 1;
	else if (!strcmp(what, "text"))
		*(volatile u8 *)(arch_direct_map + arch_image_phys((const void *)(uintptr_t)arch_start)) =
			0xcc;
	else if (!strcmp(what, "stack"))
		recurse(&depth);
	else if (!strcmp(what, "panic"))
		panic("selftest=panic");
}

void arch_start(u32 magic, u32 mbi)
{
	desc_init();
	trap_init();
	(void)serial_init(DEFAULT_CONSOLE);
	panic_write = serial_write_polled;
	log_sink = early_sink;
	parse_boot_info(magic, mbi);
	choose_console();
	log_info("VMMB %s, loaded by %s", vmmb_version, boot_info.loader);
	cpu_features();
	early_init(&boot_info);
	paging_init(&boot_info);
	time_init(&boot_info.acpi);
	irq_init(&boot_info.acpi);
	power_init(&boot_info.acpi);
	selftest();
	kernel_main(&boot_info);
}

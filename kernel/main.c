/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * main.c - the boot order, one step a line.
 * arch_start() has made segments, paging, traps, interrupts and time work before.
 */
#include "arch/x86_64/arch.h"
#include "arch/x86_64/early.h"
#include "arch/x86_64/start.h"
#include "boot/config.h"
#include "drivers/disk_drivers.h"
#include "drivers/pci.h"
#include "kernel/backends.h"
#include "kernel/balancer.h"
#include "kernel/console/console.h"
#include "kernel/disks.h"
#include "kernel/exit/exit.h"
#include "kernel/lib/lib.h"
#include "kernel/loop.h"
#include "mm/pager/pager.h"
#include "kernel/trace/tracer.h"
#include "kernel/vm.h"
#include "kernel/vm_life.h"
#include "kernel/wires.h"
#include "mm/frame.h"

/* Too big for the stack, and needed for good: guests point into them. */
static struct config config;
static struct guest_disk disks[CONFIG_MAX_VMS][CONFIG_MAX_DISKS];

static u64 clock_ms(void)
{
	return arch_ns() / 1000000;
}

static void read_config(const struct boot_info *bi)
{
	(void)config_build(bi, &config); /* mistakes are in it, each with its line */
	for (u32 i = 0; i < MIN(config.nerrors, CONFIG_MAX_ERRORS); i++)
		log_err("configuration: %s", config.error[i]);
	if (config.nerrors > CONFIG_MAX_ERRORS)
		log_err("configuration: %u more mistakes", config.nerrors - CONFIG_MAX_ERRORS);
	log_info("%u guests configured, %u modules", config.nvms, bi->nmodules);
}

/* Whose frame is it: all RAM, less what the hypervisor and the modules occupy. */
static void init_frames(const struct boot_info *bi)
{
	static struct boot_range reserved[ARCH_RESERVED_MAX + BOOT_MAX_MODULES];
	struct arch_range own[ARCH_RESERVED_MAX];
	u32 nown = arch_reserved_ranges(own), n = 0, keep;
	char size[24];

	for (u32 i = 0; i < nown; i++)
		reserved[n++] = (struct boot_range){ own[i].start, own[i].end, false };
	for (u32 i = 0; i < bi->nmodules; i++)
		if (bi->modules[i].size)
			reserved[n++] =
				(struct boot_range){ bi->modules[i].start.a,
						     bi->modules[i].start.a + bi->modules[i].size, false };
	if (frame_init(bi->ranges, bi->nranges, reserved, n))
		panic("no room for the frame table");
	for (u32 i = nown; i < n; i++)
		for (u64 a = reserved[i].start >> PAGE_SHIFT; a < (reserved[i].end + PAGE_MASK) >> PAGE_SHIFT;
		     a++)
			if (frame_of((pfn_t){ (u32)a })->state == FRAME_HYP)
				frame_set_state((pfn_t){ (u32)a }, FRAME_NO_VM, FRAME_MODULE);
	keep = (u32)(config.reserve >> PAGE_SHIFT);
	if (keep && pfn_none(frame_get_run(keep)))
		log_err("reserve=: %u frames in a row are not there; nothing is reserved", keep);
	log_info("memory: %s, %u frames free", fmt_size(size, sizeof(size), (u64)frame_total() << PAGE_SHIFT),
		 frame_free());
}

static void choose_backend(void)
{
	char why[256];

	if (backend_select(why, sizeof(why))) {
		log_err("VMMB can't run guests on this machine: %s", why);
		log_err("halted; nothing was changed");
		arch_halt();
	}
	log_info("%s: on%s", backend->name, backend->apic_virtualized ? ", local APIC virtualized" : "");
	exit_cpuid_init(arch_tsc_hz());
}

static void init_disks(struct block_extent *swap, const struct boot_info *bi)
{
	char size[24];

	pci_init();
	if (!disk_drivers_init())
		log_warn("no disk was found");
	loop_housekeeping = disk_drivers_tick;
	disks_scan();
	disks_swap(&config, swap);
	log_info("swap: %s",
		 swap->sectors ? fmt_size(size, sizeof(size), swap->sectors * SECTOR_SIZE) : "none");
	disks_assign(&config, bi, swap, disks);
}

static void create_guests(const struct boot_info *bi)
{
	for (u32 i = 0; i < config.nvms; i++) {
		const struct vm_config *c = &config.vm[i];
		char size[24];
		struct vm *vm = vm_create(c, disks[i], c->ndisks, bi);

		if (vm && vm->state == VM_STARTING)
			log_info("%s: ram %s, %u disks", vm->name, fmt_size(size, sizeof(size), c->ram),
				 c->ndisks);
	}
}

static void start_console(void)
{
	wires_open(config.console_com, config.console_baud);
	console_init();
	tracer_init(config.trace);
}

void kernel_main(struct boot_info *bi)
{
	struct block_extent swap;

	log_clock_ms = clock_ms;
	read_config(bi);                  /* what the operator wants */
	init_frames(bi);                  /* whose memory is it */
	choose_backend();                 /* VMX or SVM, or the end */
	init_disks(&swap, bi);            /* host disks, partitions, who gets which */
	if (pager_init(&swap))            /* where guest pages live */
		panic("no memory for the pager");
	if (balancer_init(config.scan_ppm)) /* who deserves how many */
		panic("no memory for the balancer");
	create_guests(bi);                /* their structures; the main loop loads and starts them */
	start_console();                  /* from here on an operator may type */
	loop_run();                      /* for good */
}

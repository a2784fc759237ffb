/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sim.c - runs the hypervisor's real main loop over fake hardware for a number of guest operations and checks
 * at every step that what guests see is right, and after every few that frames, pages, blocks and slots add
 * up.
 *
 *   sim [--ops N] [--seed S] [--frames N] [--vms N] [--swap-frames N] [--zip N] [--faults] [--check-every N]
 *       [--trace FILE [--trace-ring BYTES]] [--disk seeks|quick|eight]
 *
 * --disk: a disk that takes time: 150 commands a second in order, 10,000 in order, eight at once; the law of
 * disks is checked.
 * --zip: per cent of a guest's frames that may hold compressed pages (0), 255: what pays.
 * --trace: record the whole run; what was recorded must be what was counted.
 * --faults: disk errors now and then; the guest they hit must stop with a reason, and nobody else.
 * The same seed replays the same run. Ends with status 0 and a summary, or 1 and what was wrong.
 */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/arch.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/balancer.h"
#include "kernel/console/console.h"
#include "kernel/lib/lib.h"
#include "kernel/loop.h"
#include "mm/pager/pager.h"
#include "kernel/vm.h"
#include "kernel/vm_life.h"
#include "tests/fake/fake_arch.h"

#define VM_PAGES 1024u
#define DISK_MIB 6u

static struct {
	u64 ops, seed, check_every;
	u32 frames, vms, swap_frames;
	u8 zip;
	bool faults;
	const char *trace;
	u64 trace_ring;
	const char *disk;
} opt = {
	.ops = 1000000,
	.seed = 1,
	.check_every = 16,
	.frames = 2300,
	.vms = 3,
	.swap_frames = 4096,
	.trace_ring = 256 * KIB,
};

static struct { u64 checks, sweeps, resets, pauses, qos, stopped; } n;
static u64 state;
u64 sim_ops;
static struct boot_info bi;
static struct vm_config config[VM_MAX];

u64 sim_random(void)
{
	/* splitmix64 */
	u64 z = (state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void say(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "  %s\n", line);
}

void sim_fail(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "sim: seed %llu, operation %llu: ", (unsigned long long)opt.seed,
		(unsigned long long)sim_ops);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	pager_check(say, NULL);
	exit(1);
}

void console_port_write(const char *bytes, u32 len) { (void)bytes; (void)len; }
u32 console_port_queued(void) { return 0; }
int console_port_read(void) { return -1; }
u64 console_port_lost(void) { return 0; }
void console_port_flush(void) {}

/* The main loop lets interrupts in twice a round; a disk that takes no time ends commands at every second of
 * these. */
static void interrupts(void)
{
	if (opt.disk || sim_chance(2))
		sim_disk_complete(sim_below(4));
}

/* A kernel that is nothing but a Multiboot header with addresses: these guests run no code. */
static void make_module(u32 pfn)
{
	u32 *w = pfn_ptr((pfn_t){ pfn });

	w[0] = 0x1BADB002;
	w[1] = 0x00010000;
	w[2] = -(w[0] + w[1]);
	w[3] = 0x100000;             /* header's address */
	w[4] = 0x100000;             /* load_addr */
	w[5] = 0x100000 + PAGE_SIZE; /* load_end_addr */
	w[6] = 0x100000 + PAGE_SIZE; /* bss_end_addr */
	w[7] = 0x100040;             /* entry */
	bi.modules[0] = (struct boot_module){ .start = pfn_hpa((pfn_t){ pfn }), .size = PAGE_SIZE };
	bi.nmodules = 1;
}

static void make_machine(void)
{
	struct boot_range usable = { 0, (u64)opt.frames * PAGE_SIZE, true },
			  reserved = { PAGE_SIZE, 2 * PAGE_SIZE, false };
	u64 swap_first = (u64)opt.vms * DISK_MIB * 2048;
	struct block_extent swap = { NULL, swap_first, (u64)opt.swap_frames * SECTORS_PER_PAGE };

	fake_arena(opt.frames);
	/* as after firmware: nothing may rely on zeros that nobody wrote */
	memset(arch_direct_map, 0xA5, (size_t)opt.frames * PAGE_SIZE);
	make_module(1);
	if (frame_init(&usable, 1, &reserved, 1))
		sim_fail("frame_init");
	frame_set_state((pfn_t){ 1 }, FRAME_NO_VM, FRAME_MODULE);
	backend = &sim_ops_virt;
	fake_irq_hook = interrupts;
	fake_irq_due = sim_disk_due;
	swap.dev = sim_disk_create("hd0", swap_first + swap.sectors);
	if (pager_init(&swap) || balancer_init(0))
		sim_fail("pager_init or balancer_init");
	console_init();
	for (u32 i = 0; i < opt.vms; i++) {
		struct guest_disk disk = { .ext = { swap.dev, (u64)i * DISK_MIB * 2048, DISK_MIB * 2048 },
					   .used = true };
		struct vm_config *c = &config[i];
		struct vm *vm;

		snprintf(c->name, sizeof(c->name), "vm%u", i);
		c->kind = CONFIG_MULTIBOOT;
		c->ram = (u64)VM_PAGES * PAGE_SIZE;
		c->min = 64 * PAGE_SIZE;
		c->max = c->ram;
		c->weight = opt.disk ? 100u << i : 100;
		c->vcpus = 1;
		c->zip_percent = opt.zip;
		c->initrd_module = -1;
		c->cmdline = "";
		vm = vm_create(c, &disk, 1, &bi);
		if (!vm || vm->state == VM_REFUSED)
			sim_fail("vm%u: %s", i, vm ? vm->reason : "not created");
		sim_guest_init(vm, disk.ext.sectors);
	}
}

/* The law; and no VM ever holds more than its max or gets a neighbour below min. */
static void check(void)
{
	n.checks++;
	if (pager_check(say, NULL))
		sim_fail("the conservation law is broken");
	for (u32 i = 0; i < vm_count; i++) {
		const struct vm_mem *m = &vm_all[i]->mem;

		if (m->n.silent_swap_writes || m->n.stale_reads || m->n.double_paging)
			sim_fail("%s: superfluous I/O: %llu silent %llu stale %llu double", vm_all[i]->name,
				 (unsigned long long)m->n.silent_swap_writes,
				 (unsigned long long)m->n.stale_reads,
				 (unsigned long long)m->n.double_paging);
	}
}

/* Weights stay as they are while the law counts on them. */
static void operator_acts(void)
{
	struct vm *vm = vm_all[sim_below(vm_count)];
	struct qos_change q = { .vm = vm, .set_min = true, .set_max = true, .set_weight = true };
	char why[256];

	switch (sim_below(8)) {
	case 0:
		n.resets++;
		if (vm_reset(vm, why, sizeof(why)) && vm->state == VM_RUNNING)
			sim_fail("%s: reset refused: %s", vm->name, why);
		break;
	case 1: case 2:
		n.pauses++;
		if (vm->state == VM_RUNNING && vm_pause(vm, why, sizeof(why)))
			sim_fail("%s: pause refused: %s", vm->name, why);
		break;
	default:
		n.qos++;
		q.min = (u64)sim_below(128) * PAGE_SIZE;
		q.max = (u64)(256 + sim_below(VM_PAGES - 256)) * PAGE_SIZE;
		q.weight = 1 + sim_below(1000);
		q.set_weight = !opt.disk;
		(void)!balancer_set_qos(&q, 1, why, sizeof(why));
	}
	for (u32 i = 0; i < vm_count; i++)
		if (vm_all[i]->state == VM_PAUSED && sim_chance(2) && vm_resume(vm_all[i], why, sizeof(why)))
			sim_fail("%s: resume refused: %s", vm_all[i]->name, why);
}

/* Guests that a disk error stopped are started again; without injected errors nobody may stop. */
static void revive(void)
{
	char why[256];

	for (u32 i = 0; i < vm_count; i++) {
		struct vm *vm = vm_all[i];

		if (vm->state != VM_FAILED && vm->state != VM_OFF)
			continue;
		if (!opt.faults || !vm->reason[0])
			sim_fail("%s stopped: %s", vm->name, vm->reason);
		n.stopped++;
		if (vm_reset(vm, why, sizeof(why)))
			sim_fail("%s: can't be started again: %s", vm->name, why);
	}
}

static void stir_faults(void)
{
	struct sim_disk_faults f = { .first = 0, .sectors = ~0ull >> 1 };

	if (sim_chance(3)) {
		f.read_one_in = sim_chance(2) ? 200 : 0;
		f.write_one_in = sim_chance(2) ? 200 : 0;
	}
	sim_disk_inject(&f);
}

/* A run against the law goes on until it has seen a page-in in a thousand operations, or four times
 * as long. */
static bool goes_on(void)
{
	u32 percent;

	return sim_ops < opt.ops ||
	       (opt.disk && sim_ops < 4 * opt.ops && sim_law_checked(&percent) < opt.ops / 1000);
}

static void run(void)
{
	u64 next_check = 0, loops_without = 0, last = 0;

	while (goes_on()) {
		loop_once();
		if (!sim_below(3))
			sim_disk_complete(1 + sim_below(3));
		if (sim_ops >= next_check) {
			check();
			next_check = sim_ops + opt.check_every * 40;
		}
		if (sim_chance(500))
			operator_acts();
		if (opt.faults && sim_chance(500))
			stir_faults();
		revive();
		loops_without = sim_ops == last ? loops_without + 1 : 0;
		last = sim_ops;
		if (loops_without > 200000)
			sim_fail("nothing has run for %llu rounds", (unsigned long long)loops_without);
	}
}

static u64 number(const char *s)
{
	char *end;
	u64 v = strtoull(s, &end, 0);

	if (*end) {
		fprintf(stderr, "sim: %s is not a number\n", s);
		exit(2);
	}
	return v;
}

static void options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : "x";

		if (!strcmp(a, "--faults")) {
			opt.faults = true;
			continue;
		}
		i++;
		if (!strcmp(a, "--ops"))
			opt.ops = number(v);
		else if (!strcmp(a, "--seed"))
			opt.seed = number(v);
		else if (!strcmp(a, "--frames"))
			opt.frames = (u32)number(v);
		else if (!strcmp(a, "--vms"))
			opt.vms = (u32)MIN(number(v), (u64)VM_MAX);
		else if (!strcmp(a, "--swap-frames"))
			opt.swap_frames = (u32)number(v);
		else if (!strcmp(a, "--zip"))
			opt.zip = (u8)MIN(number(v), 255ull);
		else if (!strcmp(a, "--check-every"))
			opt.check_every = number(v);
		else if (!strcmp(a, "--trace"))
			opt.trace = v;
		else if (!strcmp(a, "--disk"))
			opt.disk = v;
		else if (!strcmp(a, "--trace-ring"))
			opt.trace_ring = number(v);
		else {
			fprintf(stderr, "usage: sim [--ops N] [--seed S] [--frames N] [--vms N] "
					"[--swap-frames N] [--faults]"
					" [--zip N] [--check-every N] [--trace FILE [--trace-ring BYTES]] "
					"[--disk seeks|quick|eight]\n");
			exit(2);
		}
	}
}

/* The disks of tests/unit/test_fair.c. */
static void take_time(void)
{
	if (!opt.disk)
		return;
	if (!strcmp(opt.disk, "seeks"))
		sim_disk_timed(1, 6666667, 7000);
	else if (!strcmp(opt.disk, "quick"))
		sim_disk_timed(1, 100000, 2000);
	else
		sim_disk_timed(8, 800000, 16000);
}

static void report_law(void)
{
	u32 percent;
	u64 checked = sim_law_checked(&percent);

	if (!opt.disk)
		return;
	printf("sim: law of disks: %llu page-ins, at worst %u %% of the bound\n", (unsigned long long)checked,
	       percent);
	if (checked < opt.ops / 1000)
		sim_fail("only %llu page-ins were checked", (unsigned long long)checked);
}

int main(int argc, char **argv)
{
	options(argc, argv);
	state = opt.seed;
	make_machine();
	take_time();
	if (opt.trace)
		sim_trace_start(opt.trace, opt.trace_ring);
	run();
	check();
	sim_trace_end();
	check();
	sim_guest_report();
	report_law();
	printf("sim: %llu operations, %llu checks, %llu resets, %llu QoS changes, %llu stops by errors: all "
	       "content and "
	       "counts right\n",
	       (unsigned long long)sim_ops, (unsigned long long)n.checks, (unsigned long long)n.resets,
	       (unsigned long long)n.qos, (unsigned long long)n.stopped);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/vm_create.c kernel/vm.c kernel/pcpu.c kernel/vm_life.c kernel/console/cmd.c kernel/console/cmd_vm.c kernel/console/cmd_qos.c kernel/console/cmd_why.c kernel/console/cmd_mem.c kernel/console/cmd_sys.c kernel/balancer.c kernel/resting.c mm/share/scan_clock.c kernel/vm_load.c kernel/exit/exit_cpuid.c arch/x86_64/virt/virt.c kernel/backends.c @pager mm/share/curve.c mm/share/divide.c mm/share/balance.c mm/share/balance_qos.c boot/config.c boot/config_keys.c boot/guest.c boot/linux.c boot/multiboot1.c boot/elf.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_refused.c - what the console says about a guest that was refused: nothing of it may be another
 * guest's.
 *
 * Guest 0 is there and holds frames. A refused guest has a number of its own, holds nothing, and every
 * command about it answers without a memory to look into.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "boot/boot_info.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/pcpu.h"
#include "kernel/balancer.h"
#include "kernel/console/console.h"
#include "kernel/console/cmd.h"
#include "kernel/exit/exit.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/trace/tracer.h"
#include "kernel/turn.h"
#include "kernel/vcpu.h"
#include "kernel/vm_life.h"
#include "mm/pager/gpage.h"
#include "tests/fake/fake_arch.h"
#include "vdev/vboard.h"

#define FRAMES 16384u
#define HELD 300u /* of guest 0 */

const struct cmd_entry cmd_trace_table[] = { { NULL, NULL, NULL, NULL, 0, 0, NULL } };
const char vmmb_version[] = "test";

static const struct slat_format format = {
	.name = "test", .table = 7, .leaf = 5 | 6 << 3, .write = 2, .present = 7, .accessed = BIT64(8),
	.dirty = BIT64(9), .addr = 0x000ffffffffff000ull,
};
static char out[65536];
static bool no_vcpu; /* what a machine without memory for it answers */
static struct list no_disks = { &no_disks, &no_disks };

static struct vcpu_hw *vcpu_create(pfn_t root, pfn_t apic_page, u16 id)
{
	(void)root;
	(void)apic_page;
	(void)id;
	return no_vcpu ? NULL : (struct vcpu_hw *)&no_vcpu;
}

static struct guest_regs *regs(struct vcpu_hw *v)
{
	(void)v;
	return NULL;
}

static int describe(struct vcpu_hw *v, char *buf, size_t size)
{
	(void)v;
	(void)buf;
	(void)size;
	return 0;
}

const struct virt_ops vmx_ops = {
	.name = "fake", .slat = &format, .vcpu_create = vcpu_create, .regs = regs, .describe = describe
};
const struct virt_ops svm_ops;

/* ---- what is not under test ---- */

void term_write(const char *bytes, u32 n)
{
	size_t len = strlen(out);

	assert_true(len + n < sizeof(out));
	memcpy(out + len, bytes, n);
	out[len + n] = 0;
}
void term_puts(const char *s) { term_write(s, (u32)strlen(s)); }
void term_connect(struct vm *vm) { (void)vm; }
void term_watch(bool on) { (void)on; }
bool term_watching(void) { return false; }
int console_vm_init(struct vm *vm) { (void)vm; return 0; }
u64 console_port_lost(void) { return 0; }
void console_port_flush(void) { }
struct list *block_devices(void) { return &no_disks; }
void block_submit(struct block_req *r) { (void)r; fail(); }
size_t vboard_size(void) { return 64; }
int vboard_init(struct vboard *b, const struct vboard_config *c) { (void)b; (void)c; return 0; }
void vboard_reset(struct vboard *b) { (void)b; }
int vboard_read_msr(struct vboard *b, u32 msr, u64 *v) { (void)b; (void)msr; (void)v; return E_NOENT; }
int vboard_acpi(struct vboard *b, vboard_write_fn *w, void *ctx, u64 *rsdp)
{
	(void)b;
	(void)w;
	(void)ctx;
	(void)rsdp;
	return 0;
}
void vcpu_reset(struct vcpu *v, const struct virt_entry *e) { (void)v; (void)e; }
void turn_charge(struct vcpu *v, u64 ticks) { (void)v; (void)ticks; }
void block_share(u32 owner, u32 weight, u32 iops, u64 bps)
{
	(void)owner;
	(void)weight;
	(void)iops;
	(void)bps;
}
void block_hurry(bool on) { (void)on; }
bool block_contended(const struct block_dev *d, u32 owner) { (void)d; (void)owner; return false; }
void block_free(u32 owner, bool on) { (void)owner; (void)on; }
void pager_again(struct vm_mem *m) { (void)m; }
void pager_worked(struct vm_mem *m) { (void)m; }
void pager_wake(struct vm_mem *m) { (void)m; }
void pager_failed(struct vm_mem *m, const char *reason) { (void)m; (void)reason; }
void pager_flush(struct vm_mem *m) { slat_flushed(&m->slat); }
pfn_t virt_frame_get(void) { return frame_get(FRAME_NO_VM, FRAME_HYP, true); }
void virt_frame_put(pfn_t p) { frame_put(p); }

/* ---- the machine ---- */

static struct boot_info bi;
static struct vm_config config[3];

static struct vm *create(u32 i, const char *error)
{
	static const char *const name[] = { "web", "db", "huge" };

	config[i] = (struct vm_config){ .kind = CONFIG_LINUX,
					.ram = 16 * MIB,
					.min = 4 * MIB,
					.max = 16 * MIB,
					.weight = 100 + i,
					.vcpus = 1,
					.kernel_module = 0,
					.initrd_module = -1 };
	str_copy(config[i].name, sizeof(config[i].name), name[i]);
	str_copy(config[i].error, sizeof(config[i].error), error);
	return vm_create(&config[i], NULL, 0, &bi);
}

static int setup(void **state)
{
	const struct boot_range ram = { PAGE_SIZE, FRAMES * (u64)PAGE_SIZE, true };
	const struct block_extent no_swap = { NULL, 0, 0 };
	struct vm_mem *m;

	(void)state;
	fake_arena(FRAMES);
	fake_tsc = 1000000000;
	memset(vmmem_all, 0, sizeof(vmmem_all));
	memset(vm_all, 0, sizeof(vm_all));
	vm_count = 0;
	no_vcpu = false;
	backend = &vmx_ops;
	assert_int_equal(frame_init(&ram, 1, NULL, 0), 0);
	assert_int_equal(pager_init(&no_swap), 0);
	assert_int_equal(balancer_init(0), 0);
	bi.nmodules = 1;
	bi.modules[0] = (struct boot_module){ .start = { PAGE_SIZE }, .size = MIB };
	m = &create(0, "")->mem;
	assert_int_equal(vm_all[0]->state, VM_STARTING);
	for (u32 g = 0; g < HELD; g++) {
		gpage_map(m, g, frame_get(m->id, FRAME_MAPPED, true), true);
		m->page[g].flags = GPAGE_KNOWN_ZERO;
		ages_arrive(&m->ages, &m->age[g]);
	}
	assert_int_equal(vmmem_held(m), HELD);
	return 0;
}

static const char *type(const char *line)
{
	char buf[256];

	assert_true(str_copy(buf, sizeof(buf), line));
	out[0] = 0;
	cmd_run(buf);
	return out;
}

/* The value behind "key": in the JSON line about the guest of that name. */
static u64 number(const char *line, const char *name, const char *key)
{
	char who[32], field[32];
	const char *at = type(line), *end;

	fmt(who, sizeof(who), "\"name\":\"%s\"", name);
	fmt(field, sizeof(field), "\"%s\":", key);
	at = strstr(at, who);
	if (!at)
		fail_msg("%s says nothing about %s: %s", line, name, out);
	end = strchr(at, '}');
	at = strstr(at, field);
	if (!at || at > end)
		fail_msg("%s has no %s of %s: %s", line, key, name, out);
	return strtoull(at + strlen(field), NULL, 10);
}

/* Everything that the console knows about a guest without a memory. */
static void holds_nothing(struct vm *vm, const char *reason)
{
	static const char *const keys[] = { "ram", "held", "target", "run_ticks", "stall_ticks" };
	char line[64];

	assert_int_equal(vm->state, VM_REFUSED);
	assert_non_null(strstr(vm->reason, reason));
	assert_false(vm_has_memory(vm));
	assert_int_equal(vmmem_held(&vm->mem), 0);
	for (u32 s = 0; s < FRAME_STATES; s++)
		assert_int_equal(frame_count_vm(vm->mem.id, s), 0);
	for (u32 i = 0; i < ARRAY_SIZE(keys); i++) {
		assert_int_equal(number("vm list -j", vm->name, keys[i]), 0);
		fmt(line, sizeof(line), "vm show %s -j", vm->name);
		assert_int_equal(number(line, vm->name, keys[i]), 0);
	}
	assert_int_equal(number("qos -j", vm->name, "held"), 0);
	assert_int_equal(number("qos -j", vm->name, "target"), 0);
	assert_int_equal(number("qos -j", vm->name, "weight"), vm->weight);
	assert_int_equal(number("stats -j", vm->name, "exits"), 0);
	assert_int_equal(number("top -j", vm->name, "faults_per_s"), 0);
	fmt(line, sizeof(line), "vm show %s", vm->name);
	assert_non_null(strstr(type(line), "mapped 0, soft 0, cached 0, in I/O 0, tables 0 "));
	assert_null(strstr(out, "1200 KiB"));
	assert_null(strstr(type("vm list"), "1200 KiB       0 B"));
	/* No curve, no share: said, not computed. */
	for (u32 json = 0; json < 2; json++) {
		fmt(line, sizeof(line), "mrc %s%s", vm->name, json ? " -j" : "");
		assert_non_null(strstr(type(line), "error"));
		fmt(line, sizeof(line), "why %s%s", vm->name, json ? " -j" : "");
		assert_non_null(strstr(type(line), "error"));
		fmt(line, sizeof(line), "qos %s min=8M%s", vm->name, json ? " -j" : "");
		assert_non_null(strstr(type(line), "error"));
	}
	/* The other one is what it was. */
	assert_int_equal(number("vm list -j", "web", "held"), HELD * PAGE_SIZE);
	assert_int_equal(number("qos -j", "web", "held"), HELD * PAGE_SIZE);
	assert_int_equal(pager_check(NULL, NULL), 0);
}

static void refused_for_a_word(void **state)
{
	(void)state;
	holds_nothing(create(1, "ram=128: a size is a number with its unit"), "ram=128");
}

static void refused_for_lack_of_room(void **state)
{
	(void)state;
	config[1].ram = 0;
	vm_all[0]->mem.min = FRAMES;
	holds_nothing(create(1, ""), "mins make");
}

/* Its memory was made, and taken back when the processor could not be. */
static void refused_half_made(void **state)
{
	u32 free_before = frame_free();
	struct vm *vm;

	(void)state;
	no_vcpu = true;
	vm = create(1, "");
	holds_nothing(vm, "no memory for its tables");
	/* Only struct vm itself stays. */
	assert_int_equal(frame_free() + (sizeof(*vm) + PAGE_SIZE - 1) / PAGE_SIZE, free_before);
	no_vcpu = false;
	assert_int_equal(create(2, "")->state, VM_STARTING);
	assert_int_equal(number("vm list -j", "huge", "held"), 0);
	assert_int_equal(number("vm list -j", "db", "held"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refused_for_a_word, setup),
		cmocka_unit_test_setup(refused_for_lack_of_room, setup),
		cmocka_unit_test_setup(refused_half_made, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

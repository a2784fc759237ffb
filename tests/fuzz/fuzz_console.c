/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/console/cmd.c kernel/console/cmd_mem.c kernel/console/cmd_qos.c kernel/console/cmd_sys.c kernel/console/cmd_vm.c kernel/console/cmd_why.c mm/share/scan_clock.c kernel/console/editor.c kernel/console/term.c kernel/console/ring.c kernel/lib/fmt.c kernel/lib/parse.c kernel/lib/err.c kernel/lib/log.c boot/config.c boot/config_keys.c mm/frame.c mm/share/promise.c mm/pager/guest_swap.c mm/share/curve.c mm/share/curve_sleep.c mm/share/ages.c drivers/block.c drivers/block_turn.c drivers/fair.c drivers/depth.c arch/x86_64/virt/virt.c tests/fake/fake_arch.c kernel/console/cmd_trace.c kernel/trace/tracer.c kernel/trace/trace.c kernel/trace/trace_note.c mm/share/payer.c */
/*
 * Any keys on the console, while two guests print any bytes: nothing overruns, nothing hangs, and no setting
 * that is out of its range reaches the balancer.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/virt/virt.h"
#include "kernel/balancer.h"
#include "kernel/console/console.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "mm/pager/reclaim.h"
#include "kernel/trace/tracer.h"
#include "kernel/turn.h"
#include "kernel/vm.h"
#include "kernel/vm_life.h"
#include "mm/pager/swap.h"
#include "tests/fake/fake_arch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct vm *vm_all[VM_MAX];
u32 vm_count;
static struct vm vms[2];
static const uint8_t *keys;
static size_t nkeys;
static u32 qos_sets;

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* ---- what the console calls ---- */

void console_port_write(const char *bytes, u32 n)
{
	for (u32 i = 0; i < n; i++)
		check(bytes != NULL);
}
u32 console_port_queued(void) { return nkeys % 3 * 1500; }
int console_port_read(void) { return nkeys ? (nkeys--, *keys++) : -1; }
u64 console_port_lost(void) { return 0; }
void console_port_flush(void) {}
void turn_charge(struct vcpu *v, u64 ticks) { check(v && !ticks); }
void turn_own(u64 ticks) { check(!ticks); }
struct vm *vm_by_name(const char *name)
{
	for (u32 i = 0; i < vm_count; i++)
		if (!strcmp(vm_all[i]->name, name))
			return vm_all[i];
	return NULL;
}
const char *vm_state_name(enum vm_state s) { return s == VM_RUNNING ? "running" : "other"; }
static int verb(struct vm *vm, enum vm_state s, char *why, size_t size)
{
	if (vm->state == s) {
		fmt(why, size, "it is so already");
		return E_INVAL;
	}
	vm->state = s;
	return 0;
}
int vm_pause(struct vm *vm, char *why, size_t size) { return verb(vm, VM_PAUSED, why, size); }
int vm_resume(struct vm *vm, char *why, size_t size) { return verb(vm, VM_RUNNING, why, size); }
int vm_reset(struct vm *vm, char *why, size_t size) { return verb(vm, VM_STARTING, why, size); }
int vm_stop(struct vm *vm, char *why, size_t size) { return verb(vm, VM_OFF, why, size); }
int balancer_set_qos(const struct qos_change *c, u32 n, char *why, size_t size)
{
	check(n == 1 && c->vm && (!c->set_weight || (c->weight >= 1 && c->weight <= 10000)));
	fmt(why, size, "no");
	return qos_sets++ % 2 ? E_INVAL : 0;
}
const struct balance_vm *balancer_vm(const struct vm *vm)
{
	static struct balance_vm b;

	return vm->id ? &b : NULL;
}
const char *balance_reason_str(enum balance_reason r) { return r ? "some" : "none"; }
u32 pager_check(pager_say_fn *say, void *ctx)
{
	say(ctx, "one");
	return 1;
}
u32 pager_guest_frames(void) { return 100; }
void (*pager_breathe)(void);
u32 reclaim_reserve(void) { return 8; }
bool pager_make_room(u32 n) { return frame_free() >= n + 8; }
const struct balance *balancer_state(void) { return NULL; }
int tracer_port_open(const char *spec)
{
	return !strcmp(spec, "com1") ? E_BUSY : strcmp(spec, "com2") ? E_INVAL : 0;
}
u32 tracer_port_room(void) { return (u32)nkeys * 300; }
void tracer_port_write(const u8 *bytes, u32 n)
{
	u32 magic;

	check(n >= TRACE_FRAME_BYTES(1));
	memcpy(&magic, bytes, 4);
	check(magic == TRACE_MAGIC);
}
u32 swap_slots(void) { return 10; }
u32 swap_used(void) { return 1; }
u32 swap_copies(void) { return 1; }
u32 vboard_uart_rx(struct vboard *b, const u8 *bytes, u32 n)
{
	(void)b;
	(void)bytes;
	return n / 2;
}
static void off(void) {}

static void init(void)
{
	static const struct virt_ops ops = { .name = "none", .cpu_off = off };
	static struct vm_config config;
	static u64 storage[2][2 * 16 + 2 * (CURVE_GRID + 1)];
	struct boot_range usable = { MIB, 2 * MIB, true };

	fake_arena(512);
	check(!frame_init(&usable, 1, NULL, 0));
	backend = &ops;
	for (u32 i = 0; i < 2; i++) {
		vms[i].id = (u8)i;
		vms[i].config = &config;
		vms[i].state = VM_RUNNING;
		vms[i].mem.id = (u8)i;
		vms[i].mem.npages = 4096;
		fmt(vms[i].name, sizeof(vms[i].name), i ? "db" : "web");
		check(!curve_init(&vms[i].mem.curve, 256, 16, storage[i], 0));
		vm_all[vm_count++] = &vms[i];
		check(!console_vm_init(&vms[i]));
	}
	console_init();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	jmp_buf left;

	if (!ready)
		init();
	ready = true;
	/* the first byte says how much of the rest the guests print */
	size_t printed = size ? data[0] % size : 0;

	for (size_t i = 0; i < printed; i++)
		console_guest_tx(&vms[i % 2], data[i]);
	keys = data + printed;
	nkeys = size - printed;
	fake_panic_jump = &left;
	if (!setjmp(left)) /* reboot and poweroff come back here */
		while (nkeys) {
			console_poll();
			tracer_poll(arch_ns());
		}
	fake_panic_jump = NULL;
	/* out of con, whatever was typed; an unfinished line is dropped */
	keys = (const uint8_t *)"\x1b[A\x01""d\x03";
	nkeys = 6;
	vms[0].state = vms[1].state = VM_RUNNING;
	while (nkeys)
		console_poll();
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kernel_env.h - one guest for the tests of kernel/: a fake backend whose enter() the test
 * writes, a fake board that notes what it is asked, a fake pager, and 64 pages of guest RAM. Included by
 * one .c file a program, which links the real files under test.
 */
#ifndef TESTS_UNIT_KERNEL_ENV_H
#define TESTS_UNIT_KERNEL_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/virt/virt.h"
#include "kernel/balancer.h"
#include "kernel/console/console.h"
#include "kernel/exit/exit.h"
#include "kernel/exit/guest_regs.h"
#include "kernel/exit/guest_walk.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/loop.h"
#include "kernel/pcpu.h"
#include "kernel/vm_life.h"
#include "kernel/trace/tracer.h"
#include "kernel/turn.h"
#include "kernel/vcpu.h"
#include "tests/fake/fake_arch.h"
#include "vdev/ports.h"

#define ENV_PAGES 64u
#define ENV_VMS 4u

/* ---- backend ---- */

struct vcpu_hw {
	struct guest_regs regs;
	struct guest_mode mode;
	int exc, exc_code;       /* last injected exception, -1: none */
	int irq;                 /* last injected interrupt */
	bool can_take, window;
	u64 xcr0, deadline;
	u32 entries, skips, flushes, puts, wakes, resets;
	struct virt_entry entry;
};

struct vboard {
	struct vm *vm;
	u64 deadline, period;          /* of its timer, ticks; period 0: one shot */
	int pending, taken;
	u32 ticks, resets, retries, reads, writes;
	u64 value, last_addr, last_value;
	u8 last_size;
	u64 apic_base, tsc_deadline;
	u32 apic[256];
};

static struct env {
	struct vm vm[ENV_VMS];
	struct vcpu_hw hw[ENV_VMS];
	struct vboard board[ENV_VMS];
	struct vm_config config[ENV_VMS];
	u8 *ram;                       /* of guest 0 */
	int pins;
	u32 again_page;                /* pager_pin() of it answers E_AGAIN; ~0: none */
	/* what another processor of the guest does meanwhile; NULL: nothing */
	void (*before_pin)(gpa_t gpa, bool write);
	bool needs_read, room, no_frame;
	bool held[ENV_VMS];            /* console_holds() */
	int drain, load, reset;        /* what the pager answers */
	u32 faults, overwrites, loads, load_ticks, reset_ticks;
	u32 turn_ticks;                /* what one turn of the main loop takes */
	u64 deferred;                  /* block_deferred() */
	/* what queues and transfers do when they may go on */
	void (*retry)(struct vm *vm), (*drive)(struct vm *vm);
	enum verdict fault_verdict;
	u32 started, stopped, drives;
	void (*enter)(struct vcpu_hw *v, u64 deadline, struct vmexit *x);
	bool has_rdtscp, has_invpcid;
	u8 tx[16];
	u32 ntx;
} env;

static struct guest_regs *fake_regs(struct vcpu_hw *v) { return &v->regs; }
static void fake_mode(struct vcpu_hw *v, struct guest_mode *m) { *m = v->mode; }
static void fake_put(struct vcpu_hw *v) { v->puts++; }
static bool fake_can_take(struct vcpu_hw *v) { return v->can_take; }
static void fake_inject_irq(struct vcpu_hw *v, u8 vector) { v->irq = vector; }
static void fake_window(struct vcpu_hw *v, bool on) { v->window = on; }
static void fake_flush(struct vcpu_hw *v) { v->flushes++; }
static void fake_wake(struct vcpu_hw *v) { v->wakes++; }
static u64 fake_read_cr(struct vcpu_hw *v, u8 cr) { return cr == 4 ? v->mode.cr4 : v->mode.cr0; }

static void fake_enter(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	memset(x, 0, sizeof(*x));
	v->entries++;
	v->deadline = deadline;
	env.enter(v, deadline, x);
}

static void fake_inject_exception(struct vcpu_hw *v, u8 vector, bool has_code, u32 code)
{
	v->exc = vector;
	v->exc_code = has_code ? (int)code : -1;
}

static void fake_skip(struct vcpu_hw *v, u8 len)
{
	v->regs.rip += len;
	v->skips++;
}

static int fake_write_cr(struct vcpu_hw *v, u8 cr, u64 value)
{
	if (value == 0xbad)
		return E_INVAL;
	*(cr == 4 ? &v->mode.cr4 : &v->mode.cr0) = value;
	return 0;
}

static int fake_write_xcr0(struct vcpu_hw *v, u64 value)
{
	if (!(value & 1))
		return E_INVAL;
	v->xcr0 = value;
	return 0;
}

static int fake_read_msr(struct vcpu_hw *v, u32 msr, u64 *value)
{
	if (msr != 0xc0000080)
		return E_NOENT;
	*value = v->mode.efer;
	return 0;
}

static int fake_write_msr(struct vcpu_hw *v, u32 msr, u64 value)
{
	if (msr != 0xc0000080)
		return E_NOENT;
	if (value == 0xbad)
		return E_INVAL;
	v->mode.efer = value;
	return 0;
}

static void fake_vcpu_reset(struct vcpu_hw *v, const struct virt_entry *e)
{
	v->resets++;
	v->entry = *e;
	v->regs = (struct guest_regs){ .rip = e->rip, .rflags = 2 };
}

static int fake_describe(struct vcpu_hw *v, char *buf, size_t size)
{
	(void)v;
	str_copy(buf, size, "state");
	return 0;
}

static int fake_probe(char *why, size_t size)
{
	(void)why;
	(void)size;
	return 0;
}

static bool fake_has(enum virt_feature f)
{
	return f == VIRT_RDTSCP ? env.has_rdtscp : env.has_invpcid;
}

const struct virt_ops vmx_ops = {
	.name = "fake", .probe = fake_probe, .cpu_on = fake_probe, .vcpu_reset = fake_vcpu_reset,
	.regs = fake_regs, .mode = fake_mode, .enter = fake_enter, .vcpu_put = fake_put,
	.can_take_irq = fake_can_take, .inject_irq = fake_inject_irq, .want_irq_window = fake_window,
	.inject_exception = fake_inject_exception, .skip = fake_skip, .wake_from_hlt = fake_wake,
	.write_cr = fake_write_cr, .read_cr = fake_read_cr, .write_xcr0 = fake_write_xcr0,
	.read_msr = fake_read_msr, .write_msr = fake_write_msr, .flush = fake_flush,
	.describe = fake_describe, .has = fake_has,
};

const struct virt_ops svm_ops; /* never asked: the first backend is there */

/* ---- board ---- */

void vboard_reset(struct vboard *b) { b->resets++; }
void vboard_retry(struct vboard *b)
{
	b->retries++;
	if (env.retry)
		env.retry(b->vm);
}

int vboard_irq_pending(struct vboard *b) { return b->pending; }
u64 vboard_deadline(const struct vboard *b) { return b->deadline; }

void vboard_irq_taken(struct vboard *b, u8 vector)
{
	b->taken = vector;
	b->pending = -1;
}

void vboard_tick(struct vboard *b, u64 now)
{
	b->ticks++;
	if (b->deadline && b->deadline <= now) {
		b->deadline = b->period ? b->deadline + ((now - b->deadline) / b->period + 1) * b->period : 0;
		b->pending = 0xec;
	}
}

static u64 board_read(struct vboard *b, u64 addr, u8 size)
{
	b->reads++;
	b->last_addr = addr;
	b->last_size = size;
	return b->value;
}

static void board_write(struct vboard *b, u64 addr, u8 size, u64 value)
{
	b->writes++;
	b->last_addr = addr;
	b->last_size = size;
	b->last_value = value;
}

u32 vboard_in(struct vboard *b, u16 port, u8 size) { return (u32)board_read(b, port, size); }
void vboard_out(struct vboard *b, u16 port, u8 size, u32 value) { board_write(b, port, size, value); }
u32 vboard_apic_read(struct vboard *b, u16 offset) { return (u32)board_read(b, offset, 4); }
void vboard_apic_write(struct vboard *b, u16 offset, u32 value) { board_write(b, offset, 4, value); }
void vboard_apic_write_trap(struct vboard *b, u16 offset) { board_write(b, offset, 4, 0); }
void vboard_apic_eoi(struct vboard *b, u8 vector) { board_write(b, 0xb0, 4, vector); }

bool vboard_mmio_read(struct vboard *b, gpa_t gpa, u8 size, u64 *value)
{
	*value = board_read(b, gpa.a, size);
	return gpa.a != 0xdead0000;
}

bool vboard_mmio_write(struct vboard *b, gpa_t gpa, u8 size, u64 value)
{
	board_write(b, gpa.a, size, value);
	return true;
}

int vboard_read_msr(struct vboard *b, u32 msr, u64 *value)
{
	*value = msr == 0x1b ? b->apic_base : b->tsc_deadline;
	return 0;
}

int vboard_write_msr(struct vboard *b, u32 msr, u64 value)
{
	if (msr == 0x1b)
		return E_INVAL;
	b->tsc_deadline = value;
	return 0;
}

int vboard_acpi(struct vboard *b, vboard_write_fn *write, void *ctx, u64 *rsdp)
{
	(void)b;
	*rsdp = 0xe0000;
	return write(ctx, 0xe0000, "RSD PTR ", 8);
}

/* ---- pager, guest memory, console, balancer ---- */

int pager_pin(struct vm_mem *m, gpa_t gpa, u32 len, bool write, void **out)
{
	(void)m;
	if (env.before_pin)
		env.before_pin(gpa, write);
	assert_true((gpa.a & PAGE_MASK) + len <= PAGE_SIZE);
	if (gpa.a >> PAGE_SHIFT == env.again_page)
		return E_AGAIN;
	if (gpa.a >> PAGE_SHIFT >= ENV_PAGES)
		return E_RANGE;
	*out = env.ram + gpa.a;
	env.pins++;
	return 0;
}

void pager_unpin(struct vm_mem *m, gpa_t gpa)
{
	(void)m;
	(void)gpa;
	env.pins--;
}

/* No guest here has a disk. */
void gio_submit(struct vm_mem *m, struct guest_io *io)
{
	(void)m;
	(void)io;
	fail();
}

enum verdict pager_fault(struct vm_mem *m, gpfn_t g, bool write)
{
	(void)m;
	(void)g;
	(void)write;
	env.faults++;
	return env.fault_verdict;
}

bool pager_overwrite_helps(const struct vm_mem *m, gpfn_t g)
{
	(void)m;
	(void)g;
	return env.needs_read;
}

int pager_overwrite(struct vm_mem *m, gpfn_t g, pager_content_fn *content, const void *ctx)
{
	(void)m;
	env.overwrites++;
	if (env.no_frame)
		return E_AGAIN;
	content(ctx, env.ram + ((u64)g.n << PAGE_SHIFT));
	return 0;
}

int pager_load(struct vm_mem *m, gpa_t gpa, const void *src, u64 len)
{
	(void)m;
	(void)gpa;
	(void)src;
	(void)len;
	env.loads++;
	fake_tsc += env.load_ticks;
	return env.load;
}

bool pager_make_room(u32 n)
{
	(void)n;
	return env.room;
}

u32 pager_guest_frames(void) { return 100000; }
bool pager_chore(void) { return false; }
void guest_io_drive(struct vm_mem *m)
{
	env.drives++;
	if (env.drive)
		env.drive(m->vm);
}

int pager_drain(struct vm_mem *m)
{
	(void)m;
	return env.drain;
}

int pager_reset(struct vm_mem *m)
{
	(void)m;
	fake_tsc += env.reset_ticks;
	return env.reset;
}

void console_guest_tx(struct vm *vm, u8 byte)
{
	(void)vm;
	env.tx[env.ntx++ % sizeof(env.tx)] = byte;
}

bool console_holds(const struct vm *vm) { return vm->id < ENV_VMS && env.held[vm->id]; }
bool console_poll(void)
{
	fake_tsc += env.turn_ticks;
	return false;
}

void block_poll(void) { }
u64 block_deferred(void) { return env.deferred; }
static bool env_away;
void block_away(bool on) { env_away = on; }
u64 block_due_ns(void) { return 0; }
void balancer_started(struct vm *vm)
{
	(void)vm;
	env.started++;
}

void balancer_away(struct vm *vm) { vm->mem.away = true; }
void balancer_back(struct vm *vm) { vm->mem.away = false; }

void balancer_stopped(struct vm *vm)
{
	(void)vm;
	env.stopped++;
}

void balancer_poll(u64 now_ns) { (void)now_ns; }
void tracer_poll(u64 now_ns) { (void)now_ns; }
u64 balancer_due(void) { return ~0ull / 4; }

/* ---- set up ---- */

static int env_setup(void **state)
{
	(void)state;
	memset(&env, 0, sizeof(env));
	memset(pcpu_this(), 0, sizeof(struct pcpu));
	fake_arena(1024);
	fake_tsc = 1000;
	env.ram = arch_direct_map + 256 * PAGE_SIZE;
	env.again_page = ~0u;
	env.room = true;
	env.fault_verdict = V_RETRY;
	backend = &vmx_ops;
	vm_count = ENV_VMS;
	for (u32 i = 0; i < ENV_VMS; i++) {
		struct vm *vm = &env.vm[i];

		vm_all[i] = vm;
		vm->id = (u8)i;
		fmt(vm->name, sizeof(vm->name), "g%u", i);
		vm->state = VM_OFF;
		vm->config = &env.config[i];
		vm->weight = 100;
		vm->board = &env.board[i];
		vm->board->vm = vm;
		vm->mem.vm = vm;
		vm->mem.npages = ENV_PAGES;
		vm->mem.max = 4096;
		vm->mem.page = (void *)env.ram;
		vm->vcpu.vm = vm;
		vm->vcpu.hw = &env.hw[i];
		vm->vcpu.regs = &env.hw[i].regs;
		vm->vcpu.xcr0 = 1;
		env.hw[i].exc = env.hw[i].irq = -1;
		env.hw[i].can_take = true;
		env.board[i].pending = env.board[i].taken = -1;
		env.board[i].apic_base = 0xfee00900;
		env.hw[i].mode = (struct guest_mode){ .cr0 = 1 }; /* flat, 32 bits, paging off */
		env.hw[i].mode.cs.attr = BIT(14);
	}
	return 0;
}

static int env_teardown(void **state)
{
	(void)state;
	assert_int_equal(env.pins, 0); /* every pin was given back */
	return 0;
}

#define env_test(f) cmocka_unit_test_setup_teardown(f, env_setup, env_teardown)

/* ---- guest page tables ---- */

static inline void put64(u64 gpa, u64 value) { memcpy(env.ram + gpa, &value, 8); }
static inline u64 get64(u64 gpa)
{
	u64 v;

	memcpy(&v, env.ram + gpa, 8);
	return v;
}

/* Four levels at pages 1-4: la 0..2 MiB mapped to itself by 4 KiB pages, user, writable. */
static inline void env_long_mode(struct vcpu_hw *hw)
{
	put64(0x1000, 0x2000 | 7);
	put64(0x2000, 0x3000 | 7);
	put64(0x3000, 0x4000 | 7);
	for (u64 i = 0; i < ENV_PAGES; i++)
		put64(0x4000 + i * 8, i << 12 | 7);
	hw->mode = (struct guest_mode){ .cr0 = 0x80010001, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0xd00 };
	hw->mode.cs.attr = BIT(13);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sim_virt.c - a processor as unhelpful as the manuals allow: its TLB keeps every translation, and its
 * copy of the dirty bit, until somebody flushes. A hypervisor that forgets a flush loses data here.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/arch.h"
#include "tests/fake/fake_arch.h"
#include "tests/sim/sim.h"

#define FMT_R 1ull
#define FMT_W 2ull
#define FMT_X 4ull
#define FMT_A BIT64(8)
#define FMT_D BIT64(9)

static const struct slat_format format = {
	.name = "sim", .table = FMT_R | FMT_W | FMT_X, .leaf = FMT_R | FMT_X | 6 << 3, .write = FMT_W,
	.present = FMT_R | FMT_W | FMT_X, .accessed = FMT_A, .dirty = FMT_D, .addr = 0x000ffffffffff000ull,
};

struct entry { u32 pfn; bool valid, writable, dirty; };

struct vcpu_hw {
	struct guest_regs regs;
	pfn_t root;
	bool used;
	struct entry *tlb;
};

static struct vcpu_hw hw[VM_MAX];

static struct vcpu_hw *create(pfn_t root, pfn_t apic_page, u16 id)
{
	(void)apic_page;
	(void)id;
	for (u32 i = 0; i < VM_MAX; i++)
		if (!hw[i].used) {
			hw[i] = (struct vcpu_hw){ .root = root, .used = true };
			hw[i].tlb = calloc(1 << 16, sizeof(struct entry));
			return &hw[i];
		}
	return NULL;
}

static void destroy(struct vcpu_hw *v)
{
	free(v->tlb);
	v->used = false;
}

static struct vm *vm_of(struct vcpu_hw *v)
{
	for (u32 i = 0; i < vm_count; i++)
		if (vm_all[i]->vcpu.hw == v)
			return vm_all[i];
	sim_fail("virt: a vCPU of no guest was entered");
}

static void flush(struct vcpu_hw *v) { memset(v->tlb, 0, sizeof(struct entry) << 16); }
void sim_tlb_flush(struct vm *vm) { flush(vm->vcpu.hw); }

u8 *sim_tlb_access(struct vm *vm, u32 gpfn, bool write)
{
	struct entry *e = &vm->vcpu.hw->tlb[gpfn];
	struct slat_leaf l;

	if (e->valid && e->writable >= write && (!write || e->dirty) && !sim_chance(64))
		return pfn_ptr((pfn_t){ e->pfn });
	e->valid = false;
	l = slat_get(&vm->mem.slat, (gpfn_t){ gpfn });
	if (!l.present || (write && !l.writable))
		return NULL;
	slat_mark(&vm->mem.slat, (gpfn_t){ gpfn }, true, write);
	*e = (struct entry){ l.pfn.n, true, l.writable, l.dirty || write };
	return pfn_ptr(l.pfn);
}

static void enter(struct vcpu_hw *v, u64 deadline, struct vmexit *out)
{
	struct vm *vm = vm_of(v);

	if (vm->mem.slat.stale)
		sim_fail("%s entered with a flush owed", vm->name);
	memset(out, 0, sizeof(*out));
	if (sim_guest_run(vm, out))
		return;
	out->kind = sim_disk_due() < deadline ? VMEXIT_INTR : VMEXIT_TIMER;
	fake_tsc = MAX(fake_tsc, MIN(deadline, sim_disk_due()));
}

static int yes(char *why, size_t size) { (void)why; (void)size; return E_OK; }
static void nothing(void) {}
static void nothing_v(struct vcpu_hw *v) { (void)v; }
static void reset(struct vcpu_hw *v, const struct virt_entry *e)
{
	memset(&v->regs, 0, sizeof(v->regs));
	v->regs.rip = e->rip;
	sim_guest_restarted(vm_of(v));
}
static struct guest_regs *regs(struct vcpu_hw *v) { return &v->regs; }
static void mode(struct vcpu_hw *v, struct guest_mode *m) { (void)v; memset(m, 0, sizeof(*m)); }
static bool no(struct vcpu_hw *v) { (void)v; return false; }
static void inject(struct vcpu_hw *v, u8 vector)
{
	(void)v;
	sim_fail("virt: interrupt %u injected unasked", vector);
}
static void window(struct vcpu_hw *v, bool on) { (void)v; (void)on; }
static void exception(struct vcpu_hw *v, u8 vector, bool has, u32 code)
{
	(void)v; (void)has; (void)code;
	sim_fail("virt: exception %u injected unasked", vector);
}
static void skip(struct vcpu_hw *v, u8 len) { v->regs.rip += len; }
static int write_cr(struct vcpu_hw *v, u8 cr, u64 value) { (void)v; (void)cr; (void)value; return E_INVAL; }
static u64 read_cr(struct vcpu_hw *v, u8 cr) { (void)v; (void)cr; return 0; }
static int write_xcr0(struct vcpu_hw *v, u64 value) { (void)v; (void)value; return E_INVAL; }
static int read_msr(struct vcpu_hw *v, u32 msr, u64 *value)
{
	(void)v;
	(void)msr;
	(void)value;
	return E_NOENT;
}
static int write_msr(struct vcpu_hw *v, u32 msr, u64 value)
{
	(void)v;
	(void)msr;
	(void)value;
	return E_NOENT;
}
static int describe(struct vcpu_hw *v, char *buf, size_t size)
{
	(void)v;
	buf[0] = '\0';
	return size ? 0 : 0;
}

const struct virt_ops sim_ops_virt = {
	.name = "sim",
	.slat = &format,
	.probe = yes,
	.cpu_on = yes,
	.cpu_off = nothing,
	.vcpu_create = create,
	.vcpu_destroy = destroy,
	.vcpu_reset = reset,
	.regs = regs,
	.mode = mode,
	.enter = enter,
	.vcpu_put = nothing_v,
	.can_take_irq = no,
	.inject_irq = inject,
	.want_irq_window = window,
	.inject_exception = exception,
	.skip = skip,
	.wake_from_hlt = nothing_v,
	.write_cr = write_cr,
	.read_cr = read_cr,
	.write_xcr0 = write_xcr0,
	.read_msr = read_msr,
	.write_msr = write_msr,
	.flush = flush,
	.describe = describe,
};

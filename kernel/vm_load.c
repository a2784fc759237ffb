/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm_load.c - a guest's power-on: its kernel, initrd and modules from GRUB's modules, which stay in memory,
 * the board's ACPI tables, the device pages in its second-level table, the first state of its vCPU.
 */
#include "arch/x86_64/arch.h"
#include "boot/linux.h"
#include "boot/multiboot1.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/exit/exit.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/vcpu.h"
#include "kernel/vm_life.h"

_Static_assert(CONFIG_MAX_MODULES == MULTIBOOT1_MODULES_MAX, "a guest's modules");

#define LINUX_CMDLINE_ROOM 2000 /* of the 2047 that Linux takes */

struct load {
	struct vm_mem *m;
	bool ran_out; /* of frames: another try may go better */
};

static int load_write(void *ctx, u64 gpa, const void *src, u64 len)
{
	struct load *l = ctx;
	int err = pager_load(l->m, (gpa_t){ gpa }, src, len);

	l->ran_out |= err == E_NOMEM;
	return err;
}

/* Fresh memory is zero, but a loader may have written there before. */
static int load_zero(void *ctx, u64 gpa, u64 len)
{
	return load_write(ctx, gpa, NULL, len);
}

/* The page behind the local APIC's address only has to exist: hardware redirects what touches it. */
static int map_apic(struct vm *vm)
{
	struct slat *s = &vm->mem.slat;
	gpfn_t g = gpa_gpfn((gpa_t){ VBOARD_LAPIC_GPA });
	int err;

	if (!backend->apic_virtualized || !backend->apic_access_page || slat_get(s, g).present)
		return 0;
	err = slat_prepare(s, g);
	if (!err)
		slat_map(s, g, backend->apic_access_page(), true, true, true);
	return err;
}

static struct virt_entry entry_of(const struct guest_entry *e)
{
	return (struct virt_entry){
		.mode = e->long64 ? VIRT_ENTRY_LONG64 : VIRT_ENTRY_PROT32,
		.rip = e->rip, .cr3 = e->cr3, .rsi = e->rsi, .rbx = e->rbx, .rax = e->rax,
		.gdtr_base = e->gdtr_base, .gdtr_limit = e->gdtr_limit,
	};
}

static const u8 *module_bytes(const struct boot_module *m, u64 *size)
{
	*size = m ? m->size : 0;
	return m ? hpa_ptr(m->start) : NULL;
}

/*
 * Where no CPUID leaf tells the TSC's frequency Linux measures it, polling a timer port ten thousand times;
 * that fails where exits are slow or another guest gets the CPU in between, and then nothing ticks. A boot
 * loader may tell it. An operator's own word comes later in the line and wins.
 */
static const char *tsc_words(const struct vm *vm, char *words, size_t size)
{
	const char *own = vm->config->cmdline ? vm->config->cmdline : "";

	if (exit_cpuid_tells_tsc() || strlen(own) > LINUX_CMDLINE_ROOM)
		return NULL;
	fmt(words, size, "tsc_early_khz=%llu ", (unsigned long long)(arch_tsc_hz() / 1000));
	return words;
}

static int load_linux(const struct vm *vm, struct guest_target *t, struct guest_entry *entry, char *line,
		      size_t size)
{
	u64 kernel_size, initrd_size;
	const u8 *kernel = module_bytes(vm->kernel, &kernel_size);
	const u8 *initrd = module_bytes(vm->initrd, &initrd_size);
	char words[48];

	t->first_words = tsc_words(vm, words, sizeof(words));
	return linux_load(kernel, kernel_size, initrd, initrd_size, t, entry, line, size);
}

static int load_multiboot(const struct vm *vm, const struct guest_target *t, struct guest_entry *entry,
			  char *line, size_t size)
{
	struct multiboot1_module m[CONFIG_MAX_MODULES];
	const struct vm_config *c = vm->config;
	u64 kernel_size;
	const u8 *kernel = module_bytes(vm->kernel, &kernel_size);

	for (u32 i = 0; i < c->nmodules; i++) {
		m[i].bytes = module_bytes(&vm->modules[c->module[i].module], &m[i].size);
		m[i].string = c->module[i].string;
	}
	return multiboot1_load(kernel, kernel_size, m, c->nmodules, t, entry, line, size);
}

bool vm_load_fits(const struct vm *vm, u32 max, char *why, size_t size)
{
	u32 most = MIN(max, pager_guest_frames());
	char a[24], b[24];

	if (vm->load_frames <= most)
		return true;
	fmt(why, size, "its kernel and modules take %s of memory, but %s %s",
	    fmt_size(a, sizeof(a), (u64)vm->load_frames << PAGE_SHIFT),
	    most == max ? "its max is" : "guests share", fmt_size(b, sizeof(b), (u64)most << PAGE_SHIFT));
	return false;
}

int vm_load(struct vm *vm, char *why, size_t size)
{
	struct load l = { .m = &vm->mem };
	struct guest_target t = {
		.ram = vm->config->ram, .cmdline = vm->config->cmdline,
		.write = load_write, .zero = load_zero, .ctx = &l,
	};
	struct guest_entry entry = { .long64 = false };
	struct virt_entry first;
	char line[128] = "";
	int err = map_apic(vm);

	guest_default_e820(&t);
	if (!err)
		err = vboard_acpi(vm->board, load_write, &l, &t.rsdp);
	if (!err)
		err = vm->config->kind == CONFIG_MULTIBOOT ?
			      load_multiboot(vm, &t, &entry, line, sizeof(line)) :
			      load_linux(vm, &t, &entry, line, sizeof(line));
	if (err) {
		str_copy(why, size, l.ran_out ? "" : line);
		return err;
	}
	first = entry_of(&entry);
	vcpu_reset(&vm->vcpu, &first);
	return 0;
}

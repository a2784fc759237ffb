/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: boot/config.c boot/config_keys.c kernel/lib/fmt.c kernel/lib/parse.c */
/*
 * Any text as command lines: the first line is the hypervisor's, each further one a module's.
 * A guest without an error must be within every limit.
 */
#include <stdlib.h>
#include <string.h>
#include "boot/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_vm(const struct boot_info *bi, const struct vm_config *vm)
{
	char why[200];

	check(memchr(vm->name, 0, sizeof(vm->name)) && vm->name[0]);
	check(memchr(vm->error, 0, sizeof(vm->error)) != NULL);
	check(vm->ndisks <= CONFIG_MAX_DISKS);
	if (vm->error[0])
		return;
	check(vm->ram >= CONFIG_RAM_MIN && vm->ram <= CONFIG_RAM_MAX && vm->ram % MIB == 0);
	check(vm->max <= CONFIG_SIZE_MAX);
	check(!config_check_qos(vm->min, vm->max, vm->weight, why, sizeof(why)));
	check(vm->kind != CONFIG_NO_KERNEL && vm->vcpus == 1);
	check(vm->kernel_module >= 0 && (u32)vm->kernel_module < bi->nmodules);
	check(vm->initrd_module < (s32)bi->nmodules);
	check(vm->nmodules <= CONFIG_MAX_MODULES && (!vm->nmodules || vm->kind == CONFIG_MULTIBOOT));
	check(vm->initrd_module < 0 || vm->kind == CONFIG_LINUX);
	for (u32 i = 0; i < vm->nmodules; i++) {
		const struct config_module *m = &vm->module[i];

		check(m->module >= 0 && (u32)m->module < bi->nmodules && m->module != vm->kernel_module);
		check(!i || m->module > m[-1].module);
		check(!*m->string || (m->string >= bi->modules[m->module].cmdline &&
				      m->string < bi->modules[m->module].cmdline + BOOT_CMDLINE_MAX));
	}
	check(vm->cmdline >= bi->modules[vm->kernel_module].cmdline &&
	      vm->cmdline < bi->modules[vm->kernel_module].cmdline + BOOT_CMDLINE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info bi;
	static struct config cfg;
	char *line = bi.cmdline;
	size_t n = 0;

	memset(&bi, 0, sizeof(bi));
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			if (bi.nmodules == BOOT_MAX_MODULES)
				break;
			line = bi.modules[bi.nmodules++].cmdline;
			n = 0;
		} else if (n + 1 < BOOT_CMDLINE_MAX) {
			line[n++] = (char)data[i];
		}
	}
	(void)config_build(&bi, &cfg);
	check(cfg.nvms <= CONFIG_MAX_VMS && cfg.console_com <= 4);
	check(cfg.reserve <= CONFIG_SIZE_MAX && cfg.reserve % PAGE_SIZE == 0);
	for (u32 i = 0; i < cfg.nvms; i++) {
		check_vm(&bi, &cfg.vm[i]);
		for (u32 j = 0; j < i; j++)
			check(strcmp(cfg.vm[i].name, cfg.vm[j].name) != 0);
	}
	return 0;
}

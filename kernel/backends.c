/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backends.c - the table of backends and the choice among them at boot.
 */
#include "kernel/backends.h"
#include "kernel/lib/lib.h"

const struct virt_ops *const backends[] = { &vmx_ops, &svm_ops, NULL };

int backend_select(char *why, size_t size)
{
	char one[160];
	size_t n = 0;

	if (size)
		why[0] = 0;
	for (u32 i = 0; backends[i]; i++) {
		one[0] = 0;
		if (!backends[i]->probe(one, sizeof(one)) && !backends[i]->cpu_on(one, sizeof(one))) {
			backend = backends[i];
			return 0;
		}
		if (n < size)
			n += (size_t)fmt(why + n, size - n, "%s%s", n ? "; " : "",
					 one[0] ? one : backends[i]->name);
	}
	return E_NOTSUP;
}

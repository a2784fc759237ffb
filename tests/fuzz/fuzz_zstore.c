/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/pager/zstore.c mm/pager/lz4.c mm/frame.c kernel/lib/fmt.c kernel/lib/err.c tests/fake/fake_arch.c */
/*
 * fuzz_zstore - the store of compressed pages, any row of operations on two guests: four bytes each
 * (operation and guest, page, content). Every page's content, the order and the frames are known; everything
 * is recounted at the end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(cond)                                                    \
	do {                                                           \
		if (!(cond)) {                                         \
			fprintf(stderr, "does not hold: %s\n", #cond); \
			abort();                                       \
		}                                                      \
	} while (0)
#include "tests/unit/zstore_env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;

	if (!ready)
		zenv_start();
	ready = true;
	for (size_t i = 0; i + 4 <= size && i < 4000; i += 4) {
		u64 content = (data[i + 2] | (u64)data[i + 3] << 8) * 0x10001ull;

		zenv_step(data[i] & 15, data[i] >> 4 & 1, data[i + 1] % ZENV_PAGES, content);
	}
	for (u32 v = 0; v < ZENV_VMS; v++)
		for (u32 g = 0; g < ZENV_PAGES; g++)
			zenv_look(v, g);
	zenv_check();
	for (u32 v = 0; v < ZENV_VMS; v++)
		zenv_clear(v);
	zenv_check();
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: drivers/partition.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * fuzz_partition.c - any bytes as the first sectors of a disk. Input: 4 bytes of disk size,
 * 1 byte that says whether checksums are made right, then the sectors. Whatever is accepted
 * must lie inside the disk and not overlap.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/partition.h"
#include "kernel/lib/lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static u32 get32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, 4);
	return v;
}

static u32 crc(const u8 *p, size_t n)
{
	u32 c = ~0u;

	while (n--) {
		c ^= *p++;
		for (int i = 0; i < 8; i++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
	}
	return ~c;
}

/* Lets the fuzzer past the checksums. */
static void seal(u8 *head, size_t bytes)
{
	u8 *h = head + 512;
	u64 at, len;
	u32 v;

	if (bytes < 1024)
		return;
	memcpy(h, "EFI PART", 8);
	memcpy(&at, h + 72, 8);
	len = (u64)get32(h + 80) * get32(h + 84);
	if (at < bytes / 512 && len <= bytes - at * 512) {
		v = crc(head + at * 512, len);
		memcpy(h + 88, &v, 4);
	}
	v = get32(h + 12);
	if (v < 92 || v > 512)
		return;
	memset(h + 16, 0, 4);
	v = crc(h, v);
	memcpy(h + 16, &v, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct partition_table t;
	char why[64];
	u64 disk;
	u8 *head;

	if (size < 5 || size > 64 * 1024)
		return 0;
	disk = get32(data);
	size -= 5;
	head = malloc(size / 512 * 512 + 1); /* exactly what is given: the sanitizer sees one byte more */
	memcpy(head, data + 5, size / 512 * 512);
	if (data[4] & 1)
		seal(head, size / 512 * 512);
	if (partition_parse(head, (u32)(size / 512), disk, &t, why, sizeof(why)))
		BUG_ON(strlen(why) == 0 || strlen(why) >= sizeof(why) || t.count);
	for (u32 i = 0; i < t.count; i++) {
		const struct partition *p = &t.part[i];

		BUG_ON(p->sectors == 0 || p->first == 0 || p->first >= disk || p->sectors > disk - p->first);
		for (u32 j = 0; j < i; j++)
			BUG_ON(p->first < t.part[j].first + t.part[j].sectors &&
			       t.part[j].first < p->first + p->sectors);
	}
	free(head);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * partition.c - GPT and MBR parsers. Pure; every number on the disk is hostile: offsets are
 * checked before use, sums can not wrap, and partitions that share a sector are all left out, since none of
 * them can be trusted.
 */
#include "drivers/partition.h"
#include "kernel/lib/lib.h"

#define MBR_TABLE 446
#define MBR_ENTRY 16
#define MBR_ENTRIES 4
#define MBR_SIGNATURE 510
#define MBR_PROTECTIVE 0xee

#define GPT_HEADER_MIN 92
#define GPT_ENTRY_MIN 128
#define GPT_NAME "EFI PART"

const u8 partition_guid_vmmb_swap[16] = {
	0x42, 0x4d, 0x4d, 0x56, 0x57, 0x53, 0x50, 0x41, 0x8a, 0x4d, 0x6d, 0x65, 0x6d, 0x62, 0x61, 0x6c,
};

static u32 get32(const u8 *p)
{
	return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static u64 get64(const u8 *p)
{
	return get32(p) | (u64)get32(p + 4) << 32;
}

/* CRC-32 of IEEE 802.3, continued from crc. */
static u32 crc32(u32 crc, const u8 *p, size_t n)
{
	crc = ~crc;
	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static bool overlap(const struct partition *a, const struct partition *b)
{
	return a->first < b->first + b->sectors && b->first < a->first + a->sectors;
}

static void drop_overlaps(struct partition_table *t)
{
	bool bad[PARTITION_MAX] = { false };
	u32 kept = 0;

	for (u32 i = 0; i < t->count; i++)
		for (u32 j = i + 1; j < t->count; j++)
			if (overlap(&t->part[i], &t->part[j])) {
				bad[i] = bad[j] = true;
				log_warn("partitions %u and %u overlap: both left out", t->part[i].number,
					 t->part[j].number);
			}
	for (u32 i = 0; i < t->count; i++)
		if (!bad[i])
			t->part[kept++] = t->part[i];
	t->count = kept;
}

/* p->first and p->sectors are not trusted yet. */
static void add(struct partition_table *t, const struct partition *p, u64 lowest, u64 disk_sectors)
{
	if (p->sectors == 0 || p->first < lowest || p->first >= disk_sectors ||
	    p->sectors > disk_sectors - p->first)
		log_warn("partition %u lies outside the disk: left out", p->number);
	else if (t->count == PARTITION_MAX)
		log_warn("partition %u: more than %u partitions, left out", p->number, PARTITION_MAX);
	else
		t->part[t->count++] = *p;
}

static void parse_mbr(const u8 *sector, u64 disk_sectors, struct partition_table *t)
{
	t->kind = PARTITION_MBR;
	for (u32 i = 0; i < MBR_ENTRIES; i++) {
		const u8 *e = sector + MBR_TABLE + i * MBR_ENTRY;
		struct partition p = { .number = i + 1, .first = get32(e + 8), .sectors = get32(e + 12),
				       .mbr_type = e[4] };

		p.vmmb_swap = p.mbr_type == PARTITION_MBR_VMMB_SWAP;
		if (p.mbr_type == 0 || p.sectors == 0)
			continue;
		if (p.mbr_type == 0x05 || p.mbr_type == 0x0f || p.mbr_type == 0x85)
			log_warn("partition %u is extended: left out, logical partitions are not read",
				 p.number);
		else
			add(t, &p, 1, disk_sectors);
	}
}

struct gpt { u64 entries, first_usable, last_usable; u32 count, size, crc; };

/* Checks the header at h (one sector). */
static int gpt_header(const u8 *h, struct gpt *g, char *why, size_t why_size)
{
	static const u8 zero[4];
	u32 bytes = get32(h + 12), crc;

	if (memcmp(h, GPT_NAME, 8) != 0) {
		fmt(why, why_size, "the MBR says GPT, but sector 1 holds no GPT header");
		return E_INVAL;
	}
	if (bytes < GPT_HEADER_MIN || bytes > SECTOR_SIZE) {
		fmt(why, why_size, "GPT header: %u bytes long", bytes);
		return E_INVAL;
	}
	crc = crc32(crc32(crc32(0, h, 16), zero, 4), h + 20, bytes - 20);
	if (crc != get32(h + 16)) {
		fmt(why, why_size, "GPT header: checksum is %08x, should be %08x", get32(h + 16), crc);
		return E_INVAL;
	}
	*g = (struct gpt){ .entries = get64(h + 72), .first_usable = get64(h + 40),
			   .last_usable = get64(h + 48), .count = get32(h + 80),
			   .size = get32(h + 84), .crc = get32(h + 88) };
	if (get64(h + 24) != 1) {
		fmt(why, why_size, "GPT header: it says it is not in sector 1");
		return E_INVAL;
	}
	return 0;
}

/* Checks that the entry array lies inside what was read, and its checksum. */
static int gpt_array(const u8 *head, u32 given, const struct gpt *g, char *why, size_t why_size)
{
	u64 bytes = (u64)g->count * g->size;
	bool inside;

	if (g->size < GPT_ENTRY_MIN || (g->size & (g->size - 1)) || g->size > 4096) {
		fmt(why, why_size, "GPT: entries of %u bytes", g->size);
		return E_INVAL;
	}
	inside = g->entries >= 2 && g->entries < given;
	if (!inside || bytes > (given - g->entries) * SECTOR_SIZE) {
		fmt(why, why_size, "GPT: %u entries at sector %llu are not within the first %u sectors",
		    g->count, (unsigned long long)g->entries, given);
		return E_INVAL;
	}
	if (crc32(0, head + g->entries * SECTOR_SIZE, bytes) != g->crc) {
		fmt(why, why_size, "GPT: checksum of the entries is wrong");
		return E_INVAL;
	}
	return 0;
}

static int parse_gpt(const u8 *head, u32 given, u64 disk_sectors, struct partition_table *t, char *why,
		     size_t why_size)
{
	static const u8 unused[16];
	u64 lowest, limit;
	struct gpt g;
	int err;

	if (given < 2) {
		fmt(why, why_size, "GPT: only %u sectors were read", given);
		return E_INVAL;
	}
	err = gpt_header(head + SECTOR_SIZE, &g, why, why_size);
	if (!err)
		err = gpt_array(head, given, &g, why, why_size);
	if (err)
		return err;
	t->kind = PARTITION_GPT;
	lowest = MAX(g.first_usable, g.entries + ((u64)g.count * g.size + SECTOR_SIZE - 1) / SECTOR_SIZE);
	limit = MIN(disk_sectors - 1, g.last_usable) + 1;
	for (u32 i = 0; i < g.count; i++) {
		const u8 *e = head + g.entries * SECTOR_SIZE + (size_t)i * g.size;
		struct partition p = { .number = i + 1, .first = get64(e + 32) };
		u64 last = get64(e + 40);

		if (!memcmp(e, unused, 16))
			continue;
		p.sectors = last >= p.first && last < limit ? last - p.first + 1 : 0;
		memcpy(p.type_guid, e, 16);
		p.vmmb_swap = !memcmp(e, partition_guid_vmmb_swap, 16);
		add(t, &p, lowest, limit);
	}
	return 0;
}

int partition_parse(const u8 *head, u32 sectors_given, u64 disk_sectors, struct partition_table *out,
		    char *why, size_t why_size)
{
	bool protective = false;
	int err = 0;

	memset(out, 0, sizeof(*out));
	out->kind = PARTITION_NONE;
	if (why_size)
		why[0] = 0;
	if (sectors_given == 0 || disk_sectors == 0 || head[MBR_SIGNATURE] != 0x55 ||
	    head[MBR_SIGNATURE + 1] != 0xaa)
		return 0;
	for (u32 i = 0; i < MBR_ENTRIES; i++) {
		const u8 *e = head + MBR_TABLE + i * MBR_ENTRY;

		if (e[0] & 0x7f)
			return 0; /* a boot sector of a file system, not a table */
		protective |= e[4] == MBR_PROTECTIVE;
	}
	if (protective)
		err = parse_gpt(head, sectors_given, disk_sectors, out, why, why_size);
	else
		parse_mbr(head, disk_sectors, out);
	if (!err)
		drop_overlaps(out);
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * partition.h - GPT and MBR partition tables, parsed from bytes that are not trusted.
 * Pure: reading the sectors is the caller's.
 * Source: UEFI Specification, "GUID Partition Table (GPT) Disk Layout"; MBR is folklore.
 */
#ifndef DRIVERS_PARTITION_H
#define DRIVERS_PARTITION_H

#include "kernel/lib/types.h"

#define PARTITION_MAX 32
#define PARTITION_MBR_VMMB_SWAP 0xB5
/* 564d4d42-5357-4150-8a4d-6d656d62616c, as stored on disk */
extern const u8 partition_guid_vmmb_swap[16];

struct partition {
	u32 number;        /* as operating systems number them: hd0p1 is the first */
	u64 first, sectors;
	u8 mbr_type;       /* 0 for GPT */
	u8 type_guid[16];  /* GPT */
	bool vmmb_swap;
};

struct partition_table {
	struct partition part[PARTITION_MAX];
	u32 count;
	enum { PARTITION_NONE, PARTITION_MBR, PARTITION_GPT } kind;
};

/*
 * head: the disk's first `sectors_given` sectors (34 suffice for a usual GPT; the entry array's
 * place is checked). disk_sectors: the device's size. Overlapping, empty, outside or
 * extended entries are left out (extended: chain not followed, logged); a GPT whose CRC is wrong is
 * refused (E_INVAL, why filled), never taken for its protective MBR.
 */
int partition_parse(const u8 *head, u32 sectors_given, u64 disk_sectors, struct partition_table *out,
		    char *why, size_t why_size) MUST_CHECK;

#endif

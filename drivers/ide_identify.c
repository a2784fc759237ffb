/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ide_identify.c - who is on the cable: IDENTIFY DEVICE by polling, at boot only.
 * Source: ATA/ATAPI-6, "IDENTIFY DEVICE", "Signature and persistence".
 */
#include "arch/x86_64/arch.h"
#include "arch/x86_64/cpu.h"
#include "drivers/ide_hw.h"
#include "kernel/lib/lib.h"

#define WORDS 256
#define READY_NS 2000000000ull

/* Waits until BSY is clear and all of `bits` are set; the status, or 0 when it took too long or ended in an
 * error. */
static u8 wait_status(const struct ide_channel *ch, u8 bits)
{
	u64 end = arch_ns() + READY_NS;

	for (u32 i = 0; i < 4; i++)
		(void)cpu_in8(ch->control);
	while (arch_ns() < end) {
		u8 s = cpu_in8(ch->control);

		if (s == 0 || s == 0xff)
			return 0;
		if (s & ATA_BSY)
			continue;
		if (s & (ATA_ERR | ATA_DF))
			return 0;
		if ((s & bits) == bits)
			return s;
	}
	return 0;
}

/* Model: words 27..46, two characters each, the first in the high byte; unprintable ones become '?'. */
static void copy_model(const u16 *id, char *model)
{
	u32 n = 40;

	for (u32 i = 0; i < 40; i++) {
		u8 c = (u8)(id[27 + i / 2] >> (i & 1 ? 0 : 8));

		model[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	while (n && model[n - 1] == ' ')
		n--;
	model[n] = 0;
}

static bool usable(const u16 *id, struct ide_drive *d)
{
	bool lba48 = (id[83] & 0xc400) == 0x4400;
	u64 sectors = id[60] | (u64)id[61] << 16;

	if (id[0] & 0x8000 || !(id[49] & BIT(8)) || !(id[49] & BIT(9)))
		return false;
	if ((id[106] & 0xd000) == 0x5000 && (id[117] | (u32)id[118] << 16) != 256) {
		log_warn("IDE: %s has sectors of other than 512 bytes: not used", d->model);
		return false;
	}
	if (lba48)
		sectors = id[100] | (u64)id[101] << 16 | (u64)id[102] << 32 | (u64)id[103] << 48;
	d->lba48 = lba48;
	d->dev.sectors = MIN(sectors, lba48 ? 1ull << 48 : IDE_LBA28_END);
	return sectors != 0;
}

bool ide_identify(struct ide_channel *ch, struct ide_drive *d)
{
	u16 id[WORDS];

	cpu_out8(ch->control, ATA_NIEN);
	cpu_out8(ch->command + ATA_DEVICE, d->device);
	for (u32 i = 0; i < 15; i++)
		(void)cpu_in8(ch->control);
	cpu_out8(ch->command + ATA_COUNT, 0x55); /* nobody there: nothing holds a value */
	cpu_out8(ch->command + ATA_LBA0, 0xaa);
	if (cpu_in8(ch->command + ATA_COUNT) != 0x55 || cpu_in8(ch->command + ATA_LBA0) != 0xaa)
		return false;
	cpu_out8(ch->command + ATA_COUNT, 0);
	cpu_out8(ch->command + ATA_LBA0, 0);
	cpu_out8(ch->command + ATA_LBA1, 0);
	cpu_out8(ch->command + ATA_LBA2, 0);
	cpu_out8(ch->command + ATA_COMMAND, ATA_IDENTIFY);
	if (!wait_status(ch, ATA_DRQ))
		return false; /* also ATAPI: it aborts the command */
	cpu_insw(ch->command + ATA_DATA, id, WORDS);
	(void)cpu_in8(ch->command + ATA_STATUS);
	copy_model(id, d->model);
	return usable(id, d);
}

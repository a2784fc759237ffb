/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config.h - what the operator asked for: the hypervisor's command line and the GRUB
 * modules' command lines, as checked numbers.
 *
 *   multiboot2 /boot/vmmb.elf console=com1,115200
 *   module2 /boot/vmlinuz kernel vm=web ram=256M min=64M max=512M weight=200 disk=hd0p2 -- quiet
 *   module2 /boot/initrd initrd vm=web
 *   module2 /boot/test.elf multiboot vm=db ram=128M -- args
 *   module2 /boot/rootfs module vm=db -- its string
 *   module2 /boot/web.img disk vm=web
 *
 * A mistake stops the guest that it is about, with one line that says what, why and what to
 * try; every other guest is unaffected.
 */
#ifndef BOOT_CONFIG_H
#define BOOT_CONFIG_H

#include "boot/boot_info.h"

#define CONFIG_MAX_VMS 16
#define CONFIG_MAX_DISKS 4
#define CONFIG_MAX_MODULES 16  /* of a Multiboot kernel */
#define CONFIG_NAME_MAX 16     /* with the zero */
#define CONFIG_LINE_MAX 224    /* one message */
#define CONFIG_MAX_ERRORS 16
#define CONFIG_RAM_MIN (16 * MIB)
#define CONFIG_RAM_MAX (3 * GIB)
#define CONFIG_MAX_MIN (4 * MIB) /* the least that max may be */
#define CONFIG_SIZE_MAX (1024 * GIB) /* of any size: frames are counted in 32 bits, 16 times this */
#define CONFIG_WEIGHT_MAX 10000
#define CONFIG_WEIGHT_DEFAULT 100
#define CONFIG_IOPS_MAX 10000000u /* more than any disk does */
#define CONFIG_BPS_MIN (64 * KIB) /* below it one request of 1 MiB would take more than 16 s */
#define CONFIG_BPS_MAX (1024 * GIB)
#define CONFIG_SCAN_MIN 100u    /* 0.01 % of the CPU */
#define CONFIG_SCAN_MAX 200000u /* 20 % */

#define CONFIG_ZIP_AUTO 255
#define CONFIG_ZIP_MOST 50

enum config_kind { CONFIG_NO_KERNEL, CONFIG_LINUX, CONFIG_MULTIBOOT };

struct config_disk {
	char name[CONFIG_NAME_MAX]; /* "hd0", "hd0p2"; "ram<N>" when it is module N */
	s32 module;                 /* index into boot_info.modules, -1: name is a device */
	bool read_only;
};

/* One of a Multiboot kernel's modules. */
struct config_module {
	s32 module;         /* index into boot_info.modules */
	const char *string; /* what the kernel is told with it; points into boot_info */
};

struct vm_config {
	char name[CONFIG_NAME_MAX];
	char error[CONFIG_LINE_MAX]; /* "": start it; else why it is not started */
	enum config_kind kind;
	u64 ram;                     /* bytes; a multiple of 1 MiB */
	u64 min, max;                /* bytes; multiples of 4 KiB; unless given min is
					max(ram / 16, 8 MiB) and max is ram */
	u32 weight;
	u64 miss_per_1000s;          /* goal; 0: none */
	u32 iops;                    /* disk operations a second, all its disks together; 0: no limit */
	u64 bps;                     /* bytes of them a second; 0: no limit */
	bool no_cache;               /* what the guest itself evicts is not kept for it */
	u8 zip_percent;              /* of its frames may hold compressed pages; CONFIG_ZIP_AUTO: what pays */
	u32 vcpus;
	/* index into boot_info.modules; -1: none. initrd: a Linux kernel's */
	s32 kernel_module, initrd_module;
	/* a Multiboot kernel's, its initrd among them, in GRUB's order */
	struct config_module module[CONFIG_MAX_MODULES];
	u32 nmodules;
	struct config_disk disk[CONFIG_MAX_DISKS];
	u32 ndisks;
	const char *cmdline;         /* the guest's; points into boot_info */
};

struct config {
	u32 console_com;             /* 1..4; 0: none */
	u32 console_baud;
	char trace[CONFIG_NAME_MAX]; /* "com2,115200": where `trace on` sends its records; "": nowhere */
	u64 reserve;                 /* bytes kept from guests, on top of the hypervisor's own */
	char swap[CONFIG_NAME_MAX];  /* "": one of the swap type, not on a guest's whole disk; "none": none */
	u32 scan_ppm;                /* what scanning may cost, parts in 1,000,000 of the CPU; 0: the usual */
	u32 log_level;               /* enum log_level: shown up to here */
	struct vm_config vm[CONFIG_MAX_VMS];
	u32 nvms;
	char error[CONFIG_MAX_ERRORS][CONFIG_LINE_MAX]; /* lines that belong to no guest */
	u32 nerrors;                 /* may exceed CONFIG_MAX_ERRORS: the rest is only counted */
};

/* Always fills *out. 0, or E_INVAL if any line or guest has an error. */
int config_build(const struct boot_info *bi, struct config *out);

/* Limits as words: "500" or "none"; "20M" or "none" (0). E_INVAL: not understood, E_RANGE: not from 1 to
 * CONFIG_IOPS_MAX, not from CONFIG_BPS_MIN to CONFIG_BPS_MAX. */
int config_parse_iops(const char *value, u32 *iops) MUST_CHECK;
int config_parse_bps(const char *value, u64 *bps) MUST_CHECK;

/* The limits of min, max and weight, for the console's changes too. 0 or E_INVAL with one line in why. */
int config_check_qos(u64 min, u64 max, u32 weight, char *why, size_t why_size) MUST_CHECK;

/*
 * For `help boot`: one call for each first word of a module line (where "first"), then one a key: where
 * ("kernel", "module", "initrd", "disk", "vmmb"), the word with the shape of its value, what it does.
 */
void config_help(void (*line)(void *ctx, const char *where, const char *word, const char *help), void *ctx);

/* A run of sectors that a guest or the hypervisor is going to use. */
struct extent_use {
	const void *dev;       /* which device: only compared */
	u64 first, sectors;
	bool read_only;
	u32 owner;             /* a guest's number, or CONFIG_OWNER_SWAP */
	const char *name;      /* for the message: "hd0p2" */
	s32 conflict;          /* out: index of the use that it collides with, -1: none */
	bool refused;          /* out: this use, or another one of the same owner, collides */
};
#define CONFIG_OWNER_SWAP 0xffffffffu

/*
 * Extents belong to one guest: two uses that share a sector collide unless both only read. The
 * swap area wins over guests, an earlier owner over a later one; an owner with one collision
 * gets none of its extents. Returns how many uses are refused.
 */
u32 config_check_extents(struct extent_use *uses, u32 n);

#endif

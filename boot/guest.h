/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest.h - what the loaders of guest images share: where the bytes go, and how the
 * vCPU starts. Pure: guest memory is reached through a port only.
 *
 * Guest-physical memory: 0-9FC00h RAM, up to 100000h reserved (the device model's ACPI tables),
 * 1 MiB to the end RAM. The Linux loader uses the low memory below for what it tells the guest; the Multiboot
 * loader looks for memory that the kernel has no segment in.
 */
#ifndef BOOT_GUEST_H
#define BOOT_GUEST_H

#include "kernel/lib/types.h"

#define GUEST_LOW_RAM_END 0x9fc00u
#define GUEST_HIGH_RAM 0x100000u
#define GUEST_E820_MAX 8
enum guest_e820_type { GUEST_E820_RAM = 1, GUEST_E820_RESERVED = 2, GUEST_E820_ACPI = 3 };

/* Where the Linux loader puts things, below the memory that kernels are loaded to. */
#define GUEST_LOADER_START 0x1000u
#define GUEST_GDT 0x1000u
#define GUEST_GDT_ENTRIES 4u      /* null, null, code 10h, data 18h */
#define GUEST_INFO 0x2000u        /* boot_params */
#define GUEST_CMDLINE 0x4000u
#define GUEST_CMDLINE_MAX 4096u
#define GUEST_PAGE_TABLES 0x8000u /* 6 pages: 4 GiB, identity, 2 MiB pages */
#define GUEST_LOADER_END 0xe000u

struct guest_e820 { u64 addr, size; u32 type; }; /* bytes; sorted, not overlapping */

struct guest_target {
	u64 ram;               /* bytes */
	u64 rsdp;              /* guest-physical address of the RSDP, 0: none */
	const char *cmdline;
	const char *first_words; /* Linux: before cmdline, with their blank; NULL: none */
	struct guest_e820 e820[GUEST_E820_MAX];
	u32 ne820;
	/* 0 or a negative error, which the loader returns. Called for ranges inside RAM only. */
	int (*write)(void *ctx, u64 gpa, const void *src, u64 len);
	int (*zero)(void *ctx, u64 gpa, u64 len);
	void *ctx;
};

/* How the first vCPU starts: flat segments (CS 10h, data 18h), IF=0, other registers zero. */
struct guest_entry {
	bool long64;           /* else protected mode, 32 bits, paging off */
	u64 rip, cr3;          /* cr3: long64 only */
	u64 rax, rbx, rsi;
	u64 gdtr_base;
	u16 gdtr_limit;
};

/* The standard map for t->ram. */
void guest_default_e820(struct guest_target *t);
/* Whether [gpa, gpa + len) lies wholly inside one RAM entry. */
bool guest_in_ram(const struct guest_target *t, u64 gpa, u64 len);
/* A GDT for how e starts, which is going to be at gpa; sets the entry's fields that name it. */
void guest_fill_gdt(u64 gdt[GUEST_GDT_ENTRIES], struct guest_entry *e, u64 gpa);
/* Writes the GDT, and for long64 the identity tables, and sets the entry's fields that name them. */
int guest_write_cpu_tables(const struct guest_target *t, struct guest_entry *e) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vboard.h - the machine a guest sees, as one object: local APIC, I/O APIC, 8259s,
 * 8254, RTC, UART, PCI with virtio disks, ACPI. kernel/ calls only this face.
 * Called from exit handlers, timer ticks and I/O completions; never re-entered by a port.
 */
#ifndef VDEV_VBOARD_H
#define VDEV_VBOARD_H

#include "kernel/lib/types.h"
#include "vdev/ports.h"

#define VBOARD_MAX_DISKS 4
#define VBOARD_LAPIC_GPA 0xFEE00000ull
#define VBOARD_IOAPIC_GPA 0xFEC00000ull

struct vboard;

struct vboard_config {
	struct vm *vm;
	u64 ram;                /* bytes */
	u64 tsc_hz;             /* of the guest's TSC */
	void *apic_page;        /* 4 KiB, zeroed: the local APIC's registers live here in xAPIC layout */
	u32 ndisks;
	struct { u64 sectors; bool read_only; char serial[20]; } disk[VBOARD_MAX_DISKS];
};

size_t vboard_size(void);   /* bytes to allocate for a struct vboard (zeroed, page-aligned) */
int vboard_init(struct vboard *b, const struct vboard_config *c) MUST_CHECK;
void vboard_reset(struct vboard *b); /* power-on state; guest_io requests in flight must have been drained */

/* Port I/O, size 1, 2 or 4. Unclaimed reads give all ones. */
u32 vboard_in(struct vboard *b, u16 port, u8 size);
void vboard_out(struct vboard *b, u16 port, u8 size, u32 value);

/* MMIO outside RAM, size 1..8; false: nobody there (reads give all ones, writes are dropped). */
bool vboard_mmio_read(struct vboard *b, gpa_t gpa, u8 size, u64 *value);
bool vboard_mmio_write(struct vboard *b, gpa_t gpa, u8 size, u64 value);
/* The local APIC page by offset. write_trap: hardware has already stored the value in apic_page. */
u32 vboard_apic_read(struct vboard *b, u16 offset);
void vboard_apic_write(struct vboard *b, u16 offset, u32 value);
void vboard_apic_write_trap(struct vboard *b, u16 offset);
void vboard_apic_eoi(struct vboard *b, u8 vector); /* a virtualised EOI */

/* MSRs 1Bh (APIC base) and 6E0h (TSC deadline): E_NOENT for others, E_INVAL: inject #GP. */
int vboard_read_msr(struct vboard *b, u32 msr, u64 *value);
int vboard_write_msr(struct vboard *b, u32 msr, u64 value);

/* The highest-priority interrupt that the guest would take now if its IF allows: 0..255 or -1. */
int vboard_irq_pending(struct vboard *b);
void vboard_irq_taken(struct vboard *b, u8 vector);

/* When time next matters to a device, in TSC ticks; 0: never. */
u64 vboard_deadline(const struct vboard *b);
void vboard_tick(struct vboard *b, u64 now_tsc); /* fires what is due */

/* Bytes for the guest's serial input; returns how many were taken (FIFO room). */
u32 vboard_uart_rx(struct vboard *b, const u8 *bytes, u32 n);
/* After E_AGAIN: look again at the queues that had to wait. */
void vboard_retry(struct vboard *b);

/* Writes ACPI tables and the reset vector into guest memory below 1 MiB; *rsdp gets the tables' address. */
typedef int vboard_write_fn(void *ctx, u64 gpa, const void *src, u64 len);
int vboard_acpi(struct vboard *b, vboard_write_fn *write, void *ctx, u64 *rsdp) MUST_CHECK;

/* Statistics for `stats` */

#endif

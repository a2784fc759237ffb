/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ports.h - what device models need from above: the few calls that run upward.
 * kernel/ implements them; unit tests and fuzz harnesses implement fakes.
 */
#ifndef VDEV_PORTS_H
#define VDEV_PORTS_H

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

struct vm; /* opaque here */

/*
 * Guest memory: pager_pin() and pager_unpin() of the guest's memory (mm/pager/pager.h). After E_AGAIN
 * vboard_retry() is called when it makes sense to try again.
 */
int guest_pin(struct vm *vm, gpa_t gpa, u32 len, bool write, void **out) MUST_CHECK;
void guest_unpin(struct vm *vm, gpa_t gpa);

/* A transfer between guest memory and a guest's disk. Owned by the device model until done. */
enum guest_io_op { GUEST_IO_READ, GUEST_IO_WRITE, GUEST_IO_FLUSH, GUEST_IO_DISCARD, GUEST_IO_WRITE_ZEROES };
#define GUEST_IO_MAX_SEGS 64
#define GUEST_IO_MAX_SECTORS 2048 /* 1 MiB; DISCARD and WRITE ZEROES may be longer */

/* any alignment of 512 bytes total; len > 0, inside RAM is NOT checked yet */
struct guest_seg_io { gpa_t gpa; u32 len; };

struct guest_io {
	struct list link;      /* for whoever holds it */
	struct vm *vm;
	u8 disk;               /* index of the guest's disk */
	u8 op;
	u64 sector;            /* 512-byte, of the guest's disk; range checked by guest_io_submit */
	u32 nsectors;
	u32 nsegs;
	struct guest_seg_io segs[GUEST_IO_MAX_SEGS];
	void (*done)(struct guest_io *io, int err); /* later or from inside submit; E_RANGE, E_IO .. */
	void *ctx;
	void *pager;           /* the implementer's own state while it is in flight */
};
void guest_io_submit(struct guest_io *io);

/* An interrupt or timer of this guest may now be deliverable: let its vCPU look. */
void vdev_wake(struct vm *vm);
/* A device has more to do than it may in one go: vboard_retry() soon, from the main loop. */
void vdev_again(struct vm *vm);
/* A completion does a device's work for this guest, maybe in another guest's time: the guest is to pay for
 * it. */
void vdev_worked(struct vm *vm);
/* A byte the guest's UART transmitted. */
void vdev_uart_tx(struct vm *vm, u8 byte);
enum vdev_power { VDEV_POWER_OFF, VDEV_RESET };
/* The guest asked for it; takes effect after the exit has been handled. */
void vdev_power(struct vm *vm, enum vdev_power what);

#endif

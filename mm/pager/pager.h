/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pager.h - a guest page's life: faults, fills, reclaim, and the guest's disk transfers.
 *
 * Everything is a state machine driven by faults, guest I/O, host I/O completions (interrupt
 * windows) and chores. Nothing waits: a vCPU that needs a page which is on disk is parked (V_BLOCK) and
 * re-executes when pager_wake() is called for its guest. See ARCHITECTURE.md, "A guest page's life".
 * The face of mm/pager and mm/gio.
 */
#ifndef MM_PAGER_PAGER_H
#define MM_PAGER_PAGER_H

#include "arch/x86_64/virt/virt.h"
#include "drivers/block.h"
#include "kernel/lib/types.h"
#include "mm/pager/vmmem.h"

struct vm;

/* Upward ports, implemented by kernel/pager_ports.c. */
/* a page arrived or frames became free: re-try what was parked */
void pager_wake(struct vm_mem *m);
/* Bounded work of m's disk transfers is left: guest_io_drive() again from the main loop, when m's guest is
 * not ahead in virtual time. */
void pager_again(struct vm_mem *m);
/* A completion works for m, maybe in another guest's time: m's guest is to pay for it. */
void pager_worked(struct vm_mem *m);
/* swap, fill or rescue failed for good (m->dead is set): stop that guest */
void pager_failed(struct vm_mem *m, const char *reason);
/* Drops all cached second-level translations of m's vCPU (virt_ops->flush), then slat_flushed(&m->slat). */
void pager_flush(struct vm_mem *m);
/* A miss that costs I/O happened (for the balancer); NULL: nobody listens. Set by kernel/balancer.c. */
extern void (*pager_miss_hook)(struct vm_mem *m);

/* The frame table exists (frame_init was called). swap: extent of the swap partition, sectors 0 if none. */
int pager_init(const struct block_extent *swap) MUST_CHECK;

/* After vmmem_init(): m gets its part of what guests share (ARCHITECTURE.md, "What guests
 * share"). E_NOMEM. */
int pager_join(struct vm_mem *m) MUST_CHECK;
/* Before vmmem_destroy(); nothing of m is in flight. */
void pager_leave(struct vm_mem *m);

/* A second-level fault at g. V_NEXT is never returned. */
enum verdict pager_fault(struct vm_mem *m, gpfn_t g, bool write);
/* True: worth looking whether the whole page is about to be overwritten: that saves a read from disk, or
 * shows that the guest has given up a block which the cache may keep. */
bool pager_overwrite_helps(const struct vm_mem *m, gpfn_t g);
/* Writes all 4096 bytes of a page. It calls nothing of the pager. */
typedef void pager_content_fn(const void *ctx, void *page);
/*
 * The whole page g gets what content() writes; what it held before is not read. A page without a mapping gets
 * its content in a frame that no guest sees yet, and only then it is mapped, dirty. A page that the guest has
 * in memory anyway (HOT, or SOFT and no block's equal) is overwritten where it is: the guest's other
 * processors see old bytes or new ones, as with its own instruction. E_AGAIN: no frame now, and content() has
 * not run (the vCPU must block; it is woken later).
 */
int pager_overwrite(struct vm_mem *m, gpfn_t g, pager_content_fn *content, const void *ctx) MUST_CHECK;

/*
 * Makes the page that holds [gpa, gpa+len) resident and keeps it (len may not cross the page), marks its age,
 * and its dirty state if write; *out: gpa in our memory. E_AGAIN: its content is on disk and a fill has been
 * started: give up now, pager_wake() says when to try again. E_RANGE: not RAM. E_NOMEM: the guest's bound of
 * pins. Every successful pin needs one pager_unpin of the same gpa.
 */
int pager_pin(struct vm_mem *m, gpa_t gpa, u32 len, bool write, void **out) MUST_CHECK;
void pager_unpin(struct vm_mem *m, gpa_t gpa);

/* Loaders: copy into (or, src NULL, zero) guest memory before the guest runs. E_NOMEM: no free frames now;
 * call again with the same bytes once pager_make_room() says true. */
int pager_load(struct vm_mem *m, gpa_t gpa, const void *src, u64 len) MUST_CHECK;

/* Frames the guests can share: all but the hypervisor's own, modules and the reserve. */
u32 pager_guest_frames(void);
/*
 * May a guest of this much RAM be admitted beside those in vmmem_all? mm/share/promise.h says what all of
 * them must fit into. E_NOMEM with the arithmetic in why, one line.
 */
int pager_admit(u32 ram_pages, u32 min_frames, u32 max_frames, char *why, size_t size) MUST_CHECK;
/* Starts reclaim so that at least n frames become free soon; true if they are free now. */
bool pager_make_room(u32 n);
/* A chore, called from the main loop when nothing urgent runs: background reclaim towards targets and the
 * free reserve, zeroing of free frames. Bounded (~50 us). True: there is more to do. */
bool pager_chore(void);

/* A device model's transfer, checked here (vdev/ports.h, guest_io_submit()). */
struct guest_io;
void gio_submit(struct vm_mem *m, struct guest_io *io);
/* Goes on with m's disk transfers as far as can be done now: mm/gio/guest_io.c. */
void guest_io_drive(struct vm_mem *m);
bool guest_io_wants(const struct vm_mem *m); /* there is something that it could do */
void guest_io_ask(struct vm_mem *m);             /* for a turn in which it is called */

/*
 * Reset or stop, first half: starts no new I/O for m (requests that wait are completed with E_IO) and returns
 * E_AGAIN while some is in flight. Once it returned 0, vboard_reset() may drop its pins, then pager_reset()
 * is called.
 */
int pager_drain(struct vm_mem *m) MUST_CHECK;
/* Second half (drains first by itself). E_AGAIN while I/O drains (call again from the loop), then all pages
 * are ZERO, no association, frames and swap slots free, slat empty, pins forgotten, m no longer dead. */
int pager_reset(struct vm_mem *m) MUST_CHECK;

/* m runs again after a pause or a rest: how long it could not get on before that is no matter. */
static inline void pager_resumed(struct vm_mem *m) { m->stuck_since_ns = 0; }

/* One scan pass over a guest (A bits -> ages): mm/pager/scan.c. */
void pager_scan(struct vm_mem *m);
/* Called every few thousand entries of a pass, if set: for a serial port whose FIFO would overflow. Must not
 * touch guests. */
extern void (*pager_breathe)(void);

/* The conservation law; 0 or the number of violations, each said as one line. */
typedef void pager_say_fn(void *ctx, const char *line);
u32 pager_check(pager_say_fn *say, void *ctx);

#endif

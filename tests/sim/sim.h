/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sim.h - the whole hypervisor minus the hardware in one process: real mm/, vdev/, kernel/ code over
 * a fake processor (sim_virt.c), a fake disk (sim_disk.c) and fake guests (sim_guest.c) that know what every
 * byte of their memory and disk must be.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "drivers/block.h"
#include "kernel/vm.h"

/* One generator for everything: a seed replays a run. */
u64 sim_random(void);
static inline u32 sim_below(u32 n) { return n ? (u32)(sim_random() % n) : 0; }
static inline bool sim_chance(u32 one_in) { return sim_below(one_in) == 0; }

/* A check that failed: prints the step, the seed and the text, dumps pager_check, exits 1. */
void sim_fail(const char *format, ...) PRINTF_LIKE(1, 2) NORETURN;

extern u64 sim_ops;        /* guest operations done so far */
extern u64 sim_ops_wanted;

/* sim_disk.c: a disk in memory with its own order of completion */
/* 0: never; only in that range */
struct sim_disk_faults { u32 read_one_in, write_one_in; u64 first, sectors; };
struct block_dev *sim_disk_create(const char *name, u64 sectors);
u8 *sim_disk_bytes(u64 sector);
void sim_disk_inject(const struct sim_disk_faults *f);
u32 sim_disk_errors(void);     /* injected since the last call */
/* Completes up to n requests that are in flight, in random order; false: nothing was there. Of a disk that
 * takes time: all that have ended by now, in the order of their ends. */
bool sim_disk_complete(u32 n);
/* From now on the disk takes fixed_ns a command and byte_ps a byte, for `slots` commands at once, and the law
 * is checked. */
void sim_disk_timed(u32 slots, u64 fixed_ns, u64 byte_ps);

u64 sim_disk_due(void); /* when its next command ends; ~0: none, or it takes no time */

/* sim_law.c */
/* time of its owner's commands since its queue was empty, up to and with this one */
struct sim_law_note { u64 own_ns; };
void sim_law_started(struct sim_law_note *n, const struct block_req *hw, u64 start, u64 end, u64 whole_ns);
void sim_law_ended(const struct sim_law_note *n, const struct block_req *hw); /* before block_complete(), */
void sim_law_seen(const struct block_dev *d);                                 /* after it */
u64 sim_law_checked(u32 *percent); /* page-ins; of the bound at worst */

/* sim_virt.c: a processor whose TLB keeps everything that nobody flushed */
extern const struct virt_ops sim_ops_virt;
/* Access of vm's guest to one page: NULL means a second-level fault (to be returned as an exit). */
u8 *sim_tlb_access(struct vm *vm, u32 gpfn, bool write);
void sim_tlb_flush(struct vm *vm);

/* sim_guest.c */
void sim_guest_init(struct vm *vm, u64 disk_sectors);
/* Runs the guest for some operations; fills out when it faults. false: its slice is over. */
bool sim_guest_run(struct vm *vm, struct vmexit *out);
void sim_guest_restarted(struct vm *vm);  /* memory is new; the disk stays */
u32 sim_guest_io_in_flight(struct vm *vm);
/* Reads every page of an idle guest through the hypervisor and compares; stops at the first fault. */
void sim_guest_report(void);

/* sim_trace.c: a recording into a file by way of a ring of so many bytes; the end compares it with the
 * counters. */
void sim_trace_start(const char *file, u64 bytes);
void sim_trace_end(void);

#endif

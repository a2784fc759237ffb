/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_walk.h - a guest's linear addresses, as its own page tables translate them, and copies to
 * and from them. For the few instructions that the hypervisor completes itself.
 * Source: Intel SDM vol. 3, "Paging".
 */
#ifndef KERNEL_EXIT_GUEST_WALK_H
#define KERNEL_EXIT_GUEST_WALK_H

#include "arch/x86_64/virt/virt.h"
#include "kernel/lib/types.h"
#include "kernel/exit/insn.h"

struct vm;
struct vcpu;

enum walk_access { WALK_READ = 0, WALK_WRITE = 1, WALK_FETCH = 2 };

/* Page-fault error code bits. */
#define PF_PRESENT BIT(0)
#define PF_WRITE BIT(1)
#define PF_USER BIT(2)
#define PF_RSVD BIT(3)
#define PF_FETCH BIT(4)
#define WALK_NOT_CANONICAL BIT(31) /* not a page fault: #GP */

struct walk_fault { u64 la; u32 code; }; /* a #PF to inject */

/*
 * m: the vCPU's mode; m->cpl decides user or supervisor. rflags: for SMAP's AC. Sets accessed (and for
 * writes dirty) bits in the guest's entries as the processor would. 0; E_AGAIN: a table is on disk, park;
 * E_INVAL: *f has the page fault (a table outside RAM: as a reserved bit); E_NOMEM: too many pins, or entries
 * change all the time: again soon.
 */
int guest_walk(struct vm *vm, const struct guest_mode *m, u64 rflags, u64 la, enum walk_access how,
	       gpa_t *out, struct walk_fault *f) MUST_CHECK;

/* A run of linear addresses in memory: a part for each page. A pinned page is not reclaimed. */
struct guest_piece { gpa_t gpa; void *p; u32 len; };
/* Translates and pins [la, la + n), n <= 4096, in *count pieces: all or none. Errors as guest_walk();
 * E_RANGE: not RAM. */
int guest_pieces_pin(struct vcpu *v, const struct guest_mode *m, u64 la, u32 n, enum walk_access how,
		     struct guest_piece piece[2], u32 *count, struct walk_fault *f) MUST_CHECK;
void guest_pieces_unpin(struct vcpu *v, const struct guest_piece *piece, u32 count);

/* Copies across pages, all or nothing; n <= 4096. Errors as guest_walk(); E_RANGE: not RAM. */
int guest_copy_in(struct vcpu *v, const struct guest_mode *m, u64 la, void *buf, u32 n,
		  enum walk_access how, struct walk_fault *f) MUST_CHECK;
int guest_copy_out(struct vcpu *v, const struct guest_mode *m, u64 la, const void *buf, u32 n,
		   struct walk_fault *f) MUST_CHECK;

/* The instruction at RIP: its bytes (as many as are readable, at most 15 and at least 1). */
int guest_fetch(struct vcpu *v, const struct guest_mode *m, u8 *bytes, u32 *n,
		struct walk_fault *f) MUST_CHECK;
/* 16, 32 or 64: the code segment's default. */
u8 guest_mode_bits(const struct guest_mode *m);
/* Linear address of seg:offset, offset cut to addr_size bytes. */
u64 guest_linear(const struct guest_mode *m, u8 seg, u64 offset, u8 addr_size);

/* The verdict for an error of the above: parks, injects the fault, or stops the guest. */
enum verdict guest_walk_verdict(struct vcpu *v, int err, const struct walk_fault *f, const char *doing);

#endif

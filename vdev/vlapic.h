/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vlapic.h - the guest's local APIC, id 0, the only one. Its registers live in the page that
 * hardware knows as the virtual-APIC page, so reads may bypass us and writes may arrive after
 * the fact (write_trap); what a trap could destroy is kept in a shadow here.
 * All times are TSC ticks as arch_tsc() counts them.
 * Source: Intel SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)".
 */
#ifndef VDEV_VLAPIC_H
#define VDEV_VLAPIC_H

#include "kernel/lib/types.h"

struct vboard;

#define VLAPIC_ID 0x020
#define VLAPIC_VERSION 0x030
#define VLAPIC_TPR 0x080
#define VLAPIC_APR 0x090
#define VLAPIC_PPR 0x0a0
#define VLAPIC_EOI 0x0b0
#define VLAPIC_LDR 0x0d0
#define VLAPIC_DFR 0x0e0
#define VLAPIC_SVR 0x0f0
#define VLAPIC_ISR 0x100
#define VLAPIC_TMR 0x180
#define VLAPIC_IRR 0x200
#define VLAPIC_ESR 0x280
#define VLAPIC_ICR_LOW 0x300
#define VLAPIC_ICR_HIGH 0x310
#define VLAPIC_LVT_TIMER 0x320
#define VLAPIC_LVT_THERMAL 0x330
#define VLAPIC_LVT_PERF 0x340
#define VLAPIC_LVT_LINT0 0x350
#define VLAPIC_LVT_LINT1 0x360
#define VLAPIC_LVT_ERROR 0x370
#define VLAPIC_TIMER_INITIAL 0x380
#define VLAPIC_TIMER_CURRENT 0x390
#define VLAPIC_TIMER_DIVIDE 0x3e0

#define VLAPIC_LVT_MASKED BIT(16)
#define VLAPIC_DM_FIXED 0u
#define VLAPIC_DM_LOWEST 1u
#define VLAPIC_DM_EXTINT 7u

struct vlapic {
	struct vboard *board;
	u32 *regs;          /* the page; register at offset n is regs[n / 4] */
	u64 base_msr;       /* IA32_APIC_BASE */
	u32 esr_pending;    /* errors since the last write to ESR */
	u32 lvt_timer;      /* shadows: what the registers meant before a trapped write */
	u32 timer_divide;
	u8 crystal_shift;   /* timer input clock = TSC >> shift */
	u64 min_period;     /* TSC ticks: no periodic timer fires more often */
	u64 deadline;       /* TSC of the next expiry, 0: stopped */
	u64 period;         /* TSC ticks between expiries */
};

void vlapic_init(struct vlapic *l, struct vboard *board, void *page, u64 tsc_hz);
/* As firmware leaves it: enabled, virtual wire mode (LINT0 = ExtINT). */
void vlapic_reset(struct vlapic *l);

u32 vlapic_read(struct vlapic *l, u16 offset, u64 now);
void vlapic_write(struct vlapic *l, u16 offset, u32 value, u64 now);
void vlapic_write_trap(struct vlapic *l, u16 offset, u64 now);
/* Hardware performed the EOI of `vector`. */
void vlapic_eoi_virtual(struct vlapic *l, u8 vector);

int vlapic_read_base(const struct vlapic *l, u64 *value) MUST_CHECK;
int vlapic_write_base(struct vlapic *l, u64 value) MUST_CHECK;
void vlapic_read_deadline(const struct vlapic *l, u64 *value);
void vlapic_write_deadline(struct vlapic *l, u64 value, u64 now);

/* An interrupt message: true if it was for this APIC. */
bool vlapic_message(struct vlapic *l, u8 dest, bool logical, u8 mode, u8 vector, bool level);
/* Is the 8259's INT line connected to the processor through us (or are we switched off)? */
bool vlapic_extint(const struct vlapic *l);
/* Highest vector that beats the processor priority, or -1. Recomputes PPR. */
int vlapic_pending(struct vlapic *l);
/* The processor took it: IRR -> ISR. False if it was not there. */
bool vlapic_taken(struct vlapic *l, u8 vector);

u64 vlapic_deadline(const struct vlapic *l);
void vlapic_tick(struct vlapic *l, u64 now);

/* vlapic_timer.c, for vlapic.c */
void vlapic_timer_reset(struct vlapic *l);
u32 vlapic_timer_current(struct vlapic *l, u64 now);
void vlapic_timer_write_lvt(struct vlapic *l, u32 value, u64 now);
void vlapic_timer_write_initial(struct vlapic *l, u32 value, u64 now);
void vlapic_timer_write_divide(struct vlapic *l, u32 value, u64 now);
/* Sends the interrupt of an LVT entry unless it is masked. */
void vlapic_lvt_fire(struct vlapic *l, u32 lvt);
bool vlapic_enabled(const struct vlapic *l);

#endif

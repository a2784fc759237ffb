/* SPDX-License-Identifier: GPL-2.0-only */
/* modes.h - the attacks, one function each; what each does stands above it. Most never return. */
#ifndef HOSTILE_MODES_H
#define HOSTILE_MODES_H

#include "rt.h"

/* quiet.c */
void mode_idle(void);
void mode_quiet(void);
void mode_spin(void);
/* machine.c */
void mode_ports(void);
void mode_msrs(void);
void mode_cpuid(void);
void mode_apic(void);
void mode_regs(void);
/* code.c */
void mode_insns(void);
void mode_tables(void);
/* queues.c */
void mode_queues(void);
void mode_dma(void);
void mode_selfill(void);
/* floods.c */
void mode_timer(void);
void mode_uart(void);
void mode_reset(void);
void mode_disk(void);
void mode_overwrite(void);
void mode_memory(void);

#endif

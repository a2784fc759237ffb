/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * enter.h - offsets in struct vcpu_hw that enter.S uses; vmx/entry.c pins them.
 */
#ifndef VMX_ENTER_H
#define VMX_ENTER_H

#define VCPU_GPR 0 /* gpr[n] is at 8n, in enum reg's order */
#define VCPU_HOST_RSP 160
#define VCPU_LAUNCHED 168

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit_inject.c - the exceptions that handlers answer with.
 */
#include "kernel/exit/exit.h"

#define VECTOR_UD 6
#define VECTOR_GP 13

enum verdict exit_gp(struct vcpu *v)
{
	backend->inject_exception(v->hw, VECTOR_GP, true, 0);
	return V_RETRY;
}

enum verdict exit_ud(struct vcpu *v)
{
	backend->inject_exception(v->hw, VECTOR_UD, false, 0);
	return V_RETRY;
}

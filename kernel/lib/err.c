/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * err.c - names of enum err for messages. No state.
 */
#include "kernel/lib/lib.h"

const char *err_str(int err)
{
	static const char *const names[] = {
		[-E_OK] = "no error",
		[-E_NOMEM] = "out of memory",
		[-E_INVAL] = "malformed",
		[-E_RANGE] = "out of range",
		[-E_IO] = "I/O error",
		[-E_AGAIN] = "not now",
		[-E_NOENT] = "not found",
		[-E_BUSY] = "in use",
		[-E_NOTSUP] = "not supported",
	};

	if (err > 0 || err <= -(int)ARRAY_SIZE(names))
		return "unknown error";
	return names[-err];
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aml.h - emits ACPI Machine Language into a buffer: the few constructs that our DSDT needs.
 * What does not fit sets `overflow` and is dropped. aml_end() closes what the matching begin opened.
 * Source: ACPI Specification 6.x, "ACPI Machine Language (AML) Specification", "Resource Data Types for
 * ACPI".
 */
#ifndef VDEV_AML_H
#define VDEV_AML_H

#include "kernel/lib/types.h"

struct aml {
	u8 *buf;
	u32 len, size;
	bool overflow;
};

void aml_integer(struct aml *a, u32 value);          /* a constant, in its shortest form */
/* Name (path, the object that follows); 4 letters, may begin with \ */
void aml_name(struct aml *a, const char *path);
void aml_name_integer(struct aml *a, const char *path, u32 value);
void aml_name_eisaid(struct aml *a, const char *path, const char *id); /* "PNP0A03" */

u32 aml_begin_scope(struct aml *a, const char *path);
u32 aml_begin_device(struct aml *a, const char *name);
u32 aml_begin_package(struct aml *a, u8 elements);
u32 aml_begin_resources(struct aml *a);              /* a Buffer that holds resource descriptors */
void aml_end(struct aml *a, u32 mark);
void aml_end_resources(struct aml *a, u32 mark);     /* with the end tag */

/* Resource descriptors. A window: this and all of it is handed on (bridges). */
void aml_io(struct aml *a, u16 first, u8 len);
void aml_irq(struct aml *a, u8 irq);                 /* edge, active high */
void aml_window_bus(struct aml *a, u16 first, u16 last);
void aml_window_io(struct aml *a, u16 first, u16 last);
void aml_window_memory(struct aml *a, u32 first, u32 last);

#endif

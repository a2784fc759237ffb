/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tracer.h - the operator's side of tracing: where the ring's memory comes from, and how records leave.
 *
 * Three ways out, none of which waits: over a serial port of its own, in pieces, from the main loop; as lines
 * of base64 on the console (`trace dump`), as fast as its wire takes them; or not at all, until the ring is
 * full. Called from the main loop and the console only.
 */
#ifndef KERNEL_TRACE_TRACER_H
#define KERNEL_TRACE_TRACER_H

#include "kernel/lib/types.h"
#include "kernel/trace/trace.h"

#define TRACER_MIN_BYTES (64 * KIB)
#define TRACER_MAX_BYTES (16 * MIB)
#define TRACER_DEFAULT_BYTES (1 * MIB)

enum tracer_state {
	TRACER_OFF,      /* no memory */
	TRACER_ON,
	TRACER_ENDING,   /* records no more; what it has goes out on its own */
	TRACER_STOPPED,  /* records no more; what it has waits for `trace dump` */
};

struct tracer_info {
	enum tracer_state state;
	u32 bytes;       /* of the ring */
	char line[24];   /* where records go by themselves, "" nowhere */
	bool dumping;
	u64 started_ns, sent_bytes;
	struct trace_stats stats;
};

/* The boot word trace=: where records go unless `trace on` says otherwise; "" or "none": nowhere. */
void tracer_init(const char *line);
/*
 * Starts. bytes 0: TRACER_DEFAULT_BYTES. line NULL: the boot word's; "none": nowhere. E_INVAL, E_NOMEM: one
 * line in why, nothing changed.
 */
int tracer_on(u64 bytes, const char *line, char *why, size_t size) MUST_CHECK;
/* Stops; memory is given back once all is out. A second time: drops what is left. E_INVAL: off already. */
int tracer_off(char *why, size_t size) MUST_CHECK;
/* All that is in the ring goes to the console, line by line. */
int tracer_dump(char *why, size_t size) MUST_CHECK;
void tracer_info(struct tracer_info *i);

/* A bounded piece of what waits; once a round of the main loop. */
void tracer_poll(u64 now_ns);

/* Upward ports: the wire, implemented beside the console's in kernel/main.c. E_BUSY: the console has that
 * port. */
int tracer_port_open(const char *spec) MUST_CHECK;
u32 tracer_port_room(void);  /* bytes that can be written without waiting */
void tracer_port_write(const u8 *bytes, u32 n);

#endif

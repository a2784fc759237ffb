/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * steadydisk.c - preloaded into QEMU by the benchmark: disk requests take emulated time, the same in each
 * run.
 *
 * Under -icount QEMU's clock counts instructions, and with sleep=off an idle machine's clock leaps to its
 * next timer. A disk request that waits for this machine's disk would let it leap over any number of them. So
 * this stands in for libaio (-drive aio=native): a request is done and completed by a timer of QEMU's virtual
 * clock, STEADYDISK_READ_NS or STEADYDISK_WRITE_NS after it was sent plus STEADYDISK_BYTE_PS for each byte:
 * side by side with others, or with STEADYDISK_ORDER=1 one after the other, as a disk that does one thing at
 * a time.
 *
 * Between a device's bottom half and the next, a FLUSH's for instance, the clock of an idle machine may leap
 * too: a timer that is always due soon makes such a leap short.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define EVENTS 4096
#define VIRTUAL_CLOCK 1 /* enum QEMUClockType, and ns for its scale */
#define PULSE_NS 20000  /* the longest leap */
#define TIMER_BYTES 256 /* struct QEMUTimer is smaller */

/* What QEMU's program exports: any module of its own needs them. */
extern int64_t qemu_clock_get_ns(int type) __attribute__((weak));
extern void timer_init_full(void *timer, void *group, int type, int scale, int attributes, void (*cb)(void *),
			    void *opaque) __attribute__((weak));
extern void timer_mod_ns(void *timer, int64_t when) __attribute__((weak));
extern void *qemu_get_aio_context(void) __attribute__((weak));
extern _Bool aio_poll(void *ctx, _Bool blocking) __attribute__((weak));

/* As the kernel maps it into a process (linux/fs/aio.c): QEMU reads completions there without a call. */
struct ring {
	unsigned id, nr, head, tail, magic, compat, incompat, header_length;
	struct io_event event[EVENTS];
};

struct request {
	struct ring *ring;
	struct iocb *iocb;
	struct request *next;
	char timer[TIMER_BYTES] __attribute__((aligned(16)));
};

struct timespec;
int io_setup(int n, struct ring **ctx);
int io_destroy(struct ring *ctx);
int io_submit(struct ring *ctx, long n, struct iocb **iocbs);
int io_getevents(struct ring *ctx, long min, long n, struct io_event *events, struct timespec *timeout);

static struct request *unused;
static char pulse_timer[TIMER_BYTES] __attribute__((aligned(16)));
static int64_t read_ns, write_ns, byte_ps, in_order, free_at;

static int64_t number(const char *name, int64_t otherwise)
{
	const char *s = getenv(name);

	return s ? atoll(s) : otherwise;
}

static void pulse(void *opaque)
{
	(void)opaque;
	timer_mod_ns(pulse_timer, qemu_clock_get_ns(VIRTUAL_CLOCK) + PULSE_NS);
}

int io_setup(int n, struct ring **ctx)
{
	struct ring *r = calloc(1, sizeof(*r));

	if (!r || !timer_mod_ns || !aio_poll || n >= EVENTS) {
		fprintf(stderr, "steadydisk: not in a QEMU that exports its symbols\n");
		free(r);
		return -ENOSYS;
	}
	read_ns = number("STEADYDISK_READ_NS", 80000);
	write_ns = number("STEADYDISK_WRITE_NS", 20000);
	byte_ps = number("STEADYDISK_BYTE_PS", 500);
	in_order = number("STEADYDISK_ORDER", 0);
	*r = (struct ring){ .nr = EVENTS, .header_length = offsetof(struct ring, event) };
	*ctx = r;
	timer_init_full(pulse_timer, NULL, VIRTUAL_CLOCK, 1, 0, pulse, NULL);
	pulse(NULL);
	return 0;
}

int io_destroy(struct ring *ctx)
{
	free(ctx);
	return 0;
}

static int is_write(const struct iocb *c)
{
	return c->aio_lio_opcode == IOCB_CMD_PWRITE || c->aio_lio_opcode == IOCB_CMD_PWRITEV;
}

static int is_vector(const struct iocb *c)
{
	return c->aio_lio_opcode == IOCB_CMD_PREADV || c->aio_lio_opcode == IOCB_CMD_PWRITEV;
}

static int64_t duration(const struct iocb *c)
{
	const struct iovec *v = (const struct iovec *)(uintptr_t)c->aio_buf;
	uint64_t bytes = is_vector(c) ? 0 : c->aio_nbytes;

	for (uint64_t i = 0; is_vector(c) && i < c->aio_nbytes; i++)
		bytes += v[i].iov_len;
	return (is_write(c) ? write_ns : read_ns) + (int64_t)bytes * byte_ps / 1000;
}

static ssize_t transfer(const struct iocb *c)
{
	struct iovec plain = { (void *)(uintptr_t)c->aio_buf, c->aio_nbytes };
	const struct iovec *v = is_vector(c) ? plain.iov_base : &plain;
	int n = is_vector(c) ? (int)c->aio_nbytes : 1;

	return is_write(c) ? pwritev((int)c->aio_fildes, v, n, c->aio_offset)
			   : preadv((int)c->aio_fildes, v, n, c->aio_offset);
}

/* When a request that is sent now is done. */
static int64_t end_of(const struct iocb *c)
{
	int64_t now = qemu_clock_get_ns(VIRTUAL_CLOCK);

	if (!in_order)
		return now + duration(c);
	free_at = (free_at > now ? free_at : now) + duration(c);
	return free_at;
}

/* The request's time has come. QEMU's own completion runs before the clock can leap again. */
static void complete(void *opaque)
{
	struct request *r = opaque;
	struct ring *ring = r->ring;
	struct iocb *c = r->iocb;
	ssize_t got = transfer(c);
	uint64_t one = 1;

	ring->event[ring->tail] = (struct io_event){ .data = c->aio_data, .obj = (uintptr_t)c,
						     .res = got < 0 ? -errno : got };
	__atomic_store_n(&ring->tail, (ring->tail + 1) % EVENTS, __ATOMIC_RELEASE);
	r->next = unused;
	unused = r;
	if (write((int)c->aio_resfd, &one, sizeof(one)) != sizeof(one))
		abort();
	while (aio_poll(qemu_get_aio_context(), 0))
		;
}

int io_submit(struct ring *ctx, long n, struct iocb **iocbs)
{
	for (long i = 0; i < n; i++) {
		struct request *r = unused ? unused : calloc(1, sizeof(*r));
		struct iocb *c = iocbs[i];

		if (!r || !(is_write(c) || c->aio_lio_opcode == IOCB_CMD_PREAD ||
			    c->aio_lio_opcode == IOCB_CMD_PREADV))
			return i ? (int)i : -EINVAL; /* QEMU asks whether it may: it may not */
		if (r == unused)
			unused = r->next;
		else
			timer_init_full(r->timer, NULL, VIRTUAL_CLOCK, 1, 0, complete, r);
		/* through this machine's page cache: how long that takes is no one's to see */
		fcntl((int)c->aio_fildes, F_SETFL, fcntl((int)c->aio_fildes, F_GETFL) & ~O_DIRECT);
		r->ring = ctx;
		r->iocb = c;
		timer_mod_ns(r->timer, end_of(c));
	}
	return (int)n;
}

/* libaio's way to ask the kernel; QEMU, which reads the ring, only means to probe by it. */
int io_getevents(struct ring *ctx, long min, long n, struct io_event *events, struct timespec *timeout)
{
	(void)ctx, (void)min, (void)n, (void)events, (void)timeout;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wireclock.c - preloaded into QEMU by the benchmark: when each line left the machine's serial port, in
 * emulated ns.
 *
 * QEMU hands what the port sends to a socket by sendmsg(), from the processor's own thread, so that the
 * virtual clock there tells when the guest sent it. Whole lines go to the file that WIRECLOCK names, the time
 * before each. A machine under this has one serial port and no other socket to send to.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define VIRTUAL_CLOCK 1 /* enum QEMUClockType */
#define LINE_BYTES 1024 /* what is longer is cut */

extern int64_t qemu_clock_get_ns(int type) __attribute__((weak));

static FILE *file;
static char line[LINE_BYTES];
static size_t length;

static void note(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '\n') {
			if (length < sizeof(line) && bytes[i] >= ' ')
				line[length++] = bytes[i];
			continue;
		}
		fprintf(file, "%" PRId64 " %.*s\n", qemu_clock_get_ns(VIRTUAL_CLOCK), (int)length, line);
		fflush(file);
		length = 0;
	}
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	static ssize_t (*real)(int, const struct msghdr *, int);
	ssize_t sent, left;

	if (!real)
		real = (ssize_t (*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
	/* QEMU would try again in its own time, which this machine's load decides, while the virtual clock
	 * goes on. */
	while ((sent = real(fd, m, flags)) < 0 && errno == EAGAIN)
		poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
	left = sent;
	if (!file && getenv("WIRECLOCK") && qemu_clock_get_ns)
		file = fopen(getenv("WIRECLOCK"), "w");
	for (size_t i = 0; file && left > 0 && i < m->msg_iovlen; i++) {
		size_t n = m->msg_iov[i].iov_len < (size_t)left ? m->msg_iov[i].iov_len : (size_t)left;

		note(m->msg_iov[i].iov_base, n);
		left -= (ssize_t)n;
	}
	return sent;
}

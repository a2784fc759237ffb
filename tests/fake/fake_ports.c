/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_ports.c - guest memory, disk and console for device models under test. Its functions are weak:
 * the simulation links the real ones beside it.
 */
#include "tests/fake/fake_ports.h"
#include "tests/fake/fake_arch.h"

#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))

struct fake_ports fake_ports;

struct vm *fake_ports_vm(void)
{
	return (struct vm *)&fake_ports;
}

void fake_ports_reset(void)
{
	memset(&fake_ports, 0, sizeof(fake_ports));
	list_init(&fake_ports.queue);
}

void fake_ports_fill(void)
{
	memset(fake_ports.evicted, 0, sizeof(fake_ports.evicted));
}

WEAK int guest_pin(struct vm *vm, gpa_t gpa, u32 len, bool write, void **out)
{
	u64 page = gpa.a / PAGE_SIZE;

	(void)vm;
	(void)write;
	if (!len || gpa.a % PAGE_SIZE + len > PAGE_SIZE)
		abort(); /* the caller's bug */
	if (page >= FAKE_PAGES)
		return E_RANGE;
	if (fake_ports.evicted[page]) {
		fake_ports.again++;
		return E_AGAIN;
	}
	if (fake_ports.max_pins && fake_ports.npins >= fake_ports.max_pins)
		return E_NOMEM;
	fake_ports.pins[page]++;
	fake_ports.npins++;
	*out = fake_ports.mem + gpa.a;
	return 0;
}

WEAK void guest_unpin(struct vm *vm, gpa_t gpa)
{
	u64 page = gpa.a / PAGE_SIZE;

	(void)vm;
	if (page >= FAKE_PAGES || !fake_ports.pins[page])
		abort();
	fake_ports.pins[page]--;
	fake_ports.npins--;
}

static int perform(struct guest_io *io)
{
	u8 *at = fake_ports.disk[io->disk] + io->sector * SECTOR_SIZE;
	u64 total = 0;

	if (fake_ports.io_error)
		return fake_ports.io_error;
	if (io->op == GUEST_IO_FLUSH) {
		fake_ports.flushed++;
		return 0;
	}
	if (io->sector + io->nsectors > FAKE_DISK_SECTORS)
		return E_RANGE;
	if (io->op == GUEST_IO_DISCARD || io->op == GUEST_IO_WRITE_ZEROES) {
		memset(at, 0, (size_t)io->nsectors * SECTOR_SIZE);
		return 0;
	}
	for (u32 i = 0; i < io->nsegs; i++) {
		struct guest_seg_io *s = &io->segs[i];

		if (!s->len)
			abort();
		total += s->len;
		if (s->gpa.a >= sizeof(fake_ports.mem) || s->len > sizeof(fake_ports.mem) - s->gpa.a)
			return E_RANGE;
	}
	if (total != (u64)io->nsectors * SECTOR_SIZE)
		abort();
	for (u32 i = 0; i < io->nsegs; i++) {
		struct guest_seg_io *s = &io->segs[i];

		if (io->op == GUEST_IO_READ)
			memcpy(fake_ports.mem + s->gpa.a, at, s->len);
		else
			memcpy(at, fake_ports.mem + s->gpa.a, s->len);
		at += s->len;
	}
	return 0;
}

WEAK void guest_io_submit(struct guest_io *io)
{
	if (io->disk >= FAKE_DISKS || io->nsegs > GUEST_IO_MAX_SEGS)
		abort();
	fake_ports.submitted++;
	fake_tsc += fake_ports.io_ticks;
	if (fake_ports.deferred)
		list_push_back(&fake_ports.queue, &io->link);
	else
		io->done(io, perform(io));
}

bool fake_ports_io(u32 n)
{
	list_for_each_safe(it, tmp, &fake_ports.queue) {
		struct guest_io *io = container_of(it, struct guest_io, link);

		if (n--)
			continue;
		list_remove(it);
		io->done(io, perform(io));
		return true;
	}
	return false;
}

WEAK void vdev_wake(struct vm *vm)
{
	(void)vm;
	fake_ports.wakes++;
}

WEAK void vdev_again(struct vm *vm)
{
	(void)vm;
	fake_ports.agains++;
}

WEAK void vdev_worked(struct vm *vm)
{
	(void)vm;
	fake_ports.worked++;
}

WEAK void vdev_uart_tx(struct vm *vm, u8 byte)
{
	(void)vm;
	if (fake_ports.nuart < sizeof(fake_ports.uart) - 1)
		fake_ports.uart[fake_ports.nuart++] = (char)byte;
}

WEAK void vdev_power(struct vm *vm, enum vdev_power what)
{
	(void)vm;
	if (what == VDEV_RESET)
		fake_ports.resets++;
	else
		fake_ports.powered_off++;
}

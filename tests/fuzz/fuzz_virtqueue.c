/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: vdev/vboard.c vdev/vlapic.c vdev/vlapic_timer.c vdev/vioapic.c vdev/vpic.c vdev/vpit.c vdev/vrtc.c vdev/vpm.c vdev/vuart.c vdev/vpci.c vdev/vblk.c vdev/vblk_req.c vdev/vqueue.c vdev/vdma.c vdev/vacpi.c vdev/aml.c tests/fake/fake_ports.c tests/fake/fake_arch.c kernel/lib/log.c kernel/lib/fmt.c */
/*
 * fuzz_virtqueue - a hostile virtio driver: the input is a program of guest writes, register accesses,
 * evictions, completions and resets. Nothing may crash, leak a pin, or touch memory outside the guest's.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/lib/lib.h"
#include "tests/fake/fake_arch.h"
#include "tests/fake/fake_ports.h"
#include "vdev/board.h"

#define DESC 0x1000u
#define AVAIL 0x2ffeu
#define USED 0x4ff0u
#define BUFFERS 0x6000u /* to 8000h */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct program { const u8 *p; size_t n; };

static u32 next(struct program *g, u32 bytes)
{
	u32 v = 0;

	for (u32 i = 0; i < bytes && g->n; i++, g->n--)
		v |= (u32)*g->p++ << 8 * i;
	return v;
}

static void out(struct vboard *b, u32 off, u8 size, u32 v)
{
	vboard_out(b, (u16)(VPCI_BAR_FIRST + off), size, v);
}

/* A well-behaved start, so that inputs get somewhere; they may undo it. */
static void negotiate(struct vboard *b, u8 features)
{
	out(b, 0x14, 1, 0);
	out(b, 0x14, 1, 3);
	out(b, 0x08, 4, 0);
	out(b, 0x0c, 4, (u32)(features & 3) << 28); /* INDIRECT_DESC, EVENT_IDX */
	out(b, 0x08, 4, 1);
	out(b, 0x0c, 4, 1);
	out(b, 0x14, 1, 3 | 8);
	out(b, 0x18, 2, 8u << (features >> 2 & 3));
	out(b, 0x20, 4, DESC);
	out(b, 0x28, 4, AVAIL);
	out(b, 0x30, 4, USED);
	out(b, 0x1c, 2, 1);
	out(b, 0x14, 1, 3 | 8 | 4);
}

static void put(u32 gpa, u64 v, u32 n)
{
	memcpy(fake_ports.mem + gpa % (sizeof(fake_ports.mem) - 8), &v, n);
}

static void put_desc(struct program *g)
{
	u32 i = next(g, 1), flags = next(g, 1);
	u32 base = flags & 0x80 ? BUFFERS + (i & 31) * 16 : DESC + (i & 63) * 16;
	u64 addr = BUFFERS + next(g, 2) % 0x2000;

	if (flags & 0x40) /* anywhere at all */
		addr = (u64)next(g, 4) << (flags & 0x20 ? 32 : 0) | addr;
	put(base, addr, 8);
	put(base + 8, flags & 0x10 ? next(g, 4) : next(g, 1) * (flags & 0x08 ? 16u : 1u), 4);
	put(base + 12, flags & 7, 2);
	put(base + 14, next(g, 1), 2);
}

static void offer(struct program *g, struct vboard *b, bool kick)
{
	u16 idx, size = b->disk[0].queue.size;

	memcpy(&idx, fake_ports.mem + AVAIL + 2, 2);
	put(AVAIL + 4 + 2u * (idx & (size - 1u)), next(g, 1) & 0x7f, 2);
	put(AVAIL + 2, idx + 1u, 2);
	if (kick)
		out(b, VBLK_NOTIFY, 2, 0);
}

static void step(struct program *g, struct vboard *b)
{
	u32 a;

	switch (next(g, 1) % 16) {
	case 0: case 1: put_desc(g); break;
	case 2: case 3: offer(g, b, true); break;
	case 4: offer(g, b, false); break;
	case 5: a = next(g, 2); put(a, next(g, 4), 4); break;
	case 6: a = next(g, 1); out(b, a & 0xff, 1 << (a & 1), next(g, 2)); break;
	case 7: a = next(g, 1); out(b, a & 0xfc, 4, next(g, 4)); break;
	case 8: a = next(g, 1); vboard_in(b, (u16)(VPCI_BAR_FIRST + a), 1); break;
	case 9: fake_ports.evicted[next(g, 1) % 16] = true; break;
	case 10: fake_ports_fill(); vboard_retry(b); break;
	case 11: fake_ports_io(next(g, 1) % 4); break;
	case 12: /* a request header where a descriptor may point */
		a = BUFFERS + next(g, 1) * 16;
		put(a, next(g, 1) % 15, 8);
		put(a + 8, next(g, 2), 8);
		break;
	case 13: a = next(g, 1); fake_ports.deferred = a & 1; fake_ports.io_error = a & 2 ? E_IO : 0; break;
	case 14: fake_ports.max_pins = next(g, 1) % 16; break;
	default: negotiate(b, (u8)next(g, 1)); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static u32 apic_page[1024];
	static struct vboard *b;
	struct program g = { data, size };
	struct vboard_config c = {
		.vm = fake_ports_vm(), .ram = MIB, .tsc_hz = FAKE_TSC_HZ, .apic_page = apic_page, .ndisks = 1
	};

	c.disk[0].sectors = FAKE_DISK_SECTORS;
	if (!b)
		b = malloc(vboard_size());
	memset(b, 0, vboard_size());
	fake_ports_reset();
	if (vboard_init(b, &c))
		abort();
	negotiate(b, (u8)next(&g, 1));
	while (g.n)
		step(&g, b);
	fake_ports_fill();
	fake_ports.max_pins = 0;
	out(b, 0x14, 1, 0);
	while (fake_ports_io(0))
		;
	if (vboard_in(b, VPCI_BAR_FIRST + 0x14, 1) != 0 || fake_ports.npins || b->disk[0].inflight)
		abort();
	vboard_reset(b);
	return 0;
}

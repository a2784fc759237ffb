/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: vdev/vboard.c vdev/vlapic.c vdev/vlapic_timer.c vdev/vioapic.c vdev/vpic.c vdev/vpit.c vdev/vrtc.c vdev/vpm.c vdev/vuart.c vdev/vpci.c vdev/vblk.c vdev/vblk_req.c vdev/vqueue.c vdev/vdma.c vdev/vacpi.c vdev/aml.c tests/fake/fake_ports.c tests/fake/fake_arch.c kernel/lib/log.c kernel/lib/fmt.c */
/* test_vblk - a tiny driver: negotiation, requests, batches, waiting for pages, resets, and every way to
 * break a queue. */
#include "tests/unit/board_env.h"

#define BAR VPCI_BAR_FIRST
#define DESC 0x1000u
#define AVAIL 0x2ffeu         /* crosses a page */
#define USED 0x4ff0u          /* crosses a page */
#define HEADER 0x6000u
#define STATUS 0x7000u
#define DATA 0x8000u
#define TABLE 0xaff8u         /* a descriptor of it crosses a page */
#define N 64u

#define NEXT 1u
#define WRITE 2u
#define INDIRECT 4u
#define EVENT_IDX (1ull << 29)
#define INDIRECT_DESC (1ull << 28)
#define VERSION_1 (1ull << 32)

static struct vboard *b;
static u16 avail_idx;

static u8 *mem(u64 gpa) { return fake_ports.mem + gpa; }
static u32 bar_in(u32 off, u8 size) { return vboard_in(b, (u16)(BAR + off), size); }
static void bar_out(u32 off, u8 size, u32 v) { vboard_out(b, (u16)(BAR + off), size, v); }

static void put16(u64 gpa, u16 v) { memcpy(mem(gpa), &v, 2); }
static u16 get16(u64 gpa) { u16 v; memcpy(&v, mem(gpa), 2); return v; }

static void desc_at(u64 gpa, u64 addr, u32 len, u16 flags, u16 next)
{
	memcpy(mem(gpa), &addr, 8);
	memcpy(mem(gpa + 8), &len, 4);
	put16(gpa + 12, flags);
	put16(gpa + 14, next);
}

static void desc(u32 i, u64 addr, u32 len, u16 flags, u16 next)
{
	desc_at(DESC + i * 16, addr, len, flags, next);
}

static void offer(u16 head)
{
	put16(AVAIL + 4 + 2 * (avail_idx % N), head);
	put16(AVAIL + 2, ++avail_idx);
}

static void kick(u16 head)
{
	offer(head);
	bar_out(VBLK_NOTIFY, 2, 0);
}

static void header(u64 gpa, u32 type, u64 sector)
{
	u32 h[4] = { type, 0, (u32)sector, (u32)(sector >> 32) };

	memcpy(mem(gpa), h, 16);
}

static bool negotiate(u64 features)
{
	bar_out(0x14, 1, 0);
	bar_out(0x14, 1, 1);
	bar_out(0x14, 1, 3);
	for (u32 i = 0; i < 2; i++) {
		bar_out(0x08, 4, i);
		bar_out(0x0c, 4, (u32)(features >> 32 * i));
	}
	bar_out(0x14, 1, 3 | 8);
	return bar_in(0x14, 1) & 8;
}

static void start(u64 features)
{
	avail_idx = 0;
	memset(mem(AVAIL), 0, 512);
	memset(mem(USED), 0, 1024);
	assert_true(negotiate(features));
	bar_out(0x16, 2, 0);
	assert_int_equal(bar_in(0x18, 2), N);
	bar_out(0x20, 4, DESC);
	bar_out(0x28, 4, AVAIL);
	bar_out(0x30, 4, USED);
	bar_out(0x1c, 2, 1);
	assert_int_equal(bar_in(0x1c, 2), 1);
	bar_out(0x14, 1, 3 | 8 | 4);
}

static void begin(u64 features)
{
	b = board_new(2);
	board_ioapic(b, 16, 0x61 | BIT64(15));
	start(features);
}

static void end(void)
{
	while (fake_ports_io(0))
		;
	vboard_reset(b);
	assert_int_equal(fake_ports.npins, 0);
	free(b);
}

/* header, data, status */
static void request(u32 type, u64 sector, u32 bytes)
{
	header(HEADER, type, sector);
	*mem(STATUS) = 0xee;
	desc(0, HEADER, 16, NEXT, 1);
	desc(1, DATA, bytes, type == 0 || type == 8 ? NEXT | WRITE : NEXT, 2);
	desc(2, STATUS, 1, WRITE, 0);
}

static u16 used_idx(void) { return get16(USED + 2); }

static void take_interrupt(u8 isr)
{
	board_take(b, 0x61);
	assert_int_equal(bar_in(VBLK_ISR, 1), isr);
	vboard_apic_write(b, VLAPIC_EOI, 0);
	assert_int_equal(vboard_irq_pending(b), -1);
}

static void test_negotiation(void **state)
{
	u64 f;

	(void)state;
	b = board_new(2);
	bar_out(0, 4, 0);
	f = bar_in(4, 4);
	bar_out(0, 4, 1);
	f |= (u64)bar_in(4, 4) << 32;
	assert_true(f & VERSION_1);
	assert_true(f & (1u << 13));
	assert_false(f & (1u << 5));
	assert_true(vboard_in(b, BAR + 0x104, 4) & (1u << 5)); /* the second disk is read-only */
	assert_false(vboard_in(b, BAR + 0x104, 4) & (1u << 13));
	assert_false(negotiate(0)); /* no legacy */
	assert_false(negotiate(VERSION_1 | 1u << 12)); /* not offered */
	assert_true(negotiate(f));
	bar_out(0x08, 4, 0);
	bar_out(0x0c, 4, 0); /* too late */
	assert_int_equal(bar_in(0x0c, 4), (u32)f);
	bar_out(0x16, 2, 1); /* no second queue */
	assert_int_equal(bar_in(0x18, 2), 0);
	bar_out(0x16, 2, 0);
	bar_out(0x18, 2, 65);
	bar_out(0x18, 2, 128);
	bar_out(0x18, 2, 0);
	assert_int_equal(bar_in(0x18, 2), 64);
	bar_out(0x18, 2, 16);
	assert_int_equal(bar_in(0x18, 2), 16);
	assert_int_equal(bar_in(0x80, 4), FAKE_DISK_SECTORS);
	assert_int_equal(bar_in(0x80 + 12, 4), 62);
	assert_int_equal(bar_in(0x80 + 20, 4), 512);
	assert_int_equal(bar_in(0x80 + 24, 1), 3);
	assert_int_equal(bar_in(0x80 + 0x38, 1), 1);
	bar_out(0x14, 1, 0);
	assert_int_equal(bar_in(0x14, 1), 0);
	end();
}

static void test_read_write(void **state)
{
	(void)state;
	begin(VERSION_1);
	for (u32 i = 0; i < 4096; i++)
		mem(DATA)[i] = (u8)(i * 7);
	request(1, 8, 4096);
	kick(0);
	assert_int_equal(*mem(STATUS), 0);
	assert_int_equal(used_idx(), 1);
	take_interrupt(1);
	assert_memory_equal(fake_ports.disk[0] + 4096, mem(DATA), 4096);
	memset(mem(DATA), 0, 4096);
	request(0, 8, 4096);
	kick(0);
	assert_int_equal(*mem(STATUS), 0);
	assert_memory_equal(fake_ports.disk[0] + 4096, mem(DATA), 4096);
	assert_int_equal(get16(USED + 4 + 8 + 4), 4097);
	take_interrupt(1);
	/* Errors of the driver's making cost it the request, not the queue. */
	request(0, FAKE_DISK_SECTORS, 512);
	kick(0);
	assert_int_equal(*mem(STATUS), 1);
	request(0, ~0ull, 512);
	kick(0);
	assert_int_equal(*mem(STATUS), 1);
	request(0, 0, 513);
	kick(0);
	assert_int_equal(*mem(STATUS), 1);
	request(0, 0, 0);
	kick(0);
	assert_int_equal(*mem(STATUS), 0);
	request(77, 0, 512);
	kick(0);
	assert_int_equal(*mem(STATUS), 2);
	fake_ports.io_error = E_IO;
	request(0, 0, 512);
	kick(0);
	assert_int_equal(*mem(STATUS), 1);
	fake_ports.io_error = 0;
	header(HEADER, 0, 0); /* data outside memory: the pager says no */
	desc(1, FAKE_PAGES * PAGE_SIZE, 512, NEXT | WRITE, 2);
	kick(0);
	assert_int_equal(*mem(STATUS), 1);
	assert_int_equal(used_idx(), 9);
	assert_int_equal(bar_in(0x14, 1), 0xf);
	end();
}

static void test_flush_id_discard(void **state)
{
	u32 range[4] = { 8, 0, 8, 0 };

	(void)state;
	begin(VERSION_1);
	header(HEADER, 4, 0);
	desc(0, HEADER, 16, NEXT, 1);
	desc(1, STATUS, 1, WRITE, 0);
	kick(0);
	assert_int_equal(fake_ports.flushed, 1);
	assert_int_equal(*mem(STATUS), 0);
	request(8, 0, 20);
	kick(0);
	assert_memory_equal(mem(DATA), "serial-number-of-20b", 20);
	memset(fake_ports.disk[0], 0xaa, 8192);
	memcpy(mem(DATA), range, 16);
	request(11, 0, 16);
	kick(0);
	assert_int_equal(*mem(STATUS), 0);
	assert_int_equal(fake_ports.disk[0][4096], 0);
	assert_int_equal(fake_ports.disk[0][4095], 0xaa);
	range[3] = 1;
	memcpy(mem(DATA), range, 16);
	kick(0);
	assert_int_equal(*mem(STATUS), 2); /* DISCARD has no flags */
	request(13, 0, 16);
	kick(0);
	assert_int_equal(*mem(STATUS), 0); /* WRITE ZEROES has unmap */
	request(13, 0, 32);
	kick(0);
	assert_int_equal(*mem(STATUS), 2); /* one range only */
	range[0] = FAKE_DISK_SECTORS - 1;
	range[3] = 0;
	memcpy(mem(DATA), range, 16);
	request(11, 0, 16);
	kick(0);
	assert_int_equal(*mem(STATUS), 1);
	end();
}

/* Any framing: header and status split and merged with data, empty buffers in between. */
static void test_framing(void **state)
{
	(void)state;
	begin(VERSION_1 | INDIRECT_DESC);
	header(HEADER, 1, 4);
	memset(mem(HEADER + 16), 0x5c, 1024);
	desc(0, HEADER, 3, NEXT, 9);
	desc(9, 0, 0, NEXT, 5);
	desc(5, HEADER + 3, 13 + 100, NEXT, 6);
	desc(6, HEADER + 16 + 100, 924, NEXT, 7);
	desc(7, STATUS, 1, WRITE, 0);
	kick(0);
	assert_int_equal(*mem(STATUS), 0);
	assert_int_equal(fake_ports.disk[0][2048 + 1023], 0x5c);
	header(HEADER, 0, 4); /* status in the last byte of the data buffer */
	desc(0, HEADER, 16, NEXT, 1);
	desc(1, DATA, 1000, NEXT | WRITE, 2);
	desc(2, DATA + 1000, 25, WRITE, 0);
	kick(0);
	assert_int_equal(*mem(DATA + 1024), 0);
	assert_int_equal(*mem(DATA + 1023), 0x5c);
	/* The same through an indirect table that crosses a page. */
	memset(mem(DATA), 0, 1024);
	*mem(STATUS) = 0xee;
	desc_at(TABLE, HEADER, 16, NEXT, 2);
	desc_at(TABLE + 32, DATA, 1024, NEXT | WRITE, 1);
	desc_at(TABLE + 16, STATUS, 1, WRITE, 0);
	desc(3, TABLE, 48, INDIRECT, 0);
	kick(3);
	assert_int_equal(*mem(STATUS), 0);
	assert_int_equal(*mem(DATA + 1023), 0x5c);
	end();
}

/* Pages that are on disk: the try leaves nothing pinned and is repeated. */
static void test_waits_for_pages(void **state)
{
	static const u32 pages[] = { DESC,   AVAIL,  AVAIL + 2, USED,      USED + 16,
				     HEADER, STATUS, TABLE,     TABLE + 8, DATA };
	u32 again;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++) {
		begin(VERSION_1 | INDIRECT_DESC);
		bar_out(0x14, 1, 0);
		for (u32 p = 0; p <= i; p++)
			fake_ports.evicted[pages[p] / PAGE_SIZE] = true;
		start(VERSION_1 | INDIRECT_DESC);
		header(HEADER, 8, 0);
		*mem(STATUS) = 0xee;
		desc_at(TABLE, HEADER, 16, NEXT, 1);
		desc_at(TABLE + 16, DATA, 20, NEXT | WRITE, 2);
		desc_at(TABLE + 32, STATUS, 1, WRITE, 0);
		desc(3, TABLE, 48, INDIRECT, 0);
		kick(3);
		assert_int_equal(used_idx(), 0);
		for (u32 p = 0; p <= i; p++) { /* one page at a time */
			again = fake_ports.again;
			assert_int_equal(*mem(STATUS), 0xee);
			vboard_retry(b);
			assert_int_equal(fake_ports.again, again + 1);
			fake_ports.evicted[pages[p] / PAGE_SIZE] = false;
		}
		vboard_retry(b);
		assert_int_equal(*mem(STATUS), 0);
		assert_int_equal(used_idx(), 1);
		assert_int_equal(fake_ports.npins, 5); /* the rings */
		end();
	}
}

static void test_bound_of_pins(void **state)
{
	(void)state;
	begin(VERSION_1);
	fake_ports.deferred = true;
	fake_ports.max_pins = 6; /* rings, and one more */
	request(0, 0, 512);
	for (u32 i = 0; i < 5; i++)
		offer(0);
	bar_out(VBLK_NOTIFY, 2, 0);
	assert_int_equal(fake_ports.submitted, 1); /* not even the second header can be read */
	for (u32 i = 0; i < 5; i++) {
		u32 agains = fake_ports.agains;

		assert_true(fake_ports_io(0));
		/* a completion takes no request off the queue, */
		assert_int_equal(fake_ports.submitted, i + 1);
		/* it asks for a turn if there are more */
		assert_int_equal(fake_ports.agains, agains + (i < 4));
		vboard_retry(b);
	}
	assert_int_equal(used_idx(), 5);
	end();
}

static void test_out_of_order_and_slots(void **state)
{
	(void)state;
	begin(VERSION_1 | EVENT_IDX);
	fake_ports.deferred = true;
	header(HEADER, 0, 0);
	for (u16 i = 0; i < 21; i++) {
		desc(i * 3u, HEADER, 16, NEXT, i * 3 + 1);
		desc(i * 3u + 1, DATA, 512, NEXT | WRITE, i * 3 + 2);
		desc(i * 3u + 2, STATUS + i, 1, WRITE, 0);
		offer(i * 3);
	}
	put16(AVAIL + 4 + 2 * N, 1); /* used_event: interrupt when the second is done */
	bar_out(VBLK_NOTIFY, 2, 0);
	assert_int_equal(fake_ports.submitted, VBLK_SLOTS);
	assert_true(fake_ports_io(3));
	assert_int_equal(get16(USED + 4), 9); /* the fourth came first */
	assert_int_equal(vboard_irq_pending(b), -1);
	assert_int_equal(fake_ports.submitted, VBLK_SLOTS);
	vboard_retry(b);
	assert_int_equal(fake_ports.submitted, VBLK_SLOTS + 1);
	assert_true(fake_ports_io(0));
	take_interrupt(1);
	while (fake_ports_io(0))
		vboard_retry(b);
	assert_int_equal(used_idx(), 21);
	/* and none while the queue is empty: the driver will say */
	assert_int_equal(fake_ports.agains, 1 + 5);
	assert_int_equal(get16(USED + 4 + 8 * N), 21); /* avail_event: tell us about the next */
	assert_int_equal(vboard_irq_pending(b), -1);
	end();
	begin(VERSION_1);
	put16(AVAIL, 1); /* no interrupts, please */
	request(0, 0, 512);
	kick(0);
	assert_int_equal(used_idx(), 1);
	assert_int_equal(vboard_irq_pending(b), -1);
	end();
}

static void test_reset_in_flight(void **state)
{
	(void)state;
	begin(VERSION_1);
	fake_ports.deferred = true;
	request(0, 0, 512);
	offer(0);
	kick(0);
	assert_int_equal(fake_ports.submitted, 2);
	bar_out(0x14, 1, 0);
	assert_int_not_equal(bar_in(0x14, 1), 0); /* not yet */
	bar_out(0x14, 1, 1);
	memset(mem(USED), 0, 1024);
	kick(0);
	assert_int_equal(fake_ports.submitted, 2);
	assert_true(fake_ports_io(1));
	assert_int_not_equal(bar_in(0x14, 1), 0);
	assert_true(fake_ports_io(0));
	assert_int_equal(bar_in(0x14, 1), 0);
	assert_int_equal(used_idx(), 0); /* the rings were not touched */
	assert_int_equal(fake_ports.npins, 0);
	assert_int_equal(vboard_irq_pending(b), -1);
	fake_ports.deferred = false;
	start(VERSION_1); /* and it works again */
	request(0, 0, 512);
	kick(0);
	assert_int_equal(used_idx(), 1);
	end();
}

/* Everything that breaks a queue: NEEDS_RESET, a configuration interrupt, nothing more; a reset
 * repairs it. */
static void expect_broken(u16 head)
{
	kick(head);
	assert_int_equal(bar_in(0x14, 1) & 0x40, 0x40);
	take_interrupt(2);
	request(0, 0, 512);
	kick(0);
	assert_int_equal(used_idx(), 0);
	start(VERSION_1 | INDIRECT_DESC);
	request(0, 0, 512);
	kick(0);
	assert_int_equal(used_idx(), 1);
	bar_in(VBLK_ISR, 1);
	start(VERSION_1 | INDIRECT_DESC);
	request(0, 0, 512);
}

static void test_broken_queues(void **state)
{
	(void)state;
	begin(VERSION_1 | INDIRECT_DESC);
	request(0, 0, 512);
	expect_broken(64);                              /* head out of range */
	desc(1, DATA, 512, NEXT | WRITE, 64);
	expect_broken(0);                               /* next out of range */
	desc(1, DATA, 0, NEXT | WRITE, 0);
	expect_broken(0);                               /* a loop */
	desc(0, HEADER, 16, NEXT | WRITE, 1);
	desc(1, DATA, 512, NEXT, 2);
	expect_broken(0);                               /* readable after writable */
	desc(0, HEADER, 15, NEXT, 1);
	expect_broken(0);                               /* header too short */
	desc(2, STATUS, 1, 0, 0);
	desc(1, DATA, 512, NEXT, 2);
	expect_broken(0);                               /* no status */
	desc(2, STATUS, 0, WRITE, 0);
	desc(1, DATA, 512, NEXT, 2);
	expect_broken(0);                               /* an empty status */
	desc(2, FAKE_PAGES * PAGE_SIZE, 1, WRITE, 0);
	expect_broken(0);                               /* status outside memory */
	desc(0, ~15ull, 16, NEXT, 1);
	expect_broken(0);                               /* wraps around */
	desc(0, ~31ull, 16, NEXT, 1);
	expect_broken(0);                               /* header outside memory */
	desc(0, TABLE, 48, INDIRECT | NEXT, 1);
	expect_broken(0);                               /* indirect with next */
	desc(0, TABLE, 40, INDIRECT, 0);
	expect_broken(0);                               /* crooked table */
	desc(0, TABLE, 0, INDIRECT, 0);
	expect_broken(0);
	desc_at(TABLE, HEADER, 16, NEXT, 3);
	desc(0, TABLE, 48, INDIRECT, 0);
	expect_broken(0);                               /* next outside the table */
	desc_at(TABLE, HEADER, 16, INDIRECT, 3);
	desc(0, TABLE, 48, INDIRECT, 0);
	expect_broken(0);                               /* indirect inside indirect */
	desc_at(TABLE, HEADER, 0, NEXT, 0);
	desc(0, TABLE, 48, INDIRECT, 0);
	expect_broken(0);                               /* a loop in the table */
	desc(0, FAKE_PAGES * PAGE_SIZE, 48, INDIRECT, 0);
	expect_broken(0);                               /* table outside memory */
	avail_idx += 64;
	expect_broken(0);                               /* available index jumps */
	end();
	begin(VERSION_1);
	desc(0, TABLE, 48, INDIRECT, 0);
	expect_broken(0);                               /* indirect was not negotiated */
	end();
}

static void test_bad_areas(void **state)
{
	static const u32 areas[][3] = { { DESC + 8, AVAIL, USED },
					{ DESC, AVAIL + 1, USED },
					{ DESC, AVAIL, USED + 2 },
					{ 0x40000000, AVAIL, USED },
					{ DESC, AVAIL, FAKE_PAGES * PAGE_SIZE - 64 } };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(areas); i++) {
		b = board_new(1);
		assert_true(negotiate(VERSION_1));
		bar_out(0x20, 4, areas[i][0]);
		bar_out(0x28, 4, areas[i][1]);
		bar_out(0x30, 4, areas[i][2]);
		bar_out(0x34, 4, i == 0 ? 0xffffffff : 0);
		bar_out(0x1c, 2, 1);
		bar_out(0x14, 1, 0xf);
		bar_out(VBLK_NOTIFY, 2, 0);
		assert_int_equal(bar_in(0x14, 1), 0x4f);
		assert_int_equal(fake_ports.npins, 0);
		end();
	}
}

static void test_read_only(void **state)
{
	(void)state;
	begin(VERSION_1);
	b->disk[0].read_only = true; /* the same queue, a disk that must not be written */
	request(1, 0, 512);
	kick(0);
	assert_int_equal(*mem(STATUS), 1);
	request(11, 0, 16);
	kick(0);
	assert_int_equal(*mem(STATUS), 1);
	assert_int_equal(fake_ports.submitted, 0);
	end();
}

/* However many requests the ring seems to hold, a few at a time: the main loop asks for the rest. */
/* A go ends in time, and nothing is left behind, whether requests end at once or later. */
static void test_goes_end(void **state)
{
	(void)state;
	for (u32 later = 0; later < 2; later++) {
		u64 longest = 0, taken = 0;

		begin(VERSION_1);
		fake_ports.deferred = later;
		request(4, 0, 16); /* FLUSH */
		for (u32 i = 0; i < N; i++)
			offer(0);
		fake_ports.agains = 0;
		fake_ports.io_ticks = 15000;
		for (u32 goes = 0; used_idx() < N; goes++) {
			u64 from = fake_tsc;

			assert_true(goes < 100);
			if (goes)
				vboard_retry(b);
			else
				bar_out(VBLK_NOTIFY, 2, 0);
			taken = (fake_tsc - from) / 15000;
			longest = MAX(longest, taken);
			while (later && fake_ports_io(0))
				;
		}
		assert_int_equal(longest, 4);
		assert_true(fake_ports.agains > 0);
		end();
	}
}

/* The disks of a guest have one time together in a go. */
static void test_disks_share_a_go(void **state)
{
	(void)state;
	begin(VERSION_1);
	request(4, 0, 16);
	offer(0);
	b->go_since = fake_tsc;
	fake_tsc += arch_ns_to_tsc(VBLK_GO_NS) + 1; /* another disk used it up */
	vblk_process(&b->disk[0]);
	assert_int_equal(fake_ports.submitted, 0);
	assert_int_equal(fake_ports.agains, 1);
	vboard_retry(b);
	assert_int_equal(used_idx(), 1);
	assert_int_equal(b->go_since, 0);
	end();
}

static void test_batches(void **state)
{
	(void)state;
	begin(VERSION_1);
	request(99, 0, 16); /* of no known type: done at once */
	fake_ports.agains = 0;
	for (u32 i = 0; i < N; i++)
		offer(0);
	bar_out(VBLK_NOTIFY, 2, 0);
	assert_int_equal(used_idx(), VBLK_BATCH);
	assert_int_equal(fake_ports.agains, 1);
	vboard_retry(b);
	assert_int_equal(used_idx(), N);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_negotiation),
		cmocka_unit_test(test_read_write),
		cmocka_unit_test(test_flush_id_discard),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_waits_for_pages),
		cmocka_unit_test(test_bound_of_pins),
		cmocka_unit_test(test_out_of_order_and_slots),
		cmocka_unit_test(test_reset_in_flight),
		cmocka_unit_test(test_broken_queues),
		cmocka_unit_test(test_bad_areas),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_goes_end),
		cmocka_unit_test(test_disks_share_a_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

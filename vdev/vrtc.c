/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vrtc.c - the guest's real-time clock.
 */
#include "vdev/vrtc.h"

#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "vdev/board.h"

#define FIRST_DAY 1767225600ll /* 2026-01-01 00:00:00 UTC */

enum { SECONDS, MINUTES = 2, HOURS = 4, WEEKDAY = 6, DAY, MONTH, YEAR };
#define REG_A 0x0a
#define REG_B 0x0b
#define REG_C 0x0c
#define REG_D 0x0d
#define CENTURY 0x32
#define A_UIP 0x80
#define A_VALUE 0x26 /* 32768 Hz, 1024 Hz rate */
#define B_SET 0x80
#define B_24H 0x02
#define D_VALID 0x80

static u8 bcd(u32 v)
{
	return (u8)(v / 10 % 10 << 4 | v % 10);
}

static u32 unbcd(u8 v)
{
	return (v >> 4) * 10u + (v & 15u);
}

/* Days since 1970-01-01 of a proleptic Gregorian date, and back: years begin in March. */
static s64 days_of(s64 y, u32 m, u32 d)
{
	y -= m <= 2;
	return y * 365 + y / 4 - y / 100 + y / 400 + ((m + 9) % 12 * 153 + 2) / 5 + d - 1 - 719468;
}

static void date_of(s64 days, u32 *y, u32 *m, u32 *d)
{
	s64 z = days + 719468, year = z * 400 / 146097 + 1, in_year;
	u32 mp;

	do {
		year--;
		in_year = z - (year * 365 + year / 4 - year / 100 + year / 400);
	} while (in_year < 0);
	mp = (u32)(in_year * 5 + 2) / 153;
	*d = (u32)in_year - (mp * 153 + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = (u32)(year + (*m <= 2));
}

void vrtc_init(struct vrtc *r, u64 tsc_hz, u64 ram_bytes, u64 now)
{
	u64 above1m = ram_bytes > MIB ? (ram_bytes - MIB) / KIB : 0;
	u64 above16m = ram_bytes > 16 * MIB ? (ram_bytes - 16 * MIB) / (64 * KIB) : 0;

	r->tsc_hz = tsc_hz;
	r->start = now;
	r->epoch = FIRST_DAY;
	memset(r->ram, 0, sizeof(r->ram));
	above1m = MIN(above1m, 0xfc00ull);
	above16m = MIN(above16m, 0xffffull);
	r->ram[0x15] = 640 & 0xff;
	r->ram[0x16] = 640 >> 8;
	r->ram[0x17] = r->ram[0x30] = (u8)above1m;
	r->ram[0x18] = r->ram[0x31] = (u8)(above1m >> 8);
	r->ram[0x34] = (u8)above16m;
	r->ram[0x35] = (u8)(above16m >> 8);
	vrtc_reset(r);
}

void vrtc_reset(struct vrtc *r)
{
	r->index = 0;
	r->set = false;
	r->ram[REG_B] = B_24H;
}

/* Fills fields[] (and the century) from the clock. */
static void read_clock(struct vrtc *r, u64 now)
{
	s64 t = r->epoch + (s64)((now - r->start) / r->tsc_hz);
	s64 days = t / 86400;
	u32 sec = (u32)(t % 86400), y, m, d;

	date_of(days, &y, &m, &d);
	r->fields[SECONDS] = bcd(sec % 60);
	r->fields[MINUTES] = bcd(sec / 60 % 60);
	r->fields[HOURS] = bcd(sec / 3600);
	r->fields[WEEKDAY] = bcd((u32)((days + 4) % 7) + 1);
	r->fields[DAY] = bcd(d);
	r->fields[MONTH] = bcd(m);
	r->fields[YEAR] = bcd(y % 100);
	r->ram[CENTURY] = bcd(y / 100);
}

/* Nonsense in the fields gives some time in range, no worse. */
static void write_clock(struct vrtc *r, u64 now)
{
	u32 m = unbcd(r->fields[MONTH]), century = unbcd(r->ram[CENTURY]);
	s64 y = (s64)MAX(century, 19u) * 100 + unbcd(r->fields[YEAR]);
	s64 days;

	m = m < 1 ? 1 : MIN(m, 12u);
	days = MAX(days_of(y, m, MAX(unbcd(r->fields[DAY]), 1u)), 0);
	r->epoch = days * 86400 + unbcd(r->fields[HOURS] & 0x7f) * 3600 + unbcd(r->fields[MINUTES]) * 60 +
		   unbcd(r->fields[SECONDS]);
	r->start = now;
}

static bool is_time(u8 index)
{
	return index == CENTURY || index == SECONDS || index == MINUTES || index == HOURS ||
	       (index >= WEEKDAY && index <= YEAR);
}

/* The update takes the last 244 us of each second. */
static u8 register_a(const struct vrtc *r, u64 now)
{
	u64 in_second = (now - r->start) % r->tsc_hz;

	return A_VALUE | (!r->set && r->tsc_hz - in_second < r->tsc_hz / 4096 ? A_UIP : 0);
}

u32 vrtc_in(struct vboard *b, u16 port, u8 size)
{
	struct vrtc *r = &b->rtc;
	u64 now = arch_tsc();

	(void)size;
	if (!(port & 1))
		return 0xff;
	if (is_time(r->index) && !r->set)
		read_clock(r, now);
	switch (r->index) {
	case REG_A:
		return register_a(r, now);
	case REG_C:
		return 0;
	case REG_D:
		return D_VALID;
	default:
		return is_time(r->index) && r->index != CENTURY ? r->fields[r->index] : r->ram[r->index];
	}
}

static void write_b(struct vrtc *r, u8 v, u64 now)
{
	bool set = v & B_SET;

	if (set && !r->set)
		read_clock(r, now);
	if (!set && r->set)
		write_clock(r, now);
	r->set = set;
	/* No interrupts, always BCD and 24 hours: what cannot be changed reads back unchanged. */
	r->ram[REG_B] = (v & B_SET) | B_24H;
}

void vrtc_out(struct vboard *b, u16 port, u8 size, u32 value)
{
	struct vrtc *r = &b->rtc;
	u64 now = arch_tsc();
	u8 v = (u8)value;

	(void)size;
	if (!(port & 1)) {
		r->index = v & 0x7f;
		return;
	}
	if (r->index == REG_B) {
		write_b(r, v, now);
	} else if (is_time(r->index)) {
		if (!r->set)
			read_clock(r, now);
		if (r->index == CENTURY)
			r->ram[CENTURY] = v;
		else
			r->fields[r->index] = v;
		if (!r->set)
			write_clock(r, now);
	} else if (r->index != REG_A && r->index != REG_C && r->index != REG_D) {
		r->ram[r->index] = v;
	}
}

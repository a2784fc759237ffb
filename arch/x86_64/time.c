/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * time.c - TSC frequency and conversions. Conversions multiply by a 32.32 fixed-point
 * factor in 128 bits: no overflow, relative error below 1e-7.
 * Sources: ACPI Specification 6.5, "Power Management Timer"; Intel, "8254 Programmable Interval Timer".
 */
#include "arch/x86_64/time.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/cpu.h"
#include "boot/boot_info.h"
#include "kernel/lib/lib.h"

#define PM_TIMER_HZ 3579545ull
#define PIT_HZ 1193182ull
#define NS_PER_S 1000000000ull
#define ROUNDS 3
#define ROUND_MS 20
#define READS_MAX 10000000u /* a timer that stands still does not hang us */

#define PIT_CH2 0x42
#define PIT_MODE 0x43
#define PORT_61 0x61

static u64 tsc_at_boot, tsc_hz;
static u64 ns_per_tsc, tsc_per_ns; /* 32.32 */

static u64 mul_shift(u64 a, u64 factor)
{
	return (u64)((unsigned __int128)a * factor >> 32);
}

u64 arch_tsc(void) { return cpu_rdtsc(); }
u64 arch_tsc_hz(void) { return tsc_hz; }
u64 arch_tsc_to_ns(u64 ticks) { return mul_shift(ticks, ns_per_tsc); }
u64 arch_ns_to_tsc(u64 ns) { return mul_shift(ns, tsc_per_ns); }
u64 arch_ns(void) { return arch_tsc_to_ns(cpu_rdtsc() - tsc_at_boot); }

static u64 clock_ms(void) { return arch_ns() / 1000000; }

/* The timer's count right after it changed, and the TSC then; 0 if it never changes. */
static u64 pm_edge(u16 port, u32 mask, u32 *count)
{
	u32 first = cpu_in32(port) & mask;

	for (u32 i = 0; i < READS_MAX; i++) {
		*count = cpu_in32(port) & mask;
		if (*count != first)
			return cpu_rdtsc();
	}
	return 0;
}

static u64 measure_pm_timer(const struct boot_acpi *acpi)
{
	u16 port = (u16)acpi->pm_timer_port;
	u32 mask = acpi->pm_timer_32bit ? 0xffffffff : 0xffffff, c0, c1;
	u64 t0 = pm_edge(port, mask, &c0), t1;

	if (!t0)
		return 0;
	do {
		t1 = pm_edge(port, mask, &c1);
		if (!t1)
			return 0;
	} while (((c1 - c0) & mask) < PM_TIMER_HZ * ROUND_MS / 1000);
	return (t1 - t0) * PM_TIMER_HZ / ((c1 - c0) & mask);
}

/* Channel 2, mode 0: its output rises when the count is over. */
static u64 measure_pit(void)
{
	u32 count = PIT_HZ * ROUND_MS / 1000;
	u64 t0, t1 = 0;

	cpu_out8(PORT_61, (cpu_in8(PORT_61) & 0xfdu) | 1);
	cpu_out8(PIT_MODE, 0xb0);
	cpu_out8(PIT_CH2, (u8)count);
	cpu_out8(PIT_CH2, (u8)(count >> 8));
	t0 = cpu_rdtsc();
	for (u32 i = 0; i < READS_MAX; i++)
		if (cpu_in8(PORT_61) & 0x20) {
			t1 = cpu_rdtsc();
			break;
		}
	cpu_out8(PORT_61, cpu_in8(PORT_61) & 0xfcu);
	return t1 ? (t1 - t0) * PIT_HZ / count : 0;
}

static u64 median(u64 v[ROUNDS])
{
	for (u32 i = 1; i < ROUNDS; i++)
		for (u32 j = i; j > 0 && v[j - 1] > v[j]; j--) {
			u64 t = v[j];

			v[j] = v[j - 1];
			v[j - 1] = t;
		}
	return v[ROUNDS / 2];
}

/* One round may be disturbed (a system-management interrupt): the median of three is not. */
static u64 measure(const struct boot_acpi *acpi, const char **against)
{
	u64 v[ROUNDS];

	*against = "PM timer";
	for (u32 i = 0; acpi->pm_timer_port && i < ROUNDS; i++)
		v[i] = measure_pm_timer(acpi);
	if (acpi->pm_timer_port && median(v))
		return v[ROUNDS / 2];
	*against = "PIT";
	for (u32 i = 0; i < ROUNDS; i++)
		v[i] = measure_pit();
	return median(v);
}

void time_init(const struct boot_acpi *acpi)
{
	const char *against;

	tsc_at_boot = cpu_rdtsc();
	tsc_hz = measure(acpi, &against);
	if (tsc_hz < 1000000)
		panic("no timer to measure the TSC against");
	ns_per_tsc = (NS_PER_S << 32) / tsc_hz;
	tsc_per_ns = ((tsc_hz / NS_PER_S) << 32) + ((tsc_hz % NS_PER_S) << 32) / NS_PER_S;
	log_clock_ms = clock_ms;
	log_info("TSC: %llu.%03llu MHz by the %s", (unsigned long long)tsc_hz / 1000000,
		 (unsigned long long)tsc_hz / 1000 % 1000, against);
}

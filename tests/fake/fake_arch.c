/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_arch.c - arch.h on Linux: an arena for RAM, a clock that tests set, no interrupts
 * but those they raise.
 */
#include "tests/fake/fake_arch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/lib/lib.h"

#define FAKE_IRQS 16

u8 *arch_direct_map;
u64 fake_tsc;
u32 fake_arena_frames;
u64 (*fake_irq_due)(void);
void (*fake_irq_hook)(void);
struct arch_cpuid (*fake_cpuid)(u32 leaf, u32 subleaf);
u64 fake_xcr0 = 7;
jmp_buf *fake_panic_jump;
char fake_panic_text[256];

__attribute__((weak)) extern const char vmmb_version[];
__attribute__((weak)) const char vmmb_version[] = "test";

static struct { u32 gsi; arch_irq_fn *fn; void *ctx; } irqs[FAKE_IRQS];
static u32 nirqs;

void fake_arena(u32 frames)
{
	if (arch_direct_map)
		munmap(arch_direct_map, (size_t)fake_arena_frames * PAGE_SIZE);
	arch_direct_map = mmap(NULL, (size_t)frames * PAGE_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arch_direct_map == MAP_FAILED) {
		perror("fake_arena");
		abort();
	}
	fake_arena_frames = frames;
}

u64 arch_tsc(void) { return fake_tsc; }
u64 arch_tsc_hz(void) { return FAKE_TSC_HZ; }
u64 arch_ns(void) { return fake_tsc; }
u64 arch_tsc_to_ns(u64 ticks) { return ticks; }
u64 arch_ns_to_tsc(u64 ns) { return ns; }

void arch_irq_window(void)
{
	if (fake_irq_hook)
		fake_irq_hook();
}

void arch_idle(u64 deadline_tsc)
{
	arch_irq_window();
	if (fake_irq_due)
		deadline_tsc = MIN(deadline_tsc, fake_irq_due());
	if (deadline_tsc > fake_tsc)
		fake_tsc = deadline_tsc;
}

int arch_irq_register(u32 gsi, bool level, arch_irq_fn *fn, void *ctx)
{
	(void)level;
	if (nirqs == FAKE_IRQS)
		return E_NOMEM;
	irqs[nirqs].gsi = gsi;
	irqs[nirqs].fn = fn;
	irqs[nirqs++].ctx = ctx;
	return 0;
}

bool fake_irq_raise(u32 gsi)
{
	bool claimed = false;

	for (u32 i = 0; i < nirqs; i++)
		if (irqs[i].gsi == gsi)
			claimed |= irqs[i].fn(irqs[i].ctx);
	return claimed;
}

static void NORETURN the_end(int how)
{
	if (fake_panic_jump)
		longjmp(*fake_panic_jump, how);
	abort();
}

void panic(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(fake_panic_text, sizeof(fake_panic_text), format, ap);
	va_end(ap);
	if (!fake_panic_jump)
		fprintf(stderr, "panic: %s\n", fake_panic_text);
	the_end(1);
}

void arch_reboot(void) { the_end(2); }
void arch_poweroff(void) { the_end(3); }
void arch_halt(void) { the_end(4); }

struct arch_cpuid arch_cpuid(u32 leaf, u32 subleaf)
{
	return fake_cpuid ? fake_cpuid(leaf, subleaf) : (struct arch_cpuid){ 0, 0, 0, 0 };
}

u64 arch_xcr0_supported(void) { return fake_xcr0; }

void arch_zero_page(void *page) { memset(page, 0, PAGE_SIZE); }
void arch_copy_page(void *dst, const void *src) { memcpy(dst, src, PAGE_SIZE); }

bool arch_page_is_zero(const void *page)
{
	const u8 *p = page;

	return p[0] == 0 && memcmp(p, p + 1, PAGE_SIZE - 1) == 0;
}

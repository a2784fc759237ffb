/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * panic.c - the last words: what happened, which version, registers, backtrace, the last
 * log lines; then halt, or reboot. Needs nothing but panic_write; may run at any time, on
 * any stack. A fault inside a panic prints one line and halts.
 */
#include "arch/x86_64/trap.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/desc.h"
#include "kernel/lib/lib.h"

#define PANIC_LOG_LINES 24
#define PANIC_FRAMES 24

void (*panic_write)(const char *text, size_t n);
u32 panic_reboot_s;

extern const char __image_start[], __text_end[];

static const char *const exception_name[32] = {
	"#DE divide error", "#DB debug", "NMI", "#BP breakpoint", "#OF overflow", "#BR bound range",
	"#UD invalid opcode", "#NM no math", "#DF double fault", "09h", "#TS invalid TSS",
	"#NP segment not present", "#SS stack", "#GP general protection", "#PF page fault", "0Fh",
	"#MF x87", "#AC alignment", "#MC machine check", "#XM SIMD", "#VE virtualization",
	"#CP control protection", "16h", "17h", "18h", "19h", "1Ah", "1Bh", "#HV hypervisor injection",
	"#VC VMM communication", "#SX security", "1Fh",
};

static void say(const char *format, ...) PRINTF_LIKE(1, 2);
static void say(const char *format, ...)
{
	static char line[512];
	va_list ap;
	int n;

	if (!panic_write)
		return;
	va_start(ap, format);
	n = vfmt(line, sizeof(line), format, ap);
	va_end(ap);
	panic_write(line, MIN((size_t)MAX(n, 0), sizeof(line) - 1));
	panic_write("\r\n", 2);
}

static void say_log_line(void *ctx, const char *line)
{
	(void)ctx;
	say("  %s", line);
}

/* Follows saved RBPs as far as they stay inside our stacks, grow, and lead into our text. */
static void backtrace(u64 rip, u64 rbp)
{
	say("backtrace:");
	for (u32 i = 0; i < PANIC_FRAMES; i++) {
		const u64 *frame = (const u64 *)rbp;

		say("  %016llx%s", (unsigned long long)rip,
		    rip >= (u64)__image_start && rip < (u64)__text_end ? "" : " (not in text)");
		if ((rbp & 7) || !desc_in_stack(rbp, 16))
			return;
		rip = frame[1];
		if (frame[0] <= rbp && frame[0] != 0)
			return;
		rbp = frame[0];
		if (rip == 0)
			return;
	}
}

static void say_control(void)
{
	say("cr0 %016llx cr2 %016llx cr3 %016llx cr4 %016llx",
	    (unsigned long long)cpu_read_cr0(), (unsigned long long)cpu_read_cr2(),
	    (unsigned long long)cpu_read_cr3(), (unsigned long long)cpu_read_cr4());
}

static void say_registers(const struct trap_frame *f)
{
#define R(x) (unsigned long long)f->x
	say("rip %016llx rfl %016llx rsp %016llx cs %llx ss %llx", R(rip), R(rflags), R(rsp), R(cs), R(ss));
	say("rax %016llx rcx %016llx rdx %016llx rbx %016llx", R(rax), R(rcx), R(rdx), R(rbx));
	say("rbp %016llx rsi %016llx rdi %016llx r8  %016llx", R(rbp), R(rsi), R(rdi), R(r8));
	say("r9  %016llx r10 %016llx r11 %016llx r12 %016llx", R(r9), R(r10), R(r11), R(r12));
	say("r13 %016llx r14 %016llx r15 %016llx err %llx", R(r13), R(r14), R(r15), R(error));
#undef R
}

static void begin(void)
{
	static u32 depth;

	cpu_cli();
	if (++depth == 1)
		return;
	if (depth == 2)
		say("panic inside a panic; halted");
	for (;;)
		cpu_hlt();
}

static void NORETURN finish(u64 rip, u64 rbp)
{
	backtrace(rip, rbp);
	say("last log lines:");
	log_last(PANIC_LOG_LINES, say_log_line, NULL);
	if (panic_reboot_s == 0 || arch_tsc_hz() == 0) {
		say("*** halted");
		arch_halt();
	}
	say("*** rebooting in %u s", panic_reboot_s);
	for (u64 end = cpu_rdtsc() + arch_tsc_hz() * panic_reboot_s; cpu_rdtsc() < end;)
		cpu_pause();
	arch_reboot();
}

void panic(const char *format, ...)
{
	static char text[256];
	const u64 *frame = __builtin_frame_address(0);
	va_list ap;

	begin();
	va_start(ap, format);
	vfmt(text, sizeof(text), format, ap);
	va_end(ap);
	say("\r\n*** VMMB panic: %s", text);
	say("version %s", vmmb_version);
	say("rfl %016llx rsp %016llx rbp %016llx", (unsigned long long)cpu_rflags(),
	    (unsigned long long)(u64)frame, (unsigned long long)frame[0]);
	say_control();
	finish(frame[1], frame[0]);
}

void panic_trap(const struct trap_frame *f)
{
	begin();
	say("\r\n*** VMMB panic: %s in the hypervisor, error code %llx",
	    exception_name[f->vector & 31], (unsigned long long)f->error);
	say("version %s", vmmb_version);
	say_registers(f);
	say_control();
	finish(f->rip, f->rbp);
}

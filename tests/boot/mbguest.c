/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mbguest.c - a Multiboot kernel that looks at what its loader did and prints it on COM1: a line for
 * everything it was told, then "ok", or "WRONG" and what. It is linked for any address (mbguest.ld); where
 * that differs from the one it is loaded at, its segments have a base, so that no paging is needed.
 */
typedef unsigned int u32;
typedef unsigned char u8;

#define COM1 0x3f8
#define COM1_LSR 0x3fd
#define LOADER_MAGIC 0x2badb002u
#define PATTERN_WORDS 6000u /* 23 KiB: from 5000h on, past everything that a loader may want to have there */
#define BSS_WORDS 2000u

/* Header, then 32-bit entry: OFFSET is a number on the compiler's command line. */
__asm__(
	".section .head, \"ax\"\n"
	"	.align 4\n"
	"	.long 0x1badb002, 3, -(0x1badb002 + 3)\n"
	"	.globl start\n"
	"start:	cli\n"
	"	lgdt gdtr - OFFSET_\n"
	"	ljmp $8, $1f\n"
	"1:	mov $16, %ecx\n"
	"	mov %ecx, %ds\n"
	"	mov %ecx, %es\n"
	"	mov %ecx, %ss\n"
	"	mov $stack_end, %esp\n"
	"	push %ebx\n"
	"	push %eax\n"
	"	call guest_main\n"
	"2:	cli\n"
	"	hlt\n"
	"	jmp 2b\n"
	"	.align 8\n"
	/* Code and data with the base -OFFSET. */
	"gdt:	.quad 0\n"
	"	.word 0xffff, (-OFFSET_) & 0xffff\n"
	"	.byte ((-OFFSET_) >> 16) & 0xff, 0x9b, 0xcf, ((-OFFSET_) >> 24) & 0xff\n"
	"	.word 0xffff, (-OFFSET_) & 0xffff\n"
	"	.byte ((-OFFSET_) >> 16) & 0xff, 0x93, 0xcf, ((-OFFSET_) >> 24) & 0xff\n"
	"gdtr:	.word 23\n"
	"	.long gdt - OFFSET_\n"
	"	.set OFFSET_, " OFFSET_TEXT "\n"
	/* What the file has must be there, word by word. */
	"	.data\n"
	"	.globl pattern\n"
	"pattern:\n"
	"	.set n, 1\n"
	"	.rept 6000\n"
	"	.long n * 0x9e3779b1\n"
	"	.set n, n + 1\n"
	"	.endr\n"
	"	.bss\n"
	"	.skip 4096\n"
	"stack_end:\n"
	"	.text\n");

extern const u32 pattern[PATTERN_WORDS];
extern u8 image_start[], image_end[];
static volatile u32 zeros[BSS_WORDS]; /* volatile: the compiler believes in zeros */
static int wrong;

struct info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	u32 syms[4], mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader;
};
struct module { u32 start, end, string, reserved; };

static void *at(u32 physical) { return (void *)(physical + OFFSET); }
static u32 physical(const void *p) { return (u32)p - OFFSET; }

static void put(char c)
{
	u8 status;

	do
		__asm__ volatile("inb %w1, %0" : "=a"(status) : "d"(COM1_LSR));
	while (!(status & 0x20));
	__asm__ volatile("outb %0, %w1" : : "a"(c), "d"(COM1));
}

static void text(const char *s)
{
	while (*s)
		put(*s++);
}

static void number(u32 n)
{
	char digits[10];
	int i = 0;

	do
		digits[i++] = (char)('0' + n % 10);
	while (n /= 10);
	while (i)
		put(digits[--i]);
}

static void check(int good, const char *what)
{
	if (good)
		return;
	wrong = 1;
	text("WRONG: ");
	text(what);
	text("\r\n");
}

/* [p, p + n) is no byte of this kernel. */
static int apart(u32 p, u32 n)
{
	return p + n <= physical(image_start) || p >= physical(image_end);
}

static void look_at_modules(const struct info *b)
{
	const struct module *m = at(b->mods_addr);

	check(apart(b->mods_addr, b->mods_count * sizeof(*m)), "the list of modules lies in the kernel");
	for (u32 i = 0; i < b->mods_count; i++) {
		const u8 *p = at(m[i].start);
		u32 n = m[i].end - m[i].start, sum = 0;

		for (u32 k = 0; k < n; k++)
			sum += p[k];
		text("module ");
		number(i);
		text(": ");
		number(n);
		text(" bytes, sum ");
		number(sum);
		text(" <");
		text(at(m[i].string));
		text(">\r\n");
		check(m[i].start % 4096 == 0, "a module does not start at a page");
		check(apart(m[i].start, n), "a module lies in the kernel");
		check(!i || m[i].start >= m[i - 1].end, "modules are not in order");
	}
}

void guest_main(u32 magic, u32 info);
void guest_main(u32 magic, u32 info)
{
	const struct info *b = at(info);
	u32 bad = 0;

	check(magic == LOADER_MAGIC, "EAX");
	for (u32 i = 0; i < PATTERN_WORDS; i++)
		bad += pattern[i] != (i + 1) * 0x9e3779b1u;
	for (u32 i = 0; i < BSS_WORDS; i++)
		bad += zeros[i] != 0;
	check(!bad, "the image is not what the file has");
	check(apart(info, sizeof(*b)) && apart(b->cmdline, 1) && apart(b->mmap_addr, b->mmap_length) &&
		      apart(b->loader, 1),
	      "what the loader says lies in the kernel");
	text("loader <");
	text(at(b->loader));
	text("> args <");
	text(at(b->cmdline));
	text(">\r\n");
	look_at_modules(b);
	text(wrong ? "not ok\r\n" : "ok\r\n");
}

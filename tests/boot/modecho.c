/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * modecho.c - a Multiboot2 program that stands in for the hypervisor when the tools are tested:
 * it prints its command line and every module's words and size on COM1, then echoes what it
 * reads there; q powers the machine off, t raises a triple fault.
 */
typedef unsigned int u32;
typedef unsigned char u8;

enum { COM1 = 0x3f8, LSR = 5, TAG_END = 0, TAG_CMDLINE = 1, TAG_MODULE = 3 };

struct tag { u32 type, size; };

static const struct { u32 magic, arch, length, checksum; unsigned short type, flags; u32 size; }
header __attribute__((section(".mb2"), aligned(8), used)) = {
	0xe85250d6, 0, 24, -(0xe85250d6u + 24), 0, 0, 8,
};

static u8 inb(unsigned short port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void outb(unsigned short port, u8 v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static void outw(unsigned short port, unsigned short v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static void put(char c)
{
	while (!(inb(COM1 + LSR) & 0x20))
		;
	outb(COM1, (u8)c);
}

static void say(const char *s)
{
	while (*s)
		put(*s++);
}

static void say_u32(u32 v)
{
	if (v >= 10)
		say_u32(v / 10);
	put((char)('0' + v % 10));
}

static void say_tag(const struct tag *t)
{
	const u32 *w = (const u32 *)t;

	if (t->type == TAG_CMDLINE) {
		say("cmdline [");
		say((const char *)(w + 2));
		say("]\r\n");
	} else if (t->type == TAG_MODULE) {
		say("module ");
		say_u32(w[3] - w[2]);
		say(" [");
		say((const char *)(w + 4));
		say("]\r\n");
	}
}

static void power_off(void)
{
	outw(0xb004, 0x2000); /* PM1a_CNT of Bochs, SLP_EN with type 0 */
	outw(0x604, 0x2000);  /* the same of QEMU's pc machine */
	for (;;)
		;
}

static void triple_fault(void)
{
	static const struct { unsigned short limit; u32 base; } __attribute__((packed)) none;

	__asm__ volatile("lidt %0; int3" : : "m"(none));
}

__attribute__((used)) static void start(const u8 *info)
{
	const struct tag *t = (const struct tag *)(info + 8);
	u8 c;

	outb(COM1 + 3, 3);
	for (; t->type != TAG_END; t = (const struct tag *)((const u8 *)t + ((t->size + 7) & ~7u)))
		say_tag(t);
	say("modecho> ");
	for (;;) {
		if (!(inb(COM1 + LSR) & 1))
			continue;
		c = inb(COM1);
		if (c == 'q')
			power_off();
		if (c == 't')
			triple_fault();
		put((char)c);
	}
}

__asm__(".globl _start\n_start: mov $stack, %esp\n push %ebx\n call start\n"
	".bss\n.skip 4096\nstack: .text\n");

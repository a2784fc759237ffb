/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aml.c - emits ACPI Machine Language. Package lengths always take their two-byte form,
 * so that they can be filled in at the end; our packages stay below 4 KiB.
 */
#include "vdev/aml.h"

#include "kernel/lib/lib.h"

#define OP_NAME 0x08
#define OP_BYTE 0x0a
#define OP_WORD 0x0b
#define OP_DWORD 0x0c
#define OP_SCOPE 0x10
#define OP_BUFFER 0x11
#define OP_PACKAGE 0x12
#define OP_EXT 0x5b
#define OP_EXT_DEVICE 0x82

#define RES_IRQ_NO_FLAGS 0x22
#define RES_IO 0x47
#define RES_END 0x79
#define RES_DWORD_SPACE 0x87
#define RES_WORD_SPACE 0x88
#define SPACE_MEMORY 0
#define SPACE_IO 1
#define SPACE_BUS 2
#define SPACE_FIXED 0x0c      /* producer, both ends fixed, positive decode */
#define IO_ENTIRE_RANGE 3
#define MEMORY_READ_WRITE 1

static void aml_bytes(struct aml *a, const void *bytes, u32 n)
{
	if (n > a->size - a->len) {
		a->overflow = true;
		return;
	}
	memcpy(a->buf + a->len, bytes, n);
	a->len += n;
}

static void aml_byte(struct aml *a, u8 byte)
{
	aml_bytes(a, &byte, 1);
}

/* Little-endian raw data. */
static void aml_le(struct aml *a, u64 value, u32 bytes)
{
	for (u32 i = 0; i < bytes; i++)
		aml_byte(a, (u8)(value >> 8 * i));
}

void aml_integer(struct aml *a, u32 value)
{
	if (value <= 1) {
		aml_byte(a, (u8)value); /* ZeroOp, OneOp */
	} else if (value <= 0xff) {
		aml_byte(a, OP_BYTE);
		aml_le(a, value, 1);
	} else if (value <= 0xffff) {
		aml_byte(a, OP_WORD);
		aml_le(a, value, 2);
	} else {
		aml_byte(a, OP_DWORD);
		aml_le(a, value, 4);
	}
}

void aml_name(struct aml *a, const char *path)
{
	aml_byte(a, OP_NAME);
	aml_bytes(a, path, (u32)strlen(path));
}

void aml_name_integer(struct aml *a, const char *path, u32 value)
{
	aml_name(a, path);
	aml_integer(a, value);
}

static u32 hex(char c)
{
	return (u32)(c <= '9' ? c - '0' : c - 'A' + 10) & 15;
}

static u32 letter(char c)
{
	return (u8)c & 31u;
}

/* Three letters of five bits, four hexadecimal digits, most significant byte first. */
void aml_name_eisaid(struct aml *a, const char *path, const char *id)
{
	u32 v = letter(id[0]) << 26 | letter(id[1]) << 21 | letter(id[2]) << 16;

	v |= hex(id[3]) << 12 | hex(id[4]) << 8 | hex(id[5]) << 4 | hex(id[6]);
	aml_name(a, path);
	aml_byte(a, OP_DWORD);
	aml_le(a, __builtin_bswap32(v), 4);
}

/* Room for the length, which counts itself. */
static u32 begin(struct aml *a)
{
	aml_le(a, 0, 2);
	return a->len - 2;
}

void aml_end(struct aml *a, u32 mark)
{
	u32 n = a->len - mark;

	if (n > 0xfff)
		a->overflow = true;
	if (a->overflow)
		return;
	a->buf[mark] = (u8)(0x40 | (n & 15));
	a->buf[mark + 1] = (u8)(n >> 4);
}

u32 aml_begin_scope(struct aml *a, const char *path)
{
	u32 mark;

	aml_byte(a, OP_SCOPE);
	mark = begin(a);
	aml_bytes(a, path, (u32)strlen(path));
	return mark;
}

u32 aml_begin_device(struct aml *a, const char *name)
{
	u32 mark;

	aml_byte(a, OP_EXT);
	aml_byte(a, OP_EXT_DEVICE);
	mark = begin(a);
	aml_bytes(a, name, 4);
	return mark;
}

u32 aml_begin_package(struct aml *a, u8 elements)
{
	u32 mark;

	aml_byte(a, OP_PACKAGE);
	mark = begin(a);
	aml_byte(a, elements);
	return mark;
}

u32 aml_begin_resources(struct aml *a)
{
	u32 mark;

	aml_byte(a, OP_BUFFER);
	mark = begin(a);
	aml_byte(a, OP_WORD); /* the buffer's size, filled in at the end */
	aml_le(a, 0, 2);
	return mark;
}

void aml_end_resources(struct aml *a, u32 mark)
{
	u32 n;

	aml_byte(a, RES_END);
	aml_byte(a, 0); /* no checksum */
	aml_end(a, mark);
	if (a->overflow)
		return;
	n = a->len - mark - 5;
	a->buf[mark + 3] = (u8)n;
	a->buf[mark + 4] = (u8)(n >> 8);
}

void aml_io(struct aml *a, u16 first, u8 len)
{
	aml_byte(a, RES_IO);
	aml_byte(a, 1); /* decodes 16 bits */
	aml_le(a, first, 2);
	aml_le(a, first, 2);
	aml_byte(a, 1);
	aml_byte(a, len);
}

void aml_irq(struct aml *a, u8 irq)
{
	aml_byte(a, RES_IRQ_NO_FLAGS);
	aml_le(a, 1u << irq, 2);
}

static void window(struct aml *a, u8 type, u8 type_flags, u32 first, u32 last, u32 width)
{
	aml_byte(a, width == 2 ? RES_WORD_SPACE : RES_DWORD_SPACE);
	aml_le(a, 3 + 5 * width, 2);
	aml_byte(a, type);
	aml_byte(a, SPACE_FIXED);
	aml_byte(a, type_flags);
	aml_le(a, 0, width); /* granularity */
	aml_le(a, first, width);
	aml_le(a, last, width);
	aml_le(a, 0, width); /* translation */
	aml_le(a, last - first + 1, width);
}

void aml_window_bus(struct aml *a, u16 first, u16 last)
{
	window(a, SPACE_BUS, 0, first, last, 2);
}

void aml_window_io(struct aml *a, u16 first, u16 last)
{
	window(a, SPACE_IO, IO_ENTIRE_RANGE, first, last, 2);
}

void aml_window_memory(struct aml *a, u32 first, u32 last)
{
	window(a, SPACE_MEMORY, MEMORY_READ_WRITE, first, last, 4);
}

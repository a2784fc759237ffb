/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fmt.c - printf's formatting into a buffer, without floating point.
 *
 * Contract: lib.h. Always terminates (size > 0), never writes past size, reads a %s with a
 * precision no further than that. No state: callable from anywhere, panics included.
 */
#include "kernel/lib/lib.h"

struct out {
	char *buf;
	size_t size, len;
};

struct spec {
	bool left, zero, plus, alt;
	int width, precision; /* precision -1: none given */
	int longs;            /* 0 int, 1 and more: 64 bits */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	for (; n > 0; n--)
		put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text)
{
	int len = 0;

	if (!text)
		text = "(null)";
	while ((s->precision < 0 || len < s->precision) && text[len])
		len++;
	if (!s->left)
		pad(o, ' ', s->width - len);
	for (int i = 0; i < len; i++)
		put(o, text[i]);
	if (s->left)
		pad(o, ' ', s->width - len);
}

static void put_number(struct out *o, const struct spec *s, u64 v, u32 base, bool upper,
		       const char *prefix)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	int n = 0, zeros, plen = (int)strlen(prefix);

	for (; v || !n; v /= base)
		text[n++] = digits[v % base];
	zeros = s->precision - n;
	if (s->zero && !s->left && s->precision < 0)
		zeros = s->width - plen - n;
	zeros = MAX(zeros, 0);
	if (!s->left)
		pad(o, ' ', s->width - plen - zeros - n);
	for (; *prefix; prefix++)
		put(o, *prefix);
	pad(o, '0', zeros);
	for (int i = n; i > 0; i--)
		put(o, text[i - 1]);
	if (s->left)
		pad(o, ' ', s->width - plen - zeros - n);
}

struct args {
	va_list ap;
};

static int parse_number(const char **p, struct args *a)
{
	int v = 0;

	if (**p == '*') {
		(*p)++;
		return va_arg(a->ap, int);
	}
	for (; **p >= '0' && **p <= '9'; (*p)++)
		if (v < 100000)
			v = v * 10 + (**p - '0');
	return v;
}

static const char *parse_spec(const char *p, struct spec *s, struct args *a)
{
	*s = (struct spec){ .precision = -1 };
	for (;; p++) {
		if (*p == '-')
			s->left = true;
		else if (*p == '0')
			s->zero = true;
		else if (*p == '+')
			s->plus = true;
		else if (*p == '#')
			s->alt = true;
		else if (*p != ' ')
			break;
	}
	s->width = parse_number(&p, a);
	if (s->width < 0) {
		s->left = true;
		s->width = s->width == -2147483647 - 1 ? 0 : -s->width;
	}
	if (*p == '.') {
		p++;
		s->precision = parse_number(&p, a);
	}
	for (; *p == 'l' || *p == 'z' || *p == 'j' || *p == 't'; p++)
		s->longs++;
	while (*p == 'h')
		p++; /* such arguments arrive as int */
	return p;
}

static void put_signed(struct out *o, const struct spec *s, struct args *a)
{
	s64 v = s->longs ? va_arg(a->ap, long) : va_arg(a->ap, int);

	put_number(o, s, v < 0 ? -(u64)v : (u64)v, 10, false, v < 0 ? "-" : s->plus ? "+" : "");
}

static void put_unsigned(struct out *o, const struct spec *s, struct args *a, char c)
{
	u64 v = s->longs ? va_arg(a->ap, unsigned long) : va_arg(a->ap, unsigned int);

	put_number(o, s, v, c == 'u' ? 10 : 16, c == 'X', s->alt && c != 'u' && v ? "0x" : "");
}

static void put_conversion(struct out *o, const struct spec *s, struct args *a, char c)
{
	char one[2] = { 0 };
	struct spec plain = *s;

	switch (c) {
	case 'd':
	case 'i':
		put_signed(o, s, a);
		break;
	case 'u':
	case 'x':
	case 'X':
		put_unsigned(o, s, a, c);
		break;
	case 'p':
		put_number(o, s, (uintptr_t)va_arg(a->ap, void *), 16, false, "0x");
		break;
	case 's':
		put_text(o, s, va_arg(a->ap, const char *));
		break;
	case 'c':
		one[0] = (char)va_arg(a->ap, int);
		plain.precision = 1;
		put_text(o, &plain, one);
		break;
	case '%':
		put(o, '%');
		break;
	default: /* not ours: show it, consume nothing */
		put(o, '%');
		put(o, c);
	}
}

int vfmt(char *buf, size_t size, const char *format, va_list ap)
{
	struct out o = { buf, size, 0 };
	struct args a;
	struct spec s;

	va_copy(a.ap, ap);
	for (const char *p = format; *p; p++) {
		if (*p != '%') {
			put(&o, *p);
			continue;
		}
		p = parse_spec(p + 1, &s, &a);
		if (!*p)
			break;
		put_conversion(&o, &s, &a, *p);
	}
	va_end(a.ap);
	if (size)
		buf[MIN(o.len, size - 1)] = 0;
	return (int)o.len;
}

int fmt(char *buf, size_t size, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vfmt(buf, size, format, ap);
	va_end(ap);
	return n;
}

/* Here and not in string.c, because Linux has no function of this name. */
bool str_copy(char *dst, size_t size, const char *src)
{
	size_t i = 0;

	if (!size)
		return false;
	for (; i + 1 < size && src[i]; i++)
		dst[i] = src[i];
	dst[i] = 0;
	return !src[i];
}

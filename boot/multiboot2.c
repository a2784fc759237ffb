/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * multiboot2.c - from the loader's boot information to struct boot_info.
 *
 * Contract: multiboot2.h. Runs once, before anything else; reads mbi only inside the bytes that
 * its own length, each tag's length and the caller's bound all allow.
 * Source: Multiboot2 Specification 2.0, "Boot information format".
 */
#include "boot/multiboot2.h"
#include "kernel/lib/lib.h"

enum tag_type {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_LOADER_NAME = 2,
	TAG_MODULE = 3,
	TAG_MMAP = 6,
	TAG_EFI32 = 11,
	TAG_EFI64 = 12,
	TAG_ACPI_OLD = 14,
	TAG_ACPI_NEW = 15,
	TAG_EFI_MMAP = 17,
};

struct mb2_tag { u32 type, size; };
struct mb2_module { u32 type, size, mod_start, mod_end; };
struct mb2_mmap { u32 type, size, entry_size, entry_version; };
struct mb2_mmap_entry { u64 base_addr, length; u32 type, reserved; };
_Static_assert(sizeof(struct mb2_module) == 16, "multiboot2 module tag");
_Static_assert(sizeof(struct mb2_mmap_entry) == 24, "multiboot2 memory map entry");

#define MMAP_AVAILABLE 1
#define RAW_MAX 192                  /* memory map entries looked at */
#define PHYS_LIMIT (1ull << 44)      /* what pfn_t can count */

/* One tag, its bytes already known to be readable. */
struct tag { u32 type, size; const u8 *bytes; };

struct tags { const u8 *base; size_t size, pos; };

/* The next tag; false at the end or at a length that leads nowhere. */
static bool tag_next(struct tags *it, struct tag *t)
{
	struct mb2_tag head;

	if (it->pos > it->size || it->size - it->pos < sizeof(head))
		return false;
	memcpy(&head, it->base + it->pos, sizeof(head));
	if (head.type == TAG_END)
		return false;
	if (head.size < sizeof(head) || head.size > it->size - it->pos) {
		log_warn("multiboot2: tag %u of %u bytes does not fit, the rest is ignored", head.type,
			 head.size);
		return false;
	}
	*t = (struct tag){ head.type, head.size, it->base + it->pos };
	it->pos += ALIGN_UP((size_t)head.size, 8);
	return true;
}

/* A string that ends with the tag if it has no zero before. False if it was cut. */
static bool copy_string(char *dst, size_t dst_size, const struct tag *t, size_t offset)
{
	size_t n = 0;

	for (; offset + n < t->size && t->bytes[offset + n]; n++) {
		if (n + 1 == dst_size) {
			dst[n] = 0;
			return false;
		}
		dst[n] = (char)t->bytes[offset + n];
	}
	dst[n] = 0;
	return true;
}

/* ---- memory map ---- */

struct raw_map { struct boot_range r[RAW_MAX]; u32 n; };

static int read_mmap(const struct tag *t, struct raw_map *raw, char *why, size_t why_size)
{
	struct mb2_mmap head;
	struct mb2_mmap_entry e;

	if (t->size < sizeof(head))
		goto bad;
	memcpy(&head, t->bytes, sizeof(head));
	if (head.entry_size < sizeof(e) || head.entry_size % 8)
		goto bad;
	for (size_t pos = sizeof(head); t->size - pos >= head.entry_size; pos += head.entry_size) {
		memcpy(&e, t->bytes + pos, sizeof(e));
		if (!e.length || e.base_addr >= PHYS_LIMIT)
			continue;
		if (raw->n == RAW_MAX) {
			/* Leaving out an unusable one would be dangerous. */
			fmt(why, why_size, "memory map: more than %u entries", RAW_MAX);
			return E_INVAL;
		}
		raw->r[raw->n++] = (struct boot_range){
			e.base_addr, e.base_addr + MIN(e.length, PHYS_LIMIT - e.base_addr),
			e.type == MMAP_AVAILABLE };
	}
	return 0;
bad:
	fmt(why, why_size, "memory map: malformed tag of %u bytes", t->size);
	return E_INVAL;
}

/* Smallest start or end of any entry above pos; 0: none. */
static u64 next_edge(const struct raw_map *raw, u64 pos)
{
	u64 edge = 0;

	for (u32 i = 0; i < raw->n; i++) {
		u64 s = raw->r[i].start, e = raw->r[i].end;

		if (s > pos && (!edge || s < edge))
			edge = s;
		if (e > pos && (!edge || e < edge))
			edge = e;
	}
	return edge;
}

/* What the entries together say of the bytes at pos: 1 usable, 0 unusable, -1 nothing. */
static int verdict_at(const struct raw_map *raw, u64 pos)
{
	int v = -1;

	for (u32 i = 0; i < raw->n; i++) {
		if (pos < raw->r[i].start || pos >= raw->r[i].end)
			continue;
		if (!raw->r[i].usable)
			return 0;
		v = 1;
	}
	return v;
}

static void drop_unusable(struct boot_info *out)
{
	u32 n = 0;

	for (u32 i = 0; i < out->nranges; i++)
		if (out->ranges[i].usable)
			out->ranges[n++] = out->ranges[i];
	out->nranges = n;
}

static void add_range(struct boot_info *out, u64 start, u64 end, bool usable)
{
	struct boot_range *last = out->nranges ? &out->ranges[out->nranges - 1] : NULL;

	if (last && last->end == start && last->usable == usable) {
		last->end = end;
		return;
	}
	/* No room: what is in no range is not used, so unusable ranges can go first. */
	if (out->nranges == BOOT_MAX_RANGES)
		drop_unusable(out);
	if (out->nranges == BOOT_MAX_RANGES) {
		log_warn("multiboot2: memory from %#lx on is ignored: too many ranges", start);
		return;
	}
	out->ranges[out->nranges++] = (struct boot_range){ start, end, usable };
}

static void build_ranges(const struct raw_map *raw, struct boot_info *out)
{
	u32 n = 0;
	u64 pos = 0, edge;

	for (; (edge = next_edge(raw, pos)); pos = edge) {
		int v = verdict_at(raw, pos);

		if (v >= 0)
			add_range(out, pos, edge, v == 1);
	}
	/* Whole pages only, once neighbours have been merged. */
	for (u32 i = 0; i < out->nranges; i++) {
		struct boot_range r = out->ranges[i];

		if (r.usable) {
			r.start = ALIGN_UP(r.start, (u64)PAGE_SIZE);
			r.end = ALIGN_DOWN(r.end, (u64)PAGE_SIZE);
		}
		if (r.start < r.end)
			out->ranges[n++] = r;
	}
	out->nranges = n;
}

static bool in_usable(const struct boot_info *out, u64 start, u64 end)
{
	for (u32 i = 0; i < out->nranges; i++) {
		const struct boot_range *r = &out->ranges[i];

		if (r->usable && start >= r->start && end <= r->end)
			return true;
	}
	return false;
}

/* ---- modules ---- */

static const char *check_module(const struct boot_info *out, u64 start, u64 end)
{
	u64 first = ALIGN_DOWN(start, (u64)PAGE_SIZE), last = ALIGN_UP(end, (u64)PAGE_SIZE);

	if (start >= end)
		return "it is empty";
	if (!in_usable(out, first, last))
		return "it does not lie in usable memory";
	for (u32 i = 0; i < out->nmodules; i++) {
		u64 s = out->modules[i].start.a, e = s + out->modules[i].size;

		if (start < e && s < end)
			return "it overlaps another module";
	}
	return NULL;
}

static void read_module(const struct tag *t, struct boot_info *out)
{
	struct boot_module *m = &out->modules[out->nmodules];
	struct mb2_module head;

	if (t->size < sizeof(head)) {
		log_warn("multiboot2: a module tag of %u bytes is ignored", t->size);
		return;
	}
	if (out->nmodules == BOOT_MAX_MODULES) {
		log_warn("multiboot2: more than %u modules, the rest is ignored", BOOT_MAX_MODULES);
		out->nmodules_lost++;
		return;
	}
	memcpy(&head, t->bytes, sizeof(head));
	m->cmdline_cut = !copy_string(m->cmdline, sizeof(m->cmdline), t, sizeof(head));
	m->bad = check_module(out, head.mod_start, head.mod_end);
	m->start.a = m->bad ? 0 : head.mod_start;
	m->size = m->bad ? 0 : head.mod_end - head.mod_start;
	if (m->bad)
		log_warn("multiboot2: module \"%.40s\" (%#x-%#x) can not be used: %s", m->cmdline,
			 head.mod_start, head.mod_end, m->bad);
	out->nmodules++;
}

/* ---- the rest ---- */

static void read_rsdp(const struct tag *t, struct boot_info *out)
{
	u32 want = t->type == TAG_ACPI_NEW ? 36 : 20;

	/* The newer structure holds the older one. */
	if (t->size < sizeof(struct mb2_tag) + want || out->rsdp_len > want)
		return;
	memcpy(out->rsdp_copy, t->bytes + sizeof(struct mb2_tag), want);
	out->rsdp_len = want;
}

static int read_first_pass(struct tags it, struct boot_info *out, struct raw_map *raw, char *why,
			   size_t why_size)
{
	struct tag t;
	int err = 0;

	while (!err && tag_next(&it, &t)) {
		switch (t.type) {
		case TAG_CMDLINE:
			out->cmdline_cut = !copy_string(out->cmdline, sizeof(out->cmdline), &t, 8);
			break;
		case TAG_LOADER_NAME:
			(void)copy_string(out->loader, sizeof(out->loader), &t, 8);
			break;
		case TAG_MMAP:
			err = read_mmap(&t, raw, why, why_size);
			break;
		case TAG_ACPI_OLD:
		case TAG_ACPI_NEW:
			read_rsdp(&t, out);
			break;
		case TAG_EFI32:
		case TAG_EFI64:
		case TAG_EFI_MMAP:
			out->efi = true;
			break;
		}
	}
	return err;
}

void multiboot2_exclude(struct boot_info *bi, u64 start, u64 end)
{
	for (u32 i = 0; i < bi->nmodules; i++) {
		struct boot_module *m = &bi->modules[i];

		if (!m->size || m->start.a >= end || start >= m->start.a + m->size)
			continue;
		m->bad = "it overlaps the hypervisor";
		log_warn("multiboot2: module \"%.40s\" (%#lx) can not be used: %s", m->cmdline,
			 (unsigned long)m->start.a, m->bad);
		m->start.a = m->size = 0;
	}
}

int multiboot2_parse(u32 magic, const void *mbi, size_t max_bytes, struct boot_info *out, char *why,
		     size_t why_size)
{
	/* Static: too large for a boot stack, and this runs once. */
	static struct raw_map raw;
	struct tags it = { mbi, 0, 8 };
	struct tag t;
	u32 total;
	int err;

	memset(out, 0, sizeof(*out));
	raw.n = 0;
	if (magic != MULTIBOOT2_BOOTLOADER_MAGIC) {
		fmt(why, why_size, "not loaded by a multiboot2 loader (magic %#x)", magic);
		return E_INVAL;
	}
	if (max_bytes < 16)
		goto bad_size;
	memcpy(&total, mbi, sizeof(total));
	if (total < 16 || total > max_bytes)
		goto bad_size;
	it.size = total;
	err = read_first_pass(it, out, &raw, why, why_size);
	if (err)
		return err;
	build_ranges(&raw, out);
	if (!out->nranges) {
		fmt(why, why_size, "multiboot2: the loader gave no memory map");
		return E_INVAL;
	}
	/* Modules last: they are checked against the whole map. */
	while (tag_next(&it, &t))
		if (t.type == TAG_MODULE)
			read_module(&t, out);
	return 0;
bad_size:
	fmt(why, why_size, "multiboot2: boot information of a wrong length");
	return E_INVAL;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @pager kernel/lib/parse.c tests/fake/fake_arch.c */
/* WRAP: slat_map */
/*
 * test_pager_random.c - three guests do everything at once on too little memory; every sector of every page
 * and disk is known, and the conservation law is checked all the time. Whatever is mapped is looked at in
 * that moment: another processor of the guest could see it. PAGER_OPS and PAGER_SEED from the environment.
 */
#include "mm/pager/zip.h"
#include "tests/unit/pager_env.h"

#define PAGES 400u
#define SECTORS 2600u /* of a guest's disk, not a multiple of 8 pages */
#define DISK0 10000u
#define IOS 12u
#define NPINS 6u

struct model_io {
	struct guest_io io;
	bool busy;
	u32 version[GUEST_IO_MAX_SEGS * 4]; /* of each sector's page at submission (writes) */
};

struct pin { bool busy, write; u32 g; u8 *p; };

static struct model {
	u64 page[PAGES][8], disk[SECTORS];
	u32 version[PAGES]; /* changes with every change of content */
	u32 reading[PAGES]; /* reads in flight into it: content not known */
	struct model_io io[IOS];
	struct pin pin[NPINS];
	u64 next;
	u32 resets;
} model[ENV_VMS];
static u64 seen; /* mappings that were looked at */

static bool is_of(u32 v, u64 value)
{
	return !value || (value & 0xff) == (v << 4 | 1);
}

/* All that a frame holds when a guest gets to see it is zeros and what this very guest has written once. */
void __real_slat_map(struct slat *s, gpfn_t g, pfn_t pfn, bool writable, bool accessed, bool dirty);
void __wrap_slat_map(struct slat *s, gpfn_t g, pfn_t pfn, bool writable, bool accessed, bool dirty);
void __wrap_slat_map(struct slat *s, gpfn_t g, pfn_t pfn, bool writable, bool accessed, bool dirty)
{
	u32 v = vm_index(container_of(s, struct vm_mem, slat));
	const u8 *p = pfn_ptr(pfn);

	for (u32 i = 0; i < 8; i++)
		if (!is_of(v, sector_get(p + i * SECTOR_SIZE)))
			fail_msg("guest %u sees %llx in page %u as it is mapped", v,
				 (unsigned long long)sector_get(p + i * SECTOR_SIZE), g.n);
	seen++;
	__real_slat_map(s, g, pfn, writable, accessed, dirty);
}

static u64 disk_actual(u32 v, u64 sector)
{
	return sector_get(env.disk + (DISK0 + v * SECTORS + sector) * SECTOR_SIZE);
}

/* The guest page and its sector that the i-th sector of the transfer goes to or comes from. */
static void place(const struct guest_io *io, u32 i, u32 *g, u32 *s)
{
	u32 k = 0, at = i * SECTOR_SIZE;

	while (at >= io->segs[k].len)
		at -= io->segs[k++].len;
	*g = (u32)((io->segs[k].gpa.a + at) / PAGE_SIZE);
	*s = (u32)((io->segs[k].gpa.a + at) % PAGE_SIZE / SECTOR_SIZE);
}

static void ended(struct guest_io *io, int err)
{
	struct model_io *x = container_of(io, struct model_io, io);
	u32 v = vm_index(&io->vm->mem), g, s;
	struct model *d = &model[v];

	x->busy = false;
	for (u32 i = 0; i < io->nsectors; i++) {
		u64 *disk = &d->disk[io->sector + i];

		switch (io->op) {
		case GUEST_IO_READ:
			place(io, i, &g, &s);
			d->page[g][s] = *disk;
			d->version[g]++;
			d->reading[g]--;
			break;
		case GUEST_IO_WRITE:
			place(io, i, &g, &s);
			if (!err && !d->reading[g] && d->version[g] == x->version[i])
				*disk = d->page[g][s];
			else
				*disk = disk_actual(v, io->sector + i);
			break;
		case GUEST_IO_WRITE_ZEROES:
			*disk = err ? disk_actual(v, io->sector + i) : 0;
			break;
		default:
			break;
		}
		if (!err) /* one refused may overlap a write that is still in flight */
			assert_int_equal(*disk, disk_actual(v, io->sector + i));
	}
	if (err)
		assert_true(io->vm->mem.dead || io->vm->mem.draining);
}

static void do_io(u32 v)
{
	struct model *d = &model[v];
	struct model_io *x = &d->io[env_rand(IOS)];
	struct guest_io *io = &x->io;
	u32 left, whole = env_rand(4), g, s;

	if (x->busy)
		return;
	memset(io, 0, sizeof(*io));
	io->vm = &env.vm[v];
	io->op = (u8)(env_rand(20) ? env_rand(2) : 2 + env_rand(3));
	io->sector = env_rand(SECTORS - 1);
	if (whole)
		io->sector = ALIGN_DOWN(io->sector, 8ull);
	io->done = ended;
	if (io->op == GUEST_IO_DISCARD || io->op == GUEST_IO_WRITE_ZEROES) {
		io->nsectors = 1 + env_rand(env_rand(10) ? 30 : SECTORS - (u32)io->sector - 1);
		io->nsectors = MIN(io->nsectors, SECTORS - (u32)io->sector);
	}
	left = env_rand(3) ? 1 + env_rand(8) : 1 + env_rand(200);
	if (whole)
		left = ALIGN_UP(left, 8u);
	left = MIN(left, SECTORS - (u32)io->sector);
	for (u32 k = 0; io->op <= GUEST_IO_WRITE && left && k < 60; k++) {
		u32 pages = 1 + env_rand(6), at = env_rand(PAGES - pages), off = whole ? 0 : env_rand(8);
		u32 n = MIN(pages * 8 - off, left);
		bool ok = true;

		for (u32 i = at; i < at + pages && io->op == GUEST_IO_READ; i++)
			ok &= !d->reading[i];
		if (!ok)
			continue;
		io->segs[io->nsegs++] = (struct guest_seg_io){ { (u64)at * PAGE_SIZE + off * SECTOR_SIZE },
							      n * SECTOR_SIZE };
		for (u32 i = 0; i < n; i++) {
			place(io, io->nsectors + i, &g, &s);
			if (io->op == GUEST_IO_READ) {
				d->reading[g]++;
				d->version[g]++;
			} else {
				x->version[io->nsectors + i] = d->reading[g] ? ~0u : d->version[g];
			}
		}
		io->nsectors += n;
		left -= n;
	}
	if (io->op != GUEST_IO_FLUSH && !io->nsectors)
		return;
	if (io->nsegs == 1 && env_rand(2)) { /* cut inside a sector: by way of bounce frames */
		u32 cut = 1 + env_rand(io->segs[0].len - 1);

		io->segs[1] = (struct guest_seg_io){ { io->segs[0].gpa.a + cut }, io->segs[0].len - cut };
		io->segs[0].len = cut;
		io->nsegs = 2;
	}
	x->busy = true;
	env_submit(io);
}

static void write_sector(u32 v, u32 g, u32 s, u8 *p)
{
	struct model *d = &model[v];
	u64 value = env_rand(6) ? ++d->next << 8 | v << 4 | 1 : 0;

	sector_set(p + s * SECTOR_SIZE, value);
	d->page[g][s] = value;
	d->version[g]++;
}

static void check_sector(u32 v, u32 g, u32 s, const u8 *p)
{
	if (!model[v].reading[g])
		assert_int_equal(sector_get(p + s * SECTOR_SIZE), model[v].page[g][s]);
}

/* Some of the guest's pages are hotter than others. */
static u32 some_page(void)
{
	return env_rand(3) ? env_rand(60) : env_rand(PAGES);
}

static void do_touch(u32 v)
{
	u32 g = some_page(), s = env_rand(8);
	bool write = env_rand(2) && !model[v].reading[g];
	u8 *p = cpu_touch(&env.vm[v].mem, g, write);

	if (!p)
		return;
	for (u32 i = 0; i < 8; i++)
		check_sector(v, g, i, p);
	if (write)
		write_sector(v, g, s, p);
}

static void do_pin(u32 v)
{
	struct pin *pin = &model[v].pin[env_rand(NPINS)];
	u32 s = env_rand(8);
	void *p;

	if (pin->busy) {
		if (!model[v].reading[pin->g]) {
			check_sector(v, pin->g, s, pin->p);
			if (pin->write)
				write_sector(v, pin->g, s, pin->p);
		}
		if (env_rand(2)) {
			pager_unpin(&env.vm[v].mem, (gpa_t){ (u64)pin->g * PAGE_SIZE });
			pin->busy = false;
		}
		return;
	}
	pin->g = some_page();
	pin->write = env_rand(2);
	if (pager_pin(&env.vm[v].mem, (gpa_t){ (u64)pin->g * PAGE_SIZE }, PAGE_SIZE, pin->write, &p))
		return;
	pin->p = p;
	pin->busy = true;
	check_sector(v, pin->g, s, pin->p);
}

static void content(const void *ctx, void *page)
{
	const u32 *at = ctx; /* guest, page */

	for (u32 s = 0; s < 8; s++)
		write_sector(at[0], at[1], s, page);
}

static void do_overwrite(u32 v)
{
	u32 at[2] = { v, some_page() };

	if (!model[v].reading[at[1]])
		(void)!pager_overwrite(&env.vm[v].mem, (gpfn_t){ at[1] }, content, at);
}

static void do_reset(u32 v)
{
	struct model *d = &model[v];
	struct vm_mem *m = &env.vm[v].mem;

	while (pager_drain(m) == E_AGAIN) {
		assert_true(disk_one());
		for (u32 i = 0; i < ENV_VMS; i++)
			if (i != v && env_rand(2))
				do_touch(i);
	}
	for (u32 i = 0; i < IOS; i++)
		assert_false(d->io[i].busy);
	for (u32 i = 0; i < NPINS; i++) {
		if (d->pin[i].busy)
			pager_unpin(&env.vm[v].mem, (gpa_t){ (u64)d->pin[i].g * PAGE_SIZE });
		d->pin[i].busy = false;
	}
	assert_int_equal(pager_reset(m), 0);
	assert_int_equal(vmmem_held(m), 0);
	recognise_swap(m, 20, 150);
	memset(d->page, 0, sizeof(d->page));
	for (u32 g = 0; g < PAGES; g++)
		assert_int_equal(d->reading[g], 0);
	d->resets++;
}

static void do_odd(u32 v)
{
	struct vm_mem *m = &env.vm[v].mem;

	switch (env_rand(8)) {
	case 0:
		pager_scan(m);
		break;
	case 1:
		m->target = 100 + env_rand(300);
		break;
	case 2:
		reclaim_take(m, 1 + env_rand(80));
		break;
	case 3:
		pager_make_room(env_rand(60));
		break;
	case 4:
		m->max = 150 + env_rand(400);
		break;
	case 5: /* off, small, large: budgets come and go; auto tries samples */
		m->zplan.percent = (u8)(env_rand(3) ? env_rand(ZPLAN_MOST_PERCENT + 1) :
					env_rand(2) ? 0 :
						      ZPLAN_AUTO);
		zip_plan(m);
		break;
	default:
		for (u32 i = 0; i < 5; i++)
			pager_chore();
	}
}

static void verify_all(void)
{
	disk_run();
	for (u32 v = 0; v < ENV_VMS; v++) {
		if (env.vm[v].mem.dead)
			continue;
		for (u32 g = 0; g < PAGES; g++) {
			u8 *p = cpu_page(&env.vm[v].mem, g, false);

			for (u32 s = 0; p && s < 8; s++)
				check_sector(v, g, s, p);
		}
		for (u32 i = 0; i < SECTORS; i++)
			if (!env.nqueue)
				assert_int_equal(model[v].disk[i], disk_actual(v, i));
	}
}

static void step(u32 n, bool errors)
{
	u32 v = env_rand(ENV_VMS);

	fake_tsc += 1000;
	switch (env_rand(20)) {
	case 0 ... 7:
		do_touch(v);
		break;
	case 8 ... 9:
		do_io(v);
		break;
	case 10:
		do_pin(v);
		break;
	case 11:
		if (env_rand(3) == 0)
			do_overwrite(v);
		break;
	case 12:
		if (env_rand(4) == 0)
			do_odd(v);
		break;
	default:
		if (!disk_one())
			pager_chore();
	}
	if (errors && env_rand(3000) == 0)
		env.fail_in = 1 + (int)env_rand(5);
	for (u32 i = 0; i < ENV_VMS; i++)
		if (env.vm[i].mem.dead || (errors && env_rand(20000) == 0))
			do_reset(i);
	if (n % 64 == 0)
		env_check();
	if (n % 20000 == 19999)
		verify_all();
}

static void run(bool errors, u32 ops, u64 seed)
{
	u64 superfluous = 0, hits = 0, puts = 0, zipped = 0, touched = 0, ousted = 0, swapped = 0;

	env_start(1100, 1100);
	seen = 0;
	memset(model, 0, sizeof(model));
	env.rng = seed;
	for (u32 i = 0; i < ENV_VMS; i++)
		env_vm(i, PAGES, 400, DISK0 + i * SECTORS, SECTORS)->target = 250;
	for (u32 i = 0; i < ENV_VMS; i++)
		recognise_swap(&env.vm[i].mem, 20, 150);
	for (u32 n = 0; n < ops; n++)
		step(n, errors);
	env.fail_in = 0;
	verify_all();
	for (u32 i = 0; i < ENV_VMS; i++) {
		const struct vm_counters *c = &env.vm[i].mem.n;

		superfluous += c->silent_swap_writes + c->stale_reads + c->double_paging;
		swapped += MIN(c->swap_outs, c->swap_ins);
		hits += c->cache_hits;
		puts += c->cache_puts;
		zipped += c->zip_puts;
		touched += c->zip_hits;
		ousted += c->zip_ousted;
		do_reset(i);
		if (!errors)
			print_message("guest %u: %llu faults, %llu swapped, %llu in, %llu disc, %llu soft, "
				      "%llu hits, "
				      "%llu rescues, %llu bounced, %llu compressed, %llu back, %llu on, %u "
				      "resets\n",
				      i, (unsigned long long)c->faults, (unsigned long long)c->swap_writes,
				      (unsigned long long)c->swap_reads, (unsigned long long)c->disc_reads,
				      (unsigned long long)c->soft_hits, (unsigned long long)c->cache_hits,
				      (unsigned long long)c->rescues, (unsigned long long)c->bounce_reads,
				      (unsigned long long)c->zip_puts, (unsigned long long)c->zip_hits,
				      (unsigned long long)c->zip_ousted, model[i].resets);
	}
	assert_int_equal(superfluous, 0);
	assert_true(seen > ops / 10);
	assert_true(hits && puts && swapped);
	assert_true(zipped && touched && ousted);
	env_end();
}

static u32 setting(const char *name, u32 otherwise)
{
	const char *s = getenv(name);

	return s ? (u32)strtoul(s, NULL, 0) : otherwise;
}

static void without_errors(void **s)
{
	(void)s;
	run(false, setting("PAGER_OPS", 100000), setting("PAGER_SEED", 1));
}

static void with_errors_and_resets(void **s)
{
	(void)s;
	run(true, setting("PAGER_OPS", 100000), setting("PAGER_SEED", 1) + 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_errors),
		cmocka_unit_test(with_errors_and_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

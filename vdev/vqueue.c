/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vqueue.c - the device's side of a split virtqueue. The alignment that the specification asks for
 * is enforced, so no field that is read or written at once crosses a page.
 */
#include "vdev/vqueue.h"

#include "kernel/lib/lib.h"
#include "vdev/vdma.h"

#define DESC_F_NEXT 1
#define DESC_F_WRITE 2
#define DESC_F_INDIRECT 4
#define AVAIL_F_NO_INTERRUPT 1

struct vqueue_desc { u64 addr; u32 len; u16 flags, next; };
_Static_assert(sizeof(struct vqueue_desc) == 16, "virtq_desc");

/* Offsets in the driver area (available ring) and the device area (used ring). */
#define AVAIL_FLAGS 0u
#define AVAIL_IDX 2u
#define AVAIL_RING(i) (4u + 2u * (i))
#define USED_IDX 2u
#define USED_RING(i) (4u + 8u * (i))

static void *at(const struct vqueue_area *a, u32 offset)
{
	return offset < a->first ? a->page[0] + offset : a->page[1] + (offset - a->first);
}

static int broken(struct vqueue *q, const char *why)
{
	q->broken = why;
	return E_INVAL;
}

static void area_unpin(struct vqueue *q, struct vqueue_area *a)
{
	if (a->page[0])
		guest_unpin(q->vm, (gpa_t){ a->gpa });
	if (a->page[1])
		guest_unpin(q->vm, (gpa_t){ a->gpa + a->first });
	a->page[0] = a->page[1] = NULL;
}

static int area_pin(struct vqueue *q, struct vqueue_area *a)
{
	void *p;
	int err;

	if (a->gpa + a->len < a->gpa)
		return E_RANGE;
	a->first = MIN(a->len, PAGE_SIZE - (u32)(a->gpa & PAGE_MASK));
	err = guest_pin(q->vm, (gpa_t){ a->gpa }, a->first, a->writable, &p);
	if (err)
		return err;
	a->page[0] = p;
	if (a->first == a->len)
		return 0;
	err = guest_pin(q->vm, (gpa_t){ a->gpa + a->first }, a->len - a->first, a->writable, &p);
	if (err)
		return err;
	a->page[1] = p;
	return 0;
}

static void unpin(struct vqueue *q)
{
	area_unpin(q, &q->desc);
	area_unpin(q, &q->driver);
	area_unpin(q, &q->device);
	q->pinned = false;
}

static int pin(struct vqueue *q)
{
	int err;

	if (q->pinned)
		return 0;
	if ((q->desc.gpa & 15) || (q->driver.gpa & 1) || (q->device.gpa & 3))
		return broken(q, "queue area not aligned");
	q->desc.len = q->size * 16u;
	q->driver.len = AVAIL_RING(q->size) + 2;
	q->device.len = USED_RING(q->size) + 2;
	q->device.writable = true;
	err = area_pin(q, &q->desc);
	if (!err)
		err = area_pin(q, &q->driver);
	if (!err)
		err = area_pin(q, &q->device);
	if (err) {
		unpin(q);
		return err == E_AGAIN || err == E_NOMEM ? err : broken(q, "queue area outside memory");
	}
	q->pinned = true;
	return 0;
}

void vqueue_reset(struct vqueue *q, struct vm *vm)
{
	*q = (struct vqueue){ .vm = vm, .size = VQUEUE_MAX };
}

void vqueue_disable(struct vqueue *q)
{
	unpin(q);
	q->enabled = false;
}

static u16 load16(const struct vqueue_area *a, u32 offset)
{
	return __atomic_load_n((const u16 *)at(a, offset), __ATOMIC_ACQUIRE);
}

static void store16(const struct vqueue_area *a, u32 offset, u16 value)
{
	__atomic_store_n((u16 *)at(a, offset), value, __ATOMIC_RELEASE);
}

static int add_seg(struct vqueue *q, struct vqueue_chain *c, const struct vqueue_desc *d)
{
	bool write = d->flags & DESC_F_WRITE;

	if (d->addr + d->len < d->addr)
		return broken(q, "descriptor wraps around");
	if (!write && c->nin)
		return broken(q, "readable descriptor after a writable one");
	if (!d->len)
		return 0;
	if (c->nout + c->nin == VQUEUE_MAX)
		return broken(q, "descriptor chain too long");
	c->seg[c->nout + c->nin] = (struct guest_seg_io){ { d->addr }, d->len };
	if (write) {
		c->nin++;
		c->in_len += d->len;
	} else {
		c->nout++;
		c->out_len += d->len;
	}
	return 0;
}

/* A chain inside an indirect table: i starts at 0 and every step counts, so loops end. */
static int walk_indirect(struct vqueue *q, struct vqueue_chain *c, const struct vqueue_desc *table)
{
	u32 n = table->len / 16, i = 0;

	if (!n || table->len % 16)
		return broken(q, "indirect table of a bad length");
	for (u32 steps = 0; steps < VQUEUE_MAX; steps++) {
		struct vqueue_desc d;
		int err = vdma_read(q->vm, table->addr + i * 16ull, &d, sizeof(d));

		if (err)
			return err == E_AGAIN || err == E_NOMEM ? err :
								  broken(q, "indirect table outside memory");
		if (d.flags & DESC_F_INDIRECT)
			return broken(q, "indirect table inside an indirect table");
		err = add_seg(q, c, &d);
		if (err || !(d.flags & DESC_F_NEXT))
			return err;
		i = d.next;
		if (i >= n)
			return broken(q, "descriptor index out of range");
	}
	return broken(q, "descriptor chain too long");
}

static int walk(struct vqueue *q, struct vqueue_chain *c)
{
	u32 i = c->head;

	for (u32 steps = 0; steps < q->size; steps++) {
		struct vqueue_desc d;
		int err;

		if (i >= q->size)
			return broken(q, "descriptor index out of range");
		memcpy(&d, at(&q->desc, i * 16), sizeof(d));
		if (d.flags & DESC_F_INDIRECT) {
			if (!q->indirect || (d.flags & DESC_F_NEXT))
				return broken(q, "indirect descriptor not allowed");
			if (d.addr + d.len < d.addr)
				return broken(q, "descriptor wraps around");
			return walk_indirect(q, c, &d);
		}
		err = add_seg(q, c, &d);
		if (err || !(d.flags & DESC_F_NEXT))
			return err;
		i = d.next;
	}
	return broken(q, "descriptor chain too long");
}

int vqueue_pop(struct vqueue *q, struct vqueue_chain *c)
{
	u16 idx;
	int err;

	if (q->broken)
		return E_INVAL;
	if (!q->enabled)
		return E_NOENT;
	err = pin(q);
	if (err)
		return err;
	idx = load16(&q->driver, AVAIL_IDX);
	if (idx == q->avail_next) {
		if (!q->event_idx)
			return E_NOENT;
		/* Ask to be told about the next one, then look again. */
		store16(&q->device, USED_RING(q->size), q->avail_next);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		idx = load16(&q->driver, AVAIL_IDX);
		if (idx == q->avail_next)
			return E_NOENT;
	}
	if ((u16)(idx - q->avail_next) > q->size)
		return broken(q, "available index jumps");
	c->head = load16(&q->driver, AVAIL_RING(q->avail_next & (q->size - 1u)));
	c->nout = c->nin = 0;
	c->out_len = c->in_len = 0;
	err = walk(q, c);
	if (!err)
		q->avail_next++;
	return err;
}

void vqueue_unpop(struct vqueue *q)
{
	q->avail_next--;
}

bool vqueue_push(struct vqueue *q, u16 head, u32 written)
{
	u16 old = q->used_next, event;
	u32 elem = USED_RING(old & (q->size - 1u)), id = head;

	if (!q->pinned)
		return false;
	memcpy(at(&q->device, elem), &id, 4);
	memcpy(at(&q->device, elem + 4), &written, 4);
	q->used_next++;
	store16(&q->device, USED_IDX, q->used_next);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!q->event_idx)
		return !(load16(&q->driver, AVAIL_FLAGS) & AVAIL_F_NO_INTERRUPT);
	event = load16(&q->driver, AVAIL_RING(q->size));
	return event == old;
}

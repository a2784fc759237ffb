/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vboard.c - ties the devices together: who answers which port and address, and who
 * hears which interrupt line.
 */
#include "vdev/vboard.h"

#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "vdev/board.h"

#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define GSI_PIT 2

/* Ports: what is not `wide` is eight bits wide, and a larger access is several of them. */
struct port_range {
	u16 first, last;
	bool wide;
	u32 (*in)(struct vboard *b, u16 port, u8 size);
	void (*out)(struct vboard *b, u16 port, u8 size, u32 value);
};

static const struct port_range ports[] = {
	{ VUART_PORT, VUART_PORT + 7, false, vuart_in, vuart_out },
	{ VPCI_ADDRESS, VPCI_DATA + 3, true, vpci_in, vpci_out },
	{ 0x20, 0x21, false, vpic_in, vpic_out },
	{ 0xa0, 0xa1, false, vpic_in, vpic_out },
	{ 0x40, 0x43, false, vpit_in, vpit_out },
	{ 0x60, 0x60, false, vpm_in_8042, vpm_out_8042 },
	{ 0x61, 0x61, false, vpit_in61, vpit_out61 },
	{ 0x64, 0x64, false, vpm_in_8042, vpm_out_8042 },
	{ 0x70, 0x71, false, vrtc_in, vrtc_out },
	{ 0x4d0, 0x4d1, false, vpic_elcr_in, vpic_elcr_out },
	{ VPM_SLEEP_CONTROL, VPM_LAST, true, vpm_in, vpm_out },
};

static u32 lapic_read(struct vboard *b, u16 offset)
{
	return vlapic_read(&b->lapic, offset, arch_tsc());
}

static void lapic_write(struct vboard *b, u16 offset, u32 value)
{
	vlapic_write(&b->lapic, offset, value, arch_tsc());
}

static u32 ioapic_read(struct vboard *b, u16 offset)
{
	return vioapic_read(&b->ioapic, offset);
}

static void ioapic_write(struct vboard *b, u16 offset, u32 value)
{
	vioapic_write(&b->ioapic, offset, value);
}

/* Addresses: registers of 32 bits at multiples of 16 bytes, one page a device. */
static const struct mmio_range {
	u64 first, last;
	u32 (*in)(struct vboard *b, u16 offset);
	void (*out)(struct vboard *b, u16 offset, u32 value);
} mmio[] = {
	{ VBOARD_LAPIC_GPA, VBOARD_LAPIC_GPA + PAGE_MASK, lapic_read, lapic_write },
	{ VBOARD_IOAPIC_GPA, VBOARD_IOAPIC_GPA + PAGE_MASK, ioapic_read, ioapic_write },
};

u8 vboard_pci_gsi(u8 slot)
{
	return 15 + slot; /* slot 1 is GSI 16 */
}

u8 vboard_pci_isa(u8 slot)
{
	static const u8 irq[4] = { 5, 11, 10, 9 };

	return irq[slot & 3];
}

size_t vboard_size(void)
{
	return ALIGN_UP(sizeof(struct vboard), (size_t)PAGE_SIZE);
}

int vboard_init(struct vboard *b, const struct vboard_config *c)
{
	u64 now = arch_tsc();

	if (c->ndisks > VBOARD_MAX_DISKS || !c->tsc_hz || c->tsc_hz >> 40 || !c->apic_page)
		return E_INVAL;
	b->config = *c;
	vlapic_init(&b->lapic, b, c->apic_page, c->tsc_hz);
	vioapic_init(&b->ioapic, b);
	vpic_init(&b->pic, b);
	vpit_init(&b->pit, b, c->tsc_hz);
	vrtc_init(&b->rtc, c->tsc_hz, c->ram, now);
	vpm_init(&b->pm, c->tsc_hz, now);
	vuart_init(&b->uart, b);
	vpci_init(&b->pci, b, c->ndisks);
	for (u8 i = 0; i < c->ndisks; i++)
		vblk_init(&b->disk[i], b, i);
	return 0;
}

void vboard_reset(struct vboard *b)
{
	for (u8 i = 0; i < b->config.ndisks; i++)
		vblk_reset(&b->disk[i]);
	vpci_reset(&b->pci);
	vuart_reset(&b->uart);
	vpit_reset(&b->pit);
	vrtc_reset(&b->rtc);
	vpm_reset(&b->pm);
	vpic_reset(&b->pic);
	b->ioapic.lines = 0;
	vioapic_reset(&b->ioapic);
	vlapic_reset(&b->lapic);
}

static const struct port_range *find_port(u16 port)
{
	for (u32 i = 0; i < ARRAY_SIZE(ports); i++)
		if (port >= ports[i].first && port <= ports[i].last)
			return &ports[i];
	return NULL;
}

static u32 size_mask(u8 size)
{
	return size >= 4 ? 0xffffffff : (1u << 8 * size) - 1;
}

u32 vboard_in(struct vboard *b, u16 port, u8 size)
{
	const struct port_range *r = find_port(port);
	struct vblk *disk;
	u16 offset;
	u32 v = 0;

	if (r && (r->wide || size == 1))
		return r->in(b, port, size) & size_mask(size);
	if (r) {
		for (u8 i = 0; i < size && i < 4; i++)
			v |= vboard_in(b, port + i, 1) << 8 * i;
		return v;
	}
	disk = vpci_find_io(&b->pci, port, size, &offset);
	return disk ? vblk_in(disk, offset, size) : size_mask(size);
}

void vboard_out(struct vboard *b, u16 port, u8 size, u32 value)
{
	const struct port_range *r = find_port(port);
	struct vblk *disk;
	u16 offset;

	if (r && (r->wide || size == 1)) {
		r->out(b, port, size, value & size_mask(size));
		return;
	}
	if (r) {
		for (u8 i = 0; i < size && i < 4; i++)
			vboard_out(b, port + i, 1, value >> 8 * i & 0xff);
		return;
	}
	disk = vpci_find_io(&b->pci, port, size, &offset);
	if (disk)
		vblk_out(disk, offset, size, value & size_mask(size));
}

static const struct mmio_range *find_mmio(u64 gpa)
{
	for (u32 i = 0; i < ARRAY_SIZE(mmio); i++)
		if (gpa >= mmio[i].first && gpa <= mmio[i].last)
			return &mmio[i];
	return NULL;
}

/* A narrow read sees its part of the register; the reserved 12 bytes after it read as zero. */
bool vboard_mmio_read(struct vboard *b, gpa_t gpa, u8 size, u64 *value)
{
	const struct mmio_range *r = find_mmio(gpa.a);
	u16 offset = (u16)(gpa.a & PAGE_MASK);

	if (!r) {
		*value = ~0ull;
		return false;
	}
	*value = offset & 12 ? 0 : r->in(b, offset & 0xff0) >> 8 * (offset & 3);
	if (size < 4)
		*value &= size_mask(size);
	return true;
}

bool vboard_mmio_write(struct vboard *b, gpa_t gpa, u8 size, u64 value)
{
	const struct mmio_range *r = find_mmio(gpa.a);

	(void)size;
	if (!r)
		return false;
	if (!(gpa.a & 15))
		r->out(b, (u16)(gpa.a & PAGE_MASK), (u32)value);
	return true;
}

u32 vboard_apic_read(struct vboard *b, u16 offset)
{
	return lapic_read(b, offset);
}

void vboard_apic_write(struct vboard *b, u16 offset, u32 value)
{
	lapic_write(b, offset, value);
}

void vboard_apic_write_trap(struct vboard *b, u16 offset)
{
	vlapic_write_trap(&b->lapic, offset, arch_tsc());
}

void vboard_apic_eoi(struct vboard *b, u8 vector)
{
	vlapic_eoi_virtual(&b->lapic, vector);
}

int vboard_read_msr(struct vboard *b, u32 msr, u64 *value)
{
	if (msr == MSR_APIC_BASE)
		return vlapic_read_base(&b->lapic, value);
	if (msr != MSR_TSC_DEADLINE)
		return E_NOENT;
	vlapic_read_deadline(&b->lapic, value);
	return 0;
}

int vboard_write_msr(struct vboard *b, u32 msr, u64 value)
{
	if (msr == MSR_APIC_BASE)
		return vlapic_write_base(&b->lapic, value);
	if (msr != MSR_TSC_DEADLINE)
		return E_NOENT;
	vlapic_write_deadline(&b->lapic, value, arch_tsc());
	return 0;
}

void vboard_isa_irq(struct vboard *b, u8 irq, bool level)
{
	vpic_line(&b->pic, irq, level);
	vioapic_line(&b->ioapic, irq == 0 ? GSI_PIT : irq, level);
}

void vboard_pci_irq(struct vboard *b, u8 slot, bool level)
{
	vpic_line(&b->pic, vboard_pci_isa(slot), level);
	vioapic_line(&b->ioapic, vboard_pci_gsi(slot), level);
}

void vboard_eoi_broadcast(struct vboard *b, u8 vector)
{
	vioapic_eoi(&b->ioapic, vector);
}

/* Does the 8259's INT reach the processor, through LINT0 or I/O APIC pin 0? */
static bool extint(const struct vboard *b)
{
	return vlapic_extint(&b->lapic) || vioapic_extint(&b->ioapic);
}

int vboard_irq_pending(struct vboard *b)
{
	int v = vlapic_pending(&b->lapic);

	if (v < 0 && extint(b))
		v = vpic_vector(&b->pic);
	return v;
}

void vboard_irq_taken(struct vboard *b, u8 vector)
{
	if (vlapic_taken(&b->lapic, vector))
		return;
	if (extint(b) && vpic_vector(&b->pic) == vector)
		vpic_ack(&b->pic);
}

u64 vboard_deadline(const struct vboard *b)
{
	u64 lapic = vlapic_deadline(&b->lapic), pit = vpit_deadline(&b->pit);

	return !lapic ? pit : !pit ? lapic : MIN(lapic, pit);
}

void vboard_tick(struct vboard *b, u64 now_tsc)
{
	vlapic_tick(&b->lapic, now_tsc);
	vpit_tick(&b->pit, now_tsc);
}

u32 vboard_uart_rx(struct vboard *b, const u8 *bytes, u32 n)
{
	return vuart_rx(&b->uart, bytes, n);
}

void vboard_retry(struct vboard *b)
{
	u8 n = (u8)b->config.ndisks, first = b->first_disk;

	b->go_since = arch_tsc();
	for (u8 i = 0; i < n; i++)
		vblk_retry(&b->disk[(first + i) % n]);
	b->first_disk = n ? (u8)((first + 1) % n) : 0;
	b->go_since = 0;
}

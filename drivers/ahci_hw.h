/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ahci_hw.h - inside the AHCI driver: registers, the state of a port.
 * Source: Serial ATA AHCI 1.3.1, "HBA Memory Registers".
 */
#ifndef DRIVERS_AHCI_HW_H
#define DRIVERS_AHCI_HW_H

#include "arch/x86_64/arch.h"
#include "arch/x86_64/mmio.h"
#include "drivers/ahci.h"
#include "drivers/pci.h"

enum {
	HBA_CAP = 0x00,
	HBA_GHC = 0x04,
	HBA_IS = 0x08,
	HBA_PI = 0x0c,
	HBA_CAP2 = 0x24,
	HBA_BOHC = 0x28,
	HBA_PORTS = 0x100
};
#define CAP_SNCQ BIT(30)
#define CAP_S64A BIT(31)
#define GHC_IE BIT(1)
#define GHC_AE BIT(31)
#define BOHC_BOS BIT(0)
#define BOHC_OOS BIT(1)

#define PORT_BYTES 0x80
enum {
	PORT_CLB = 0x00,
	PORT_FB = 0x08,
	PORT_IS = 0x10,
	PORT_IE = 0x14,
	PORT_CMD = 0x18,
	PORT_TFD = 0x20,
	PORT_SIG = 0x24,
	PORT_SSTS = 0x28,
	PORT_SCTL = 0x2c,
	PORT_SERR = 0x30,
	PORT_SACT = 0x34,
	PORT_CI = 0x38
};
#define CMD_ST BIT(0)
#define CMD_SUD BIT(1)
#define CMD_POD BIT(2)
#define CMD_FRE BIT(4)
#define CMD_FR BIT(14)
#define CMD_CR BIT(15)
#define IS_DONE 0x2fu       /* D2H, PIO setup, DMA setup, set device bits, descriptor processed */
/* unknown FIS, connect change, PhyRdy change, overflow, interface, host bus, task file */
#define IS_FAILED 0x7d400050u
#define TFD_BUSY 0x88u      /* BSY, DRQ */
#define SIG_DISK 0x00000101u
#define SCTL_DET_INIT 1u
#define SCTL_NO_POWER_SAVING 0x300u
#define DET_PRESENT 1u
#define DET_READY 3u

#define ATA_READ_DMA_EXT 0x25
#define ATA_WRITE_DMA_EXT 0x35
#define ATA_READ_FPDMA 0x60
#define ATA_WRITE_FPDMA 0x61
#define ATA_FLUSH_EXT 0xea
#define ATA_IDENTIFY 0xec
#define FIS_H2D 0x27
#define FIS_H2D_COMMAND 0x80
#define HEADER_FIS_DWORDS 5
#define HEADER_WRITE BIT(6)

#define MS 1000000ull
#define TIMEOUT_NS (10000 * MS)
#define STOP_NS (500 * MS)
#define DETECT_NS (100 * MS)  /* nothing on the cable answers within */
#define LINK_NS (15000 * MS)  /* a disk that must spin up */
#define MAX_SECTORS 8192u

enum ahci_step { AHCI_RUNNING, AHCI_STOPPING, AHCI_RESETTING, AHCI_LINKING, AHCI_GONE };

struct ahci_port {
	struct slots q;
	struct ahci_port *next;
	struct ahci_hba *hba;
	u8 *regs;
	struct ahci_memory *m;
	bool ncq;
	u32 active;      /* commands given to the hardware */
	enum ahci_step step;
	u64 until_ns;    /* of this step */
	u64 detect_ns;
};

/* One adapter; ports that are not used are NULL. */
struct ahci_hba { const struct pci_dev *pci; u8 *regs; struct ahci_port *ports[32]; };

/* A reset of the port's link, from any state; ahci_step() goes on with it, a look at a time, and is true at
 * its end: p->step is AHCI_RUNNING or AHCI_GONE then. */
void ahci_reset(struct ahci_port *p, u64 now_ns);
bool ahci_step(struct ahci_port *p, u64 now_ns);
void ahci_enable_interrupts(struct ahci_port *p);
bool ahci_interrupt(void *ctx);
void ahci_issue(struct slots *q, u32 i);
void ahci_fis(u8 *f, u8 command, u64 lba, u32 count, u32 features);
/* For the tick. */
void ahci_add(struct ahci_port *p);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vacpi.h - the guest's ACPI tables: hardware-reduced, RSDP, XSDT, FADT, MADT and a DSDT with the PCI
 * root bridge, COM1, the RTC and \_S5. They take VACPI_BASE .. VACPI_END, which the memory map must not offer
 * as free. Source: ACPI Specification 6.x, "ACPI Software Programming Model".
 */
#ifndef VDEV_VACPI_H
#define VDEV_VACPI_H

#include "vdev/vboard.h"

#define VACPI_BASE 0xe0000u
#define VACPI_END 0xe1000u
#define VACPI_RSDP VACPI_BASE
#define VACPI_XSDT (VACPI_BASE + 0x40)
#define VACPI_MADT (VACPI_BASE + 0x80)
#define VACPI_FADT (VACPI_BASE + 0x100)
#define VACPI_DSDT (VACPI_BASE + 0x400)
#define VACPI_BYTES (VACPI_END - VACPI_BASE)
#define VACPI_DSDT_MAX 0x800u


#endif

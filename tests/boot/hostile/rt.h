/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rt.h - what all hostile guests share: ports, MSRs, the time, random numbers, one line a second on the
 * serial port, attempts that survive exceptions, the local APIC and a virtio disk.
 *
 * The program is one Multiboot kernel; its command line says what it does:
 *   mode=NAME    the attack, a row of the table in main.c
 *   seed=N       of the random numbers; after a reset of its own the time is mixed in
 *   from=MS      the attack begins when the time stamp counter says so (counted from the machine's start)
 *   mhz=N        of the time stamp counter
 * and more by mode. A mode goes on for ever and says how far it is once a second.
 */
#ifndef HOSTILE_RT_H
#define HOSTILE_RT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define SCRATCH 0x400000ull /* RAM from here on is the attacks' */
#define APIC 0xfee00000ull
#define IOAPIC 0xfec00000ull
#define HOLE 0xd0000000ull  /* neither RAM nor a device */
#define PAGE 4096ull
#define TIMER_VECTOR 0x40
#define DISK_VECTOR 0x41
#define PIC_VECTOR 0x20
#define RF_TF 0x100u
#define RF_IF 0x200u
#define RF_DF 0x400u
#define RF_AC 0x40000u
#define CODE0 0x08
#define DATA0 0x10
#define DATA3 0x23
#define CODE3 0x2b

/* As enter() loads them. */
struct regs {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 rip, cs, rflags, rsp, ss;
};

struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, code, rip, cs, rflags, rsp, ss;
};

/* ---- start.S ---- */
u64 attempt(void (*fn)(void *), void *arg);
_Noreturn void enter(struct regs *r);
u32 legacy(u32 cr3, u32 cr4, u32 address);
void set_segments(void);
extern u64 page_tables[7][512]; /* PML4, PDPT, five tables of 2 MiB pages */
extern char stack_top[], vectors[];
extern u64 gdt[], recover_rsp;
extern u32 multiboot_info;

/* ---- rt.c ---- */
extern u64 ram;       /* bytes */
extern u64 tsc_mhz;

void rt_init(void);
u64 arg(const char *name, u64 otherwise);
bool arg_is(const char *name, const char *value);
void say(const char *format, ...) __attribute__((format(printf, 1, 2))); /* %s %c %lu %lx only */
void beat(u64 n);     /* once a second: how often the attack has gone round */
u64 rnd(void);
static inline u64 below(u64 n) { return rnd() % n; }
u64 odd_number(void); /* a random one of the kind that breaks things */
u64 odd_address(void);
void mix_time(void);  /* into the random numbers, after a reset: another run each time */

/* ---- cpu.c ---- */
extern u64 good_cr0, good_cr3, good_cr4;
extern u64 steps;     /* single steps that a trap lets pass before it ends the attempt */
extern bool irq_ends; /* an interrupt ends the attempt */
extern volatile u64 irqs[256], faults[32];
extern void (*irq_hook)(u8 vector);

void cpu_start(void);
void sane(void);      /* the registers that attacks change, as cpu_start() left them */
void map_holes(bool on);
void sleep_until(u64 tsc);
void timer_once(u64 us);
void route_irq(u32 gsi, u8 vector);
_Noreturn void reset(u32 how);

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

static inline void out8(u16 p, u8 v) { asm volatile("outb %0, %1" : : "a"(v), "Nd"(p) : "memory"); }
static inline void out16(u16 p, u16 v) { asm volatile("outw %0, %1" : : "a"(v), "Nd"(p) : "memory"); }
static inline void out32(u16 p, u32 v) { asm volatile("outl %0, %1" : : "a"(v), "Nd"(p) : "memory"); }
static inline u8 in8(u16 p) { u8 v; asm volatile("inb %1, %0" : "=a"(v) : "Nd"(p) : "memory"); return v; }
static inline u16 in16(u16 p) { u16 v; asm volatile("inw %1, %0" : "=a"(v) : "Nd"(p) : "memory"); return v; }
static inline u32 in32(u16 p) { u32 v; asm volatile("inl %1, %0" : "=a"(v) : "Nd"(p) : "memory"); return v; }

static inline u64 rdmsr(u32 n)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(n));
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 n, u64 v)
{
	asm volatile("wrmsr" : : "a"((u32)v), "d"((u32)(v >> 32)), "c"(n) : "memory");
}

static inline void cpuid(u32 leaf, u32 sub, u32 *r)
{
	asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}

static inline void apic_write(u32 reg, u32 v) { *(volatile u32 *)(APIC + reg) = v; }
static inline u32 apic_read(u32 reg) { return *(volatile u32 *)(APIC + reg); }
static inline void halt(void) { asm volatile("sti; hlt; cli" : : : "memory"); }

void *memset(void *p, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);

/* ---- disk.c ---- */
#define QUEUE 64
#define SEGMENTS 62
#define SEGMENT 16384u
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };

struct desc { u64 addr; u32 len; u16 flags, next; };
struct avail { u16 flags, idx, ring[QUEUE], event; };
struct used { u16 flags, idx; struct { u32 id, len; } ring[QUEUE]; u16 event; };
struct header { u32 type, reserved; u64 sector; };

extern struct desc disk_desc[QUEUE];
extern struct avail disk_avail;
extern struct used disk_used;
extern u16 disk_bar;
extern u64 disk_sectors;
extern u8 disk_status[QUEUE];

bool disk_find(void);         /* false: there is none */
void disk_reset(void);
void disk_start(u64 features, u16 size, u64 desc, u64 avail, u64 used); /* from reset to DRIVER_OK */
bool disk_init(void);         /* found and started with our own rings; interrupts go to DISK_VECTOR */
/* One request in this slot of the queue, data in one piece at an address. Not announced yet. */
void disk_put(u32 slot, u32 type, u64 sector, u64 data, u64 bytes);
void disk_kick(void);
int disk_done(void);          /* a slot that is done, or -1 */
u8 disk_do(u32 type, u64 sector, u64 data, u64 bytes); /* the whole of it, asleep in between; its status */
u64 disk_room(u64 bytes);     /* a random sector with that many bytes behind it, 4 KiB aligned */

#endif

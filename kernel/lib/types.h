/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * types.h - the words every room speaks: integers, addresses, small macros.
 *
 * Addresses are one-field structs so that a guest-physical number can not be
 * passed where a host-physical one is wanted.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096u
#define PAGE_MASK 4095u
#define SECTOR_SIZE 512u
#define SECTORS_PER_PAGE 8u

#define KIB 1024ull
#define MIB (1024ull * 1024)
#define GIB (1024ull * 1024 * 1024)

typedef struct { u32 n; } pfn_t;  /* host frame number */
typedef struct { u32 n; } gpfn_t; /* guest frame number */
typedef struct { u64 a; } hpa_t;  /* host-physical address */
typedef struct { u64 a; } gpa_t;  /* guest-physical address */

#define NO_PFN ((pfn_t){ 0xffffffffu })
#define NO_GPFN ((gpfn_t){ 0xffffffffu })

static inline bool pfn_none(pfn_t p) { return p.n == 0xffffffffu; }
static inline hpa_t pfn_hpa(pfn_t p) { return (hpa_t){ (u64)p.n << PAGE_SHIFT }; }
static inline pfn_t hpa_pfn(hpa_t h) { return (pfn_t){ (u32)(h.a >> PAGE_SHIFT) }; }
static inline gpa_t gpfn_gpa(gpfn_t g) { return (gpa_t){ (u64)g.n << PAGE_SHIFT }; }
static inline gpfn_t gpa_gpfn(gpa_t g) { return (gpfn_t){ (u32)(g.a >> PAGE_SHIFT) }; }

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, n) (((x) + (n) - 1) & ~((__typeof__(x))(n) - 1))
#define ALIGN_DOWN(x, n) ((x) & ~((__typeof__(x))(n) - 1))
#define BIT(n) (1u << (n))
#define BIT64(n) (1ull << (n))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Results: 0 or a negative one of these. err_str() names them. */
enum err {
	E_OK = 0,
	E_NOMEM = -1,  /* no frame, no slot, no room */
	E_INVAL = -2,  /* malformed or contradictory input */
	E_RANGE = -3,  /* outside the device, the memory, the table */
	E_IO = -4,     /* a device said no */
	E_AGAIN = -5,  /* not now: the caller parks and is woken */
	E_NOENT = -6,  /* no such thing */
	E_BUSY = -7,   /* taken, in flight */
	E_NOTSUP = -8, /* the machine can't */
};

#endif

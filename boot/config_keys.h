/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_keys.h - private to boot/config*.c: the table of configuration words.
 */
#ifndef BOOT_CONFIG_KEYS_H
#define BOOT_CONFIG_KEYS_H

#include "boot/config.h"

/* On which lines a word may stand. */
enum { ON_KERNEL = 1, ON_INITRD = 2, ON_DISK = 4, ON_VMMB = 8, ON_MODULE = 16 };
#define ON_ANY_MODULE (ON_KERNEL | ON_INITRD | ON_DISK | ON_MODULE)

/* The first word of a module line: what the file is. */
struct config_role {
	const char *word, *help;
	u32 on;
	enum config_kind kind; /* of the kernel, ON_KERNEL only */
};
#define CONFIG_ROLES 5
extern const struct config_role config_roles[CONFIG_ROLES];

/* One line being read. */
struct config_line {
	struct config *out;
	struct vm_config *vm;       /* NULL on the hypervisor's own line */
	s32 module;                 /* -1: the hypervisor's own line */
	u32 on;                     /* one of ON_... */
	u32 seen;                   /* bit n: keys[n] was there */
	bool min_given, max_given;  /* on this line */
	bool read_only;             /* the bare word ro */
	char *why;
	size_t why_size;
};

/* A word of at most 127 bytes. */
#define CONFIG_WORD_MAX 128

/* Copies the next word; false at the end of the line. *p stays behind it. A longer one is cut. */
bool config_next_word(const char **p, char word[CONFIG_WORD_MAX]);
/* Applies one "key=value" or "key"; 0 or E_INVAL with why filled. */
int config_apply_word(struct config_line *l, char *word);
/* A guest's name: 1 to 15 of a-z 0-9 -, not beginning with -. */
bool config_name_ok(const char *name);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd_mem.c - where the machine's frames are, whether they add up, and a guest's miss curve.
 */
#include "kernel/console/cmd.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/vm.h"
#include "mm/pager/swap.h"

static const struct {

	enum frame_state state;

	const char *name;

} states[] = {
	{ FRAME_HYP, "hypervisor" },  { FRAME_MODULE, "modules" },      { FRAME_TABLE, "tables" },
	{ FRAME_MAPPED, "mapped" },   { FRAME_SOFT, "soft" },           { FRAME_CACHED, "cached" },
	{ FRAME_FILLING, "filling" }, { FRAME_WRITING, "writing" },     { FRAME_BOUNCE, "bounce" },
	{ FRAME_ZIP, "compressed" },  { FRAME_ZEROED, "free, zeroed" }, { FRAME_FREE, "free" },
};

static void mem(struct cmd *c)
{
	char s[16], t[16], u[16];
	u64 sum = 0, promised = 0;

	cmd_json_begin(c);
	for (u32 i = 0; i < ARRAY_SIZE(states); i++) {
		u32 n = frame_count(states[i].state);

		sum += n;
		cmd_line(c, "%-14s %8u frames %10s", states[i].name, n,
			 fmt_size(s, sizeof(s), (u64)n * PAGE_SIZE));
		cmd_json_u64(c, states[i].name, n);
	}
	for (u32 i = 0; i < vm_count; i++)
		if (vm_all[i]->state != VM_REFUSED)
			promised += vm_all[i]->mem.npages;
	cmd_line(c, "%-14s %8llu frames %10s of %u", "sum", (unsigned long long)sum,
		 fmt_size(s, sizeof(s), sum * PAGE_SIZE), frame_total());
	cmd_line(c,
		 "promised to guests: %s, theirs to share: %s, swap used %u of %u slots (%s), %u of them "
		 "copies",
		 fmt_size(s, sizeof(s), promised * PAGE_SIZE),
		 fmt_size(t, sizeof(t), (u64)pager_guest_frames() * PAGE_SIZE), swap_used(), swap_slots(),
		 fmt_size(u, sizeof(u), (u64)swap_slots() * PAGE_SIZE), swap_copies());
	cmd_json_u64(c, "total", frame_total());
	cmd_json_u64(c, "promised", promised);
	cmd_json_u64(c, "guest_frames", pager_guest_frames());
	cmd_json_u64(c, "swap_used", swap_used());
	cmd_json_u64(c, "swap_copies", swap_copies());
	cmd_json_u64(c, "swap_total", swap_slots());
	cmd_json_end(c);
}

static void check_say(void *ctx, const char *line)
{
	cmd_line(ctx, "%s", line);
}

static void mem_check(struct cmd *c)
{
	u32 wrong = pager_check(check_say, c);

	cmd_line(c,
		 wrong ? "%u violations: please report this with the output of log" :
			 "conserved: %u violations",
		 wrong);
	cmd_json_begin(c);
	cmd_json_u64(c, "violations", wrong);
	cmd_json_end(c);
}

/* Misses a second at 16 sizes up to the guest's RAM, beside where it is and should be. */
static void mrc(struct cmd *c)
{
	struct vm *vm = cmd_vm(c, 0);
	char s[16];
	u64 most, cold;
	u32 held;

	if (!vm)
		return;
	if (!vm_has_memory(vm)) {
		cmd_error(c, "mrc %s: it is %s and has no curve; nothing changed; try: vm show %s", vm->name,
			  vm_state_name(vm->state), vm->name);
		return;
	}
	held = vmmem_held(&vm->mem);
	most = curve_misses_at(&vm->mem.curve, 0);
	cold = curve_cold_misses(&vm->mem.curve);
	cmd_line(c, "%s misses a second by memory (%s; W1 %u pages; cold %llu.%03llu/s besides)", vm->name,
		 vm->mem.curve.coarse ? "coarse: W1 above 10 % of the allocation" : "fine",
		 vm->mem.ages.w1_avg, (unsigned long long)(cold / 1000), (unsigned long long)(cold % 1000));
	for (u32 i = 0; i <= 16; i++) {
		u32 frames = (u32)((u64)vm->mem.npages * i / 16);
		u64 misses = curve_misses_at(&vm->mem.curve, frames);
		u32 bar = most ? (u32)(misses * 40 / most) : 0;

		cmd_line(c, "%10s %8llu.%03llu/s %.*s%s%s", fmt_size(s, sizeof(s), (u64)frames * PAGE_SIZE),
			 (unsigned long long)(misses / 1000), (unsigned long long)(misses % 1000), (int)bar,
			 "########################################",
			 frames <= held && held < frames + vm->mem.npages / 16 ? " <- held" : "",
			 frames <= vm->mem.target && vm->mem.target < frames + vm->mem.npages / 16 ?
				 " <- target" :
				 "");
		cmd_json_begin(c);
		cmd_json_str(c, "name", vm->name);
		cmd_json_u64(c, "bytes", (u64)frames * PAGE_SIZE);
		cmd_json_u64(c, "misses_per_1000s", misses);
		cmd_json_end(c);
	}
}

const struct cmd_entry cmd_mem_table[] = {
	{ "mem", NULL, "", "where the machine's frames are", 0, 0, mem },
	{ "mem", "check", "", "recount everything: the conservation law", 0, 0, mem_check },
	{ "mrc", NULL, "<vm>", "a guest's miss-ratio curve", 1, 1, mrc },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * caps.c - what this CPU's VMX offers, against what we need: one row a capability. Everything
 * that is missing is named in one line.
 * Source: Intel SDM vol. 3, appendix "VMX Capability Reporting Facility".
 */
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "vmx/vmx.h"

struct vmx_caps vmx_caps;

enum need { MUST, WANT, OFF }; /* OFF: must be able to be 0 */

static const struct ctl_row { u8 ctl, need; u32 bit; const char *name; } ctl_rows[] = {
	{ CTL_PIN, MUST, PIN_EXT_INTR_EXITING, "external-interrupt exiting" },
	{ CTL_PIN, MUST, PIN_NMI_EXITING, "NMI exiting" },
	{ CTL_PIN, MUST, PIN_VIRTUAL_NMIS, "virtual NMIs" },
	{ CTL_PIN, MUST, PIN_PREEMPTION_TIMER, "the preemption timer" },
	{ CTL_PIN, OFF, PIN_POSTED_INTERRUPTS, "posted interrupts" },

	{ CTL_PROC, MUST, PROC_HLT_EXITING, "HLT exiting" },
	{ CTL_PROC, MUST, PROC_MWAIT_EXITING, "MWAIT exiting" },
	{ CTL_PROC, MUST, PROC_MONITOR_EXITING, "MONITOR exiting" },
	{ CTL_PROC, MUST, PROC_RDPMC_EXITING, "RDPMC exiting" },
	{ CTL_PROC, MUST, PROC_TPR_SHADOW, "the TPR shadow" },
	{ CTL_PROC, MUST, PROC_IO_BITMAPS, "I/O bitmaps" },
	{ CTL_PROC, MUST, PROC_MSR_BITMAPS, "MSR bitmaps" },
	{ CTL_PROC, MUST, PROC_SECONDARY, "secondary controls" },
	{ CTL_PROC, OFF, PROC_INTR_WINDOW, "interrupt-window exiting" },
	{ CTL_PROC, OFF, PROC_TSC_OFFSETTING, "TSC offsetting" },
	{ CTL_PROC, OFF, PROC_INVLPG_EXITING, "INVLPG exiting" },
	{ CTL_PROC, OFF, PROC_RDTSC_EXITING, "RDTSC exiting" },
	{ CTL_PROC, OFF, PROC_CR3_LOAD_EXITING, "CR3-load exiting" },
	{ CTL_PROC, OFF, PROC_CR3_STORE_EXITING, "CR3-store exiting" },
	{ CTL_PROC, OFF, PROC_CR8_LOAD_EXITING, "CR8-load exiting" },
	{ CTL_PROC, OFF, PROC_CR8_STORE_EXITING, "CR8-store exiting" },
	{ CTL_PROC, OFF, PROC_NMI_WINDOW, "NMI-window exiting" },
	{ CTL_PROC, OFF, PROC_MOV_DR_EXITING, "MOV-DR exiting" },
	{ CTL_PROC, OFF, PROC_UNCOND_IO_EXITING, "unconditional I/O exiting" },
	{ CTL_PROC, OFF, PROC_MTF, "the monitor trap flag" },
	{ CTL_PROC, OFF, PROC_PAUSE_EXITING, "PAUSE exiting" },

	{ CTL_PROC2, MUST, PROC2_EPT, "EPT" },
	{ CTL_PROC2, MUST, PROC2_VPID, "VPID" },
	{ CTL_PROC2, MUST, PROC2_UNRESTRICTED_GUEST, "unrestricted guest" },
	{ CTL_PROC2, MUST, PROC2_APIC_ACCESSES, "virtualized APIC accesses" },
	{ CTL_PROC2, WANT, PROC2_APIC_REGISTERS, "APIC-register virtualization" },
	{ CTL_PROC2, WANT, PROC2_WBINVD_EXITING, "WBINVD exiting" },
	{ CTL_PROC2, WANT, PROC2_RDTSCP, "RDTSCP" },
	{ CTL_PROC2, WANT, PROC2_INVPCID, "INVPCID" },
	{ CTL_PROC2, OFF, PROC2_DESCRIPTOR_EXITING, "descriptor-table exiting" },
	{ CTL_PROC2, OFF, PROC2_X2APIC_MODE, "virtualized x2APIC mode" },
	/* Needs its own rules (one vector at a time, EOI-exit bits); the EOI exit it saves is cheap. */
	{ CTL_PROC2, OFF, PROC2_VIRTUAL_INTR_DELIVERY, "virtual-interrupt delivery" },
	{ CTL_PROC2, OFF, PROC2_VMFUNC, "VM functions" },
	{ CTL_PROC2, OFF, PROC2_XSAVES, "XSAVES" },

	{ CTL_EXIT, MUST, EXIT_SAVE_DEBUG, "saving of debug controls" },
	{ CTL_EXIT, MUST, EXIT_HOST_64BIT, "a 64-bit host" },
	{ CTL_EXIT, MUST, EXIT_LOAD_PAT, "loading of PAT at exit" },
	{ CTL_EXIT, MUST, EXIT_SAVE_EFER, "saving of EFER" },
	{ CTL_EXIT, MUST, EXIT_LOAD_EFER, "loading of EFER at exit" },
	{ CTL_EXIT, OFF, EXIT_LOAD_PERF_GLOBAL, "loading of PERF_GLOBAL_CTRL" },
	{ CTL_EXIT, OFF, EXIT_ACK_INTERRUPT, "acknowledging of interrupts" },
	{ CTL_EXIT, OFF, EXIT_SAVE_PREEMPTION_TIMER, "saving of the preemption timer" },

	{ CTL_ENTRY, MUST, ENTRY_LOAD_DEBUG, "loading of debug controls" },
	{ CTL_ENTRY, MUST, ENTRY_LOAD_PAT, "loading of PAT at entry" },
	{ CTL_ENTRY, MUST, ENTRY_LOAD_EFER, "loading of EFER at entry" },
	{ CTL_ENTRY, OFF, ENTRY_IA32E_GUEST, "guests outside IA-32e mode" },
	{ CTL_ENTRY, OFF, ENTRY_TO_SMM, "entry outside SMM" },
};

static const struct { u64 bit; const char *name; } ept_rows[] = {
	{ EPT_CAP_WALK_4, "4-level EPT" },
	{ EPT_CAP_WB, "write-back EPT structures" },
	{ EPT_CAP_AD, "EPT accessed and dirty flags" },
	{ EPT_CAP_INVEPT | EPT_CAP_INVEPT_SINGLE, "single-context INVEPT" },
	{ EPT_CAP_INVVPID | EPT_CAP_INVVPID_SINGLE, "single-context INVVPID" },
};

static const struct { u16 msr, true_msr; } ctl_msrs[CTL_COUNT] = {
	[CTL_PIN] = { MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS },
	[CTL_PROC] = { MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS },
	[CTL_PROC2] = { MSR_IA32_VMX_PROCBASED_CTLS2, MSR_IA32_VMX_PROCBASED_CTLS2 },
	[CTL_EXIT] = { MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS },
	[CTL_ENTRY] = { MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS },
};

/* CR4 bits whose whole effect stays inside the guest: EPT, XSAVE and the lazy switch cover it. */
#define CR4_GUEST                                                                      \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE |   \
	 CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | \
	 CR4_SMEP | CR4_SMAP)

static void say(char *why, size_t size, const char *lead, const char *name)
{
	size_t n = strlen(why);

	if (n < size)
		fmt(why + n, size - n, "%s%s", n ? ", " : lead, name);
}

/* The pure part: capability MSRs in, control words out. */
static int negotiate(const u64 cap[CTL_COUNT], u32 out[CTL_COUNT], char *why, size_t size)
{
	int err = 0;

	for (int c = 0; c < CTL_COUNT; c++)
		out[c] = (u32)cap[c]; /* low half: bits that must be 1 */
	for (size_t i = 0; i < ARRAY_SIZE(ctl_rows); i++) {
		const struct ctl_row *r = &ctl_rows[i];
		bool can = (u32)(cap[r->ctl] >> 32) & r->bit;

		if (r->need == OFF ? (out[r->ctl] & r->bit) != 0 : r->need == MUST && !can) {
			say(why, size, r->need == OFF ? "VMX cannot do without: " : "VMX lacks: ", r->name);
			err = E_NOTSUP;
		} else if (r->need != OFF && can) {
			out[r->ctl] |= r->bit;
		}
	}
	return err;
}

static int probe_controls(char *why, size_t size)
{
	bool true_ctls = cpu_rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;
	u64 cap[CTL_COUNT] = { 0 }, ept = 0;
	int err;

	for (int c = 0; c < CTL_COUNT; c++) {
		if (c == CTL_PROC2 && !(cap[CTL_PROC] >> 32 & PROC_SECONDARY))
			continue; /* then the MSR does not exist */
		cap[c] = cpu_rdmsr(true_ctls ? ctl_msrs[c].true_msr : ctl_msrs[c].msr);
	}
	err = negotiate(cap, vmx_caps.ctl, why, size);
	if (cap[CTL_PROC2] >> 32 & (PROC2_EPT | PROC2_VPID))
		ept = cpu_rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
	for (size_t i = 0; i < ARRAY_SIZE(ept_rows); i++) {
		if ((ept & ept_rows[i].bit) == ept_rows[i].bit)
			continue;
		say(why, size, "VMX lacks: ", ept_rows[i].name);
		err = E_NOTSUP;
	}
	return err;
}

int vmx_caps_probe(char *why, size_t size)
{
	u64 basic, misc;
	int err;

	if (size)
		why[0] = '\0';
	if (!(arch_cpuid(1, 0).ecx & CPUID_1_ECX_VMX)) {
		say(why, size, "", "this CPU has no VMX (CPUID.1:ECX.5 is 0)");
		return E_NOTSUP;
	}
	if ((cpu_rdmsr(MSR_IA32_FEATURE_CONTROL) &
	     (FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX)) == FEATURE_CONTROL_LOCKED) {
		say(why, size, "", "VMX is locked off by the firmware (IA32_FEATURE_CONTROL)");
		return E_NOTSUP;
	}
	basic = cpu_rdmsr(MSR_IA32_VMX_BASIC);
	misc = cpu_rdmsr(MSR_IA32_VMX_MISC);
	err = probe_controls(why, size);
	if ((basic & VMX_BASIC_32BIT_ADDRESSES) || VMX_BASIC_MEMORY_TYPE(basic) != MEMORY_TYPE_WB) {
		say(why, size, "VMX lacks: ", "64-bit write-back VMCS regions");
		err = E_NOTSUP;
	}
	if (!(misc & VMX_MISC_SAVES_LMA)) {
		say(why, size, "VMX lacks: ", "saving of EFER.LMA at exits");
		err = E_NOTSUP;
	}
	vmx_caps.revision = (u32)(basic & VMX_BASIC_REVISION);
	vmx_caps.timer_shift = VMX_MISC_TIMER_SHIFT(misc);
	vmx_caps.rdtscp = vmx_caps.ctl[CTL_PROC2] & PROC2_RDTSCP;
	vmx_caps.cr4_guest = CR4_GUEST & cpu_rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	vmx_caps.cr4_host = cpu_rdmsr(MSR_IA32_VMX_CR4_FIXED0) |
			    (CR4_MCE & cpu_rdmsr(MSR_IA32_VMX_CR4_FIXED1));
	vcontext_probe();
	return err;
}

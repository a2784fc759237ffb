/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpu.c - what this CPU's SVM offers against what we need, and SVM on and off.
 *
 * svm_cpu_on needs virt_frame_get(). File-scope state, since there is one host CPU: it becomes part of
 * struct pcpu with the second.
 * Source: AMD APM vol. 2, "Enabling SVM"; vol. 3, "Function 8000_000Ah".
 */
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "svm/svm.h"

#define CPUID_1_EDX_MCA BIT(14)
#define VM_CR_LOCK BIT64(3)
#define CPUID_1_ECX_HYPERVISOR BIT(31)
#define HYPERVISOR_LEAF 0x40000000u

struct svm_caps svm_caps;
struct svm_cpu svm_cpu;

static int refuse(char *why, size_t size, const char *text, int err)
{
	str_copy(why, size, text);
	return err;
}

/* QEMU's emulated processor, by the signature TCGTCGTCGTCG. */
static bool is_tcg(void)
{
	struct arch_cpuid c = arch_cpuid(1, 0);

	if (!(c.ecx & CPUID_1_ECX_HYPERVISOR))
		return false;
	c = arch_cpuid(HYPERVISOR_LEAF, 0);
	return c.ebx == 0x54474354 && c.ecx == 0x43544743 && c.edx == 0x47435447;
}

int svm_cpu_probe(char *why, size_t size)
{
	struct arch_cpuid ext = arch_cpuid(0x80000000, 0), svm;

	if (size)
		why[0] = '\0';
	if (ext.eax >= 0x80000001)
		ext = arch_cpuid(0x80000001, 0);
	else
		ext = (struct arch_cpuid){ 0, 0, 0, 0 };
	if (!(ext.ecx & CPUID_80000001_ECX_SVM))
		return refuse(why, size, "this CPU has no SVM (CPUID.80000001h:ECX.2 is 0)", E_NOTSUP);
	svm = arch_cpuid(SVM_LEAF, 0);
	if ((cpu_rdmsr(MSR_AMD_VM_CR) & (VM_CR_SVMDIS | VM_CR_LOCK)) == (VM_CR_SVMDIS | VM_CR_LOCK))
		return refuse(why, size, svm.edx & SVM_EDX_LOCK ?
			      "SVM is locked off by the firmware (VM_CR.SVMDIS, with a key)" :
			      "SVM is locked off by the firmware (VM_CR.SVMDIS): enable it in its setup",
			      E_NOTSUP);
	if (!(svm.edx & SVM_EDX_NP))
		return refuse(why, size, "SVM lacks: nested paging (CPUID.8000000Ah:EDX.0 is 0)", E_NOTSUP);
	if (svm.ebx < 2)
		return refuse(why, size, "SVM lacks: an ASID for guests (CPUID.8000000Ah:EBX)", E_NOTSUP);
	svm_caps.asids = svm.ebx;
	svm_caps.nrips = svm.edx & SVM_EDX_NRIPS;
	svm_caps.flush_by_asid = svm.edx & SVM_EDX_FLUSH_BY_ASID;
	svm_caps.decode_assists = svm.edx & SVM_EDX_DECODE_ASSISTS;
	svm_caps.mca = arch_cpuid(1, 0).edx & CPUID_1_EDX_MCA;
	svm_caps.rdtscp = ext.edx & CPUID_80000001_EDX_RDTSCP;
	svm_caps.invpcid = arch_cpuid(0, 0).eax >= 7 && (arch_cpuid(7, 0).ebx & CPUID_7_EBX_INVPCID);
	svm_caps.virq = is_tcg();
	vcontext_probe();
	return 0;
}

int svm_cpu_on(char *why, size_t size)
{
	svm_cpu.hsave = virt_frame_get();
	svm_cpu.host = virt_frame_get();
	if (pfn_none(svm_cpu.hsave) || pfn_none(svm_cpu.host) || svm_vmcb_init())
		return refuse(why, size, "no memory for the host save area and permission maps", E_NOMEM);
	/* As the lazy switch of guest state needs them. */
	cpu_write_cr0(cpu_read_cr0() & ~(CR0_TS | CR0_EM));
	cpu_write_cr4(cpu_read_cr4() | CR4_OSFXSR | CR4_MCE | (vcontext_caps.xcr0 ? CR4_OSXSAVE : 0));
	if (cpu_rdmsr(MSR_AMD_VM_CR) & VM_CR_SVMDIS) /* not locked, or probe had refused */
		cpu_wrmsr(MSR_AMD_VM_CR, cpu_rdmsr(MSR_AMD_VM_CR) & ~VM_CR_SVMDIS);
	cpu_wrmsr(MSR_IA32_EFER, cpu_rdmsr(MSR_IA32_EFER) | EFER_SVME);
	cpu_wrmsr(MSR_AMD_VM_HSAVE_PA, pfn_hpa(svm_cpu.hsave).a);
	svm_insn_vmsave(pfn_hpa(svm_cpu.host));
	return 0;
}

void svm_cpu_off(void)
{
	svm_cpu.owner = NULL;
	cpu_wrmsr(MSR_IA32_EFER, cpu_rdmsr(MSR_IA32_EFER) & ~EFER_SVME);
}

bool svm_cpu_has(enum virt_feature f)
{
	return f == VIRT_RDTSCP ? svm_caps.rdtscp : svm_caps.invpcid;
}

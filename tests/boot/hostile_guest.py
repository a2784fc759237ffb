# SPDX-License-Identifier: GPL-2.0-only
"""Builds the hostile guest, tests/boot/hostile, and makes its module lines."""
import glob, os, subprocess

import vmmb

SOURCE = vmmb.TOP + "/tests/boot/hostile"
ELF = vmmb.TOP + "/build/boot/hostile/hostile.elf"
# What a guest of that name does: main.c and the functions that it names say more.
MODES = {
    "quiet": "quiet", "spin": "spin",
    "ports": "ports", "ports-dev": "ports device=1 all=1",
    "msrs": "msrs", "cpuid": "cpuid",
    "apic": "apic", "apic-exotic": "apic exotic=1",
    "regs": "regs", "regs-far": "regs far=1",
    "insns": "insns", "insns0": "insns ring=0", "insns3": "insns ring=3", "insns-dev": "insns device=1 iopl=1",
    "tables": "tables legacy=1", "tables-far": "tables legacy=1 beyond=1 far=1",
    "queues": "queues", "queues-reset": "queues resets=100",
    "dma": "dma", "dma-reset": "dma resets=8",
    "selfill": "selfill", "selfill-1m": "selfill mib=1",
    "timer-pit": "timer kind=pit", "timer-pit-masked": "timer kind=pit masked=1",
    "timer-lapic": "timer kind=lapic", "timer-lapic-masked": "timer kind=lapic masked=1",
    "timer-deadline": "timer kind=deadline", "timer-spin": "timer kind=lapic spin=1",
    "uart-lines": "uart kind=lines", "uart-control": "uart kind=control", "uart-escape": "uart kind=escape",
    "uart-rep": "uart kind=rep",
    "reset": "reset",
    "flush": "disk kind=flush", "discard": "disk kind=discard kib=32768", "zeroes": "disk kind=zeroes kib=32768",
    "read-4k": "disk kind=read kib=4", "read-1m": "disk kind=read kib=1024", "write-1m": "disk kind=write kib=1024",
    "overwrite": "overwrite mib=8", "overwrite-16": "overwrite mib=16", "overwrite-24": "overwrite mib=24",
    "discards": "overwrite mib=8 kind=discard", "discards-16": "overwrite mib=16 kind=discard",
    "discards-24": "overwrite mib=24 kind=discard",
    "memory": "memory", "memory-paging": "memory",
}
CFLAGS = ("-m64 -std=gnu11 -O2 -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only -fno-stack-protector "
          "-fno-asynchronous-unwind-tables -fno-strict-aliasing -fcf-protection=none -Wall -Wextra -Werror").split()


def build():
    """The Multiboot kernel's path; built when something is newer."""
    sources = sorted(glob.glob(SOURCE + "/*"))
    if os.path.exists(ELF) and os.path.getmtime(ELF) >= max(map(os.path.getmtime, sources + [__file__])):
        return ELF
    os.makedirs(os.path.dirname(ELF), exist_ok=True)
    objects = []
    for path in sources:
        if path[-2:] in (".c", ".S"):
            objects.append(f"{os.path.dirname(ELF)}/{os.path.basename(path)}.o")
            subprocess.run(["gcc", *CFLAGS, "-c", "-o", objects[-1], path], check=True)
    subprocess.run(["ld", "-m", "elf_x86_64", "-n", "-z", "noexecstack", "--no-warn-rwx-segments", "-T",
                    SOURCE + "/hostile.lds", "-o", ELF + ".64", *objects], check=True)
    # Multiboot loads ELF32 only; the code begins in 32 bits and goes on in 64.
    subprocess.run(["objcopy", "-O", "elf32-i386", ELF + ".64", ELF + ".new"], check=True)
    os.replace(ELF + ".new", ELF)
    return ELF


def module(name, mode, words="ram=16M", args=""):
    """Its --module line, mode of MODES; build() comes first."""
    return f"{ELF} multiboot vm={name} {words} -- mode={MODES[mode]} {args}"

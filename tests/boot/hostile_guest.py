# SPDX-License-Identifier: GPL-2.0-only
"""Builds the hostile guest, tests/boot/hostile, and makes its module lines."""
import glob, os, subprocess

import vmmb

SOURCE = vmmb.TOP + "/tests/boot/hostile"
ELF = vmmb.TOP + "/build/boot/hostile/hostile.elf"
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
    """Its --module line; build() comes first."""
    return f"{ELF} multiboot vm={name} {words} -- mode={mode} {args}"

# SPDX-License-Identifier: GPL-2.0-only
"""Kernels of other kinds than Linux: Multiboot kernels of our own, GNU Mach, memtest86+."""
import os, re, subprocess

import pexpect
import pytest

import vmmb

ARGS = "one  two"
STRINGS = ["rootfs --read-only $(x)", "", "third -- more"]
# name: where it is loaded, what its addresses have above that. "long" is high as ELF64.
KERNELS = {"low": (0x5000, 0), "high": (0x200000, 0), "virt": (0x100000, 0xc0000000), "long": None}


@pytest.fixture(scope="module")
def kernels():
    """tests/boot/mbguest.c, linked for several addresses: name -> path."""
    os.makedirs(vmmb.BUILD, exist_ok=True)
    paths = {name: f"{vmmb.BUILD}/mbguest-{name}.elf" for name in KERNELS}
    for name, where in KERNELS.items():
        if not where:
            continue
        phys, offset = map(hex, where)
        subprocess.run(["gcc", "-m32", "-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib",
                        "-static", "-no-pie", "-fno-pie", "-fno-stack-protector", "-mgeneral-regs-only",
                        "-fno-asynchronous-unwind-tables", "-fcf-protection=none", f"-DOFFSET={offset}u",
                        f'-DOFFSET_TEXT="{offset}"', f"-Wl,--defsym=PHYS={phys},--defsym=OFFSET={offset}",
                        "-Wl,--build-id=none,-z,noexecstack,-z,max-page-size=4096,--no-warn-rwx-segments",
                        f"-Wl,-T,{vmmb.TOP}/tests/boot/mbguest.ld", "-o", paths[name],
                        f"{vmmb.TOP}/tests/boot/mbguest.c"], check=True)
    subprocess.run(["objcopy", "-O", "elf64-x86-64", paths["high"], paths["long"]], check=True)
    return paths


@pytest.fixture(scope="module")
def foreign():
    vmmb.tool("mkguest", "foreign")
    return vmmb.GUESTS + "/foreign"


def guest_lines(m, vm, last, timeout=120):
    """What the guest's console shows up to a line."""
    with m.con(vm):
        m.expect(rf"(?s)(.*?{last})", timeout)
        return [x for x in vmmb.render(m.child.match[1]) if x]


def test_segments_entries_and_modules(artifacts, kernels, emu):
    """One segment over all of low memory, an entry that is a virtual address, ELF64; each gets three modules."""
    modules, expected = [], []
    for i, text in enumerate(STRINGS):
        path, data = f"{vmmb.BUILD}/mbmodule{i}-{emu}", bytes((i + 7 * k) % 251 for k in range(4097 * i + 5))
        with open(path, "wb") as f:
            f.write(data)
        expected.append(f"module {i}: {len(data)} bytes, sum {sum(data)} <{' '.join(text.split())}>")
    for name in KERNELS:
        files = [f"{vmmb.BUILD}/mbmodule{i}-{emu} module vm={name} -- {text}".rstrip(" -") for i, text in enumerate(STRINGS)]
        modules += [f"{kernels[name]} multiboot vm={name} ram=16M -- {ARGS}"] + files
    with vmmb.Machine(f"multiboot-{emu}", modules=modules, memory="128M", emu=emu) as m:
        m.cmd("watch off")
        for name in KERNELS:
            lines = guest_lines(m, name, r"(?<!t )ok\r\n|not ok\r\n")
            assert lines == ["loader <VMMB> args <one two>"] + expected + ["ok"], lines
        # Again after a reset: the modules are still there.
        m.cmd("vm reset low")
        assert guest_lines(m, "low", r"ok\r\n(?s:.*)ok\r\n")[-5:] == ["loader <VMMB> args <one two>"] + expected + ["ok"]
        m.conserved()
        assert m.poweroff() == 0


MACH_MODULE = "ext2fs --multiboot-command-line=${kernel-command-line} $(task-create) $(task-resume)"
MACH_END = r"panic [^\n]*user_bootstrap: Cannot load user executable module[^\n]*\n"


def mach_lines(text):
    """What GNU Mach says about its modules."""
    lines = vmmb.render(text)
    return [x for x in lines if re.match(r"module |\d+ multiboot modules|panic ", x)]


def test_gnu_mach(artifacts, foreign, emu):
    """Debian's gnumach (ELF64, entered in 32-bit mode, linked high) reads its module's string and starts its bootstrap: as
    far as on the bare machine, where the file that it is given is no program of its kind either."""
    if emu == "bochs":
        pytest.skip("the loaders are the same on every emulator")
    file = vmmb.TOP + "/COPYING"
    iso = f"{vmmb.BUILD}/mach-bare-{emu}.iso"
    vmmb.tool("mkiso", "-o", iso, "--multiboot", f"{foreign}/gnumach", "--cmdline", "console=com0", "--module", f"{file} {MACH_MODULE}")
    bare = pexpect.spawn(vmmb.TOP + "/tools/emu", ["--emu", emu, "--iso", iso, "--memory", "64M"], encoding="utf-8",
                         codec_errors="replace", timeout=120 * vmmb.SLOW)
    try:
        bare.expect(MACH_END)
        alone = mach_lines(bare.before + bare.after)
    finally:
        bare.close(force=True)
    modules = [f"{foreign}/gnumach multiboot vm=mach ram=64M -- console=com0", f"{file} module vm=mach -- {MACH_MODULE}"]
    with vmmb.Machine(f"mach-{emu}", modules=modules, memory="128M", emu=emu) as m:
        m.cmd("watch off")
        with m.con("mach"):
            m.expect(rf"(?s)(.*{MACH_END})", 120)
            guest = mach_lines(m.child.match[1])
        assert guest == alone and guest[0] == f"module 0: {MACH_MODULE}" and guest[1] == "1 multiboot modules", (guest, alone)
        assert m.poweroff() == 0


def test_memtest86(artifacts, foreign, emu):
    """Debian's memtest86+, 64 and 32 bits, on a serial console: the tests pass, and Esc restarts it. iPXE is too old, and told so."""
    modules = [f"{foreign}/memtest{bits} kernel vm=mem{bits} ram=24M -- console=ttyS0,115200" for bits in (64, 32)]
    with vmmb.Machine(f"memtest-{emu}", modules=modules + [f"{foreign}/ipxe kernel vm=ipxe ram=24M"], memory="128M",
                      emu=emu) as m:
        assert "boot protocol 2.7, 2.10 is needed" in m.guest("ipxe")["reason"]
        m.cmd("watch off")
        for vm in "mem64", "mem32":
            with m.con(vm):
                m.expect(r"#(?:[789]|10) +\[", 600)  # what was shown before it, too: the console replays it
                m.expect(r"Pass: +\d+ +Errors: (\d+) ", 60)
                assert m.child.match[1] == "0"
        with m.con("mem64"):
            m.child.send("\x1b")
            m.expect(r"#0 +\[Address test", 120)
            m.expect(r"Errors: (\d+) ", 60)
            assert m.child.match[1] == "0"
        assert m.guest("mem64")["resets"] == 1
        m.conserved()
        assert m.poweroff() == 0

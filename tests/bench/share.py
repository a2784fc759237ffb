# SPDX-License-Identifier: GPL-2.0-only
"""hostile.share.*: what a quiet guest gets of the processor, the disk and the console beside each hostile one.

Both are the small guest of tests/boot/hostile, of equal weight, on the machine of steady.py, each with a partition of its
own. The quiet one counts how often it goes round a loop, then how many reads of 4 KiB are done (DEPTH at a time, asleep
in between), then writes lines that name the time; wireclock.so says when they left the machine. A figure is the rate (of
the console: the mean wait's inverse) beside the hostile guest, over half of the rate alone: 1 is just its weight's share.
"""
import os, re, subprocess

from paths import BENCH, TOP
import hostile_guest, steady, vmmb

DEPTH = 4
CPU_MS, DISK_MS, LINES = 400, 400, 40
HOSTILE_FROM, QUIET_FROM = 800, 1000  # ms of emulated time; the hypervisor is up after some 150
SHARE = 0.5   # of two guests of equal weight
BAR = 0.9
DISK_MIB = 64
RAM = 32
MAX = {"overwrite-24": "8M", "discards-24": "8M", "memory-paging": "8M"}
HOSTILE = ("spin", "ports", "msrs", "cpuid", "apic", "regs", "insns", "tables", "queues", "dma", "selfill",
           "timer-pit", "timer-lapic", "timer-deadline", "timer-pit-masked", "timer-lapic-masked", "timer-spin",
           "uart-lines", "uart-control", "uart-escape", "uart-rep", "reset",
           "flush", "discard", "zeroes", "read-4k", "read-1m", "write-1m", *MAX, "memory")
WHAT = ("cpu", "disk", "console")


def build():
    """What goes into QEMU, and the guest."""
    hostile_guest.build()
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", BENCH + "/wireclock.so",
                    TOP + "/tests/bench/wireclock.c", "-ldl"], check=True)
    vmmb.tool("mkdisk", "-o", BENCH + "/share.img", "--guest", f"quiet:size={DISK_MIB}M",
              "--guest", f"hostile:size={DISK_MIB}M", "--vmmb-swap", "128M")


class Share(vmmb.Machine):
    def __init__(self, name):
        self.image = vmmb.copy_disk(BENCH + "/share.img", f"bench-share-{name}.img")
        self.wire = f"{BENCH}/share-{name}.wire"
        words = f"ram={RAM}M cache=off"
        modules = [hostile_guest.module("quiet", "quiet", f"{words} disk=nvme0p1",
                                        f"from={QUIET_FROM} cpu={CPU_MS} disk={DISK_MS} depth={DEPTH} lines={LINES}")]
        if name != "alone":
            most = f"max={MAX[name]}" if name in MAX else ""
            modules.append(hostile_guest.module("hostile", name, f"{words} disk=nvme0p2 {most}", f"from={HOSTILE_FROM}"))
        super().__init__(f"bench-share-{name}", modules=modules, disks=[self.image], memory="256M",
                         cmdline="console=com1,115200", emu="tcg",
                         emu_args=["--disk-bus", "nvme", *(f"--qemu-arg={x}" for x in steady.ICOUNT)],
                         env={"LD_PRELOAD": f"{BENCH}/steadydisk.so {BENCH}/wireclock.so", "WIRECLOCK": self.wire,
                              "STEADYDISK_READ_NS": str(steady.READ_US * 1000),
                              "STEADYDISK_WRITE_NS": str(steady.WRITE_US * 1000),
                              "STEADYDISK_BYTE_PS": str(steady.BYTE_PS)})

    def __exit__(self, *_):
        self.close()
        os.unlink(self.image)


def run(name):
    with Share(name) as m:
        m.expect(r"quiet\| DONE", 120)
        with open(m.wire, encoding="ascii", errors="replace") as f:
            lines = f.read()
    cpu, disk = re.search(r"CPU n=(\d+) ticks=(\d+)", lines), re.search(r"DISK n=(\d+) ticks=(\d+)", lines)
    waits = [int(seen) - int(at) for seen, at in re.findall(r"^(\d+) [^\n]*LINE \d+ at=(\d+)", lines, re.M)]
    if not cpu or not disk or len(waits) != LINES:
        raise RuntimeError(f"the quiet guest said too little: {m.log.name}")
    return {"cpu": int(cpu[1]) / int(cpu[2]) * steady.HZ, "disk": int(disk[1]) / int(disk[2]) * steady.HZ,
            "console": LINES / sum(waits) * steady.HZ, "worst_wait": max(waits),
            "stops": re.findall(r"hostile: stopped: [^\n]*", lines)}


def rows(row):
    """row: bench.py's class."""
    def value(name, what):
        return lambda r: r["share." + name][what] / r["share.alone"][what] / SHARE

    def note(name, what):
        def text(r):
            alone, beside = r["share.alone"][what], r["share." + name][what]
            if what == "console":
                out = (f"a line waits {1e6 / beside:.0f} us, alone {1e6 / alone:.0f}; worst "
                       f"{r['share.' + name]['worst_wait'] / 1000:.0f}")
            else:
                out = f"{beside:.0f}/s, alone {alone:.0f}"
            return out + "".join("; " + x for x in r["share." + name]["stops"])
        return text

    return [row(f"hostile.share.{what}.{name}", "of its share", ["share.alone", "share." + name], value(name, what), BAR,
                False, "svm tcg", note(name, what), full=True) for what in WHAT for name in HOSTILE]

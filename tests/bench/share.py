# SPDX-License-Identifier: GPL-2.0-only
"""hostile.share.*: what a quiet guest gets of the processor, the disk and the console beside each hostile one.

Both are the small guest of tests/boot/hostile, of equal weight, on the machine of steady.py, each with a partition of its
own. The quiet one counts how often it goes round a loop, then how many reads of 4 KiB are done (DEPTH at a time, asleep
in between), then writes lines that name the time; wireclock.so says when they left the machine. A figure is the rate (of
the console: the mean wait's inverse) beside the hostile guest, over half of the rate alone: 1 is just its weight's share.

disk.weight.*: the same on a disk that does one thing at a time, 150 a second and 20 MB/s; the quiet guest's weight is ten
times the other's, and it has eight reads of 4 KiB in flight.

disk.alone.read-4k: what the quiet guest reads with nobody beside it.
"""
import functools, os, re, subprocess

from paths import BENCH, TOP
import hostile_guest, steady, vmmb

DEPTH = 4
CPU_MS, DISK_MS, LINES = 400, 400, 40
HOSTILE_FROM, QUIET_FROM = 800, 1000  # ms of emulated time; the hypervisor is up after some 150
SHARE = 0.5   # of two guests of equal weight
BAR = 0.9
ALONE = 28480 * 0.98  # reads/s of one guest alone before guests' disk requests had shares, less 2 %
DISK_MIB = 64
RAM = 32
MAX = {"overwrite-24": "8M", "discards-24": "8M", "memory-paging": "8M"}
HOSTILE = ("spin", "ports", "msrs", "cpuid", "apic", "regs", "insns", "tables", "queues", "dma", "selfill",
           "timer-pit", "timer-lapic", "timer-deadline", "timer-pit-masked", "timer-lapic-masked", "timer-spin",
           "uart-lines", "uart-control", "uart-escape", "uart-rep", "reset",
           "flush", "discard", "zeroes", "read-4k", "read-1m", "write-1m", *MAX, "memory")
WHAT = ("cpu", "disk", "console")
# disk.weight.*
WEIGHT, SEEK_US, SEEK_BYTE_PS = 10, 6600, 50000
SEEK_MS = 8000
WEIGHTED = ("read-4k", "read-1m", "write-1m", "flush")


def build():
    """What goes into QEMU, and the guest."""
    hostile_guest.build()
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", BENCH + "/wireclock.so",
                    TOP + "/tests/bench/wireclock.c", "-ldl"], check=True)
    vmmb.tool("mkdisk", "-o", BENCH + "/share.img", "--guest", f"quiet:size={DISK_MIB}M",
              "--guest", f"hostile:size={DISK_MIB}M", "--vmmb-swap", "128M")


class Share(vmmb.Machine):
    def __init__(self, name, args=f"cpu={CPU_MS} disk={DISK_MS} depth={DEPTH} lines={LINES}", words="",
                 read_us=steady.READ_US, write_us=steady.WRITE_US, byte_ps=steady.BYTE_PS, in_order=0):
        hostile = name.rpartition(".")[2]
        self.image = vmmb.copy_disk(BENCH + "/share.img", f"bench-{name}.img")
        self.wire = f"{BENCH}/{name}.wire"
        modules = [hostile_guest.module("quiet", "quiet", f"ram={RAM}M cache=off disk=nvme0p1 {words}",
                                        f"from={QUIET_FROM} {args}")]
        if hostile != "alone":
            most = f"max={MAX[hostile]}" if hostile in MAX else ""
            modules.append(hostile_guest.module("hostile", hostile, f"ram={RAM}M cache=off disk=nvme0p2 {most}",
                                                f"from={HOSTILE_FROM}"))
        super().__init__(f"bench-{name}", modules=modules, disks=[self.image], memory="256M",
                         cmdline="console=com1,115200", emu="tcg",
                         emu_args=["--disk-bus", "nvme", *(f"--qemu-arg={x}" for x in steady.ICOUNT)],
                         env={"LD_PRELOAD": f"{BENCH}/steadydisk.so {BENCH}/wireclock.so", "WIRECLOCK": self.wire,
                              "STEADYDISK_READ_NS": str(read_us * 1000), "STEADYDISK_WRITE_NS": str(write_us * 1000),
                              "STEADYDISK_BYTE_PS": str(byte_ps), "STEADYDISK_ORDER": str(in_order)})

    def __exit__(self, *_):
        self.close()
        os.unlink(self.image)

    def lines(self):
        """What left the machine until the quiet guest was done."""
        self.expect(r"quiet\| DONE", 300)
        with open(self.wire, encoding="ascii", errors="replace") as f:
            return f.read()


def rate(text, what):
    found = re.search(what + r" n=(\d+) ticks=(\d+)", text)
    return int(found[1]) / int(found[2]) * steady.HZ


def run(name):
    with Share("share." + name) as m:
        lines = m.lines()
    waits = [int(seen) - int(at) for seen, at in re.findall(r"^(\d+) [^\n]*LINE \d+ at=(\d+)", lines, re.M)]
    if len(waits) != LINES:
        raise RuntimeError(f"the quiet guest said too little: {m.log.name}")
    return {"cpu": rate(lines, "CPU"), "disk": rate(lines, "DISK"),
            "console": LINES / sum(waits) * steady.HZ, "worst_wait": max(waits),
            "stops": re.findall(r"hostile: stopped: [^\n]*", lines)}


def run_weighted(name):
    with Share("weight." + name, f"disk={SEEK_MS} depth=8", f"weight={100 * WEIGHT}", SEEK_US, SEEK_US, SEEK_BYTE_PS, 1) as m:
        return {"disk": rate(m.lines(), "DISK")}


RUNS = {**{"share." + name: functools.partial(run, name) for name in ("alone", *HOSTILE)},
        **{"weight." + name: functools.partial(run_weighted, name) for name in ("alone", *WEIGHTED)}}


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

    def weighted(name):
        return lambda r: r["weight." + name]["disk"] / r["weight.alone"]["disk"] * (WEIGHT + 1) / WEIGHT

    def reads(name):
        return lambda r: f"{r['weight.' + name]['disk']:.0f} reads/s, alone {r['weight.alone']['disk']:.0f}"

    return [row("disk.alone.read-4k", "reads/s", ["share.alone"], lambda r: r["share.alone"]["disk"], ALONE, False, "svm tcg",
                lambda r: f"{DEPTH} in flight, a read takes {steady.READ_US} us", full=True),
            *(row(f"hostile.share.{what}.{name}", "of its share", ["share.alone", "share." + name], value(name, what), BAR,
                  False, "svm tcg", note(name, what), full=True) for what in WHAT for name in HOSTILE),
            *(row(f"disk.weight.{name}", "of its share", ["weight.alone", "weight." + name], weighted(name), BAR,
                  False, "svm tcg", reads(name), full=True) for name in WEIGHTED)]

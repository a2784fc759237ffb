# SPDX-License-Identifier: GPL-2.0-only
"""A machine whose time counts instructions and whose disk is quick: QEMU's TCG under -icount, with an NVMe disk.

An instruction takes 2 ns, so a second is 500 million of them; the time stamp counter counts nanoseconds, in guests
too. A disk request takes a fixed time (READ_US, WRITE_US, and BYTE_PS for each byte) beside others, by steadydisk.c.
What guests draw at random and their clock are the same in each run. The console gets no input before the work is done,
so runs repeat to about a per cent.
"""
import os, re, subprocess, threading

from paths import BENCH, TOP
import vmmb

HZ = 10 ** 9
READ_US, WRITE_US, BYTE_PS = 80, 20, 500  # 80 us and 2 GB/s
DISK_NOTE = f"NVMe, a read {READ_US} us, a write {WRITE_US} us, 2 GB/s"
ICOUNT = ["-icount", "shift=1,sleep=off", "-seed", "1", "-rtc", "base=2025-01-01,clock=vm",
          "-set", "drive.disk0.aio=native", "-set", "drive.disk0.cache.direct=on",
          "-set", "drive.disk0.cache.no-flush=on"]  # what libaio does not do would take this machine's time
MODULES = 20  # MiB: a guest's kernel and initrd in the machine's memory, and its structures
NEVER = ("swap_writes", "clean_drops", "zero_drops", "cache_puts", "soft_hits", "swap_reads")

lock = threading.Lock()
reserves = {}


def build():
    """The disk's library for QEMU, and the guests' programs of tests/bench/guest as static executables."""
    with lock:
        os.makedirs(BENCH + "/bin", exist_ok=True)
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o",
                        BENCH + "/steadydisk.so", TOP + "/tests/bench/steadydisk.c"], check=True)
        for source in sorted(os.listdir(TOP + "/tests/bench/guest")):
            subprocess.run(["musl-gcc", "-static", "-O2", "-s", "-Wall", "-Wextra", "-Werror", "-o",
                            f"{BENCH}/bin/{source[:-2]}", f"{TOP}/tests/bench/guest/{source}"], check=True)


class Steady(vmmb.Machine):
    """Guests {name: (partition, MiB of RAM, file to run by itself or None)} with a copy of the disk.
    words: more of their module lines."""

    def __init__(self, name, guests, disk, memory, reserve_frames=0, words=""):
        modules = []
        for vm, (part, mib, job) in guests.items():
            modules += vmmb.linux_modules(vm, words=f"ram={mib}M disk=nvme0p{part} {words}",
                                          args="quiet" + (f" script=/mnt/{job}" if job else ""))
        self.image = vmmb.copy_disk(disk, f"bench-{name}.img")
        self.guests = list(guests)
        cmdline = "console=com1,115200" + (f" reserve={reserve_frames * 4}K" if reserve_frames else "")
        times = {"READ_NS": READ_US * 1000, "WRITE_NS": WRITE_US * 1000, "BYTE_PS": BYTE_PS}
        super().__init__("bench-" + name, modules=modules, disks=[self.image], memory=f"{memory}M", cmdline=cmdline,
                         emu="tcg", emu_args=["--disk-bus", "nvme", *(f"--qemu-arg={x}" for x in ICOUNT)],
                         env={"LD_PRELOAD": BENCH + "/steadydisk.so",
                              **{"STEADYDISK_" + k: str(v) for k, v in times.items()}})

    def __enter__(self):
        try:
            self.start(timeout=400)
            if "not started:" in self.transcript():
                raise RuntimeError("a guest is refused: " + self.log.name)
            return self
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()
        os.unlink(self.image)

    def transcript(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as f:
            return "\n".join(vmmb.render(f.read()))

    def text_of(self, vm):
        """The lines that a guest printed."""
        return "\n".join(x[len(vm) + 2:] for x in self.transcript().splitlines() if x.startswith(vm + "| "))

    def all_said(self, vms, pattern, timeout=1800):
        """Until each of them has printed a line that matches."""
        waiting = [vm for vm in vms if not re.search(pattern, self.text_of(vm))]
        while waiting:
            try:
                self.expect(rf"({'|'.join(waiting)})\| {pattern}[^\n]*\n", timeout)
            except vmmb.ConsoleError as e:
                raise RuntimeError(f"{e}\n{self.state()}") from None
            waiting.remove(self.child.match[1])
        self.expect(vmmb.PROMPT)

    def state(self):
        """What a machine that does not come to its end says of itself."""
        if not self.child.isalive():
            return "the emulator has ended"
        return "\n".join(self.cmd(x) for x in (*(f"vm show {vm}" for vm in self.guests), "stats", "log 30"))

    def everything(self):
        """Counters of each guest, and the machine's."""
        out = {vm: dict(self.counters(vm), why=self.cmd_json("why " + vm)[0]) for vm in self.guests}
        stats = self.cmd_json("stats")
        return dict(out, mem=self.cmd_json("mem")[0], stats=stats,
                    disk=next(x for x in stats if x.get("disk") == "nvme0"))

    def conserved(self):
        if self.cmd_json("mem check")[-1]["violations"]:
            raise RuntimeError("frames are not conserved: " + self.cmd("mem check"))


def ample(rams):
    """MiB of a host on which nobody is reclaimed."""
    return sum(rams) + 64 + (MODULES + 8) * len(rams) + 64


def tight(name, guests, disk, share):
    """A host on which all guests share `share` MiB each, less than they are promised."""
    n = len(guests)
    memory = share * n + 96 + (MODULES + 8) * n
    key = (share, tuple(sorted(guests.items())))
    with lock:
        if key not in reserves:
            with Steady(name + "-probe", guests, disk, memory) as m:
                mem = m.cmd_json("mem")[0]
            tables = sum(mib // 2 + 4 for _, mib, _ in guests.values())  # when all is mapped
            reserves[key] = mem["guest_frames"] + mem["tables"] - tables - share * n * 256
        if reserves[key] < 0:
            raise RuntimeError(f"{name}: {memory}M are {-reserves[key]} frames too few")
    return Steady(name, guests, disk, memory, reserves[key])


def check_tight(result, frames):
    have = result["mem"]["guest_frames"]
    if abs(have - frames) > 256:
        raise RuntimeError(f"guests share {have} frames, wanted {frames} within 256")


def no_reclaim(result, guests):
    for vm in guests:
        taken = {k: result[vm][k] for k in NEVER if result[vm][k]}
        if taken:
            raise RuntimeError(f"{vm} lost frames on a host with ample memory: {taken}")

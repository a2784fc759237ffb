# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's runs: each boots what it needs, or counts instructions, and returns numbers."""
import os, random, re, subprocess, sys, threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/tests/boot")
import vmmb

BENCH = TOP + "/build/bench"
HALF = 128          # MiB: half of the memory that the machine has for guests
PASSES = 16
UNITS = 300         # of the donor's work
AMPLE = "768M"      # a host on which nobody is reclaimed
TIGHT = 448         # MiB: a host that is made to have 2 * HALF for guests by reserve=
BOOT_ARGS = "console=ttyS0 quiet nodisk tsc vmname=boot"
NEVER = ("swap_writes", "clean_drops", "zero_drops", "cache_puts", "soft_hits", "swap_reads")

prepare_lock = threading.Lock()


def prepare():
    """Guests from Debian's packages, and a disk whose web partition holds the file to loop over."""
    vmmb.tool("mkguest", "cloud")
    folder, mib = BENCH + "/files", HALF * 3 // 2
    data = folder + "/data"
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(data) or os.path.getsize(data) != mib << 20:
        source = random.Random(1)
        with open(data, "wb") as f:
            for _ in range(mib):
                f.write(source.randbytes(1 << 20))
    vmmb.tool("mkdisk", "-o", BENCH + "/disk.img",
              "--guest", f"web:size={mib + 96}M,ext4={folder},swap=32M",
              "--guest", "db:size=96M,ext4,swap=32M", "--vmmb-swap", "512M")


class Bench(vmmb.Machine):
    """Guests {name: MiB of RAM} in Bochs, with a copy of the disk; all at their prompt."""

    def __init__(self, name, guests, memory=AMPLE, reserve_frames=0, disk=True):
        modules = []
        for vm, mib in guests.items():
            words = f"ram={mib}M" + (f" disk=hd0p{1 if vm == 'web' else 2}" if disk else "")
            modules += vmmb.linux_modules(vm, words=words, args="quiet")
        disks = [vmmb.copy_disk(BENCH + "/disk.img", f"bench-{name}.img")] if disk else []
        cmdline = "console=com1,115200"
        if reserve_frames:
            cmdline += f" reserve={reserve_frames * 4}K"
        super().__init__("bench-" + name, modules=modules, disks=disks, memory=memory,
                         cmdline=cmdline, emu="bochs")
        self.guests = guests

    def __enter__(self):
        try:
            self.start(timeout=400)
            self.cmd("watch off")
            for vm in self.guests:
                self.wait_ready(vm, timeout=900)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()
        for path in [x for x in self.args if x.endswith(f"{self.name}.img")]:
            os.unlink(path)

    def counters(self, vm):
        return self.cmd_json("vm show " + vm)[0]

    def everything(self):
        """Counters of each guest, and the machine's."""
        out = {vm: self.counters(vm) for vm in self.guests}
        return dict(out, mem=self.cmd_json("mem")[0], stats=self.cmd_json("stats"))


# ---- the starved guest -----------------------------------------------------------------------

def loop_passes(m):
    """Ticks after each pass, from the start of the first."""
    text = m.sh("web", f"loopfile /mnt/data {PASSES}", timeout=3600)
    ticks = [int(x) for x in re.findall(r"PASS \d+ ticks=(\d+)", text)]
    if len(ticks) != PASSES or "DONE" not in text:
        raise RuntimeError("loopfile: " + text)
    return ticks


def no_reclaim(result, guests):
    for vm in guests:
        taken = {k: result[vm][k] for k in NEVER if result[vm][k]}
        if taken:
            raise RuntimeError(f"{vm} lost frames on a host with ample memory: {taken}")


def tight_reserve():
    """Frames to reserve on a host of TIGHT MiB so that both guests share 2 * HALF MiB."""
    with prepare_lock:
        if not tight_reserve.frames:
            ram = 2 * HALF
            with Bench("probe", {"web": ram, "db": ram}, f"{TIGHT}M") as m:
                mem = m.cmd_json("mem")[0]
            tables = 2 * (ram // 2 + 4)  # leaf tables and those above, when all is mapped
            have = mem["guest_frames"] + mem["tables"] - tables
            tight_reserve.frames = have - ram * 256
        return tight_reserve.frames


tight_reserve.frames = 0


def tight(name):
    """Both guests are promised all of what they share."""
    return Bench(name, {"web": 2 * HALF, "db": 2 * HALF}, f"{TIGHT}M", tight_reserve())


def check_tight(result):
    frames = result["mem"]["guest_frames"]
    if abs(frames - 2 * HALF * 256) > 256:
        raise RuntimeError(f"guests share {frames} frames, wanted {2 * HALF * 256} within 256")


def run_static():
    with Bench("static", {"web": HALF, "db": HALF}) as m:
        result = {"passes": loop_passes(m), **m.everything()}
    no_reclaim(result, m.guests)
    return result


def run_vmmb():
    with tight("vmmb") as m:
        before = m.everything()
        passes = loop_passes(m)
        result = {"passes": passes, "before": before, **m.everything(),
                  "why": [m.cmd("why web"), m.cmd("why db")]}
        conserved(m)
    check_tight(result)
    return result


def run_alone():
    with Bench("alone", {"web": 2 * HALF}) as m:
        result = {"passes": loop_passes(m), **m.everything()}
    no_reclaim(result, m.guests)
    return result


def conserved(m):
    if m.cmd_json("mem check")[-1]["violations"]:
        raise RuntimeError("frames are not conserved: " + m.cmd("mem check"))


# ---- the donor -------------------------------------------------------------------------------

def donate(m):
    """What UNITS of light work cost db while web loops over its file."""
    before = m.counters("db")
    m.sh_start("web", "loopfile /mnt/data 100000")
    text = m.sh("db", f"donor 4 {UNITS}", timeout=3600)
    after, all_after = m.counters("db"), m.everything()
    if f"DONE units={UNITS}" not in text:
        raise RuntimeError("donor: " + text)
    looping = m.sh("web", "pidof loopfile; tail -n 1 /tmp/bg.out")
    if not re.match(r"\d", looping) or "CORRUPT" in looping:
        raise RuntimeError("the loop beside the donor ended: " + looping)
    delta = {k: after[k] - before[k] for k in after
             if isinstance(after[k], int) and k in before}
    return {**delta, "loop": looping.splitlines()[-1], "donor": text, "after": all_after}


def unit_cost(result):
    return (result["run_ticks"] + result["stall_ticks"]) / UNITS


def run_donor_static():
    with Bench("donor-static", {"web": HALF, "db": HALF}) as m:
        result = donate(m)
    no_reclaim(result["after"], m.guests)
    return result


def run_donor_vmmb():
    with tight("donor-vmmb") as m:
        result = donate(m)
        conserved(m)
    check_tight(result["after"])
    return result


# ---- exits and boots -------------------------------------------------------------------------

def run_boot_guest():
    """Kernel entry to the first program of user space, and the exits on the way; then CPUID."""
    modules = [f"{vmmb.GUESTS}/cloud/vmlinuz kernel vm=boot ram={HALF}M -- {BOOT_ARGS}",
               f"{vmmb.GUESTS}/cloud/initrd initrd vm=boot"]
    m = vmmb.Machine("bench-boot", modules=modules, memory="512M", emu="bochs")
    try:
        m.start(timeout=400)
        with m.con("boot"):
            m.expect(r"TSC (\d+)\r?\n", 600)
            reached = int(m.child.match[1])
        stats = next(x for x in m.cmd_json("stats") if x.get("name") == "boot")
        m.wait_ready("boot")
        text = m.sh("boot", "cpuidloop 100000", timeout=600)
    finally:
        m.close()
    return {"boot": reached - stats["entered_at"], "stats": stats, "cpuidloop": text,
            "cpuid": int(re.search(r"mean=(\d+)", text)[1]),
            "cpuid_least": int(re.search(r"least=(\d+)", text)[1])}


def run_boot_bare():
    """The same on bare Bochs. GRUB enters the 32-bit code at the preferred address, 16 MiB."""
    iso, rc, log = BENCH + "/bare.iso", BENCH + "/bare.rc", BENCH + "/bare.log"
    vmmb.tool("mkiso", "-o", iso, "--linux", vmmb.GUESTS + "/cloud/vmlinuz",
              "--initrd", vmmb.GUESTS + "/cloud/initrd", "--cmdline", BOOT_ARGS)
    with open(rc, "w") as f:
        f.write("pb 0x1000000\nc\nptime\nd 1\nc\n")
    done = subprocess.run([TOP + "/tools/emu", "--emu", "bochs", "--iso", iso, "--memory",
                           f"{HALF}M", "--bochs-rc", rc, "--until", r"TSC \d+\r?\n", "--log", log,
                           "--timeout", str(int(600 * vmmb.SLOW))], capture_output=True, text=True)
    # Bochs counts ticks from the reset on, and so does its time stamp counter.
    with open(log, errors="replace") as f:
        entered = re.search(r"ptime: (\d+)", f.read())
    reached = re.search(r"TSC (\d+)", done.stdout)
    if not entered or not reached:
        raise RuntimeError(f"bare boot: status {done.returncode}: {done.stdout[-300:]}{done.stderr}")
    return {"boot": int(reached[1]) - int(entered[1])}


# ---- decisions -------------------------------------------------------------------------------

def run_decide():
    """Instructions of one balance_step, for 2 and for 8 guests."""
    vmmb.require("valgrind")
    out = {}
    for guests in "2", "8":
        done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                               "--toggle-collect=balance_step", BENCH + "/decide", guests],
                              capture_output=True, text=True)
        count = re.search(r"Collected : (\d+)", done.stderr)
        decisions = re.search(r"decisions=(\d+)", done.stdout)
        if done.returncode or not count or not decisions:
            raise RuntimeError(f"decide {guests}: {done.stdout}{done.stderr}")
        out[guests] = int(count[1]) / int(decisions[1])
    return out


# In the order in which they are started: the long ones first.
RUNS = {
    "static": run_static, "vmmb": run_vmmb, "donor-vmmb": run_donor_vmmb, "alone": run_alone,
    "donor-static": run_donor_static, "boot-guest": run_boot_guest, "boot-bare": run_boot_bare,
    "decide": run_decide,
}

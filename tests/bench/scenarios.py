# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's runs: each boots what it needs, or counts instructions, and returns numbers."""
import glob, os, random, re, subprocess, sys, threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/tests/boot")
import vmmb

BENCH = TOP + "/build/bench"
HALF = 192          # MiB: half of the memory that the machine has for guests
PASSES = 16
UNITS = 600         # of the donor's work
BOOT_RAM = 128      # MiB, of the boot that is timed
AMPLE = "768M"      # a host on which nobody is reclaimed
TIGHT = 480         # MiB: a host that is made to have 2 * HALF for guests by reserve=
BOOT_ARGS = "console=ttyS0 quiet nodisk tsc vmname=boot script=/bin/cpuidloop"
# What the guests run, by the words script=/mnt/NAME. They sleep until both have booted.
SCRIPTS = {
    "web": {"loop": "sleep 20; " + f"loopfile /mnt/data {PASSES}; " * 2,
            "donate": "sleep 60; exec loopfile /mnt/data 100000"},
    "db": {"donate": f"sleep 60; exec donor 4 {UNITS}"},
}
NEVER = ("swap_writes", "clean_drops", "zero_drops", "cache_puts", "soft_hits", "swap_reads")

prepare_lock = threading.Lock()
repeatable = {"LD_PRELOAD": BENCH + "/seed.so"}  # for the emulator


def prepare():
    """Guests from Debian's packages; a disk with the file to loop over and the guests' scripts."""
    vmmb.tool("mkguest", "cloud")
    subprocess.run(["gcc", "-shared", "-fPIC", "-Os", "-Wall", "-Wextra", "-Werror", "-o",
                    BENCH + "/seed.so", TOP + "/tests/bench/seed.c"], check=True)
    mib = HALF * 3 // 2
    data = BENCH + "/web/data"
    for vm, scripts in SCRIPTS.items():
        os.makedirs(f"{BENCH}/{vm}", exist_ok=True)
        for name, text in scripts.items():
            with open(f"{BENCH}/{vm}/{name}", "w") as f:
                f.write("#!/bin/sh\n" + text + "\n")
            os.chmod(f.name, 0o755)
    if not os.path.exists(data) or os.path.getsize(data) != mib << 20:
        source = random.Random(1)
        with open(data, "wb") as f:
            for _ in range(mib):
                f.write(source.randbytes(1 << 20))
    vmmb.tool("mkdisk", "-o", BENCH + "/disk.img",
              "--guest", f"web:size={mib + 96}M,ext4={BENCH}/web,swap=32M",
              "--guest", f"db:size=96M,ext4={BENCH}/db,swap=32M", "--vmmb-swap", "640M")


def expect_line(m, pattern, timeout):
    """Waits for an unasked line and for the prompt that comes back below it; the match."""
    m.expect(pattern + r"[^\n]*\n", timeout)
    match = m.child.match
    m.expect(vmmb.PROMPT)
    return match


class Bench(vmmb.Machine):
    """Guests {name: MiB of RAM} in Bochs, with a copy of the disk.

    They work by themselves, by the script of that name on their disk: no input arrives at a moment
    that depends on this machine. What they print appears with the guest's name before it.
    """

    def __init__(self, name, guests, script="", memory=AMPLE, reserve_frames=0):
        modules = []
        for vm, mib in guests.items():
            args = "quiet" + (f" script=/mnt/{script}" if script in SCRIPTS[vm] else "")
            modules += vmmb.linux_modules(vm, words=f"ram={mib}M disk=hd0p{1 + (vm == 'db')}",
                                          args=args)
        self.image = vmmb.copy_disk(BENCH + "/disk.img", f"bench-{name}.img")
        cmdline = "console=com1,115200"
        self.reserve_frames = reserve_frames
        if reserve_frames:
            cmdline += f" reserve={reserve_frames * 4}K"
        super().__init__("bench-" + name, modules=modules, disks=[self.image], memory=memory,
                         cmdline=cmdline, emu="bochs", env=repeatable)
        self.guests = guests

    def __enter__(self):
        try:
            return self.start(timeout=400)
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()
        os.unlink(self.image)

    def said(self, vm, pattern, timeout=3600):
        """Waits until the guest prints such a line; all that was printed until then."""
        expect_line(self, rf"{vm}\| {pattern}", timeout)
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as f:
            return "\n".join(vmmb.render(f.read()))

    def counters(self, vm):
        return self.cmd_json("vm show " + vm)[0]

    def everything(self):
        """Counters of each guest, and the machine's."""
        out = {vm: self.counters(vm) for vm in self.guests}
        return dict(out, reserve=self.reserve_frames, mem=self.cmd_json("mem")[0], stats=self.cmd_json("stats"))


# ---- the starved guest -----------------------------------------------------------------------

def loop(m):
    """Ticks after each pass, from the start of the first; counters."""
    text = m.said("web", rf"DONE passes={PASSES}")
    ticks = [int(x) for x in re.findall(r"web\| PASS \d+ ticks=(\d+)", text)]
    if len(ticks) != PASSES or "CORRUPT" in text:
        raise RuntimeError(f"{m.log.name} has {len(ticks)} passes")
    return {"passes": ticks, **m.everything()}


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
            with Bench("probe", {"web": ram, "db": ram}, memory=f"{TIGHT}M") as m:
                mem = m.cmd_json("mem")[0]
            tables = 2 * (ram // 2 + 4)  # leaf tables and those above, when all is mapped
            have = mem["guest_frames"] + mem["tables"] - tables
            tight_reserve.frames = have - ram * 256
        return tight_reserve.frames


tight_reserve.frames = 0


def tight(name, script):
    """Both guests are promised all of what they share."""
    return Bench(name, {"web": 2 * HALF, "db": 2 * HALF}, script, f"{TIGHT}M", tight_reserve())


def check_tight(result):
    frames = result["mem"]["guest_frames"]
    if abs(frames - 2 * HALF * 256) > 256:
        raise RuntimeError(f"guests share {frames} frames, wanted {2 * HALF * 256} within 256")


def run_static():
    with Bench("static", {"web": HALF, "db": HALF}, "loop") as m:
        result = loop(m)
    no_reclaim(result, m.guests)
    return result


def run_vmmb():
    with tight("vmmb", "loop") as m:
        result = loop(m)
        result["why"] = [m.cmd("why web"), m.cmd("why db")]
        conserved(m)
        # Once more, now that the file stays in memory: what tracking a busy guest costs.
        before = m.counters("web")
        m.said("web", f"DONE passes={PASSES}")
        after = m.counters("web")
        result["busy"] = {k: after[k] - before[k] for k in ("scan_ticks", "scanned_entries", "scans")}
    check_tight(result)
    return result


def run_alone():
    with Bench("alone", {"web": 2 * HALF}, "loop") as m:
        result = loop(m)
    no_reclaim(result, m.guests)
    return result


def conserved(m):
    if m.cmd_json("mem check")[-1]["violations"]:
        raise RuntimeError("frames are not conserved: " + m.cmd("mem check"))


# ---- the donor -------------------------------------------------------------------------------

def donate(m):
    """What UNITS of light work cost db while web loops over its file; both begin with a sleep."""
    waiting = set(m.guests)
    while waiting:
        waiting.discard(expect_line(m, r"(\w+)\| GUEST \1 READY", 900)[1])
    before = m.counters("db")
    text = m.said("db", f"DONE units={UNITS}")
    after, everything = m.counters("db"), m.everything()
    passes = len(re.findall(r"web\| PASS \d+", text))
    if passes < 2 or "CORRUPT" in text:
        raise RuntimeError(f"the loop beside the donor made {passes} passes")
    delta = {k: after[k] - before[k] for k in after if isinstance(after[k], int) and k in before}
    return {**delta, "loop": passes, "after": everything}


def unit_cost(result):
    return (result["run_ticks"] + result["stall_ticks"]) / UNITS


def run_donor_static():
    with Bench("donor-static", {"web": HALF, "db": HALF}, "donate") as m:
        result = donate(m)
    no_reclaim(result["after"], m.guests)
    return result


def run_donor_vmmb():
    with tight("donor-vmmb", "donate") as m:
        result = donate(m)
        conserved(m)
    check_tight(result["after"])
    return result


# ---- exits and boots -------------------------------------------------------------------------

# A CPU model of Bochs for each backend; None: the tools' own choice, with VMX.
MODEL = {"vmx": None, "svm": "ryzen"}


def run_boot_guest(backend="vmx"):
    """Kernel entry to the first program of user space, and the exits until then; then CPUID."""
    modules = [f"{vmmb.GUESTS}/cloud/vmlinuz kernel vm=boot ram={BOOT_RAM}M -- {BOOT_ARGS}",
               f"{vmmb.GUESTS}/cloud/initrd initrd vm=boot"]
    m = vmmb.Machine("bench-boot-" + backend, modules=modules, memory="512M", emu="bochs",
                     cpu_model=MODEL[backend])
    try:
        m.start(timeout=400)
        reached = int(expect_line(m, r"boot\| TSC (\d+)", 600)[1])
        stats = next(x for x in m.cmd_json("stats") if x.get("name") == "boot")
        cpuid = r"boot\| DONE exits=\d+ mean=(\d+) least=(\d+)"
        done = re.search(cpuid, "\n".join(m.unasked)) or expect_line(m, cpuid, 600)
    finally:
        m.close()
    return {"boot": reached - stats["entered_at"], "stats": stats, "cpuid": int(done[1]),
            "cpuid_least": int(done[2])}


def run_boot_bare():
    """The same on bare Bochs. GRUB enters the 32-bit code at the preferred address, 16 MiB."""
    iso, rc, log = (f"{BENCH}/bare.{x}" for x in ("iso", "rc", "log"))
    vmmb.tool("mkiso", "-o", iso, "--linux", vmmb.GUESTS + "/cloud/vmlinuz",
              "--initrd", vmmb.GUESTS + "/cloud/initrd", "--cmdline", BOOT_ARGS)
    with open(rc, "w") as f:
        f.write("pb 0x1000000\nc\nptime\nd 1\nc\n")
    done = subprocess.run([TOP + "/tools/emu", "--emu", "bochs", "--iso", iso, "--memory",
                           f"{BOOT_RAM}M", "--bochs-rc", rc, "--until", r"TSC \d+\r?\n", "--log", log,
                           "--timeout", str(int(600 * vmmb.SLOW))], capture_output=True, text=True,
                          env=dict(os.environ, **repeatable))
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


def run_lines():
    """Lines of code (no comments, no blank lines) of each backend and of what both share."""
    def code(*files):
        text = "".join(open(f, encoding="utf-8").read() for f in files)
        return sum(bool(x.strip()) for x in re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S).splitlines())
    shared = [f"{TOP}/{x}" for x in ("mm/slat.c", "mm/slat.h", "arch/x86_64/virt/virt.h", "arch/x86_64/virt/vcontext.c",
                                     "arch/x86_64/virt/vcontext.h", "arch/x86_64/virt/vrules.c", "arch/x86_64/virt/vrules.h")]
    return {"vmx": code(*glob.glob(TOP + "/vmx/*")), "svm": code(*glob.glob(TOP + "/svm/*")),
            "shared": code(*shared)}


# In the order in which they are started: the long ones first.
RUNS = {
    "static": run_static, "vmmb": run_vmmb, "donor-vmmb": run_donor_vmmb, "alone": run_alone,
    "donor-static": run_donor_static, "boot-guest": run_boot_guest, "boot-bare": run_boot_bare,
    "boot-guest-svm": lambda: run_boot_guest("svm"),
    "decide": run_decide, "lines": run_lines,
}

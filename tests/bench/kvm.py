#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A side-by-side with what a user has today: Linux/KVM as the host of the same two guests.

  tests/bench/kvm.py [RUN...]    these runs (default: all, an hour or two) into build/bench/kvm.json

Debian's cloud kernel and QEMU (tools/mkkvmhost) and VMMB boot the same guests with the same disk, on the same
machine: Bochs, Haswell with VMX, IDE, MEMORY MiB. There time counts instructions, a disk takes its time, and
runs repeat; under TCG a wait for a disk is wall-clock time. MEMORY is what VMMB needs so that its guests share
2 * HALF MiB, with no frame held back. The `equal` runs give the KVM host EXTRA
MiB more, so that its guests can hold what VMMB's can. One guest works, the other has booted and idles.

swap: the host swaps to the partition that is VMMB's swap area on the other side. balloon: besides,
tools/kvmhost/balloon moves memory between two virtio-balloons once a second. QEMU opens the guests' disks
with cache=none; all else, the mitigations and huge pages of the host's kernel too, is as Debian has it.
"""
import json, os, random, re, subprocess, sys, threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/tests/boot")
import vmmb

BENCH = TOP + "/build/bench"
HOST = TOP + "/build/kvmhost"
HALF = 192      # MiB, as in scenarios.py
MEMORY = 432    # of the machine: VMMB, its modules and tables take the rest
EXTRA = 64      # more for the KVM host: with host swap its guests held 322 MiB of MEMORY, with VMMB 385
KEEP = 64       # of what the KVM host has available at first, not for guests that share by balloon: two QEMUs
# What web does, and the MiB of RAM that each guest is promised. over: more than there is for both.
WORK = {"loop": (2 * HALF, "loopfile /mnt/data 8"), "anon": (2 * HALF, f"loopanon {HALF * 3 // 2} 8"),
        "over": (480, "loopanon 416 2")}
TIMEOUT = 5400  # s of wall-clock time for a whole run

prepare_lock = threading.Lock()
prepared = False


def prepare():
    """The host, the guests, their disk."""
    global prepared
    with prepare_lock:
        if prepared:
            return
        vmmb.tool("mkkvmhost")
        os.makedirs(BENCH, exist_ok=True)
        subprocess.run(["gcc", "-shared", "-fPIC", "-Os", "-o", BENCH + "/kvmseed.so",
                        TOP + "/tests/bench/seed.c"], check=True)
        mib, source = HALF * 3 // 2, random.Random(1)
        for vm in "web", "db":
            os.makedirs(f"{BENCH}/kvm/{vm}", exist_ok=True)
        for name, (_, text) in WORK.items():
            with open(f"{BENCH}/kvm/web/{name}", "w") as f:
                f.write(f"#!/bin/sh\nsleep 20; exec {text}\n")
            os.chmod(f.name, 0o755)
        with open(BENCH + "/kvm/web/data", "wb") as f:
            for _ in range(mib):
                f.write(source.randbytes(1 << 20))
        vmmb.tool("mkdisk", "-o", BENCH + "/kvm.img",
                  "--guest", f"web:size={mib + 224}M,ext4={BENCH}/kvm/web,swap=128M",
                  "--guest", f"db:size=224M,ext4={BENCH}/kvm/db,swap=128M", "--vmmb-swap", "640M")
        prepared = True


def repeatable():
    return {"LD_PRELOAD": BENCH + "/kvmseed.so"}


def passes(text, name):
    """Ticks after each pass from the start of the work; loopanon's pass 0 is the filling."""
    ticks = [int(x) for x in re.findall(r"web\| PASS \d+ ticks=(\d+)", text)]
    if not ticks or "CORRUPT" in text or not re.search(r"web\| DONE passes=\d", text):
        raise RuntimeError(f"{name} ended after {len(ticks)} passes")
    return ticks


# ---- Linux/KVM -------------------------------------------------------------------------------

def words(line):
    """A line of the host's: its key=value words, numbers as such."""
    pairs = (x.split("=", 1) for x in line.split() if "=" in x)
    return {k: int(v) if re.fullmatch(r"\d+", v) else v for k, v in pairs}


def host_lines(text):
    """What the KVM host said of itself: when web had ended, and of the balloons on the way."""
    lines = [words(x) for x in re.findall(r"^host\| (.*?)\r?$", text, flags=re.M)]
    return {"marks": [x for x in lines if x.get("at") == "web"],
            "moves": [x for x in lines if "size1" in x],
            "memory": {x["memory"]: x for x in lines if "memory" in x},
            "held": {x["held"]: x for x in lines if "held" in x}}


def run_kvm(work, balloon=False, extra=0):
    """The work in web under KVM."""
    prepare()
    name = f"bench-kvm-{work}-{'balloon' if balloon else 'swap'}{'-equal' if extra else ''}"
    images = [vmmb.copy_disk(BENCH + "/kvm.img", name + ".img"),
              vmmb.copy_disk(HOST + "/root.img", name + "-root.img")]
    iso, log = f"{vmmb.BUILD}/{name}.iso", f"{vmmb.BUILD}/{name}.log"
    ram = WORK[work][0]
    cmdline = f"console=ttyS0,115200 quiet guest=web:{ram}:sda1:{work} guest=db:{ram}:sda2 swap=sda3"
    vmmb.tool("mkiso", "-o", iso, "--linux", HOST + "/vmlinuz", "--initrd", HOST + "/initrd",
              "--cmdline", cmdline + (f" balloon={KEEP}" if balloon else ""))
    try:
        with open(log, "wb") as out:
            done = subprocess.run([TOP + "/tools/emu", "--emu", "bochs", "--iso", iso, "--disk", *images,
                                   "--memory", f"{MEMORY + extra}M", "--until", r"host\| done=web",
                                   "--timeout", str(int(TIMEOUT * vmmb.SLOW))],
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                  env=dict(os.environ, **repeatable()))
    finally:
        for path in images:
            os.unlink(path)
    with open(log, encoding="utf-8", errors="replace") as f:
        text = f.read()
    if done.returncode:
        raise RuntimeError(f"{log}: status {done.returncode}: {text[-300:]}")
    return {"passes": passes(text, log), **host_lines(text)}


# ---- VMMB ------------------------------------------------------------------------------------

def run_vmmb(work):
    """The same under VMMB: no frame is held back."""
    prepare()
    modules = []
    for vm, args in ("web", f"quiet script=/mnt/{work}"), ("db", "quiet"):
        modules += vmmb.linux_modules(vm, words=f"ram={WORK[work][0]}M disk=hd0p{1 + (vm == 'db')}", args=args,
                                      kernel=HOST + "/guest/vmlinuz", initrd=HOST + "/guest/initrd")
    image = vmmb.copy_disk(BENCH + "/kvm.img", f"bench-kvm-{work}-vmmb.img")
    m = vmmb.Machine(f"bench-kvm-{work}-vmmb", modules=modules, disks=[image], memory=f"{MEMORY}M",
                     cmdline="console=com1,115200", emu="bochs", env=repeatable())
    try:
        m.start(timeout=600)
        m.expect(r"web\| DONE[^\n]*\n", TIMEOUT)
        m.expect(vmmb.PROMPT)
        m.log.flush()
        with open(m.log.name, encoding="utf-8", errors="replace") as f:
            ticks = passes("\n".join(vmmb.render(f.read())), m.log.name)
        out = {"passes": ticks, "web": m.counters("web"), "db": m.counters("db"), "mem": m.cmd_json("mem")[0],
               "stats": m.cmd_json("stats")}
        m.conserved()
    finally:
        m.close()
        os.unlink(image)
    stopped = [vm for vm in ("web", "db") if out[vm]["state"] != "running"]
    if stopped:
        raise RuntimeError(f"{stopped[0]} does not run: {out[stopped[0]]['reason']}")
    shared = out["mem"]["guest_frames"] // 256
    if abs(shared - 2 * HALF) > 4:
        raise RuntimeError(f"guests share {shared}M of a machine of {MEMORY}M, wanted {2 * HALF}M within 4M")
    return out


# ---- figures ---------------------------------------------------------------------------------

def total(result):
    return result["passes"][-1]


def ratio(kvm, ours):
    return lambda r: total(r[kvm]) / total(r[ours])


def mib(sectors):
    return sectors * 512 / (1 << 20)


def kvm_note(name):
    """From the boot to web's end: the boots cost few sectors."""
    def note(r):
        last, held = r[name]["marks"][-1], r[name]["held"]
        web, db = (held[vm]["ram_kib"] >> 10 for vm in ("web", "db"))
        return (f"disk read {mib(last['sda.read']):.0f}M, written {mib(last['sda.written']):.0f}M; "
                f"swapped in {last['pswpin'] / 256:.0f}M, out {last['pswpout'] / 256:.0f}M; {last['exits']} exits; "
                f"web holds {web}M, db {db}M, each QEMU besides {held['web']['other_kib'] >> 10}M")
    return note


def vmmb_note(name):
    def note(r):
        web, db, stats = (r[name][x] for x in ("web", "db", "stats"))
        disk = next(x for x in stats if x.get("disk") == "hd0")
        swapped = [(web[x] + db[x]) / 256 for x in ("swap_reads", "swap_writes")]
        return (f"disk read {mib(disk['sectors_read']):.0f}M, written {mib(disk['sectors_written']):.0f}M; "
                f"swapped in {swapped[0]:.0f}M, out {swapped[1]:.0f}M; {sum(x.get('exits', 0) for x in stats)} exits; "
                f"web holds {web['held'] >> 20}M, db {db['held'] >> 20}M")
    return note


KINDS = {"swap": {}, "balloon": {"balloon": True}, "swap-equal": {"extra": EXTRA},
         "balloon-equal": {"balloon": True, "extra": EXTRA}}
# Under a balloon, the guest of `over` would have neither the memory nor the swap to end its work.
BESIDE = {"loop": list(KINDS), "anon": list(KINDS), "over": ["swap"]}
RUNS = {f"kvm-{work}-vmmb": lambda work=work: run_vmmb(work) for work in WORK}
RUNS.update({f"kvm-{work}-{kind}": lambda work=work, kind=kind: run_kvm(work, **KINDS[kind])
             for work, kinds in BESIDE.items() for kind in kinds})


def rows(Row):
    """The rows; bench.py's Row makes them."""
    def ticks(run):
        return lambda r: total(r[run]) / 1e9

    out = []
    for work in WORK:
        prefix, ours = "kvm" if work == "loop" else "kvm." + work, f"kvm-{work}-vmmb"
        out.append(Row(prefix + ".vmmb.ticks", "Gticks", [ours], ticks(ours), note=vmmb_note(ours)))
        for kind in BESIDE[work]:
            run, dot = f"kvm-{work}-{kind}", kind.replace("-", ".")
            out.append(Row(f"{prefix}.{dot}.ticks", "Gticks", [run], ticks(run), backend="kvm-vmx",
                           note=kvm_note(run)))
            out.append(Row(f"{prefix}.speedup.{dot}", "x", [run, ours], ratio(run, ours), 1, False))
    return out


def main():
    names = sys.argv[1:] or list(RUNS)
    path = BENCH + "/kvm.json"
    for name in names:
        if name not in RUNS:
            sys.exit(f"kvm.py: no run {name}; there are: " + " ".join(RUNS))
    for name in names:
        result = RUNS[name]()
        have = json.load(open(path)) if os.path.exists(path) else {}
        have[name] = result
        with open(path, "w") as f:
            json.dump(have, f, indent=1)
        print(f"{name}: {total(result) / 1e9:.3f} Gticks; passes " +
              " ".join(f"{b - a:.0f}" for a, b in zip([0] + result["passes"], result["passes"])), flush=True)


if __name__ == "__main__":
    main()

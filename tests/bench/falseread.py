#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""How many reads of evicted pages are false, by a trace of every access: bare QEMU with the plugin falseread.c.

  tests/bench/falseread.py [LOAD...]      these loads (default: all) into build/bench/falseread.json

A load of published.py (or memfill) runs on a stock kernel with as much RAM as VMMB would promise; the plugin keeps
a third of it in memory. What it calls false is what no hypervisor would have to read, had it known.
"""
import json, os, re, subprocess, sys, threading

from paths import BENCH, TOP
import payload, published, steady, vmmb

MEMFILL = 192  # MiB of RAM
TIMEOUT = 3600  # s of wall-clock time: each access is a call of the plugin
LOADS = ("memfill", "redis", "sqlite", "compile")
lock = threading.Lock()


def build():
    with lock:
        os.makedirs(BENCH, exist_ok=True)
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-o",
                        BENCH + "/falseread.so", TOP + "/tests/bench/falseread.c"], check=True)


def guest_disk(load):
    """(MiB of RAM, the guest's whole disk): for published's loads the partition that would be web's."""
    path = f"{BENCH}/falseread-{load}.img"
    if load == "memfill":
        folder = BENCH + "/falseread-fill"
        payload.script(folder, f"memfill {MEMFILL * 3 // 4} 7 4\necho JOB OVER")
        vmmb.tool("mkdisk", "-o", path + ".all", "--guest", f"web:size=256M,ext4={folder},swap=192M")
        ram, whole = MEMFILL, path + ".all"
    else:
        published.prepare(load)
        scenario = published.SET[load]
        ram, whole = scenario.share * len(scenario.guests), scenario.folder + "/disk.img"
    start, sectors = map(int, subprocess.run(["partx", "-g", "-o", "START,SECTORS", "-n", "1", whole],
                                             capture_output=True, text=True, check=True).stdout.split())
    subprocess.run(["dd", f"if={whole}", f"of={path}", "bs=1M", "conv=sparse", f"skip={start // 2048}",
                    f"count={sectors // 2048}", "status=none"], check=True)
    if load == "memfill":
        os.unlink(whole)
    return ram, path


def run(load):
    """What the plugin counted from the boot to the load's end."""
    build()
    ram, disk = guest_disk(load)
    result, log = f"{BENCH}/falseread-{load}.out", f"{BENCH}/falseread-{load}.log"
    frames = ram * 256 // 3
    cmd = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "pc", "-accel", "tcg", "-cpu", "max",
           "-m", f"{ram}M", "-display", "none", "-serial", "stdio", "-no-reboot",
           "-kernel", vmmb.GUESTS + "/cloud/vmlinuz", "-initrd", vmmb.GUESTS + "/cloud/initrd",
           "-append", "console=ttyS0 vmname=web quiet panic=-1 script=/mnt/job",
           "-drive", f"file={disk},format=raw,if=none,id=disk", "-device", "virtio-blk-pci,drive=disk",
           "-plugin", f"{BENCH}/falseread.so,frames={frames},out={result}"]
    if os.path.exists(result):
        os.unlink(result)
    text = ""
    with open(log, "w") as f:
        child = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=f, text=True,
                                 errors="replace")
        timer = threading.Timer(TIMEOUT, child.kill)
        timer.start()
        try:
            over = False
            for line in child.stdout:
                f.write(line)
                text += line
                if over := line.startswith("JOB OVER"):
                    child.terminate()  # an orderly end: the plugin reports
                    break
        finally:
            timer.cancel()
            if not over:
                child.kill()
            child.wait()
            os.unlink(disk)
    if not over:
        raise RuntimeError(f"{load} did not end: {log}")
    text = "\n".join(vmmb.render(text))
    if load == "memfill":
        published.printed(r"DONE words=\d+ bad=0")("web", text)
    else:
        published.SET[load].check("web", text)
    with open(result) as f:
        r = json.load(f)
    if r["store"] != sum(r[x] for x in ("needed", "undecided", "rep", "rep_then_other", "other_then_rep", "other")):
        raise RuntimeError(f"{load}: not every fault by a store has an end: {r}")
    return r


def figures(r):
    """(all false reads, REP's share of them, the part of REP's that one whole overwrite is)"""
    rep = r["rep"] + r["rep_then_other"]
    false = rep + r["other_then_rep"] + r["other"]
    return false, rep / false, r["rep_whole"] / rep


def main():
    path = BENCH + "/falseread.json"
    for load in sys.argv[1:] or LOADS:
        if load not in LOADS:
            sys.exit(f"falseread.py: no load {load}; there are: " + " ".join(LOADS))
        steady.build()
        have = json.load(open(path)) if os.path.exists(path) else {}
        have[load] = run(load)
        with open(path, "w") as f:
            json.dump(have, f, indent=1)
        print(load, have[load], figures(have[load]), flush=True)


if __name__ == "__main__":
    main()

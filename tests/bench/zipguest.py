#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A stock guest with 1.5 times its share of anonymous memory, under QEMU TCG, with and without the store of compressed pages.

  tests/bench/zipguest.py [--zip off auto 25% ...] [--work skew loop ...] [--iops 140 | --iops 0] [--json FILE]

The guest has 256 MiB of RAM and may hold 96 MiB; memwork fills MIB of it with objects that compress about 3 : 1 and
touches it (skew: some pages far more often; loop: one after the other; skew-noise: what does not compress). Printed for each:
pages read from and written to the swap area, requests that a touch waited for, pages put into and touched in the store,
and ticks of the guest's time stamp counter. --iops: requests a second that the disk does (140: 7 ms each, as one that seeks; 0: as
fast as it can). The time of TCG is the host's: ticks on a busy machine are noise where the disk is not what is waited for.
"""
import argparse, json, os, re, subprocess, sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/tests/boot")
import vmmb

MIB = 110      # with the guest's kernel 1.5 times what it may hold
TOUCHES = 60000
COUNTERS = ("swap_reads", "swap_writes", "demand_reads", "zip_puts", "zip_hits", "zip_refused", "zip_ousted")


def disk(folder):
    os.makedirs(folder + "/fs", exist_ok=True)
    subprocess.run(["musl-gcc", "-static", "-O2", "-s", "-o", folder + "/fs/memwork", TOP + "/tests/bench/memwork.c"],
                   check=True)
    vmmb.tool("mkdisk", "-o", folder + "/disk.img", "--guest", f"web:size=32M,ext4={folder}/fs", "--vmmb-swap", "400M")
    return folder + "/disk.img"


def run(image, zip_, work, iops, touches):
    how, _, noise = work.partition("-")
    bus = ["--disk-bus", "virtio"] + ([f"--qemu-arg=-set", f"--qemu-arg=drive.disk0.throttling.iops-total={iops}"] if iops else [])
    name = re.sub("[^a-z0-9]", "", f"zipguest{zip_}{work}{iops}")
    modules = vmmb.linux_modules("web", words=f"ram=256M max=96M zip={zip_} disk=vd0p1", args="quiet")
    with vmmb.Machine(name, modules=modules, disks=[image], memory="256M", emu="tcg", emu_args=bus) as m:
        m.wait_ready("web")
        m.cmd("watch off")
        before = m.counters("web")
        out = m.sh("web", f"/mnt/memwork {MIB} {touches} {how} {noise}", timeout=1800)
        after = m.counters("web")
        m.conserved()
    found = re.search(r"DONE touches=\d+ bad=(\d+) ticks=(\d+)", out)
    if not found or found[1] != "0":
        raise RuntimeError(f"{work}: {out}")
    return dict({c: after[c] - before[c] for c in COUNTERS}, ticks=int(found[2]), zip=zip_, work=work, iops=iops,
                pages=after["zip_pages"], frames=after["zip_frames"], budget=after["zip_budget"])


def main():
    p = argparse.ArgumentParser(prog="tests/bench/zipguest.py", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--zip", nargs="+", default=["off", "12%", "50%", "auto"])
    p.add_argument("--work", nargs="+", default=["skew", "loop", "skew-noise"])
    p.add_argument("--iops", type=int, default=140)
    p.add_argument("--touches", type=int, default=TOUCHES)
    p.add_argument("--json", metavar="FILE")
    args = p.parse_args()
    image = disk(TOP + "/build/bench/zipguest")
    rows = []
    for work in args.work:
        for z in args.zip:
            r = run(image, z, work, args.iops, args.touches)
            rows.append(r)
            print(f"{work:11} zip={z:5} iops={args.iops}: " + ", ".join(f"{c} {r[c]}" for c in COUNTERS) +
                  f", Mticks {r['ticks'] // 10**6}; at the end {r['pages']} pages in {r['frames']} frames of {r['budget']}",
                  flush=True)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-only
"""Hostile guests beside a stock one: three machines, 20 s of emulated time each.

The hostile guests are tests/boot/hostile, a mode each. The stock guest runs tests/guest/neighbour.c: it pages, since it may
hold less than it uses (nothing is compressed, since whether that pays is decided by measuring), checks its memory and its
file again and again, and counts how fast it goes on, first alone, then beside the others. Time is emulated: -icount in QEMU,
steady disks (tests/bench/steadydisk.c), so that a busy machine makes no difference.

A hostile guest may stop, but for what it did itself: OWN_FAULT says which reasons name that.
"""
import os, re, shutil, sys

import pytest

import hostile_guest, vmmb

sys.path.insert(0, vmmb.TOP + "/tests/bench")
import steady

FOR_MS = 20000
ALONE_MS = 3000      # the neighbour's pace alone is taken over at least this
SHARE = 0.5          # of the neighbour, whose weight is that of all the others together
BAR = 0.9            # of the neighbour's share of its pace alone
NEIGHBOUR_RAM, NEIGHBOUR_MAX = 128, 72  # MiB
NEIGHBOUR_USES, NEIGHBOUR_FILE = 64, 8   # MiB; with the kernel that is more than its max
DISK_MIB = 32
OWN_FAULT = re.compile(r"device access at [0-9a-f]+, RIP [0-9a-f]+: instruction .* is not supported"
                       r"|its page tables lie at [0-9a-f]+, where there is no memory"
                       r"|it ran code at [0-9a-f]+, where there is no memory"
                       r"|string I/O at RIP [0-9a-f]+: |string move to a device at RIP [0-9a-f]+: "
                       r"|fetching an? .* at RIP [0-9a-f]+: "
                       r"|its processor state can't be run"
                       r"|powered off by itself")
TIME = {"tcg": {"mhz": 1000, "from": 25000}, "bochs": {"mhz": 50, "from": 90000}}
ICOUNT = ["-icount", "shift=3,sleep=off", *steady.ICOUNT[2:]]  # 125 million instructions a second

# The hostile guests of each machine, and more words of some module lines.
CPU = ("ports", "ports-dev", "msrs", "cpuid", "apic", "apic-exotic", "regs", "regs-far", "insns0", "insns3", "insns-dev",
       "tables", "tables-far")
DISK = ("queues", "queues-reset", "dma", "dma-reset", "selfill-1m", "flush", "discard", "zeroes", "read-4k", "read-1m",
        "write-1m", "overwrite", "discards")
FLOODS = ("timer-pit", "timer-lapic", "timer-deadline", "timer-spin", "timer-pit-masked", "timer-lapic-masked",
          "uart-lines", "uart-control", "uart-escape", "uart-rep", "reset", "memory", "memory-paging", "discards")
# What rescues pages, on a disk of 150 requests a second: the pace of paging there does not repeat, so nothing is said of it.
SLOW = ("overwrite", "discards", "read-1m", "write-1m", "flush", "selfill-1m", "memory-paging", "overwrite-16", "discards-16")
WORDS = dict.fromkeys(("overwrite", "overwrite-16", "discards", "discards-16"), "ram=32M max=8M") | {
    "memory": "ram=128M", "memory-paging": "ram=128M max=16M"}
# name: (hostile guests, how long a read of 4 KiB takes in us, where QEMU has the say)
MACHINES = {"cpu": (CPU, 80), "disk": (DISK, 80), "floods": (FLOODS, 80), "slow": (SLOW, 6600)}
CASES = [(emu, name, emu == "bochs" or name == "slow") for emu in ("tcg", "bochs") for name in MACHINES
         if (emu, name) != ("bochs", "slow")]


def disk_image(name, hostile, times):
    """A partition each, the neighbour's with what it runs."""
    folder = f"{vmmb.BUILD}/{name}.fs"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(folder + "/job", "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\ncd /mnt\nneighbour {NEIGHBOUR_USES} {NEIGHBOUR_FILE} {times['from']} {FOR_MS} {times['mhz']}\n")
    os.chmod(folder + "/job", 0o755)
    image = f"{vmmb.BUILD}/{name}.img"
    vmmb.tool("mkdisk", "-o", image, "--guest", f"neighbour:size=64M,ext4={folder}",
              *(x for n in hostile for x in ("--guest", f"{n}:size={DISK_MIB}M")), "--vmmb-swap", "640M")
    return image


def machine(name, emu):
    hostile, read_us = MACHINES[name]
    times = dict(TIME[emu])
    if name == "slow":
        times["from"] = 60000
    full = f"hostile-{name}-{emu}"
    disk = "hd0" if emu == "bochs" else "nvme0"
    weight = round(100 * len(hostile) * SHARE / (1 - SHARE))
    modules = vmmb.linux_modules("neighbour", words=f"ram={NEIGHBOUR_RAM}M max={NEIGHBOUR_MAX}M min={NEIGHBOUR_MAX}M "
                                 f"weight={weight} zip=off disk={disk}p1", args="quiet script=/mnt/job")
    for i, n in enumerate(hostile):
        modules.append(hostile_guest.module(n, n, f"{WORDS.get(n, 'ram=16M')} disk={disk}p{i + 2}",
                                            f"seed={i + 1} from={times['from']} mhz={times['mhz']}"))
    args, env = [], {}
    if emu == "tcg":
        args = ["--disk-bus", "nvme", *(f"--qemu-arg={x}" for x in ICOUNT)]
        env = {"LD_PRELOAD": steady.BENCH + "/steadydisk.so", "STEADYDISK_READ_NS": str(read_us * 1000),
               "STEADYDISK_WRITE_NS": str(read_us * 1000), "STEADYDISK_BYTE_PS": "500"}
    return vmmb.Machine(full, modules=modules, disks=[disk_image(full, hostile, times)], memory="384M", emu=emu,
                        emu_args=args, env=env)


def said_by(m, guest):
    m.log.flush()
    with open(m.log.name, encoding="utf-8", errors="replace") as f:
        return "\n".join(x[len(guest) + 2:] for x in vmmb.render(f.read()) if x.startswith(guest + "| "))


def units(text, name):
    """How many the neighbour did a second."""
    found = re.search(name + r" OVER units=(\d+) us=(\d+)", text)
    return int(found[1]) / int(found[2]) * 1e6, int(found[2]) / 1000


@pytest.fixture(scope="module", params=[
    pytest.param((emu, name), id=f"{name}-{emu}", marks=[getattr(pytest.mark, emu)] + [pytest.mark.long] * long)
    for emu, name, long in CASES])
def after(request, artifacts):
    """The machine when all is over: its last console output and what its commands say then."""
    emu, name = request.param
    wanted = [x for x in os.environ.get("VMMB_EMU", "").split(",") if x]
    if wanted and emu not in wanted:
        pytest.skip("VMMB_EMU")
    steady.build()
    hostile_guest.build()
    with machine(name, emu) as m:
        m.expect(r"neighbour\| (DONE|LATE)|neighbour: stopped|panic", 3000)
        m.expect(vmmb.PROMPT)
        yield m


def test_the_neighbour_lost_nothing(after):
    text = said_by(after, "neighbour")
    assert "LATE" not in text, "its pace alone was not measured"
    assert "DONE bad_memory=0 bad_file=0" in text, after.tail()
    assert after.guest("neighbour")["state"] == "running"


def test_the_neighbour_went_on(after):
    text = said_by(after, "neighbour")
    (alone, over), (beside, _) = units(text, "CALM"), units(text, "BESIDE")
    assert over >= ALONE_MS or "slow" in after.name
    assert "slow" in after.name or beside >= BAR * SHARE * alone, \
        f"{beside:.1f} units/s beside, {alone:.1f} alone: {beside / alone / SHARE:.3f} of its share"


def test_who_stopped_did_it_itself(after):
    guests = [v for v in after.cmd_json("vm list") if v["name"] != "neighbour"]
    stopped = {v["name"]: v["reason"] for v in guests if v["state"] not in ("running", "starting", "resting")}
    assert not {n: why for n, why in stopped.items() if not OWN_FAULT.match(why)}
    assert len(stopped) < len(guests), stopped


def test_each_attack_went_on(after):
    """Whoever is not stopped says which round it is in; resets and what floods the console say other things, and random
    code in ring 0 may switch off what brings it back. A request of `zeroes` is 32 MiB long: the host counts what it wrote
    for it (1,346 MiB in one run; 1 MiB is one command), also before the first of them has ended."""
    written = {x["name"]: x["sectors"] for x in after.cmd_json("stats") if "demand_most_ns" in x}
    for v in after.cmd_json("vm list"):
        if "slow" in after.name or v["state"] != "running" or re.match("neighbour|reset|uart|.*-reset|insns0", v["name"]):
            continue
        if v["name"] == "zeroes":
            assert written["zeroes"] >= 2048, written
        else:
            assert re.search(r"round [1-9]", said_by(after, v["name"])), v["name"]


def test_hostile_guests_were_not_harmed_either(after):
    """They check what they can: their memory, code and tables from the disk, correct reads."""
    for v in after.cmd_json("vm list"):
        assert "WRONG" not in said_by(after, v["name"]), v["name"]


def test_the_machine_is_whole(after):
    after.conserved()
    assert "neighbour" in after.cmd("top")
    after.log.flush()
    with open(after.log.name, encoding="utf-8", errors="replace") as f:
        assert not re.search(r"(?i)panic|assertion|BUG", f.read())


def test_the_neighbour_still_answers(after):
    # No power-off at the end: QEMU waits for requests that only emulated time, which has ended, would complete.
    after.wait_ready("neighbour")
    assert "7" in after.sh("neighbour", "echo $((3+4))", timeout=300)

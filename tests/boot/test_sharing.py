# SPDX-License-Identifier: GPL-2.0-only
"""Four guests of different sizes share a machine that was promised 2.5 times over.

One boot serves all of these tests, in the order of the file: each leaves all guests idle.
"""
import re, time

import pytest

import vmmb

RAM = {"big": 256, "mid": 192, "low": 160, "tiny": 128}  # MiB
MIB = 1 << 20


@pytest.fixture(scope="module")
def four(artifacts, emu):
    name = f"sharing-{emu}"
    image = f"{vmmb.BUILD}/{name}.img"
    vmmb.tool("mkdisk", "-o", image, *(x for vm in RAM for x in ("--guest", f"{vm}:size=64M,ext4,swap=32M")),
              "--vmmb-swap", "640M")
    modules = [x for n, (vm, ram) in enumerate(RAM.items(), 1)
               for x in vmmb.linux_modules(vm, words=f"ram={ram}M disk=hd0p{n}", args="quiet")]
    with vmmb.Machine(name, modules=modules, disks=[image], memory="368M", emu=emu) as m:
        for vm in RAM:
            m.wait_ready(vm)
        m.cmd("watch off")
        yield m


def stop_background(m, vm, program):
    m.sh(vm, f"killall {program}; while pidof {program} >/dev/null; do sleep 1; done", check=False)


def samples(m, seconds, vm):
    """vm list again and again, while a guest's clock runs for some seconds."""
    first = int(m.sh(vm, "cut -d. -f1 /proc/uptime"))
    while True:
        for _ in range(5):
            yield {v["name"]: v for v in m.cmd_json("vm list")}
        if int(m.sh(vm, "cut -d. -f1 /proc/uptime")) - first >= seconds:
            return


def spent(m, act):
    """What each guest used of the CPU (per mille of the time) and its exits, while act() runs."""
    def read():
        rows = m.cmd_json("stats")
        return rows[0], {r["name"]: r for r in rows if "run_ticks" in r}
    start, before = read()
    act()
    end, after = read()
    ticks = end["tsc"] - start["tsc"]
    return ticks / end["tsc_hz"], {vm: ((after[vm]["run_ticks"] - r["run_ticks"]) * 1000 / ticks,
                                        after[vm]["exits"] - r["exits"]) for vm, r in before.items()}


def test_promised_two_and_a_half_times(four):
    mem = four.cmd_json("mem")[0]
    assert mem["promised"] > 2.4 * mem["guest_frames"], mem
    for vm, ram in RAM.items():
        total = int(four.sh(vm, "awk '/MemTotal/ {print $2}' /proc/meminfo"))
        assert ram * 1024 * 0.6 < total < ram * 1024
    four.conserved()


def test_a_halted_guest_costs_nothing(four):
    four.sh("big", "sleep 2")  # whatever the guests did before has come to its end
    seconds, used = spent(four, lambda: time.sleep(10 * vmmb.SLOW))
    for vm, (permille, exits) in used.items():
        assert permille < 30, (vm, used)
        assert exits < 60 * seconds, (vm, seconds, used)


@pytest.mark.parametrize("weights, low, high", [((100, 100), 0.8, 1.25), ((300, 100), 2.3, 3.7)])
def test_busy_guests_get_slices_by_weight(four, weights, low, high):
    for vm, weight in zip(("big", "low"), weights):
        four.cmd(f"qos {vm} weight={weight}")
        four.sh_start(vm, "simd 7 2000000000")
    _, used = spent(four, lambda: time.sleep(10 * vmmb.SLOW))
    for vm in "big", "low":
        stop_background(four, vm, "simd")
        four.cmd(f"qos {vm} weight=100")
    assert low < used["big"][0] / used["low"][0] < high, used
    assert used["big"][0] + used["low"][0] > 850, used


def test_all_at_once_keep_what_they_wrote(four):
    for n, (vm, ram) in enumerate(RAM.items()):
        four.sh_start(vm, f"memfill {ram * 5 // 8 - 20} {31 + n} 2 >/tmp/fill")
    for vm in RAM:
        assert re.search(r"DONE words=\d+ bad=0", four.sh_await(vm, "/tmp/fill", timeout=900))
    shown = {vm: four.counters(vm) for vm in RAM}
    assert sum(c["swap_writes"] for c in shown.values()) > 1000
    assert all(c[k] == 0 for c in shown.values() for k in ("silent_swap_writes", "stale_reads", "double_paging"))
    four.conserved()


def test_a_paused_guest_leaves_its_memory(four):
    """Others fill what it held; when it runs again it finds what it wrote, and its share grows again."""
    four.sh_start("big", "memfill 150 51 60 >/tmp/fill")
    four.sh("big", "while ! grep -q FILLED /tmp/fill; do sleep 1; done", timeout=300)
    had = four.guest("big")["held"]
    four.cmd("vm pause big")
    for vm, mib in ("mid", 120), ("low", 100):
        four.sh_start(vm, f"memfill {mib} 52 8 >/tmp/fill")
    for vm in "mid", "low":
        assert re.search(r"DONE words=\d+ bad=0", four.sh_await(vm, "/tmp/fill", timeout=900))
    big = four.guest("big")
    assert big["state"] == "paused" and big["held"] < had // 2 and big["target"] <= 16 * MIB, (had, big)
    assert "does not run now" in four.cmd("why big")
    four.cmd("vm resume big")
    assert re.search(r"DONE words=\d+ bad=0", four.sh_await("big", "/tmp/fill", timeout=900))
    assert four.guest("big")["target"] > 64 * MIB
    four.conserved()


def test_a_guest_that_touches_everything_takes_no_ones_right(four):
    """big touches all that it has, again and again; tiny works on 70 MiB of which 64 are its right."""
    four.cmd("qos tiny min=64M")
    four.cmd("qos big max=144M")
    four.sh_start("tiny", "memfill 70 41 1000000 >/tmp/fill")
    four.sh("tiny", "while ! grep -q FILLED /tmp/fill; do sleep 1; done", timeout=300)
    four.sh_start("big", "memfill 170 42 1000000 >/tmp/fill")
    four.sh("big", "while ! grep -q FILLED /tmp/fill; do sleep 1; done", timeout=600)
    for vms in samples(four, 10, "tiny"):
        assert vms["big"]["held"] <= 144 * MIB and vms["big"]["target"] <= 144 * MIB, vms["big"]
        assert vms["tiny"]["target"] >= 64 * MIB and vms["tiny"]["held"] >= 64 * MIB, vms["tiny"]
    # without a cap the same guest is held back by its neighbour's right alone
    four.cmd("qos big max=256M")
    for vms in samples(four, 10, "tiny"):
        assert vms["tiny"]["target"] >= 64 * MIB and vms["tiny"]["held"] >= 64 * MIB, vms["tiny"]
    for vm in "big", "tiny":
        assert four.guest(vm)["state"] == "running"
        stop_background(four, vm, "memfill")
    four.conserved()
    assert four.poweroff() == 0

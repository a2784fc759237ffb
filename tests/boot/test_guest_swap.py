# SPDX-License-Identifier: GPL-2.0-only
"""A guest that swaps to its own disk, on a machine that has memory for it: the exclusive cache serves it.

small has 128M of RAM and may hold 256M, its cache included; its program wants more than the RAM. idle does nothing.
"""
import re

import pytest

import vmmb


@pytest.fixture(scope="module")
def swapping(artifacts, emu):
    name = f"guest-swap-{emu}"
    image = f"{vmmb.BUILD}/{name}.img"
    vmmb.tool("mkdisk", "-o", image, "--guest", "small:size=256M,ext4,swap=160M",
              "--guest", "idle:size=64M,ext4,swap=32M", "--vmmb-swap", "256M")
    modules = (vmmb.linux_modules("small", words="ram=128M max=256M disk=hd0p1", args="quiet") +
               vmmb.linux_modules("idle", words="ram=96M disk=hd0p2", args="quiet"))
    with vmmb.Machine(name, modules=modules, disks=[image], memory="400M", emu=emu) as m:
        for vm in "small", "idle":
            m.wait_ready(vm)
        m.cmd("watch off")
        yield m


def test_its_swap_area_is_recognised(swapping):
    slots = swapping.counters("small")["guest_swap_slots"]
    assert slots == 160 * 256 - 1
    assert "its own swap areas" in swapping.cmd("vm show small")


def test_swapping_is_served_from_memory(swapping):
    m = swapping
    before = m.counters("small")
    assert re.search(r"DONE words=\d+ bad=0", m.sh("small", "memfill 150 7 4", timeout=900))
    after = m.counters("small")
    delta = {k: after[k] - before[k] for k in after if isinstance(after[k], int) and k in before}
    assert delta["swap_outs"] > 10000, delta
    # what it reads back, from memory or disk, and nearly all of it from memory
    assert delta["cache_hits"] > 9 * delta["swap_ins"], delta
    assert delta["cache_hits"] > 10000, delta
    assert after["held"] > 128 << 20
    assert {k: after[k] for k in ("silent_swap_writes", "stale_reads", "double_paging")} == \
        {"silent_swap_writes": 0, "stale_reads": 0, "double_paging": 0}
    m.conserved()


def test_false_puts_are_shown(swapping):
    m = swapping
    c = m.counters("small")
    assert c["cache_puts"] >= c["cache_hits"] + c["cache_drops"] + c["cache_false"] > 0
    assert re.search(r"its cache holds \d+ proven and \d+ blocks on probation; of \d+ puts .* were false \(\d+\.\d %\)",
                     m.cmd("vm show small"))
    assert m.poweroff() == 0

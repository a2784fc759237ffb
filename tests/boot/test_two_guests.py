# SPDX-License-Identifier: GPL-2.0-only
"""The main story: two stock Debian guests on a machine with less memory than they were promised.

One boot serves all of these tests, in the order of the file: each leaves both guests running.
Guest programs (memfill, memfind, simd, ...) are in tests/guest.
"""
import re

import pytest

import vmmb


def guest(m, name):
    return next(v for v in m.cmd_json("vm list") if v["name"] == name)


def counters(m, name):
    return m.cmd_json(f"vm show {name}")[0]


def conserved(m):
    assert m.cmd_json("mem check")[-1]["violations"] == 0, m.cmd("mem check")


SUPERFLUOUS = ("silent_swap_writes", "stale_reads", "double_paging")


def test_both_run_on_less_than_promised(two_guests):
    m = two_guests
    m.cmd("watch off")
    vms = {v["name"]: v for v in m.cmd_json("vm list")}
    assert {v["state"] for v in vms.values()} == {"running"}
    mem = m.cmd_json("mem")[0]
    assert mem["promised"] > 1.5 * mem["guest_frames"]
    conserved(m)


def test_guests_find_their_devices_and_keep_time(two_guests):
    for name in "web", "db":
        assert "/dev/vda1" in two_guests.sh(name, "grep /mnt /proc/mounts")
        assert "/dev/vda2" in two_guests.sh(name, "cat /proc/swaps")
        assert two_guests.sh(name, "cat /sys/devices/system/clocksource/*/current_clocksource") == "tsc"
    before = two_guests.sh("web", "cut -d. -f1 /proc/uptime")
    assert int(two_guests.sh("web", "sleep 3; cut -d. -f1 /proc/uptime")) >= int(before) + 3


def test_vector_state_is_each_guests_own(two_guests, tmp_path):
    m = two_guests
    m.sh_start("web", "simd 3 12000000 >/tmp/simd")
    m.sh_start("db", "simd 5 12000000 >/tmp/simd")
    for name, seed in ("web", 3), ("db", 5):
        m.sh(name, "while ! grep -q DONE /tmp/simd; do sleep 1; done", timeout=400)
        alone = m.sh(name, f"simd {seed} 12000000", timeout=400)
        assert m.sh(name, "cat /tmp/simd").splitlines() == alone.splitlines()
        assert "AVX" in alone


def test_files_survive_pressure_with_the_same_checksums(two_guests):
    m = two_guests
    make = "cd /mnt && i=0; while [ $i -lt 24 ]; do yes $i$(hostname) | head -c 1000000 >f$i; i=$((i+1)); done; sync"
    for name in "web", "db":
        m.sh(name, make, timeout=600)
    calm = {name: m.sh(name, "cat /mnt/f* | md5sum") for name in ("web", "db")}
    # both at once want more than there is: the guests' own swap and the hypervisor's come into play
    m.sh_start("web", "memfill 170 11 2 >/tmp/fill")
    m.sh_start("db", "memfill 170 12 2 >/tmp/fill")
    for name in "web", "db":
        m.sh(name, "while ! grep -q DONE /tmp/fill; do sleep 1; done", timeout=900)
        assert re.search(r"DONE words=\d+ bad=0", m.sh(name, "cat /tmp/fill"))
    for name in "web", "db":
        m.sh(name, "echo 3 >/proc/sys/vm/drop_caches")
        assert m.sh(name, "cat /mnt/f* | md5sum", timeout=300) == calm[name]
    assert sum(counters(m, n)["swap_writes"] for n in ("web", "db")) > 0
    for name in "web", "db":
        assert {k: counters(m, name)[k] for k in SUPERFLUOUS} == dict.fromkeys(SUPERFLUOUS, 0)
    conserved(m)


def test_a_frame_reaches_its_next_owner_clean(two_guests):
    m = two_guests
    # web fills memory with its mark and lets go of it; db then takes the frames and looks at all its RAM
    m.sh("web", "memfill 150 771 1", timeout=600)
    m.cmd("qos web max=64M")
    m.sh("db", "memfill 120 12 1", timeout=600)
    found = m.sh("db", "memfind 771", timeout=900)
    m.cmd("qos web max=256M")
    assert re.search(r"DONE pages=\d+ found=0", found)
    assert int(re.search(r"pages=(\d+)", found)[1]) > 50000
    conserved(m)


def test_qos_is_atomic_and_targets_follow(two_guests):
    m = two_guests
    before = m.cmd("qos web")
    for bad in ("qos web min=64", "qos web min=64M max=32M", "qos web weight=0", "qos web weight=200 colour=red",
                "qos web miss=50", "qos web max=1M min=2M", "qos nobody min=64M"):
        text = m.cmd(bad)
        assert text.startswith("error: ") and "nothing changed" in text and "\n" not in text, text
    assert re.sub("held.*|target.*", "", m.cmd("qos web")) == re.sub("held.*|target.*", "", before)
    assert "->" in m.cmd("qos web min=96M weight=400")
    assert guest(m, "web")["min"] == 96 << 20 and guest(m, "web")["weight"] == 400
    m.cmd("qos db max=80M")
    m.sh("web", "sleep 3")
    assert guest(m, "db")["target"] <= 80 << 20 and guest(m, "db")["held"] <= 80 << 20
    assert guest(m, "web")["target"] >= 96 << 20
    assert "target" in m.cmd("why web") and m.cmd_json("why db")[0]["target"] <= (80 << 20) // 4096
    assert len(m.cmd_json("mrc web")) == 17
    m.cmd("qos db max=256M min=16M")
    m.cmd("qos web min=16M weight=100")


def test_a_neighbours_reset_is_not_noticed(two_guests):
    m = two_guests
    sum_before = m.sh("web", "cat /mnt/f* | md5sum", timeout=300)
    m.sh("web", "echo alive >/tmp/mark")
    m.sh_start("web", "memfill 60 21 4 >/tmp/fill")
    resets = guest(m, "db")["resets"]
    with m.con("db"):  # the guest resets itself in the middle of its work
        m.child.send("reboot -f\n")
    m.wait_ready("db")
    assert guest(m, "db")["resets"] == resets + 1
    m.cmd("vm reset db")  # and the operator does
    m.wait_ready("db")
    m.sh("web", "while ! grep -q DONE /tmp/fill; do sleep 1; done", timeout=600)
    assert "bad=0" in m.sh("web", "cat /tmp/fill")
    assert m.sh("web", "cat /tmp/mark") == "alive"
    assert m.sh("web", "cat /mnt/f* | md5sum", timeout=300) == sum_before
    conserved(m)


def test_pause_resume_stop(two_guests):
    m = two_guests
    m.cmd("vm pause web")
    assert guest(m, "web")["state"] == "paused"
    run = guest(m, "web")["run_ticks"]
    m.sh("db", "sleep 2")
    assert guest(m, "web")["run_ticks"] == run
    assert m.cmd("vm pause web").startswith("error: ")
    m.cmd("vm resume web")
    assert "alive" in m.sh("web", "cat /tmp/mark")


def test_console_help_and_errors(two_guests):
    m = two_guests
    for word in "vm list", "con", "qos", "mem check", "mrc", "why", "stats", "log", "reboot":
        assert word in m.cmd("help")
    assert "ram=" in m.cmd("help boot")
    for bad in "frobnicate", "vm", "vm frob web", "con nobody", "vm show", "log x", "mrc":
        text = m.cmd(bad)
        assert text.startswith("error: ") and "nothing changed" in text and "try" in text and "\n" not in text, text
    assert {"tsc_hz", "name", "disk"} <= {k for line in m.cmd_json("stats") for k in line}
    assert m.cmd_json("log 5")
    m.child.send("vm li\t\r")
    m.expect(r"vm list.*web.*vmmb> ")


def test_power_off_stops_a_guest_and_frees_its_frames(two_guests):
    m = two_guests
    with m.con("db"):
        m.child.send("poweroff -f\n")
        m.expect(r"\[left db")
        m.where = None
        m.expect(vmmb.PROMPT)
    assert guest(m, "db")["state"] == "off" and guest(m, "db")["held"] == 0
    assert "alive" in m.sh("web", "cat /tmp/mark")
    conserved(m)
    assert m.poweroff() == 0


if __name__ == "__main__":
    pytest.main([__file__])

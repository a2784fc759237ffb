# SPDX-License-Identifier: GPL-2.0-only
"""The main story: two stock Debian guests on a machine with less memory than they were promised.

One boot serves all of these tests, in the order of the file: each leaves both guests running.
Guest programs (memfill, memfind, simd, ...) are in tests/guest.
"""
import re

import pytest

import vmmb


pytestmark = pytest.mark.story
SUPERFLUOUS = ("silent_swap_writes", "stale_reads", "double_paging")


def test_both_run_on_less_than_promised(two_guests):
    m = two_guests
    vms = {v["name"]: v for v in m.cmd_json("vm list")}
    assert {v["state"] for v in vms.values()} == {"running"}
    mem = m.cmd_json("mem")[0]
    assert mem["promised"] > 1.5 * mem["guest_frames"]
    m.conserved()


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
        together = m.sh_await(name, "/tmp/simd", timeout=400)
        assert m.sh(name, f"simd {seed} 12000000", timeout=400) == together
        assert "AVX" in together


def test_files_survive_pressure_with_the_same_checksums(two_guests):
    m = two_guests
    make = "cd /mnt && for i in 1 2 3 4 5 6; do dd if=/dev/urandom of=f$i bs=1M count=4 2>/dev/null; done; sync"
    for name in "web", "db":
        m.sh(name, make, timeout=600)
    calm = {name: m.sh(name, "cat /mnt/f* | md5sum") for name in ("web", "db")}
    # both at once want more than there is: the guests' own swap and the hypervisor's come into play
    m.sh_start("web", "memfill 170 11 2 >/tmp/fill")
    m.sh_start("db", "memfill 170 12 2 >/tmp/fill")
    for name in "web", "db":
        assert re.search(r"DONE words=\d+ bad=0", m.sh_await(name, "/tmp/fill", timeout=900))
    for name in "web", "db":
        m.sh(name, "echo 3 >/proc/sys/vm/drop_caches")
        assert m.sh(name, "cat /mnt/f* | md5sum", timeout=300) == calm[name]
    assert sum(m.counters(n)["swap_writes"] for n in ("web", "db")) > 0
    for name in "web", "db":
        assert {k: m.counters(name)[k] for k in SUPERFLUOUS} == dict.fromkeys(SUPERFLUOUS, 0)
    m.conserved()


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
    m.conserved()


def test_qos_is_atomic_and_targets_follow(two_guests):
    m = two_guests
    before = m.cmd("qos web")
    for bad in ("qos web min=64", "qos web min=64M max=32M", "qos web weight=0", "qos web weight=200 colour=red",
                "qos web miss=50", "qos web max=1M min=2M", "qos nobody min=64M"):
        text = m.cmd(bad)
        assert text.startswith("error: ") and "nothing changed" in text and "\n" not in text, text
    assert re.sub("held.*|target.*", "", m.cmd("qos web")) == re.sub("held.*|target.*", "", before)
    assert "->" in m.cmd("qos web min=96M weight=400")
    assert m.guest("web")["min"] == 96 << 20 and m.guest("web")["weight"] == 400
    m.cmd("qos db max=80M")
    for _ in range(10):  # up to 170M have to be written to the swap area
        m.sh("web", "sleep 1")
        if m.guest("db")["held"] <= 80 << 20:
            break
    assert m.guest("db")["target"] <= 80 << 20 and m.guest("db")["held"] <= 80 << 20
    assert m.guest("web")["target"] >= 96 << 20
    assert "target" in m.cmd("why web") and m.cmd_json("why db")[0]["target"] <= (80 << 20) // 4096
    assert len(m.cmd_json("mrc web")) == 17
    m.cmd("qos db max=256M min=16M")
    m.cmd("qos web min=16M weight=100")


def test_a_neighbours_reset_is_not_noticed(two_guests):
    m = two_guests
    sum_before = m.sh("web", "cat /mnt/f* | md5sum", timeout=300)
    m.sh("web", "echo alive >/tmp/mark")
    m.sh_start("web", "memfill 60 21 4 >/tmp/fill")
    resets = m.guest("db")["resets"]
    with m.con("db"):  # the guest resets itself in the middle of its work
        m.child.send("reboot -f\n")
        m.expect("Restarting system")  # what was shown before must not look like the new start
        m.expect("GUEST db READY", 300)
    m.wait_ready("db")
    assert m.guest("db")["resets"] == resets + 1
    m.sh("db", "dmesg -c >/dev/null; echo before >/tmp/mark")
    m.cmd("vm reset db")  # and the operator does
    with m.con("db"):
        m.expect(r"before(?s:.*)GUEST db READY", 300)
    m.wait_ready("db")
    assert m.guest("db")["resets"] == resets + 2
    assert m.sh("db", "ls /tmp").split() == []
    assert "bad=0" in m.sh_await("web", "/tmp/fill", timeout=600)
    assert m.sh("web", "cat /tmp/mark") == "alive"
    assert m.sh("web", "cat /mnt/f* | md5sum", timeout=300) == sum_before
    m.conserved()


def test_pause_resume_stop(two_guests):
    m = two_guests
    m.cmd("vm pause web")
    assert m.guest("web")["state"] == "paused"
    run = m.guest("web")["run_ticks"]
    m.sh("db", "sleep 2")
    assert m.guest("web")["run_ticks"] == run
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
    assert m.guest("db")["state"] == "off" and m.guest("db")["held"] == 0
    assert "alive" in m.sh("web", "cat /tmp/mark")
    m.conserved()
    assert m.poweroff() == 0


if __name__ == "__main__":
    pytest.main([__file__])

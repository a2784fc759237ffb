# SPDX-License-Identifier: GPL-2.0-only
"""Host disks behind every bus that QEMU has: a guest's disk and the hypervisor's swap area on each."""
import os, re

import pytest

import vmmb

pytestmark = pytest.mark.skipif(vmmb.EMU == "bochs", reason="Bochs has IDE only, which every other test uses")
DISK = {"ide": "hd0", "ahci": "sd0", "nvme": "nvme0", "virtio": "vd0"}


def boot(bus, name, emu_args=(), memory="192M", **more):
    """A guest that has been promised more than there is, with its disk behind that bus."""
    image = f"{vmmb.BUILD}/{name}.img"
    vmmb.tool("mkdisk", "-o", image, "--guest", "web:size=128M,ext4,swap=32M", "--vmmb-swap", "256M")
    modules = vmmb.linux_modules("web", words=f"ram=256M disk={DISK[bus]}p1", args="quiet")
    return vmmb.Machine(name, modules=modules, disks=[image], memory=memory,
                        emu_args=["--disk-bus", bus, *emu_args], **more)


def exercise(m, disk):
    """Files and swapped pages keep their contents; reads and writes, several at once, and flushes happen."""
    m.wait_ready("web")
    assert "/dev/vda1" in m.sh("web", "grep /mnt /proc/mounts")
    m.sh("web", "cd /mnt && i=0; while [ $i -lt 12 ]; do head -c 3000001 /dev/urandom >f$i; i=$((i+1)); done; sync", timeout=300)
    calm = m.sh("web", "cat /mnt/f* | md5sum", timeout=300)
    assert re.search(r"DONE words=\d+ bad=0", m.sh("web", "memfill 190 11 2", timeout=900))
    m.sh("web", "echo 3 >/proc/sys/vm/drop_caches")
    # four at once: more than one command on the hardware
    m.sh("web", "for k in 0 1 2 3; do cat /mnt/f$k /mnt/f1$((k%2)) >/dev/null & done; wait", timeout=300)
    assert m.sh("web", "cat /mnt/f* | md5sum", timeout=300) == calm
    stats = next(x for x in m.cmd_json("stats") if x.get("disk") == disk)
    assert stats["errors"] == 0 and stats["reads"] > 100 and stats["writes"] > 100, stats
    assert stats["polled"] < (stats["reads"] + stats["writes"]) / 4, stats  # its interrupts come
    assert m.cmd_json("vm show web")[0]["swap_writes"] > 0
    assert m.cmd_json("mem check")[-1]["violations"] == 0


@pytest.mark.parametrize("bus", DISK)
def test_a_guest_lives_on(bus, artifacts):
    m = boot(bus, f"disks-{bus}{os.environ.get('VMMB_RUN', '')}")
    try:
        m.start()
        log = m.cmd("log 100")
        assert f"{DISK[bus]}p1: 128 MiB" in log and f"{DISK[bus]}p2: 256 MiB, VMMB swap" in log, log
        exercise(m, DISK[bus])
        assert m.poweroff() == 0
    finally:
        m.close()


@pytest.mark.parametrize("bus", ["ahci", "nvme", "virtio"])
def test_a_failing_disk_stops_its_guest_only(bus, artifacts):
    """Some sectors of the guest's partition can't be read: its read fails after the retries, others go on."""
    name = f"disks-bad-{bus}"
    image = f"{vmmb.BUILD}/{name}.img"
    vmmb.tool("mkdisk", "-o", image, "--guest", "web:size=32M,ext4", "--guest", "db:size=32M,ext4")
    rules = f"{vmmb.BUILD}/{name}.conf"
    with open(rules, "w", encoding="utf-8") as f:  # 20 MiB into web's partition
        f.write(f'[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "{(1 + 20) * 2048}"\n')
    device = {"ahci": "ide-hd,drive=bad,bus=sata.0", "nvme": "nvme,drive=bad,serial=bad",
              "virtio": "virtio-blk-pci,drive=bad,disable-legacy=on"}[bus]
    args = ["-drive", f"if=none,id=bad,format=raw,file.driver=blkdebug,file.config={rules},file.image.driver=file,"
            f"file.image.filename={image}"] + (["-device", "ich9-ahci,id=sata"] if bus == "ahci" else []) + \
        ["-device", device]
    modules = [x for vm, part in (("web", 1), ("db", 2))
               for x in vmmb.linux_modules(vm, words=f"ram=128M disk={DISK[bus]}p{part}", args="quiet")]
    m = vmmb.Machine(name, modules=modules, memory="384M", emu_args=[f"--qemu-arg={x}" for x in args])
    try:
        m.start()
        for vm in "web", "db":
            m.wait_ready(vm)
        m.enter("web")
        m.child.send("dd if=/dev/vda of=/dev/null bs=1M\n")
        m.expect(r"\[left web|web: stopped|- .*web")
        m.where = None
        m.child.send("\x01d\r")
        m.expect(vmmb.PROMPT)
        state = {v["name"]: v for v in m.cmd_json("vm list")}
        assert state["web"]["state"] != "running" and state["db"]["state"] == "running"
        assert re.search(r"web: stopped: guest disk: read of \d+ sectors at sector \d+ of \w+ failed", m.cmd("log 100"))
        assert "bad=0" in m.sh("db", "memfill 40 3 1", timeout=300)
        assert m.sh("db", "cat /dev/vda | wc -c", timeout=300) == str(32 << 20)
        assert m.poweroff() == 0
    finally:
        m.close()

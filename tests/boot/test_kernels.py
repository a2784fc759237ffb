# SPDX-License-Identifier: GPL-2.0-only
"""Other guests than the small cloud one: the full kernel, a whole Debian, disks of other kinds."""
import os, re

import pytest

import vmmb


def one(name, emu, modules, disks=(), memory="320M", **more):
    return vmmb.Machine(f"{name}-{emu}", modules=modules, disks=disks, memory=memory, emu=emu, **more)


def test_stock_full_kernel(artifacts, emu):
    """linux-image-amd64 as shipped, with its own modules, to a shell with its disk, and off."""
    vmmb.tool("mkguest", "full")
    image = f"{vmmb.BUILD}/full-{emu}.img"
    vmmb.tool("mkdisk", "-o", image, "--guest", "web:size=64M,ext4,swap=16M", "--vmmb-swap", "128M")
    modules = vmmb.linux_modules("web", "full", words="ram=256M disk=hd0p1", args="quiet")
    with one("full", emu, modules, [image]) as m:
        m.wait_ready("web")
        m.cmd("watch off")
        assert not re.search("cloud|rt", m.sh("web", "uname -r"))
        assert "/dev/vda1" in m.sh("web", "grep /mnt /proc/mounts")
        assert "/dev/vda2" in m.sh("web", "cat /proc/swaps")
        m.sh("web", "dd if=/dev/urandom of=/mnt/x bs=1M count=8 2>/dev/null && sync && md5sum /mnt/x >/mnt/sum")
        assert "OK" in m.sh("web", "echo 3 >/proc/sys/vm/drop_caches; md5sum -c /mnt/sum")
        assert re.search(r"bad=0", m.sh("web", "memfill 100 5 1", timeout=300))
        m.conserved()
        with m.con("web"):
            m.child.send("poweroff\n")
            m.expect(r"\[left web", 120)
            m.where = None
            m.expect(vmmb.PROMPT)
        assert m.guest("web")["state"] == "off"
        assert m.poweroff() == 0


@pytest.mark.skipif(os.getuid() != 0, reason="tools/mkguest root needs root: its files belong to root")
def test_a_whole_debian(artifacts, emu):
    """A root that mmdebstrap made, with the initrd of its own update-initramfs, to a login shell and off."""
    vmmb.tool("mkguest", "root")
    folder, image = vmmb.GUESTS + "/root", f"{vmmb.BUILD}/root-{emu}.img"
    vmmb.tool("mkdisk", "-o", image, "--guest", f"debian:size=704M,ext4={folder}/fs,swap=64M", "--vmmb-swap", "256M")
    modules = vmmb.linux_modules("debian", kernel=folder + "/vmlinuz", initrd=folder + "/initrd",
                                 words="ram=256M disk=hd0p1", args="root=/dev/vda1 rw")
    with one("root", emu, modules, [image], memory="256M") as m:
        with m.con("debian"):
            m.expect("GUEST debian READY", 900)
            m.expect(r"root@debian:~# ", 120)
            m.child.send("cat /etc/debian_version; findmnt -no SOURCE /; swapon --noheadings; echo 'st'atus $?\n")
            m.expect(r"12\.\d+\s(?s:.*)/dev/vda1\s(?s:.*)/dev/vda2\s(?s:.*)status 0", 120)
            m.child.send("apt-get --version >/tmp/a && md5sum /usr/bin/* | md5sum && echo 'su'ms done\n")
            m.expect("sums done", 300)
            m.child.send("poweroff\n")
            m.expect(r"\[left debian", 300)
            m.where = None
            m.expect(vmmb.PROMPT)
        assert m.guest("debian")["state"] == "off"
        m.conserved()
        assert m.poweroff() == 0


def test_ram_disk_and_mbr(artifacts, emu, tmp_path):
    """web on a partition of a disk with an MBR, db on a GRUB module: both keep files across a reset."""
    image, scratch = f"{vmmb.BUILD}/mbr-{emu}.img", f"{tmp_path}/one.img"
    vmmb.tool("mkdisk", "-o", image, "--mbr", "--guest", "web:size=48M,ext4,swap=16M", "--vmmb-swap", "128M")
    vmmb.tool("mkdisk", "-o", scratch, "--guest", "db:size=24M,ext4,swap=8M")
    with open(scratch, "rb") as src, open(f"{tmp_path}/db.img", "wb") as dst:
        src.seek(1 << 20)
        dst.write(src.read(24 << 20))
    modules = (vmmb.linux_modules("web", words="ram=128M disk=hd0p1", args="quiet") +
               vmmb.linux_modules("db", words="ram=128M", args="quiet") + [f"{tmp_path}/db.img disk vm=db"])
    with one("mbr", emu, modules, [image], memory="256M") as m:
        log = m.cmd("log 100")
        assert "hd0p1: 48 MiB" in log and "hd0p2: 128 MiB, VMMB swap" in log, log
        sums = {}
        for vm in "web", "db":
            m.wait_ready(vm)
            m.cmd("watch off")
            assert "/dev/vda1" in m.sh(vm, "grep /mnt /proc/mounts") and "vda2" in m.sh(vm, "cat /proc/swaps")
            m.sh(vm, "dd if=/dev/urandom of=/mnt/x bs=1M count=6 2>/dev/null; sync; echo mark >/tmp/mark")
            sums[vm] = m.sh(vm, "md5sum /mnt/x")
        for vm in "web", "db":
            with m.con(vm):
                m.child.send("reboot\n")
                m.expect("Restarting system", 120)
                m.expect(f"GUEST {vm} READY", 300)
            m.wait_ready(vm)
            assert m.sh(vm, "ls /tmp") == "" and m.sh(vm, "md5sum /mnt/x") == sums[vm]
            assert m.guest(vm)["resets"] == 1
        m.conserved()
        assert m.poweroff() == 0


def test_a_bad_sector_stops_only_its_guest(artifacts, emu):
    """A read error on one guest's disk (secondary slave: hd3) stops that guest with the reason; its neighbour works on."""
    if emu == "bochs":
        pytest.skip("Bochs injects no disk errors: the simulation does")
    name, bad = f"badsector-{emu}", 20 * 2048
    image, rules = f"{vmmb.BUILD}/{name}.img", f"{vmmb.BUILD}/{name}.rules"
    other = f"{vmmb.BUILD}/{name}-db.img"
    vmmb.tool("mkdisk", "-o", image, "--guest", "web:size=32M,ext4,swap=8M", "--vmmb-swap", "128M")
    vmmb.tool("mkdisk", "-o", other, "--guest", "db:size=32M,ext4,swap=8M")
    with open(rules, "w", encoding="ascii") as f:
        f.write(f'[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "{2048 + bad}"\nonce = "off"\n')
    drive = ("if=ide,index=3,format=raw,file.driver=blkdebug,"
             f"file.config={rules},file.image.driver=file,file.image.filename={other}")
    modules = (vmmb.linux_modules("web", words="ram=128M disk=hd0p1", args="quiet") +
               vmmb.linux_modules("db", words="ram=128M disk=hd3p1", args="quiet"))
    with one("badsector", emu, modules, [image], memory="256M",
             emu_args=["--qemu-arg=-drive", f"--qemu-arg={drive}"]) as m:
        for vm in "web", "db":
            m.wait_ready(vm)
        m.cmd("watch off")
        m.sh("web", "md5sum /dev/vda >/tmp/before")
        with m.con("db"):
            m.child.send(f"dd if=/dev/vda of=/dev/null bs=4096 skip={bad // 8 - 16} count=32\n")
            m.expect(r"\[left db", 120)
            m.where = None
            m.expect(vmmb.PROMPT)
        db = m.guest("db")
        assert db["state"] == "failed" and "read" in db["reason"] and "hd3" in db["reason"], db
        assert db["held"] == 0
        assert m.sh("web", "md5sum -c /tmp/before >/dev/null && echo same") == "same"
        assert m.guest("web")["state"] == "running"
        m.conserved()
        assert m.poweroff() == 0

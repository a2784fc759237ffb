# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures for the boot tests: the built hypervisor and guests, and a machine with two of them.

A test that uses `emu` (or a fixture that does) runs once on each emulator: on those of $VMMB_EMU
(names with commas between) when it is set; else on tcg, and on bochs too if it is marked as a
`story`. Marks bochs, tcg and kvm select them: pytest -m bochs.
"""
import contextlib, fcntl, os, subprocess, sys, types

import pytest

import vmmb


def pytest_configure(config):
    for text in ("story: runs on Bochs too", "long: left to make test-long",
                 "bochs: runs in Bochs", "tcg: runs in QEMU's TCG", "kvm: runs in QEMU/KVM"):
        config.addinivalue_line("markers", text)


def pytest_generate_tests(metafunc):
    own = metafunc.definition.get_closest_marker("parametrize")
    if "emu" not in metafunc.fixturenames or (own and own.args[0] == "emu"):
        return
    # pytest tells fixtures' parameters apart by identity
    chosen = [sys.intern(x) for x in os.environ.get("VMMB_EMU", "").split(",") if x]
    story = metafunc.definition.get_closest_marker("story")
    emus = chosen or (["bochs", "tcg"] if story else ["tcg"])
    metafunc.parametrize("emu", [pytest.param(x, marks=getattr(pytest.mark, x)) for x in emus],
                         indirect=True, scope="module")


@pytest.fixture(scope="module")
def emu(request):
    """The emulator's name."""
    return request.param


@pytest.fixture(scope="session")
def artifacts():
    """Paths of what the boots need, built when missing or out of date."""
    with one_at_a_time():
        subprocess.run(["make", "-s", "-C", vmmb.TOP, "build/vmmb.elf"], check=True)
    return guests_only()


@pytest.fixture(scope="session")
def guests():
    """The stock kernels and their small initramfs, without the hypervisor."""
    return guests_only()


@contextlib.contextmanager
def one_at_a_time():
    """Two files' tests may start side by side: only one of them builds."""
    os.makedirs(vmmb.BUILD, exist_ok=True)
    with open(vmmb.BUILD + "/lock", "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def guests_only():
    with one_at_a_time():
        vmmb.tool("mkguest", "cloud")
    return types.SimpleNamespace(
        vmmb=vmmb.TOP + "/build/vmmb.elf",
        kernel=vmmb.GUESTS + "/cloud/vmlinuz", initrd=vmmb.GUESTS + "/cloud/initrd")


def two_guest_disk(name, guest_mib=256, guest_swap_mib=64, swap_mib=512):
    """A disk with a partition each for web (hd0p1) and db (hd0p2), and VMMB's swap."""
    image = f"{vmmb.BUILD}/{name}.img"
    vmmb.tool("mkdisk", "-o", image,
              "--guest", f"web:size={guest_mib}M,ext4,swap={guest_swap_mib}M",
              "--guest", f"db:size={guest_mib}M,ext4,swap={guest_swap_mib}M",
              "--vmmb-swap", f"{swap_mib}M")
    return image


def two_guest_modules(ram="256M", web="", db="", args="quiet"):
    """Module lines for web on hd0p1 and db on hd0p2; web and db add module words."""
    return (vmmb.linux_modules("web", words=f"ram={ram} disk=hd0p1 {web}", args=args) +
            vmmb.linux_modules("db", words=f"ram={ram} disk=hd0p2 {db}", args=args))


@pytest.fixture(scope="module")
def two_guests(artifacts, emu, request):
    """web and db, 256M each, on a machine of 320M: booted, both at their shell's prompt."""
    name = f"{request.module.__name__}-{emu}{os.environ.get('VMMB_RUN', '')}"
    with vmmb.Machine(name, modules=two_guest_modules(), disks=[two_guest_disk(name)],
                      memory="320M", emu=emu) as m:
        for vm in "web", "db":
            m.wait_ready(vm)
        m.cmd("watch off")
        yield m

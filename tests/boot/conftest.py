# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures for the boot tests: the built hypervisor and guests, and a machine with two of them."""
import os, subprocess, types

import pytest

import vmmb


@pytest.fixture(scope="session")
def artifacts():
    """Paths of what the boots need, built when missing or out of date."""
    subprocess.run(["make", "-s", "-C", vmmb.TOP, "build/vmmb.elf"], check=True)
    return guests_only()


@pytest.fixture(scope="session")
def guests():
    """The stock kernels and their small initramfs, without the hypervisor."""
    return guests_only()


def guests_only():
    vmmb.tool("mkguest", "cloud")
    os.makedirs(vmmb.BUILD, exist_ok=True)
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
def two_guests(artifacts, request):
    """web and db, 256M each, on a machine of 320M: booted, both at their shell's prompt."""
    name = f"{request.module.__name__}-{vmmb.EMU}{os.environ.get('VMMB_RUN', '')}"
    m = vmmb.Machine(name, modules=two_guest_modules(), disks=[two_guest_disk(name)],
                     memory="320M")
    try:
        m.start()
        for vm in "web", "db":
            m.wait_ready(vm)
        yield m
    finally:
        m.close()

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Two builds of the hypervisor in two folders are equal byte for byte, so that anybody can check what an image is made of.

Prints "reproducible: ok|failed build"; exits 1 if it failed.
"""
import filecmp, os, shutil, subprocess, sys, tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def build(folder):
    """A copy of what git tracks, built there; the image's path."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, stdout=subprocess.PIPE, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if os.path.isfile(f"{TOP}/{name}"):
            os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
            shutil.copy2(f"{TOP}/{name}", f"{folder}/{name}")
    subprocess.run(["make", "-s", "-j2", "build/vmmb.elf"], cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return folder + "/build/vmmb.elf"


def main():
    with tempfile.TemporaryDirectory() as top:
        same = filecmp.cmp(build(top + "/a"), build(top + "/another/folder"), shallow=False)
    print("reproducible:", "ok build" if same else "failed build: two folders give two images")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What well-kept checkers see: shellcheck, codespell, cppcheck, and lines that are too long.

gcc and clang check more while they build (-Wconversion -Wcast-qual). Prints what was found and one "lint: ok|failed NAME"
line a checker; exits 1 if any failed. tools/setup test installs the checkers.
"""
import os, subprocess, sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOMS = ["arch", "boot", "drivers", "kernel", "mm", "svm", "vdev", "vmx"]
COLUMNS, TAB = 110, 8
LONG = ("/* SRCS:", "/* WRAP:", "#include")  # lines that the Makefile or the compiler wants whole
# Field names and words of manuals that codespell takes for mistakes.
WORDS = "agains,extint,inflight,ines,ist,kernal,nd,nin,nown,thre,upto"
# What cppcheck 2.10 misreads: an enumeration's last value as its only one; a flag that a callback sets.
SUPPRESS = ["missingIncludeSystem", "arrayIndexOutOfBoundsCond", "identicalInnerCondition"]


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", *patterns], cwd=TOP, capture_output=True, text=True, check=True).stdout
    return [x for x in out.split("\n") if x and os.path.isfile(f"{TOP}/{x}")]


def run(*cmd):
    """Its lines; none: all is well."""
    done = subprocess.run(cmd, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = done.stdout.splitlines()
    return lines or ([f"{cmd[0]} ended with status {done.returncode}"] if done.returncode else [])


def shell():
    # SC1007: "local a= b=" means empty. SC2034 and SC2154: names that only eval sees.
    scripts = [x for x in tracked("tools", ".ci", "tests") if open(f"{TOP}/{x}", "rb").read(20).startswith(b"#!/bin/")]
    return run("shellcheck", "-S", "warning", "-e", "SC1007,SC2034,SC2154", "-f", "gcc", *scripts)


def spelling():
    return run("codespell", "-q", "3", "-L", WORDS, *tracked("*.c", "*.h", "*.S", "*.py", "*.md", "Makefile", "tools"))


def cppcheck():
    return run("cppcheck", "--quiet", "--std=c11", "--enable=warning,portability", "--inline-suppr", "-I.",
               "--template=gcc", *(f"--suppress={x}" for x in SUPPRESS), *ROOMS)


def columns():
    for path in tracked("*.c", "*.h", "*.S"):
        with open(f"{TOP}/{path}", encoding="utf-8") as f:
            for n, line in enumerate(f, 1):
                width = len(line.rstrip("\n").expandtabs(TAB))
                if width > COLUMNS and not line.startswith(LONG):
                    yield f"{path}:{n}: {width} columns, at most {COLUMNS}"


def main():
    bad = False
    for name, check in (("shell", shell), ("spelling", spelling), ("cppcheck", cppcheck), ("columns", columns)):
        found = list(check())
        for line in found:
            print(line)
        print(f"lint: {'failed' if found else 'ok'} {name}")
        bad |= bool(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

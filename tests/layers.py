#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The house rules that a script can see: the include graph, purity by folder, sizes, promises that name their tests.

Prints one line a violation and one "layers: ok|failed NAME" line a rule; exits 1 if any failed.
"""
import glob, os, re, sys

import spec

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOMS = ["kernel/lib", "kernel", "vdev", "vmx", "svm", "drivers", "mm", "boot", "arch"]

# Calls go down only. What a room may include beside itself: rooms, or single headers.
MAY = {
    "kernel/lib": [],
    "boot": ["kernel/lib"],
    # The entry code hands GRUB's bytes to the parser and its result on.
    "arch": ["kernel/lib", "boot"],
    # Clock and direct map; extents as plain data.
    "mm": ["kernel/lib", "arch/x86_64/arch.h", "drivers/block.h"],
    "drivers": ["kernel/lib", "mm", "arch"],
    "vmx": ["kernel/lib", "mm", "arch"],
    "svm": ["kernel/lib", "mm", "arch"],
    "vdev": ["kernel/lib", "mm", "arch/x86_64/arch.h"],
    "kernel": ROOMS,
}
# One file that may look up, and why.
EXCEPT = {
    ("arch/x86_64/start.c", "drivers/serial.h"): "the first and the last words: start and panic",
}
PURE = ["mm", "vdev", "kernel", "boot"]
IMPURE = [
    (re.compile(r"\b(__asm__|asm)\b"), "assembly"),
    (re.compile(r"\b(float|double)\b"), "floating point"),
    (re.compile(r"\b(in|out)[bwl]\s*\("), "port access"),
    (re.compile(r"\(\s*(?:volatile\s+)?\w+\s*\*\s*\)\s*0x[0-9a-fA-F]+"), "absolute address"),
]
ASM_LINES, FILE_LINES = 400, 500
SIZE = 15000  # the design's wish for lines of code, comments and blank lines apart: reported, not a failure


def room(path):
    return next((r for r in ROOMS if path.startswith(r + "/")), None)


def sources():
    found = []
    for pattern in "*.[chS]", "*/*.[chS]", "*/*/*.[chS]":
        for top in sorted({r.split("/")[0] for r in ROOMS}):
            found += glob.glob(f"{TOP}/{top}/{pattern}")
    return sorted(os.path.relpath(p, TOP) for p in set(found))


def read(path):
    with open(f"{TOP}/{path}", encoding="utf-8", errors="replace") as f:
        return f.read()


def without_comments(text, keep_strings=False):
    """Comments (and strings) blanked, line numbers kept."""
    def blank(m):
        return m[0] if m[0][0] in "\"'" and keep_strings else re.sub(r"[^\n]", " ", m[0])
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text,
                  flags=re.S)


def check_includes(files):
    for path in files:
        here = room(path)
        for n, line in enumerate(read(path).splitlines(), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not m or (path, m[1]) in EXCEPT:
                continue
            there = room(m[1])
            if there is None:
                yield f"{path}:{n}: includes {m[1]}: not a path from the repository root"
            elif there != here and not any(m[1] == x or there == x for x in MAY[here]):
                yield f"{path}:{n}: {here} includes {m[1]}: calls go down only"


def check_purity(files):
    for path in files:
        if path.split("/")[0] not in PURE or not path.endswith((".c", ".h")):
            continue
        for n, line in enumerate(without_comments(read(path)).splitlines(), 1):
            for pattern, what in IMPURE:
                if pattern.search(line):
                    yield f"{path}:{n}: {what} in a pure room"


def check_sizes(files):
    count = {path: read(path).count("\n") for path in files}
    for path, lines in count.items():
        if lines > FILE_LINES:
            yield f"{path}: {lines} lines, at most {FILE_LINES}"
    asm = sum(n for path, n in count.items() if path.endswith(".S"))
    if asm > ASM_LINES:
        yield f"{asm} lines of assembly in all, at most {ASM_LINES}"


def code_lines(files):
    return sum(bool(line.strip()) for path in files
               for line in without_comments(read(path), True).splitlines())


def check_licence(files):
    for path in files:
        if not read(path).startswith("/* SPDX-License-Identifier: GPL-2.0-only */"):
            yield f"{path}: its first line is not the licence identifier"


def main():
    files = sources()
    bad = False
    for name, check in (("includes", check_includes), ("purity", check_purity),
                        ("sizes", check_sizes), ("licence", check_licence), ("specification", spec.check)):
        found = list(check(files))
        for line in found:
            print(line)
        print(f"layers: {'failed' if found else 'ok'} {name}")
        bad |= bool(found)
    lines = sum(read(p).count("\n") for p in files)
    print(f"layers: {len(files)} files, {lines} lines, {code_lines(files)} of them code (bar {SIZE})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

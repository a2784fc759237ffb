#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The house rules that a script can see: the include graph, the link graph, budgets, purity by folder, sizes, promises that name their tests.

Prints one line a violation and one "layers: ok|failed NAME" line a rule; exits 1 if any failed.
"""
import glob, os, re, subprocess, sys

import spec

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIB, CLOCK, VIRT = "kernel/lib", "arch/x86_64/arch.h", "arch/x86_64/virt/virt.h"

# Every room: the lines of code it may have, and what it may include beside itself: rooms, or single headers. Calls go
# down only; a header that lies above is a port (declared there, or a leaf that calls nothing) and stands here by itself.
# A change that needs more lines raises the number and says why.
ROOMS = {
    "kernel/lib": (650, []),
    "boot": (2150, [LIB]),
    "arch/x86_64/virt": (400, [LIB, CLOCK, "arch/x86_64/cpu.h", "arch/x86_64/msr.h"]),
    # The entry code hands GRUB's bytes to the parser and its result on.
    "arch/x86_64": (1800, [LIB, "boot"]),
    "mm/share": (2250, [LIB, "mm/frame.h"]),
    # Extents as plain data; the recorder's hooks.
    "mm/pager": (4100, [LIB, CLOCK, VIRT, "mm", "mm/share", "drivers/block.h", "kernel/trace/trace.h"]),
    "mm/gio": (1100, [LIB, CLOCK, "mm/pager", "vdev/ports.h", "kernel/trace/trace.h"]),
    "mm": (650, [LIB, CLOCK]),
    "drivers": (3750, [LIB, "mm", "arch/x86_64"]),
    "vmx": (1650, [LIB, "mm", "arch/x86_64", "arch/x86_64/virt"]),
    "svm": (1100, [LIB, "mm", "arch/x86_64", "arch/x86_64/virt"]),
    "vdev": (3550, [LIB, CLOCK]),
    "kernel/exit": (1800, [LIB, CLOCK, "arch/x86_64/msr.h", VIRT, "mm/pager/pager.h", "kernel/trace/trace.h", "kernel/vm.h",
                           "kernel/pcpu.h", "kernel/turn.h"]),
    "kernel/trace": (850, [LIB, CLOCK, "mm", "mm/share", "mm/pager", "kernel/vm.h", "kernel/balancer.h",
                           "kernel/console/console.h"]),
    "kernel/console": (2000, [LIB, CLOCK, VIRT, "boot/config.h", "drivers/block.h", "mm/frame.h", "mm/share/scan_clock.h",
                              "mm/pager/guest_swap.h", "mm/pager/pager.h", "mm/pager/swap.h", "kernel/vm.h",
                              "kernel/vm_life.h", "kernel/balancer.h", "kernel/turn.h", "kernel/trace/tracer.h"]),
    "kernel": (2200, [LIB, CLOCK, VIRT, "boot", "drivers/block.h", "drivers/partition.h", "drivers/serial.h", "mm", "mm/share",
                      "mm/pager/pager.h", "mm/pager/swap.h", "mm/pager/vmmem.h", "vdev/ports.h", "vdev/vboard.h",
                      "kernel/exit/exit.h", "kernel/exit/guest_regs.h", "kernel/trace/trace.h", "kernel/trace/tracer.h",
                      "kernel/console/console.h"]),
}
# One file that may look up or aside, and why.
EXCEPT = {
    ("arch/x86_64/start.c", "drivers/serial.h"): "the first and the last words: start and panic",
    ("kernel/main.c", "arch/x86_64/early.h"): "the boot order starts everything",
    ("kernel/main.c", "arch/x86_64/start.h"): "the boot order starts everything",
    ("kernel/main.c", "drivers/disk_drivers.h"): "the boot order starts everything",
    ("kernel/main.c", "drivers/pci.h"): "the boot order starts everything",
}
# Sums of rooms, lines of code: what runs while guests run.
SUMS = {
    ("mm", "mm/share", "mm/pager", "mm/gio", "arch/x86_64/virt", "vmx", "svm", "vdev", "kernel", "kernel/exit"): 22000,
}
ENTRY = ("boot_entry",)  # what the linker script or hardware calls
CIRCLE = 15          # objects that may call one another in a circle, all in one room or not
CIRCLE_FREE = ("mm/pager", "mm/gio")  # a page's life is one circle by nature
PURE = ["mm", "vdev", "kernel", "boot"]
IMPURE = [
    (re.compile(r"\b(__asm__|asm)\b"), "assembly"),
    (re.compile(r"\b(float|double)\b"), "floating point"),
    (re.compile(r"\b(in|out)[bwl]\s*\("), "port access"),
    (re.compile(r"\(\s*(?:volatile\s+)?\w+\s*\*\s*\)\s*0x[0-9a-fA-F]+"), "absolute address"),
]
ASM_LINES, FILE_LINES = 400, 500


def room(path):
    """The innermost room that a path lies in."""
    return max((r for r in ROOMS if path.startswith(r + "/")), key=len, default=None)


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
            elif there != here and not any(m[1] == x or there == x for x in ROOMS[here][1]):
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


def check_unused(files):
    """A symbol that no other object and no test or tool uses is static, or gone."""
    try:
        needs, owner = symbols(files)
    except FileNotFoundError as e:
        yield f"{e}: not built: make build/vmmb.elf first"
        return
    used = set().union(*needs.values())
    for top in "tests", "tools":
        for pattern in "*/*.[ch]", "*.[ch]":
            for path in glob.glob(f"{TOP}/{top}/{pattern}"):
                used |= set(re.findall(r"\w+", read(os.path.relpath(path, TOP))))
    for name, path in sorted(owner.items(), key=lambda x: x[1]):
        if name not in used and name not in ENTRY:
            yield f"{path}: nobody else uses {name}: make it static, or remove it"


def check_budgets(files):
    lines = {r: code_lines([p for p in files if room(p) == r]) for r in ROOMS}
    for r, n in lines.items():
        if n > ROOMS[r][0]:
            yield f"{r}: {n} lines of code, its budget is {ROOMS[r][0]}: take something away, or raise it and say why"
    for rooms, most in SUMS.items():
        n = sum(lines[r] for r in rooms)
        if n > most:
            yield f"{' + '.join(rooms)}: {n} lines of code, at most {most}"


def symbols(files):
    """({source: symbols it needs}, {symbol: the source that has it}), from the hypervisor's objects."""
    needs, owner = {}, {}
    for path in files:
        if path.endswith(".h"):
            continue
        out = subprocess.run(["nm", f"{TOP}/build/hv/{path}.o"], capture_output=True, text=True)
        if out.returncode:
            raise FileNotFoundError(path)
        for line in out.stdout.splitlines():
            kind, name = line.split()[-2:]
            if kind == "U":
                needs.setdefault(path, set()).add(name)
            elif kind.isupper():
                owner[name] = path
    return needs, owner


def link_graph(files):
    """{source: sources whose symbols it needs}."""
    needs, owner = symbols(files)
    return {path: {owner[x] for x in needs.get(path, ()) if x in owner} - {path} for path in files}


def circles(graph):
    """Sets of objects each of which reaches all others (Tarjan's strongly connected components)."""
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in graph[v]:
            if w not in index:
                visit(w)
            if w in stack:
                low[v] = min(low[v], low[w])
        if low[v] == index[v]:
            at = stack.index(v)
            found.append(stack[at:])
            del stack[at:]

    for v in graph:
        if v not in index:
            visit(v)
    return found


def check_links(files):
    try:
        graph = link_graph(files)
    except FileNotFoundError as e:
        yield f"{e}: not built: make build/vmmb.elf first"
        return
    for circle in circles(graph):
        if len(circle) > CIRCLE and any(room(p) not in CIRCLE_FREE for p in circle):
            yield f"{len(circle)} objects call one another in a circle, at most {CIRCLE}: {' '.join(sorted(circle))}"


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
                        ("links", check_links), ("unused", check_unused), ("sizes", check_sizes), ("budgets", check_budgets), ("licence", check_licence), ("specification", spec.check)):
        found = list(check(files))
        for line in found:
            print(line)
        print(f"layers: {'failed' if found else 'ok'} {name}")
        bad |= bool(found)
    lines = sum(read(p).count("\n") for p in files)
    print(f"layers: {len(files)} files, {lines} lines, {code_lines(files)} of them code")
    print("layers: " + ", ".join(f"{r} {code_lines([p for p in files if room(p) == r])}" for r in ROOMS))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

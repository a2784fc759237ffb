#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does it pay to compress cold anonymous pages in front of the swap area? tests/bench/COMPRESSION.md says what came out.

  tests/bench/compress.py [--only NAME...] [--json FILE]

Rows, as in bench.json:
  compress.cost.{compress,decompress}.CLASS   instructions a page, by callgrind, with the hypervisor's flags
  compress.pages.STATE.{zero,half,third,ratio} of a stock guest's anonymous pages (tests/bench/page_sizes.json,
                                              which tests/bench/pages.py measures)
  compress.wait.DISK.DATA.BUDGET              time waiting with the store / without: geometric mean over all traces and
                                              25, 50, 75 % of the footprint; the note names the best and the worst.
                                              BUDGET: per cent of the guest's frames, or auto: what the miss curve
                                              says is best (zipmodel.c)
  compress.wait.DISK.DATA.BUDGET.TRACE.FRAMES one of them (only if asked for)
Traces are those of TRACES (../shared/traces) and four generated ones. Needs valgrind for the costs.
"""
import concurrent.futures, itertools, json, math, os, re, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import oracle
from oracle import BENCH, GENERATED, TOP, row, traces

FAMILIES = ("compress.cost", "compress.pages", "compress.wait")
CLASSES = ("sparse", "objects", "text", "half", "random")
FRAMES = (25, 50, 75)
BUDGETS = (6, 12, 25, 50, "auto")  # per cent of the guest's frames
DIRTY = 30  # per cent of the references write
# Disks: instructions a second beside it; seconds a read, the same for a page that came along, a page of a write of 32,
# and of a fault without them (exit, mapping, entry). Bochs: as tests/boot measures its IDE disk at 50 million instructions a
# second. The others at 3 GHz and 2 instructions a cycle (a 2.6 GHz EPYC did 3.3 in mm/pager/lz4.c).
DISKS = {
    "bochs": (50e6, 3e-3, 0.27e-3, 0.3e-3, 0.03e-3),
    "seek": (6e9, 7e-3, 0.03e-3, 0.25e-3, 1e-6),
    "nvme": (6e9, 0.1e-3, 0.003e-3, 0.01e-3, 1e-6),
}
STEPS = 65


def every(size, n=1):
    """All pages of one size."""
    counts = [0] * STEPS
    counts[(size + 63) // 64] = n
    return counts


def page_sizes():
    with open(TOP + "/tests/bench/page_sizes.json") as f:
        return json.load(f)


def data():
    """What pages are made of: measured states, and made-up ones at the ends."""
    found = {n: k["anon"]["size"] for n, k in page_sizes().items()}
    for n, counts in found.items():
        if sum(counts) < 2000:  # too few to say anything of a working set
            found[n] = None
    found = {n: c for n, c in found.items() if c}
    found["third"] = every(4096 // 3)
    found["half"] = every(2048)
    found["random"] = every(4096)
    found["mostly-random"] = [a + b for a, b in zip(every(1365), every(4096, 9))]
    return found


# ---- cost ----

def build():
    """mm/pager/lz4.c with the hypervisor's flags, so that what is counted is what runs."""
    flags = ["-std=gnu11", "-O2", "-g", "-DVMMB_HOST", "-Itests/fake", "-I.", "-fno-strict-aliasing",
             "-fno-omit-frame-pointer"]
    hv = ["-ffreestanding", "-mgeneral-regs-only", "-mno-red-zone", "-fcf-protection=none"]
    os.makedirs(BENCH + "/zip.o", exist_ok=True)
    # memset and memcpy are the hypervisor's own too, or vector instructions would flatter the count.
    for source in "mm/pager/lz4.c", "kernel/lib/string.c":
        subprocess.run(["gcc", *flags, *hv, "-c", source, "-o", f"{BENCH}/zip.o/{os.path.basename(source)}.o"],
                       cwd=TOP, check=True)
    subprocess.run(["gcc", *flags, "tests/bench/zip.c", "tests/fake/fake_arch.c", "kernel/lib/fmt.c",
                    BENCH + "/zip.o/lz4.c.o", BENCH + "/zip.o/string.c.o", "-o", BENCH + "/zip-cost"],
                   cwd=TOP, check=True)


def count(what, pages):
    done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={BENCH}/zip.callgrind",
                           f"--toggle-collect=lz4_{what}", BENCH + "/zip-cost", what, pages],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ir = re.search(r"Collected : (\d+)", done.stderr)
    n = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", done.stdout)}
    if done.returncode or not ir or not n.get("pages"):
        raise RuntimeError(f"zip {what} {pages}: {done.stdout}{done.stderr}")
    return int(ir[1]) / (n["stored"] if what == "decompress" else n["pages"]), n


def costs():
    build()
    sources = {c: c for c in CLASSES}
    for name in page_sizes():
        if os.path.exists(f"{BENCH}/pages/{name}.sample"):
            sources[name] = f"{BENCH}/pages/{name}.sample"
    for name, source in sources.items():
        ir, n = count("compress", source)
        yield row(f"compress.cost.compress.{name}", ir, "instructions",
                  note=f"a page; {n['stored']} of {n['pages']} fit 3/4 of one")
        if n["stored"]:
            ir, n = count("decompress", source)
            yield row(f"compress.cost.decompress.{name}", ir, "instructions", note="a page")


# ---- pages ----

def pages():
    for name, kinds in page_sizes().items():
        t = kinds["anon"]
        full = max(t["pages"] - t["zero"], 1)
        note = f"{t['pages']} anonymous pages"
        yield row(f"compress.pages.{name}.zero", 100 * t["zero"] / t["pages"], "%", note=note)
        yield row(f"compress.pages.{name}.half", 100 * t["half"] / full, "%", note="of those not zero")
        yield row(f"compress.pages.{name}.third", 100 * t["third"] / full, "%", note="of those not zero")
        yield row(f"compress.pages.{name}.ratio", full * 4096 / t["bytes"], "x", note="what does not fit 3/4 as a whole page")


# ---- the model ----

def simulate(frames, budget, sizes, source):
    out = subprocess.run([BENCH + "/zipmodel", str(frames), str(budget), str(DIRTY), ",".join(map(str, sizes)), source],
                         stdout=subprocess.PIPE, check=True, text=True).stdout
    return json.loads(out)


def cpu(n, cost):
    """Instructions that the store takes."""
    return (n["compressed"] * cost["compress"] + n["refused"] * cost["refuse"] +
            (n["hits"] + n["ousted"]) * cost["decompress"])


def waiting(n, disk, cost):
    rate, read, ahead, write, fault = disk
    return ((n["reads"] - n["ahead"]) * read + n["ahead"] * ahead + n["writes"] * write + cpu(n, cost) / rate +
            (n["reads"] + n["hits"]) * fault)


def budget(b, disk, cost):
    """As zipmodel wants it."""
    rate, *disk, fault = DISKS[disk]
    times = (*disk, *(cost[x] / rate for x in ("compress", "refuse", "decompress")), fault)
    return str(b) if b != "auto" else "auto:" + ":".join(str(round(t * 1e9)) for t in times)


def model_costs():
    """Instructions by callgrind, from the classes nearest to what the measured pages are."""
    build()
    return {"compress": count("compress", "objects")[0], "refuse": count("compress", "random")[0],
            "decompress": count("decompress", "objects")[0]}


def grid(files, cost):
    """What the model counts: {(trace, frames): without a store}, {(disk, data, trace, frames, budget): with}."""
    files = {**files, **GENERATED}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        plain = {(t, f): pool.submit(simulate, f, "0", every(4096), source)
                 for t, source in files.items() for f in FRAMES}
        # A fixed budget does not depend on the disk.
        runs = {(budget(b, disk, cost), d, t, f): None for disk in DISKS for d in data() for t in files
                for f in FRAMES for b in BUDGETS}
        for b, d, t, f in runs:
            runs[b, d, t, f] = pool.submit(simulate, f, b, data()[d], files[t])
        return ({k: v.result() for k, v in plain.items()},
                {(disk, d, t, f, b): runs[budget(b, disk, cost), d, t, f].result() for disk in DISKS for d in data()
                 for t in files for f in FRAMES for b in BUDGETS})


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def waits(files):
    subprocess.run(["make", "-s", "-C", TOP, "build/bench/zipmodel"], check=True)
    cost = model_costs()
    plain, stored = grid(files, cost)
    for (disk, d), name, b in itertools.product(DISKS.items(), data(), BUDGETS):
        one = {(t, f): waiting(stored[disk, name, t, f, b], d, cost) / waiting(n, d, cost)
               for (t, f), n in plain.items() if n["reads"]}
        best, worst = min(one, key=one.get), max(one, key=one.get)
        yield row(f"compress.wait.{disk}.{name}.{b}", mean(one.values()), "x", note=
                  f"best {best[0]} {best[1]} %: {one[best]:.2f}, worst {worst[0]} {worst[1]} %: {one[worst]:.2f}, "
                  f"longer by 2 % in {sum(v > 1.02 for v in one.values())} of {len(one)}")
        for (t, f), v in one.items():
            n, p = stored[disk, name, t, f, b], plain[t, f]
            yield row(f"compress.wait.{disk}.{name}.{b}.{t}.{f}", v, "x",
                      note=f"reads {p['reads']} -> {n['reads']}, hits {n['hits']}, compressed {n['compressed']}, "
                           f"writes {p['writes']} -> {n['writes']}, budget {n['budget']} %")


def rows(only=None):
    files = traces()
    return oracle.collect([(("compress.cost",), costs), (("compress.pages",), pages),
                           (("compress.wait",), lambda: waits(files))], only, lambda name: len(name.split(".")) < 6)


def covers(name):
    return oracle.covered(name, FAMILIES)


if __name__ == "__main__":
    sys.exit(oracle.command("tests/bench/compress.py", __doc__, rows))

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's host side: mm/ against exact oracles on page traces, and its cost in instructions.

  tests/bench/oracle.py [--only NAME...] [--json FILE]

Rows as in bench.json: curve.mae.TRACE.W1, division.excess.MIX.MEMORY, replacement.lru_ratio.TRACE.FRAMES,
scan.cost.SIZE, decision.cost.GUESTS.SIZE, reclaim.cost.SIZE, reaction.sim.WHAT.LOAD.DISK. Traces are read from the directory TRACES (../shared/traces);
without it the rows on generated traces are left. Needs valgrind for the costs.
"""
import argparse, glob, itertools, json, os, re, subprocess, sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = TOP + "/build/bench"
REPLAY = TOP + "/build/host/replay"
FAMILIES = ("curve.mae", "division.excess", "division.live", "replacement.lru_ratio", "scan.cost",
            "decision.cost", "reclaim.cost", "reaction.sim")
# The name in rows and what replay makes it from.
GENERATED = {"zipf": "zipf:8000:200000", "genloop": "loop:8000:200000",
             "hotscan": "hotscan:8000:200000", "phases": "phases:8000:200000"}
# Fifteen mixes: every four of these six.
PARTS = {"zipf": "zipf:8000:200000", "loop": "loop:6000:200000", "hotscan": "hotscan:8000:200000",
         "phases": "phases:8000:200000", "flat": "zipf:12000:300000", "small": "loop:1500:100000"}
# Phases in opposite directions, where frames that move can beat the best division that stays.
PHASED = {"tide-ebb": ["tide:8000:400000", "ebb:8000:400000"],
          "tide-ebb-zipf-hotscan": ["tide:8000:400000", "ebb:4000:400000", "zipf:8000:200000",
                                    "hotscan:8000:200000"]}
REAL_MIXES = {"cpp-cs-multi1-sprite": ["cpp", "cs", "multi1", "sprite"],
              "cs-multi1-multi2-sprite": ["cs", "multi1", "multi2", "sprite"],
              "cpp-loop-multi2-scan": ["cpp", "loop", "multi2", "scan"]}
REAL_PHASED = {"tide-ebb-multi2-sprite": ["tide:6000:300000", "ebb:8000:400000", "multi2", "sprite"]}
LOOPS = ("loop", "scan", "genloop")
MEMORY = (40, 50, 60)
SIZES = {"256M": 256, "1G": 1024, "16G": 16384, "256G": 262144}
GUESTS = (4, 16, 64)
# What was touched since the last pass: (per cent of the pages, in runs of so many).
TOUCHED = {"none": (0, 1), "2-single": (2, 1), "10-single": (10, 1), "50-single": (50, 1),
           "50-runs": (50, 64), "all": (100, 64)}


def row(name, value, unit, bar=None, note=None):
    r = {"name": name, "backend": "host", "value": round(value, 6), "unit": unit, "bar": bar,
         "pass": bar is None or value <= bar}
    return dict(r, note=note) if note else r


def replay(*args):
    out = subprocess.run([REPLAY, *args], stdout=subprocess.PIPE, check=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def traces():
    where = os.environ.get("TRACES") or os.path.join(TOP, "../shared/traces")
    return {os.path.basename(f)[:-3]: f for f in sorted(glob.glob(where + "/*.gz"))}


def curves(files):
    for name, source in {**files, **GENERATED}.items():
        for percent in (1, 2, 5, 10):
            r = replay("curve", "--w1", str(percent / 100), source)[0]
            yield row(f"curve.mae.{name}.{percent}%", r["mae"], "miss ratio",
                      0.01 if percent == 2 else None)


def replacement(files):
    for name, source in {**files, **GENERATED}.items():
        for percent in (25, 50, 75):
            r = {x["policy"]: x["misses"] for x in replay("replace", "--frames", f"{percent}%", source)}
            yield row(f"replacement.lru_ratio.{name}.{percent}%", r["vmmb"] / r["lru"], "x LRU",
                      0.8 if name in LOOPS else 1.02,
                      f"{r['vmmb'] / r['min']:.3f} x MIN, which is {r['min'] / r['lru']:.3f} x LRU")


def excess_of(sources, percent):
    """{method: excess misses over the best static division}"""
    got = {x["method"]: x["misses"] for x in replay("divide", "--frames", f"{percent}%", *sources)}
    return {m: n / got["best"] - 1 for m, n in got.items()}


def others_note(e):
    return ", ".join(f"{m} {e[m] * 100:+.1f} %" for m in
                     ("equal", "proportional", "global-lru", "greedy", "lookahead"))


def divisions(files):
    mixes = {"-".join(k): [PARTS[x] for x in k] for k in itertools.combinations(PARTS, 4)}
    phased = dict(PHASED)
    for table, into in ((REAL_MIXES, mixes), (REAL_PHASED, phased)):
        for name, parts in table.items():
            sources = [x if ":" in x else files.get(x) for x in parts]
            if all(sources):
                into[name] = sources
    every, live = [], []
    for name, sources in mixes.items():
        for percent in MEMORY:
            e = excess_of(sources, percent)
            every.append(e["vmmb"] * 100)
            live.append(e["vmmb-live"] * 100)
            yield row(f"division.excess.{name}.{percent}", every[-1], "%", 5,
                      f"live {live[-1]:+.1f} %, {others_note(e)}")
    yield row("division.excess.mean", sum(every) / len(every), "%", 2, f"{len(every)} divisions")
    yield row("division.excess.worst", max(every), "%", 5)
    yield row("division.live.mean", sum(live) / len(live), "%",
              note="frames move while guests run, from nothing known; the best static division knows all")
    yield row("division.live.worst", max(live), "%")
    for name, sources in phased.items():
        for percent in MEMORY:
            e = excess_of(sources, percent)
            yield row(f"division.excess.phased.{name}.{percent}", e["vmmb-live"] * 100, "%", 0,
                      f"vmmb-live, phases in turns; static: vmmb {e['vmmb'] * 100:+.1f} %, {others_note(e)}")


def build_cost():
    """mm/ compiled with the hypervisor's flags, so that what is counted is what runs."""
    mm = ["ages", "curve", "curve_sleep", "divide", "balance", "balance_qos"]
    flags = ["-std=gnu11", "-O2", "-g", "-DVMMB_HOST", "-Itests/fake", "-I.",
             "-fno-strict-aliasing", "-fno-omit-frame-pointer"]
    hv = ["-ffreestanding", "-mgeneral-regs-only", "-mno-red-zone", "-fcf-protection=none"]
    os.makedirs(BENCH + "/cost.o", exist_ok=True)
    objects = [f"{BENCH}/cost.o/{x}.o" for x in mm]
    for x, o in zip(mm, objects):
        subprocess.run(["gcc", *flags, *hv, "-c", f"mm/{x}.c", "-o", o], cwd=TOP, check=True)
    subprocess.run(["gcc", *flags, "tests/bench/cost.c", *objects, "-o", BENCH + "/cost"],
                   cwd=TOP, check=True)


def count(function, *args, but=None, program="cost"):
    """Instructions in the function, those in `but` left out, and what the program printed: {word: number}."""
    done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={BENCH}/cost.callgrind",
                           f"--toggle-collect={function}", *([f"--toggle-collect={but}"] if but else []),
                           f"{BENCH}/{program}", *map(str, args)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ir = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not ir or ir[1] == "0":
        raise RuntimeError(f"{program} {args}: {done.stdout}{done.stderr}")
    return int(ir[1]), {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", done.stdout)}


def scans():
    build_cost()
    for name, (percent, span) in TOUCHED.items():
        ir, n = count("one_pass", "scan", 256, percent, span)
        yield row(f"scan.cost.touched.{name}", ir / n["entries"], "instructions",
                  8 if percent <= 10 else 12, f"an entry, 256M, whole pass; {percent} % touched, runs of {span}")
    for name, mib in SIZES.items():
        ir, n = count("one_pass", "scan", mib, 2, 8)
        yield row(f"scan.cost.{name}", ir / n["entries"], "instructions", 8,
                  f"an entry, 2 % touched in runs of 8; {ir / 2e6:.1f} M instructions a pass")


def decisions():
    build_cost()
    for guests in GUESTS:
        for name, mib in SIZES.items():
            ir, n = count("balance_step", "decide", guests, mib)
            yield row(f"decision.cost.{guests}.{name}", ir / n["decisions"], "instructions",
                      note=f"{n['additions']} additions of the last search")


def reclaims():
    subprocess.run(["make", "-s", "-C", TOP, "build/bench/reclaim"], check=True)
    for name, pages in {"32m": 8192, "256m": 65536}.items():
        ir, n = count("take_one", pages, but="pager_flush", program="reclaim")
        yield row(f"reclaim.cost.{name}", ir / n["frames"], "instructions", 300,
                  f"a clean idle frame, taken for a neighbour's fault, zeroing and flushes apart; {n['frames']} frames, "
                  f"{n['flushes']} flushes")


def reactions():
    """How fast targets follow a change of load, in emulated time, and how often they turn without one."""
    subprocess.run(["make", "-s", "-C", TOP, "build/bench/reaction"], check=True)
    out = subprocess.run([BENCH + "/reaction"], stdout=subprocess.PIPE, check=True, text=True).stdout
    for r in map(json.loads, out.splitlines()):
        disk = f"{r['miss_us']}us"
        if "change" in r:
            note = f"target {r['before']} -> {r['after']} frames; {r['misses']} misses of {r['miss_us']} us until it settled"
            yield row(f"reaction.sim.first.{r['change']}.{disk}", r["first_ms"], "ms", 1000, note)
            yield row(f"reaction.sim.settled.{r['change']}.{disk}", r["settled_ms"], "ms", 3000, note)
        else:
            yield row(f"reaction.sim.turns.{r['load']}.{disk}", r["turns"] * 60 / r["seconds"], "a minute", 0,
                      f"changes of direction of all targets in {r['seconds']} s of steady load")


# ---- what the benchmark's host-side files share ------------------------------------------------

def names_below(name, only):
    """Whether the row is one of `only`, or below one."""
    return any(name == x or name.startswith(x + ".") for x in only)


def collect(parts, only, unasked=lambda name: True):
    """Every row of parts [(families, make), ...] that is in `only` or below it; if None, all that are shown unasked.
    A part that fails is one row without value."""
    out = []
    os.makedirs(BENCH, exist_ok=True)
    for families, make in parts:
        if only and not any(f.startswith(x) or x.startswith(f) for f in families for x in only):
            continue
        try:
            out += [r for r in make() if (names_below(r["name"], only) if only else unasked(r["name"]))]
        except (OSError, subprocess.CalledProcessError, RuntimeError, KeyError) as e:
            out.append({"name": families[0], "backend": "host", "value": None, "unit": "", "bar": None,
                        "pass": False, "note": f"not measured: {e!r}"})
    return out


def covered(name, families):
    """Whether --only NAME may ask for rows of these families."""
    return any(names_below(name, [x]) or x.startswith(name + ".") for x in families)


def command(prog, doc, make_rows):
    p = argparse.ArgumentParser(prog=prog, description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", nargs="+", metavar="NAME", help="these rows, or all below NAME.")
    p.add_argument("--json", metavar="FILE", help="write the rows there too")
    args = p.parse_args()
    out = make_rows(args.only)
    for r in out:
        value = "-" if r["value"] is None else f"{r['value']:.5g}"
        verdict = "-" if r["bar"] is None else "ok" if r["pass"] else "short"
        print(f"{r['name']:48} {value:>10} {r['bar'] if r['bar'] is not None else '-':>6} "
              f"{r['unit']:12} {verdict:6} {r.get('note', '')}")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(out, f, indent=1)
            f.write("\n")
    return 0 if all(r["value"] is not None for r in out) else 1


# ---- its own rows ------------------------------------------------------------------------------

def rows(only=None):
    files = traces()
    if not files:
        print("bench: no traces in TRACES: generated ones only", file=sys.stderr)
    subprocess.run(["make", "-s", "-C", TOP, "build/host/replay"], check=True)
    return collect([(("curve.mae",), lambda: curves(files)),
                    (("replacement.lru_ratio",), lambda: replacement(files)),
                    (("division.excess", "division.live"), lambda: divisions(files)),
                    (("scan.cost",), scans), (("decision.cost",), decisions), (("reclaim.cost",), reclaims),
                    (("reaction.sim",), reactions)], only)


def covers(name):
    return covered(name, FAMILIES)


if __name__ == "__main__":
    sys.exit(command("tests/bench/oracle.py", __doc__, rows))

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark: prints a table and writes build/bench.json.

  tests/bench/bench.py [--only NAME...] [--full] [--jobs N]

Each row needs some runs (RUNS in scenarios.py, and those of published.py and reaction.py): boots of
stock guests in Bochs or under QEMU's TCG with -icount (the row's backend says which), where time counts
instructions and repeats, or a program under callgrind. A run that several rows need is made once. Rows
that take long are left to --full or to be asked for by name. What every run measured is kept in
build/bench/raw.json. The status is 0 if every row could be
measured, whether or not it reached its bar.
"""
import argparse, concurrent.futures, functools, json, os, subprocess, sys, threading, time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/tests/bench")
import compress, falseread, kvm, oracle
import scenarios
import published, reaction, share, steady, vmmb

HALF, OUT = scenarios.HALF, TOP + "/build"
EMULATOR_NOTE = "an emulator charges nothing for page walks and cache misses"


class NoFigure(Exception):
    """The runs went well, but this figure makes no sense of them."""


class Row:
    """One figure: what it is made of, and the bar; below=True: the bar is the most allowed; full: left to --full."""

    def __init__(self, name, unit, runs, value, bar=None, below=True, backend="vmx", note=None, full=False):
        self.name, self.unit, self.runs, self.value = name, unit, runs, value
        self.bar, self.below, self.backend, self.note, self.full = bar, below, backend, note, full

    def result(self, runs):
        value = self.value(runs)
        good = self.bar is None or (value <= self.bar if self.below else value >= self.bar)
        row = {"name": self.name, "backend": self.backend, "value": round(value, 6),
               "unit": self.unit, "bar": self.bar, "pass": good}
        note = self.note(runs) if callable(self.note) else self.note
        return dict(row, note=note) if note else row


def speedup(passes):
    return lambda r: r["static"]["passes"][passes - 1] / r["vmmb"]["passes"][passes - 1]


def gap_closed(passes):
    def value(r):
        static, vmmb, alone = (r[x]["passes"][passes - 1] for x in ("static", "vmmb", "alone"))
        return (static - vmmb) / (static - alone)
    return value


def starved_note(passes):
    def note(r):
        giga = [r[x]["passes"][passes - 1] / 1e9 for x in ("static", "vmmb", "alone")]
        return (f"{passes} passes over {HALF * 3 // 2}M, guests share {2 * HALF}M; Gticks: "
                "static %.3f, VMMB %.3f, alone %.3f" % tuple(giga))
    return note


def per_entry(r):
    return r["vmmb"]["web"]["leaf_ticks"] / r["vmmb"]["web"]["scanned_entries"]


def per_pass(r):
    return r["vmmb"]["web"]["scan_ticks"] / r["vmmb"]["web"]["scans"]


def per_decision(guests):
    return lambda r: r["decide"][str(guests)]


def overhead(r):
    return (max(256 * 256 * per_entry(r), per_pass(r)) + per_decision(2)(r)) / 3e9


def metadata(r):
    """What the memory loses to the hypervisor: all of its own frames, second-level tables too; what is held back so that
    guests share just so much is no part of the machine."""
    mem, held_back = r["vmmb"]["mem"], r["vmmb"]["reserve"]
    return (mem["hypervisor"] - held_back + mem["tables"]) / (mem["total"] - held_back)


def slowdown(r):
    static, vmmb = (scenarios.unit_cost(r[x]) for x in ("donor-static", "donor-vmmb"))
    return (vmmb / static - 1) * 100


def slowdown_note(r):
    static, vmmb = (scenarios.unit_cost(r[x]) for x in ("donor-static", "donor-vmmb"))
    return (f"ticks a unit: static {static:.0f}, VMMB {vmmb:.0f}, of it stalled "
            f"{r['donor-vmmb']['stall_ticks'] / scenarios.UNITS:.0f}")


def boot_note(suffix="", more=""):
    def note(r):
        guest, bare = r["boot-guest" + suffix], r["boot-bare"]
        return (f"Gticks: guest {guest['boot'] / 1e9:.3f}, bare {bare['boot'] / 1e9:.3f}; "
                f"{guest['stats']['exits']} exits{more}")
    return note


def boot_rows(suffix, backend, bars, note, more):
    runs = ["boot-guest" + suffix, "boot-bare"]
    dot = suffix.replace("-", ".")
    return [
        Row("exit.cpuid" + dot, "ticks", runs[:1], lambda r: r[runs[0]]["cpuid"], bars[0],
            backend=backend, note="mean of 100000 round trips" + note),
        Row("boot.ratio" + dot, "x", runs, lambda r: r[runs[0]]["boot"] / r[runs[1]]["boot"], bars[1],
            backend=backend, note=boot_note(suffix, more)),
    ]


def set_rows(name, title, full=False, bar=None):
    """Static halves, VMMB and alone, for one of published.SET."""
    scenario = published.SET[name]
    runs = [f"{name}.{kind}" for kind in published.KINDS]

    def ticks(r):
        return [scenario.ticks(r[x]) for x in runs]

    def closed(r):
        static, vmmb, alone = ticks(r)
        if static < alone * 1.05:
            raise NoFigure(f"static halves cost {(static / alone - 1) * 100:.1f} % only: there is no gap to close")
        return (static - vmmb) / (static - alone)

    return [
        Row(title + ".speedup", "x", runs, lambda r: ticks(r)[0] / ticks(r)[1], below=False, backend="svm tcg",
            full=full, note=lambda r: scenario.note(dict(zip(published.KINDS, (r[x] for x in runs))))),
        Row(title + ".gap_closed", "fraction", runs, closed, bar, False, "svm tcg", full=full),
        Row(title + ".over_alone", "x", runs, lambda r: ticks(r)[1] / ticks(r)[2], backend="svm tcg", full=full),
    ]


def false_read_rows(load):
    """How much of what need not be read REP does, and how much of that is seen to be overwritten whole."""
    run = "falseread." + load

    def note(r):
        return ("{faults} faults on evicted pages ({read} by loads, {needed} more needed by stores); false: {rep} by one "
                "REP, {rep_then_other} by REP and others, {other_then_rep} by others and REP, {other} by others").format(**r[run])

    return [
        Row(f"false_reads.{load}.rep_unread", "fraction", [run], lambda r: falseread.figures(r[run])[2], 0.95, False,
            "bare tcg", note),
        Row(f"false_reads.{load}.rep_share", "fraction", [run], lambda r: falseread.figures(r[run])[1], below=False,
            backend="bare tcg"),
    ]


STARVED = ["static", "vmmb", "alone"]
DEFAULT_SET = ("reread", "redis", "phases")
ROWS = [
    Row("starved.speedup", "x", STARVED, speedup(16), 3.6, False, note=starved_note(16)),
    Row("starved.speedup.4", "x", STARVED, speedup(4), below=False, note=starved_note(4)),
    Row("starved.gap_closed", "fraction", STARVED, gap_closed(16), 0.95, False),
    Row("starved.gap_closed.4", "fraction", STARVED, gap_closed(4), below=False),
    Row("donor.slowdown", "%", ["donor-static", "donor-vmmb"], slowdown, 2, note=slowdown_note),
    Row("tracking.per_entry", "instructions", ["vmmb"], per_entry, 8,
        note="whole passes over a guest that touches most of its memory; " + EMULATOR_NOTE),
    Row("tracking.per_pass", "instructions", ["vmmb"], per_pass,
        note="a whole pass over 384M of the looping guest, skipped tables and the curve included"),
    Row("tracking.per_decision.2", "instructions", ["decide"], per_decision(2), backend="host",
        note="2 guests of 256M on 256M, callgrind"),
    Row("tracking.per_decision.8", "instructions", ["decide"], per_decision(8), backend="host",
        note="8 guests of 256M on 1G, callgrind"),
    Row("tracking.overhead", "fraction", ["vmmb", "decide"], overhead, 0.001,
        note="256M scanned and divided once a second at 3 GHz, one instruction a cycle; "
             + EMULATOR_NOTE),
    Row("metadata", "fraction", ["vmmb"], metadata, 0.02,
        note=lambda r: "hypervisor {hypervisor}, tables {tables} of {total} frames, {} of them held back".format(
            r["vmmb"]["reserve"], **r["vmmb"]["mem"])),
    *boot_rows("", "vmx", (300, 1.10), "", ""),
    # A bare kernel hangs at its timer on every AMD model of Bochs 2.7, so both share a baseline.
    *boot_rows("-svm", "svm", (None, None), "; Bochs' ryzen", "; guest on Bochs' ryzen, bare on its Haswell"),
    Row("lines.vmx", "lines", ["lines"], lambda r: r["lines"]["vmx"], backend="host"),
    Row("lines.svm", "lines", ["lines"], lambda r: r["lines"]["svm"], backend="host",
        note="to be smaller than lines.vmx"),
    Row("lines.shared", "lines", ["lines"], lambda r: r["lines"]["shared"], backend="host",
        note="the walker, the contexts, the rules and the face"),
    *set_rows("loop", "starved.nvme", bar=0.95),
    *(x for name in published.SET if name != "loop" for x in set_rows(name, "set." + name, name not in DEFAULT_SET)),
    Row("reaction.first_move_s", "s", ["reaction"], lambda r: reaction.first_move(r["reaction"]), 1, backend="svm tcg",
        note=lambda r: reaction.reaction_note(r["reaction"])),
    Row("reaction.first_target_s", "s", ["reaction"], lambda r: reaction.first_target(r["reaction"]), backend="svm tcg",
        note="until its target grew: what moved before was between what it held and its old target"),
    Row("reaction.settled_s", "s", ["reaction"], lambda r: reaction.settled(r["reaction"]), 3, backend="svm tcg"),
    Row("reaction.turns_per_min", "1/min", ["reaction"], lambda r: reaction.turns(r["reaction"]), 0, backend="svm tcg"),
    Row("wakeup.half_ms", "ms", ["wakeup"], reaction.wakeup_ms(10), backend="svm tcg", note=reaction.wakeup_note),
    Row("wakeup.90_ms", "ms", ["wakeup"], reaction.wakeup_ms(18), backend="svm tcg"),
    *(x for load in falseread.LOADS for x in false_read_rows(load)),
    *share.rows(Row),
]
LONG = kvm.rows(Row)  # with --full, or by name
# All that there is to run.
RUNS = {**scenarios.RUNS, **kvm.RUNS, "reaction": reaction.run_reaction, "wakeup": reaction.run_wakeup,
        **{f"{name}.{kind}": functools.partial(published.run, name, kind)
           for name in published.SET for kind in published.KINDS},
        **{"falseread." + load: functools.partial(falseread.run, load) for load in falseread.LOADS},
        **share.RUNS}
STEADY_RUNS = [x for x in RUNS if x not in scenarios.RUNS and x not in kvm.RUNS]
# One at a time: QEMU completes disk requests in a thread of its own, and when that has to wait for one of this machine's
# processors, the emulated time goes on. Beside two busy loops hostile.share.disk.memory is 0.5 to 1.1, without 1.5.
ALONE = set(share.RUNS)


def run_all(names, jobs):
    """{run: what it measured}; a run that fails is missing, its reason printed."""
    done, lock = {}, threading.Lock()

    def one(name):
        start = time.monotonic()
        try:
            result, error = RUNS[name](), None
        except Exception as e:  # any failure makes rows unmeasured, not the others
            result, error = None, f"{type(e).__name__}: {e}"
        with lock:
            took = f"({time.monotonic() - start:.0f} s)"
            print(f"bench: {name}: {error or 'done'} {took}", file=sys.stderr, flush=True)
            if result is not None:
                done[name] = result

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, [x for x in names if x not in ALONE]))
    for name in names:
        if name in ALONE:
            one(name)
    return done


def table(rows):
    def text(x):
        return "-" if x is None else f"{x:.4g}" if abs(x) < 1e5 else f"{x:.0f}"

    print(f"{'name':27} {'backend':8} {'value':>9} {'bar':>8} {'unit':13} {'':6} note")
    for r in rows:
        verdict = "-" if r["bar"] is None else "ok" if r["pass"] else "short"
        if r["value"] is None:
            verdict = "-" if r["pass"] else "ERROR"
        print(f"{r['name']:27} {r['backend']:8} {text(r['value']):>9} {text(r['bar']):>8} "
              f"{r['unit']:13} {verdict:6} {r.get('note', '')}")


def measure(rows, runs):
    out = []
    for row in rows:
        missing = [x for x in row.runs if x not in runs]
        try:
            if missing:
                raise RuntimeError("no result of run " + ", ".join(missing))
            out.append(row.result(runs))
        except NoFigure as e:
            out.append({"name": row.name, "backend": row.backend, "value": None, "unit": row.unit,
                        "bar": row.bar, "pass": row.bar is None, "note": str(e)})
        except (RuntimeError, ZeroDivisionError, KeyError, IndexError) as e:
            out.append({"name": row.name, "backend": row.backend, "value": None, "unit": row.unit,
                        "bar": row.bar, "pass": False, "note": f"not measured: {e!r}"})
    return out


def main():
    p = argparse.ArgumentParser(prog="tests/bench/bench.py", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", nargs="+", metavar="NAME", help="these rows, or all below NAME.")
    p.add_argument("--jobs", type=int, default=2, help="runs at a time (default 2)")
    p.add_argument("--full", action="store_true", help="the rows that take long too")
    args = p.parse_args()
    rows = [r for r in ROWS + (LONG if args.full or args.only else []) if (not r.full or args.full if not args.only else
                                any(r.name == x or r.name.startswith(x + ".") for x in args.only))]
    unknown = [x for x in args.only or [] if not oracle.covers(x) and not compress.covers(x) and
               not any(r.name == x or r.name.startswith(x + ".") for r in ROWS + LONG)]
    if unknown:
        p.error(f"no such row as {unknown[0]}; there are: " +
                " ".join([r.name for r in ROWS + LONG] + [x + ".*" for x in oracle.FAMILIES + compress.FAMILIES]))
    needed = [x for x in RUNS if any(x in r.runs for r in rows)]
    os.makedirs(scenarios.BENCH, exist_ok=True)
    subprocess.run(["make", "-s", "-C", TOP, "build/vmmb.elf", "build/bench/decide"], check=True)
    if any(x in scenarios.RUNS for x in needed):
        scenarios.prepare()
    if any(x in STEADY_RUNS for x in needed):
        vmmb.tool("mkguest", "cloud")
        steady.build()
    if any(x in share.RUNS for x in needed):
        share.build()
    runs = run_all(needed, args.jobs)
    with open(scenarios.BENCH + "/raw.json", "w") as f:
        json.dump(runs, f, indent=1)
    results = measure(rows, runs)
    if not args.only or any(oracle.covers(x) for x in args.only):
        results += oracle.rows(args.only)
    if not args.only or any(compress.covers(x) for x in args.only):
        results += compress.rows(args.only)
    with open(OUT + "/bench.json", "w") as f:
        json.dump(results, f, indent=1)
        f.write("\n")
    if "wakeup" in runs:
        reaction.plot(runs["wakeup"], scenarios.BENCH + "/wakeup.png")
    table(results)
    return 0 if all(r["value"] is not None or r["pass"] for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-2.0-only
"""How fast frames follow a change, whether a target rests in a steady load, how a guest comes back from a long sleep.

On the machine of steady.py. The guests' and the hypervisor's time stamp counters are one. What is sampled on the
console (`why -j`) is exact in time though not the same in each run: when a sample is taken depends on this machine,
and answering takes time that the guests would have had.
"""
import os, re, shutil, time

from paths import BENCH, TOP
import payload, steady, vmmb

SHARE = 128  # MiB of each of two guests
GUESTS = ("web", "db")
SMALL, BIG = 16, 140  # MiB web works on before the change and after it
CHANGE, AFTER, STEADY = 10, 12, 20  # s: before the change, settling, in which the target must rest
ASLEEP, WAKE_AT, PASSES = 100, 14, 4  # MiB; s after START
HUNGRY = 210  # MiB that the neighbour works on meanwhile
PACE = 5000  # us of rest after each MiB touched
START = 15 * steady.HZ  # both have booted

JOBS = {
    # The other guest is idle; its memory was filled once, so that frames must be moved and none are free.
    "reaction": {"web": f"phases {START} {steady.HZ} {PACE} {SMALL}:{CHANGE} {BIG}:{AFTER + STEADY}",
                 "db": f"phases {START - 5 * steady.HZ} {steady.HZ} {PACE} 100:4"},
    "wakeup": {"web": f"sleeper {START} {steady.HZ} {ASLEEP} {WAKE_AT} {PASSES}",
               "db": f"phases {START + 2 * steady.HZ} {steady.HZ} {PACE} {HUNGRY}:{WAKE_AT - 3}; echo QUIET"},
}


def prepare(name):
    folder = f"{BENCH}/set/{name}"
    shutil.rmtree(folder, ignore_errors=True)
    args = []
    for vm in GUESTS:
        payload.script(f"{folder}/{vm}", JOBS[name][vm] + "\necho JOB OVER")
        payload.own(f"{folder}/{vm}", "phases", "sleeper")
        args += ["--guest", f"{vm}:size=96M,ext4={folder}/{vm},swap=32M"]
    vmmb.tool("mkdisk", "-o", folder + "/disk.img", *args, "--vmmb-swap", "640M")
    return folder + "/disk.img"


def machine(name):
    guests = {vm: (n, 2 * SHARE, "job") for n, vm in enumerate(GUESTS, 1)}
    return steady.tight(name, guests, prepare(name), SHARE)


def sample(m):
    """One moment: web's line of `why`, with db's share and web's misses beside it."""
    web, db = (m.cmd_json(f"why {vm}")[0] for vm in GUESTS)
    n = m.counters("web")
    return dict(web, db_held=db["held"], db_target=db["target"],
                **{k: n[k] for k in ("faults", "swap_reads", "swap_writes", "disc_reads", "soft_hits", "run_ticks")})


def run_reaction():
    """Samples from before the change on; when the change was, by the guest's own counter."""
    samples = []
    with machine("reaction") as m:
        m.expect(r"web\| PHASE 1 [^\n]*\n", 1200)
        m.expect(vmmb.PROMPT)
        end = START + (CHANGE + AFTER + STEADY) * steady.HZ
        while not samples or samples[-1]["tsc"] < end:
            samples.append(sample(m))
            if not -0.5 < samples[-1]["tsc"] / steady.HZ - START / steady.HZ - CHANGE < 4:
                time.sleep(0.2)  # only the targets' turns matter there, and looking takes the guests' time
        m.all_said(["web"], "JOB OVER")
        result = m.everything()
        m.conserved()
        text = m.text_of("web")
    steady.check_tight(result, 2 * SHARE * 256)
    change = re.search(r"^PHASE 2 mib=\d+ tsc=(\d+)", text, re.M)
    if not change or not re.search(r"^FINISHED pages=\d+ bad=0 ", text, re.M):
        raise RuntimeError(f"the guest's work went wrong: {m.log.name}")
    return {"change": int(change[1]), "samples": samples, "after": result}


def seconds(r, s):
    return (s["tsc"] - r["change"]) / steady.HZ


def first_move(r):
    """Until the other guest has given a frame, or web's share has grown beyond what it was."""
    before = [s for s in r["samples"] if seconds(r, s) <= 0][-1]
    for s in r["samples"]:
        if seconds(r, s) > 0 and (s["db_held"] < before["db_held"] or s["held"] > before["held"]):
            return seconds(r, s)
    raise RuntimeError("no frame moved after the change")


def first_target(r):
    """Until web's target grows."""
    before = [s for s in r["samples"] if seconds(r, s) <= 0][-1]
    for s in r["samples"]:
        if seconds(r, s) > 0 and s["target"] > before["target"]:
            return seconds(r, s)
    raise RuntimeError("no target grew after the change")


def new_target(r):
    """The target at the end of the time for settling."""
    return [s for s in r["samples"] if seconds(r, s) <= AFTER][-1]["target"]


def settled(r):
    """Until what web holds is, and stays, within 5 % of its new target (or it needs no more)."""
    goal, at = new_target(r), None
    for s in r["samples"]:
        if not 0 < seconds(r, s) <= AFTER:
            continue
        if abs(s["target"] - goal) <= goal / 20 and s["held"] >= min(goal, max_held(r)) * 0.95:
            at = seconds(r, s) if at is None else at
        else:
            at = None
    if at is None:
        raise RuntimeError(f"not within 5 % of the target of {goal} frames after {AFTER} s")
    return at


def max_held(r):
    return max(s["held"] for s in r["samples"] if seconds(r, s) <= AFTER)


def turns(r):
    """Changes of direction of web's target a minute, from AFTER seconds after the change on."""
    steady_part = [s for s in r["samples"] if seconds(r, s) >= AFTER]
    span = (steady_part[-1]["tsc"] - steady_part[0]["tsc"]) / steady.HZ
    return (steady_part[-1]["turns"] - steady_part[0]["turns"]) * 60 / span


def reaction_note(r):
    before = [s for s in r["samples"] if seconds(r, s) <= 0][-1]
    near = [s for s in r["samples"] if 0 < seconds(r, s) <= 2]
    gap = max(b["tsc"] - a["tsc"] for a, b in zip(near, near[1:])) / 1e6
    disk = r["after"]["disk"]["busy_ns"] / 1e9
    return (f"{SMALL}M to {BIG}M of anonymous memory, {2 * SHARE}M for two guests; held {before['held'] >> 8} -> "
            f"{max_held(r) >> 8} MiB, target {before['target'] >> 8} -> {new_target(r) >> 8} MiB; sampled every "
            f"{gap:.0f} ms at most; the disk was busy {disk:.1f} s of the whole run; {steady.DISK_NOTE}")


# ---- a guest that was idle for long ----------------------------------------------------------

def run_wakeup():
    with machine("wakeup") as m:
        m.all_said(["db"], "QUIET")
        before = m.counters("web")
        m.all_said(["web"], "JOB OVER")
        result = m.everything()
        m.conserved()
        text = m.text_of("web")
    if "bad=0" not in text:
        raise RuntimeError(f"the guest lost what it had written: {m.log.name}")
    slices = [int(x) for x in re.findall(r"^SLICE \d+ ticks=(\d+)", text, re.M)]
    passes = [int(x) for x in re.findall(r"^PASS \d+ ticks=(\d+)", text, re.M)]
    if len(slices) != 20 or len(passes) != PASSES:
        raise RuntimeError(f"{m.log.name} has {len(slices)} slices and {len(passes)} passes")
    if before["held"] > (ASLEEP << 20) // 2:
        raise RuntimeError(f"most of the sleeper's pages were still there: it held {before['held'] >> 20}M")
    return {"slices": slices, "passes": passes, "held_before": before["held"], "before": before, "after": result}


def wakeup_ms(twentieths):
    return lambda r: r["wakeup"]["slices"][twentieths - 1] / 1e6


def wakeup_note(r):
    w = r["wakeup"]
    reads = w["after"]["web"]["swap_reads"] - w["before"]["swap_reads"]
    requests = w["after"]["disk"]["reads"]
    last = (w["passes"][-1] - w["passes"][0]) / (PASSES - 1) / 1e6
    return (f"{ASLEEP}M of anonymous memory, {w['held_before'] >> 20}M still held after its sleep; the "
            f"neighbour's load has just ended; {reads} pages read, {requests} disk reads in all; first pass "
            f"{w['passes'][0] / 1e6:.0f} ms, later ones {last:.1f} ms; {steady.DISK_NOTE}")


def plot(r, path):
    """The curve as a picture, where there is matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot
    pyplot.figure(figsize=(6, 4))
    pyplot.plot([0] + [x / 1e6 for x in r["slices"]], [5 * i for i in range(21)])
    pyplot.xlabel("ms since it woke")
    pyplot.ylabel("% of its working set touched")
    pyplot.title("A guest whose pages were gone")
    pyplot.tight_layout()
    pyplot.savefig(path)
    pyplot.close()

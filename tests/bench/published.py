# SPDX-License-Identifier: GPL-2.0-only
"""A set of loads as publications about memory sharing use them, on the machine of steady.py.

Each is run three times: static halves (each guest has its share as RAM, nothing is shared), VMMB (each is promised all
that they share), alone (all memory is the worker's; where several work, each has as much as all share). A worker sleeps
until all have booted, prints the time stamp counter, does its work and prints it again. The guests beside a single
worker are idle: booted, at their shell.
"""
import hashlib, os, re, shutil, threading

from paths import BENCH
import payload, steady, vmmb

KINDS = ("static", "vmmb", "alone")
BOOTED = 12  # s of emulated time until all guests of a machine have booted and are quiet


class Scenario:
    """share: MiB of each guest in halves; jobs: {worker: shell text}; fill(worker, folder) puts its files there;
    check(worker, text) raises if what it printed is wrong; idle: guests that do nothing."""

    def __init__(self, name, share, jobs, fill, check, idle=("db",), size=256, swap=32, settle=BOOTED):
        self.name, self.share, self.jobs, self.fill, self.check = name, share, jobs, fill, check
        self.guests = [*jobs, *idle]
        self.size, self.swap, self.settle = size, swap, settle

    @property
    def folder(self):
        return f"{BENCH}/set/{self.name}"

    def prepare(self):
        """The disk: a partition each, filled for workers."""
        shutil.rmtree(self.folder, ignore_errors=True)
        args = []
        for vm in self.guests:
            os.makedirs(f"{self.folder}/{vm}")
            if vm in self.jobs:
                payload.script(f"{self.folder}/{vm}", f"sleep {self.settle}\n{self.jobs[vm]}\necho JOB OVER")
                self.fill(vm, f"{self.folder}/{vm}")
            mib = self.size + self.swap if vm in self.jobs else 64
            swap = self.swap if vm in self.jobs else 32
            args += ["--guest", f"{vm}:size={mib}M,ext4={self.folder}/{vm},swap={swap}M"]
        promised = self.share * len(self.guests) ** 2  # MiB, to all of them under VMMB
        vmmb.tool("mkdisk", "-o", self.folder + "/disk.img", *args, "--vmmb-swap", f"{max(640, promised)}M")
        for vm in self.guests:
            shutil.rmtree(f"{self.folder}/{vm}")  # it is on the disk now

    def machine(self, kind):
        total = self.share * len(self.guests)
        names = list(self.jobs) if kind == "alone" else self.guests
        rams = {vm: self.share if kind == "static" else total for vm in names}
        guests = {vm: (1 + self.guests.index(vm), rams[vm], "job" if vm in self.jobs else None) for vm in names}
        name, disk = f"{self.name}-{kind}", self.folder + "/disk.img"
        if kind == "vmmb":
            return steady.tight(name, guests, disk, self.share)
        # What a guest itself evicts would be kept for it, which no fixed partition does.
        return steady.Steady(name, guests, disk, steady.ample(rams.values()), words="cache=off")

    def run(self, kind):
        with self.machine(kind) as m:
            m.all_said(self.jobs, r"JOB OVER")
            result = m.everything()
            m.conserved()
            texts = {vm: m.text_of(vm) for vm in self.jobs}
        if kind == "vmmb":
            steady.check_tight(result, self.share * len(self.guests) * 256)
        else:
            steady.no_reclaim(result, m.guests)
        result["spans"] = {}
        for vm, text in texts.items():
            tsc = [int(x) for x in re.findall(r"^TSC (\d+)", text, re.M)]
            if len(tsc) != 2:
                raise RuntimeError(f"{self.name}: {vm} printed {len(tsc)} time stamps, not two: {m.log.name}")
            result["spans"][vm] = tsc
            extra = self.check(vm, text)
            result.setdefault("work", {})[vm] = extra
        return result

    def ticks(self, result):
        """Of the work: mean over the workers."""
        spans = [end - start for start, end in result["spans"].values()]
        return sum(spans) / len(spans)

    def note(self, results):
        """Gticks, misses and sectors of the three."""
        parts = []
        for kind in KINDS:
            r = results[kind]
            miss = {k: sum(r[vm][k] for vm in self.guests if vm in r)
                    for k in ("disc_reads", "swap_reads", "swap_writes", "cache_hits")}
            disk = r["disk"]
            parts.append(f"{kind} {self.ticks(r) / 1e9:.2f} Gticks, {disk['sectors_read']}+{disk['sectors_written']} "
                         f"sectors in {disk['reads']}+{disk['writes']} requests, misses {miss['disc_reads']} disk "
                         f"{miss['swap_reads']} swap, {miss['swap_writes']} swapped, {miss['cache_hits']} cache hits")
        return "; ".join(parts)


def printed(*lines):
    """A check: each of these patterns is a line of it."""
    def check(vm, text):
        for x in lines:
            if not re.search(rf"^{x}\s*$", text, re.M):
                raise RuntimeError(f"{vm} did not print {x!r}: {text[-600:]}")
    return check


# ---- files -----------------------------------------------------------------------------------

def reread_sum(path):
    """What reread prints for this file."""
    total, mask = 0, (1 << 64) - 1
    with open(path, "rb") as f:
        while chunk := f.read(65536):
            for k in range(0, len(chunk), 256):
                total = (total * 31 + int.from_bytes(chunk[k:k + 8], "little")) & mask
    return f"SUM {total:016x}"


def fill_reread(mib):
    def fill(_, folder):
        payload.noise(folder + "/data", mib)
        payload.own(folder, "reread")
        expected["reread", mib] = reread_sum(folder + "/data")
    return fill


expected = {}  # what fill() found out for check()


def check_reread(mib):
    return lambda vm, text: printed(expected["reread", mib])(vm, text)


# ---- compile, xz -----------------------------------------------------------------------------

def compile_job():
    names = " ".join(payload.UNITS)
    one = payload.COMPILE.format("mm/$n.c", "/tmp/$n") + " && as /tmp/$n.s -o /tmp/$n.o"
    return (f"cd src; tsc\nfor n in {names}; do ({one}) & done; wait\ntsc\n"
            f"for n in {names}; do cat /tmp/$n.o; done | md5sum")


def fill_compile(_, folder):
    expected["compile"] = hashlib.md5(payload.tree(folder)).hexdigest()


# By its path: busybox' shell would take its own, which only unpacks.
XZ = "/mnt/bin/xz -T1 --format=xz --lzma2=preset=0,dict=16MiB"


def fill_xz(_, folder):
    payload.program(folder, shutil.which("xz"))
    payload.text_file(folder + "/text", 24)
    with open(folder + "/text", "rb") as f:
        expected["xz"] = hashlib.md5(f.read()).hexdigest()


# ---- redis, sqlite ---------------------------------------------------------------------------

KEYS, VALUE, GETS = 60000, 1400, 60000


def fill_redis(_, folder):
    payload.debs()
    payload.program(folder, payload.DEBROOT + "/usr/bin/redis-check-rdb", "redis-server")  # one program, two names
    payload.own(folder, "redisload")


REDIS = f"""redis-server --port 0 --unixsocket /tmp/s --save '' --appendonly no --dir /tmp --daemonize no >/tmp/log &
while ! [ -S /tmp/s ]; do sleep 1; done
redisload /tmp/s fill {KEYS} {VALUE}
sleep 5
tsc
redisload /tmp/s get {KEYS} {VALUE} {GETS}
tsc"""


def fill_sqlite(_, folder):
    payload.debs()
    payload.program(folder, payload.DEBROOT + "/usr/bin/sqlite3")
    payload.database(folder + "/db", 90000, 1500, 12000, folder + "/answers")
    with open(folder + "/answers", "rb") as f:
        expected["sqlite"] = hashlib.md5(f.read()).hexdigest()


# ---- phases, four guests ---------------------------------------------------------------------

PACE = 2000  # us of rest after each MiB
# In opposite phase: one works on much while the other works on little.
TIDE = {"web": "150:8 16:8 150:8 16:8", "db": "16:8 150:8 16:8 150:8"}


def check_phases(vm, text):
    done = re.search(r"^FINISHED pages=(\d+) bad=0 ", text, re.M)
    if not done:
        raise RuntimeError(f"{vm} did not finish well: {text[-600:]}")
    return int(done[1])


STAGGERED = [f"g{n}" for n in range(4)]

SET = {s.name: s for s in (
    Scenario("loop", 192, {"web": "tsc; loopfile data 8; tsc"}, lambda _, f: payload.noise(f + "/data", 288),
             printed(r"DONE passes=8 .*"), size=352),
    Scenario("reread", 128, {"web": "tsc; reread data 5; tsc"}, fill_reread(160), check_reread(160)),
    Scenario("compile", 96, {"web": compile_job()}, fill_compile,
             lambda vm, text: printed(expected["compile"] + "  -")(vm, text), swap=128),
    Scenario("xz", 96, {"web": f"tsc; {XZ} -c text >/tmp/x; tsc; /mnt/bin/xz -dc /tmp/x | md5sum"}, fill_xz,
             lambda vm, text: printed(expected["xz"] + "  -")(vm, text), swap=128),
    Scenario("redis", 112, {"web": REDIS}, fill_redis,
             printed(rf"SET count={KEYS} bad=0", rf"GOT count={GETS} bad=0"), swap=160),
    Scenario("sqlite", 112, {"web": "tsc; sqlite3 -readonly db <answers.sql >/tmp/out; tsc; md5sum </tmp/out"},
             fill_sqlite, lambda vm, text: printed(expected["sqlite"] + "  -")(vm, text), size=320),
    Scenario("phases", 128, {vm: f"tsc; phases 15000000000 {steady.HZ} {PACE} {x}; tsc" for vm, x in TIDE.items()},
             lambda _, f: payload.own(f, "phases"), check_phases, idle=(), size=64, swap=192, settle=1),
    Scenario("staggered", 96, {vm: f"sleep {10 * n}; tsc; reread data 6; tsc" for n, vm in enumerate(STAGGERED)},
             fill_reread(100), check_reread(100), idle=(), size=192, settle=20),
)}
prepared, prepare_lock = set(), threading.Lock()


def prepare(name):
    """Its disk, once."""
    with prepare_lock:
        if name not in prepared:
            SET[name].prepare()
            prepared.add(name)


def run(name, kind):
    """One of the three runs of one of the set."""
    prepare(name)
    return SET[name].run(kind)

# SPDX-License-Identifier: GPL-2.0-only
"""Recordings: over COM2 and over the console, against the hypervisor's counters, and replayed with other memory.

The parts that need no boot come first: they record a run of the simulation.
"""
import base64, contextlib, gzip, importlib.machinery, importlib.util, json, os, random, subprocess

import pytest

import conftest, vmmb

TRACE, REPLAY, SIM = vmmb.TOP + "/tools/trace", vmmb.TOP + "/build/host/replay", vmmb.TOP + "/build/sim/sim-fast"
COUNTED = ("soft_hits", "cache_hits", "disc_reads", "swap_reads", "zero_fills", "around", "overwrites_unread")
# How far the misses of a replay at the recorded memory, with the targets that were decided then, may be from those that
# were recorded, over all guests; README states it.
NEAR = 0.25
# Of a real guest, whose touches between two scan passes have no order in a recording: a loop that goes round several times
# within one, while its pages are evicted, may miss otherwise. Fifteen recordings were replayed with 0.94 to 1.31 of their misses.
NEAR_REAL = 0.5
MEMORY_MB = 320


def load_tool():
    loader = importlib.machinery.SourceFileLoader("trace_tool", TRACE)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("trace_tool", loader))
    loader.exec_module(module)
    return module


def show(path):
    lines = subprocess.run([TRACE, "show", "-j", path], check=True, capture_output=True, text=True).stdout.splitlines()
    return json.loads(lines[0]), {g["guest"]: g for g in map(json.loads, lines[1:])}


def whatif(path, *args):
    run = subprocess.run([REPLAY, "whatif", *args, path], capture_output=True, text=True, check=True)
    lines = [json.loads(x) for x in run.stdout.splitlines()]
    return lines[0], {g["guest"]: g for g in lines[1:]}


def total(guests, key):
    return sum(g[key] for g in guests.values())


def assert_near(guests, near=NEAR):
    """A replay of what was recorded, as it was, misses as often."""
    recorded, replayed = total(guests, "misses_recorded"), total(guests, "misses_as_decided")
    assert abs(replayed - recorded) <= near * recorded, guests


@pytest.fixture(scope="module")
def tools():
    with conftest.one_at_a_time():
        subprocess.run(["make", "-s", "-C", vmmb.TOP, "build/host/replay", "build/sim/sim-fast"], check=True)


@pytest.fixture(scope="module")
def recording(tools, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("trace") / "sim.trace")
    subprocess.run([SIM, "--ops", "150000", "--seed", "6", "--trace", path, "--trace-ring", "1048576"],
                   check=True, stdout=subprocess.DEVNULL)
    return path


# ---- the tool ----------------------------------------------------------------------------------

def test_a_whole_recording_agrees_with_the_counters(recording):
    head, guests = show(recording)
    assert head["whole"] and head["ended"] and not head["lost"] and not head["bad_bytes"], head
    assert len(guests) == 3 and all(g["agree"] for g in guests.values()), guests
    assert head["misses"] > 5000 and head["passes"] > 10


def test_any_bytes_are_no_harm_to_the_reader(recording):
    """Noise in front, flipped bits, cuts, doubled and missing pieces: each frame is taken whole or not at all."""
    tool, rng = load_tool(), random.Random(5)
    with open(recording, "rb") as f:
        good = f.read()[:60000]
    reader = tool.Reader()
    frames = []
    reader.raw = frames.append
    list(reader.feed(good))
    whole = set(frames)
    assert len(whole) > 40
    for _ in range(60):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 30)):
            at, n = rng.randrange(len(data)), rng.randrange(1, 1500)
            match rng.randrange(4):
                case 0: data[at] ^= 1 << rng.randrange(8)
                case 1: del data[at:at + n]
                case 2: data[at:at] = rng.randbytes(n)
                case _: data[at:at] = data[:n] + tool.MAGIC
        reader, seen = tool.Reader(), []
        reader.raw = seen.append
        while data:  # in pieces, as a wire delivers
            n = rng.randrange(1, 4000)
            list(reader.feed(bytes(data[:n])))
            del data[:n]
        reader.finish()
        assert seen and set(seen) <= whole
        assert reader.bytes == sum(map(len, seen))
    for size in 0, 1, 19, 20, 500:  # nothing but noise
        reader = tool.Reader()
        assert not list(reader.feed(rng.randbytes(size)))
        reader.finish()
        assert reader.bad_bytes == size


def test_damage_is_told(recording, tmp_path):
    with open(recording, "rb") as f:
        data = bytearray(f.read())
    data[len(data) // 2] ^= 0xFF
    broken = str(tmp_path / "broken.trace")
    with open(broken, "wb") as f:
        f.write(b"console noise\r\n" + data)
    head, guests = show(broken)
    assert head["frames_missing"] == 1 and not head["whole"] and head["bad_bytes"] > 15
    assert all("agree" not in g for g in guests.values())
    machine, _ = whatif(broken)
    assert not machine["whole"]
    for content in b"", b"VMT1" * 1000, os.urandom(20000):
        with open(broken, "wb") as f:
            f.write(content)
        for command in [TRACE, "show", broken], [REPLAY, "whatif", broken]:
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            assert run.returncode == 1 and len(run.stderr.splitlines()) == 1, run


def test_lines_of_a_console_are_the_same_recording(recording, tmp_path):
    tool, frames = load_tool(), []
    with open(recording, "rb") as f:
        reader = tool.Reader()
        reader.raw = frames.append
        list(reader.feed(f.read()))
    log, out = str(tmp_path / "console.log"), str(tmp_path / "out.trace")
    with open(log, "wb") as f:
        for i, frame in enumerate(frames):
            f.write(b"\x1b[Kvmmb> \r\nweb| hello\r\ntrace| " + base64.b64encode(frame) + b"\r\n")
        f.write(b"trace| end\r\n")
    subprocess.run([TRACE, "drain", log, "-o", out], check=True, stdout=subprocess.DEVNULL)
    with open(out, "rb") as a, open(recording, "rb") as b:
        assert a.read() == b.read()


def test_page_traces_feed_the_other_tools(recording, tmp_path):
    out = str(tmp_path / "vm1.gz")
    subprocess.run([TRACE, "pages", recording, "--guest", "vm1", "-o", out], check=True, stdout=subprocess.DEVNULL)
    with gzip.open(out, "rt") as f:
        pages = [int(x) for x in f]
    _, guests = show(recording)
    assert len(pages) > guests["vm1"]["touches"]
    run = subprocess.run([REPLAY, "curve", out], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout)["refs"] == len(pages)
    run = subprocess.run([TRACE, "pages", recording, "--guest", "nobody", "-o", out], capture_output=True, text=True, check=False)
    assert run.returncode == 1 and "vm0, vm1, vm2" in run.stderr


def test_what_if_more_memory(recording):
    last = None
    for percent in 60, 80, 100, 120, 150, 200:
        machine, guests = whatif(recording, "--frames", f"{percent}%")
        assert machine["whole"] and machine["frames"] == machine["frames_recorded"] * percent // 100
        now = total(guests, "misses_whatif")
        assert last is None or now < last, (percent, now, last)
        last = now
        if percent == 100:
            assert all(g["misses_whatif"] == g["misses_simulated"] for g in guests.values())
    assert last < total(guests, "misses_simulated") / 10  # it all fits


@pytest.mark.parametrize("seed", range(1, 7))
def test_what_if_nothing_else_is_what_was(tools, tmp_path, seed):
    path = str(tmp_path / "sim.trace")
    subprocess.run([SIM, "--ops", "200000", "--seed", str(seed), "--trace", path, "--trace-ring", "1048576"],
                   check=True, stdout=subprocess.DEVNULL)
    _, guests = whatif(path)
    assert total(guests, "misses_recorded") > 3000
    assert_near(guests)


def test_what_if_other_settings(recording):
    _, base = whatif(recording)
    _, same = whatif(recording, "--qos", "vm0:weight=100")
    assert base == same
    _, heavy = whatif(recording, "--qos", "vm1:weight=10000")
    assert heavy["vm1"]["misses_whatif"] < base["vm1"]["misses_whatif"]
    _, capped = whatif(recording, "--qos", "vm1:max=1M,min=512K")
    assert capped["vm1"]["target_whatif"] <= 256 and capped["vm1"]["frames"] <= 256
    assert capped["vm1"]["misses_whatif"] > base["vm1"]["misses_whatif"]
    for bad in (["--qos", "nobody:weight=3"], ["--qos", "vm1:weight=0"], ["--qos", "vm1:min=9M"], ["--qos", "vm1"],
                ["--frames", "0"], ["--frames", "x"], ["--frames", "100"]):
        run = subprocess.run([REPLAY, "whatif", *bad, recording], capture_output=True, text=True, check=False)
        assert run.returncode and run.stderr.startswith("replay whatif: "), (bad, run)


# ---- whole machines ----------------------------------------------------------------------------

@pytest.fixture(scope="module")
def machine(artifacts, tools, emu):
    """web and db on less than they were promised, COM2 a Unix socket."""
    name = f"trace-{emu}"
    line = f"{vmmb.BUILD}/{name}.com2"
    baud = 19200 if emu == "bochs" else 115200
    with vmmb.Machine(name, modules=conftest.two_guest_modules(), disks=[conftest.two_guest_disk(name)], memory=f"{MEMORY_MB}M",
                      emu=emu, cmdline=f"console=com1,{baud} trace=com2,115200", emu_args=["--serial2", f"unix:{line}"]) as m:
        m.line = line
        for vm in "web", "db":
            m.wait_ready(vm)
        m.cmd("watch off")
        yield m


@contextlib.contextmanager
def draining(m, path):
    """tools/trace takes what comes over COM2; it ends with the recording."""
    with subprocess.Popen([TRACE, "drain", m.line, "-o", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as tool:
        try:
            yield tool
        finally:
            tool.kill()


def quiet(m):
    """Both guests stand still and no I/O of theirs goes on (pages may still come back in the background, a request at a time
    that may outlast a look at the counters): what they have counted."""
    for vm in "web", "db":
        m.cmd(f"vm pause {vm}")
    last, same = None, 0
    while same < 8:
        now = {vm: {k: m.counters(vm)[k] for k in (*COUNTED, "faults", "scans")} for vm in ("web", "db")}
        last, same = now, same + 1 if now == last else 0
    return last


def go_on(m):
    for vm in "web", "db":
        m.cmd(f"vm resume {vm}")


def switch_on(m, size):
    """Memory for the ring may have to come from guests first, by way of the disk."""
    for _ in range(200):
        text = m.cmd(f"trace on {size}")
        if text.startswith("tracing into "):
            return
        assert text.startswith("error: ") and "try again" in text and "nothing changed" in text, text
    raise AssertionError(text)


def dump(m):
    m.leave()
    m.child.send("trace dump\r")
    m.expect(r"trace\| end\r?\n", 300)
    m.expect(vmmb.PROMPT)


def work(m):
    """More than there is: web goes round a loop of pages of its own, db round a file."""
    m.sh_start("web", "memfill 140 21 6 >/tmp/fill")
    m.sh_start("db", "for i in 1 2 3 4 5 6; do cat /mnt/big >/dev/null; done; memfill 60 22 3; echo DONE >/tmp/done")
    assert "bad=0" in m.sh_await("web", "/tmp/fill", timeout=900)
    m.sh_await("db", "/tmp/done", timeout=900)


def missed(m):
    """Pages that were asked for, or brought back on a guess and then touched: what a replay is compared with."""
    now = [m.counters(vm) for vm in ("web", "db")]
    return sum(c["disc_reads"] + c["swap_reads"] - c["ahead"] - c["ahead_background"] + c["ahead_used"] for c in now)


def test_commands_and_their_mistakes(machine):
    m = machine
    assert m.cmd_json("trace show")[0]["trace"] == "off"
    free = m.cmd_json("mem")[0]
    for bad in ("trace on com1", "trace on com3", "trace on 1K", "trace on 1G", "trace on 5", "trace on 1M 1M", "trace on x",
                "trace off", "trace dump", "trace frob"):
        text = m.cmd(bad)
        assert text.startswith("error: ") and "nothing changed" in text and "try" in text and "\n" not in text, text
    assert "error" in m.cmd_json("trace off")[0]
    assert "console's port" in m.cmd("trace on com1")
    assert m.cmd_json("trace show")[0]["trace"] == "off"
    assert m.cmd_json("mem")[0]["hypervisor"] == free["hypervisor"]
    for verb in "on", "off", "show", "dump":
        assert f"trace {verb}" in m.cmd("help trace")
    assert "trace" in m.cmd("help boot")


def test_a_recording_over_com2_is_what_was_counted(machine):
    m = machine
    path = f"{vmmb.BUILD}/{m.name}.trace"
    m.sh("db", "dd if=/dev/urandom of=/mnt/big bs=1M count=100 2>/dev/null; sync; echo 3 >/proc/sys/vm/drop_caches", timeout=600)
    hypervisor = m.cmd_json("mem")[0]["hypervisor"]
    before = quiet(m)
    with draining(m, path) as tool:
        switch_on(m, "4M")
        assert m.cmd_json("mem")[0]["hypervisor"] == hypervisor + 1024 + 2
        go_on(m)
        # How often the loops miss depends on how soon they are noticed, and a replay is some 5,000 misses off,
        # few or many: there must be enough to compare with.
        start = missed(m)
        for _ in range(5):
            work(m)
            if missed(m) - start > 8000:
                break
        after = quiet(m)
        m.cmd("trace off")
        shown = m.cmd_json("trace show")[0]
        assert tool.wait(120 * vmmb.SLOW) == 0, tool.stderr.read()
    go_on(m)
    while m.cmd_json("trace show")[0]["trace"] != "off":
        pass
    assert m.cmd_json("mem")[0]["hypervisor"] == hypervisor  # the ring is given back
    m.conserved()
    head, guests = show(path)
    print(json.dumps(head), json.dumps(guests), shown)
    assert head["whole"], head
    for vm, g in guests.items():
        assert g["recorded"] == {k: after[vm][k] - before[vm][k] for k in COUNTED}, vm
        assert g["agree"] and g["faults"] == after[vm]["faults"] - before[vm]["faults"]
        assert g["passes"] == after[vm]["scans"] - before[vm]["scans"]
        assert g["decisions"] > 5 and g["touches"] > 1000
    # asked for or beside what was asked for
    assert sum(total(guests, k) for k in ("swap", "disc", "read_ghost", "read_ahead_swap", "read_ahead_disc")) > 3000
    assert total(guests, "evicted") > 10000
    assert set().union(*(g["access"] for g in guests.values())) >= {"read", "write"}
    for vm in guests:
        counters = m.counters(vm)
        assert not any(counters[k] for k in ("silent_swap_writes", "stale_reads", "double_paging")), counters


def test_what_if_of_real_guests(machine):
    path = f"{vmmb.BUILD}/{machine.name}.trace"
    _, base = whatif(path)
    print(json.dumps(base))
    assert_near(base, NEAR_REAL)
    recorded = total(base, "misses_recorded")
    scaled, misses = {}, {}
    for percent in 70, 85, 100, 115, 130, 160:
        _, guests = whatif(path, "--frames", f"{percent}%")
        scaled[percent], misses[percent] = total(guests, "misses_scaled"), total(guests, "misses_whatif")
        print(percent, scaled[percent], misses[percent], {vm: (g["misses_whatif"], g["target_whatif"]) for vm, g in guests.items()})
    # Much more memory, with targets in proportion, never misses more; by less, one guest may be worse off.
    assert scaled[70] > scaled[130] and scaled[100] > scaled[160], scaled
    # Deciding anew depends on when a loop is noticed; with room for both guests there is nothing to decide.
    assert misses[160] < misses[70] and misses[160] < recorded / 10, misses


def test_a_recording_without_a_line_is_dumped_on_the_console(machine):
    m = machine
    log, path = f"{vmmb.BUILD}/{m.name}.dump", f"{vmmb.BUILD}/{m.name}-dump.trace"
    before = quiet(m)
    start = os.path.getsize(m.log.name)
    assert "trace dump" in m.cmd("trace on 1M none")
    go_on(m)
    m.sh("web", "memfill 20 31 1; ls / >/dev/null")
    after = quiet(m)
    assert "records wait" in m.cmd("trace off")
    assert m.cmd_json("trace show")[0]["trace"] == "stopped"
    assert m.cmd("trace on").startswith("error: ")
    dump(m)
    assert m.cmd_json("trace show")[0]["trace"] == "off"
    go_on(m)
    m.log.flush()
    with open(m.log.name, "rb") as f, open(log, "wb") as out:
        f.seek(start)
        out.write(f.read())
    subprocess.run([TRACE, "drain", log, "-o", path], check=True, stdout=subprocess.DEVNULL)
    head, guests = show(path)
    assert head["whole"], head
    for vm, g in guests.items():
        assert g["recorded"] == {k: after[vm][k] - before[vm][k] for k in COUNTED}, vm


def test_a_full_ring_says_what_it_lost(machine):
    m = machine
    assert m.cmd("trace on 64K none").startswith("tracing")
    # Together they touch as many pages as the machine has in all, 11000 more than guests can hold: each of those is a record,
    # however memory is divided and whatever was where (only while an eighth is free one record may tell of many).
    for vm in "web", "db":
        assert "bad=0" in m.sh(vm, f"memfill {MEMORY_MB // 2} 41 1", timeout=900)
    shown = m.cmd_json("trace show")[0]
    assert shown["lost"] > 0 and shown["used"] <= shown["room"] == 4096
    m.cmd("trace off")
    start = os.path.getsize(m.log.name)
    dump(m)
    m.cmd("version")
    m.log.flush()
    path = f"{vmmb.BUILD}/{m.name}-full.log"
    with open(m.log.name, "rb") as f, open(path, "wb") as out:
        f.seek(start)
        out.write(f.read())
    head, guests = show(path)
    assert head["ended"] and not head["whole"] and head["lost"] >= shown["lost"], (head, shown)
    assert all("agree" not in g for g in guests.values())
    m.conserved()
    assert m.poweroff() == 0

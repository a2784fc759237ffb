#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The promises of SPECIFICATION.md and the tests that hold them: what a script can see of that.

A promise is one row of a table, | number | sentence | tests |, below a heading "## letter. Name". The tests are groups with a
semicolon between them, each a place and names with commas between them:

  unit/test_law.c: equal_weights        cases of a cmocka program: its functions that stand in the table of its cases
  boot/test_uefi.py: test_boots         pytest's functions
  fuzz: fuzz_config                     programs of tests/fuzz
  sim: plain, tight                     runs of the simulation, lines of tests/sim/runs
  bench: boot.ratio                     rows of tests/bench/bench.py; NAME.* for all whose names begin so

Found are: a number that is used twice, out of order or under another letter; a row that is no promise; a promise without a
test; a test that does not exist; a number in SECURITY.md (in brackets), README.md or ARCHITECTURE.md (behind the name
SPECIFICATION.md) that no promise has. tests/layers.py runs this as one of its rules.
"""
import functools, os, re, sys, types

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SPECIFICATION = "SPECIFICATION.md"
HEADING = re.compile(r"## ([A-Z])\. \S")
PROMISE = re.compile(r"\| ([A-Z])(\d+) \| ([^|]+) \| ([^|]+) \|$")
TITLE = re.compile(r"\| number \| promise \| held by \|$|\|---\|---\|---\|$")
NUMBERS = re.compile(r"\b[A-Z]\d+\b")
# Where else numbers are quoted, and what a text with such a quotation looks like.
BEHIND_NAME = re.compile(r"SPECIFICATION\.md((?:,? (?:to )?[A-Z]\d+\b)+)")
QUOTED = {"SECURITY.md": re.compile(r"\(([^()]*)\)"), "README.md": BEHIND_NAME, "ARCHITECTURE.md": BEHIND_NAME}


def read(path):
    """The file's text; None if there is none."""
    try:
        with open(f"{TOP}/{path}", encoding="utf-8") as f:
            return f.read()
    except OSError:
        return None


@functools.cache
def cases(path):
    """A cmocka program's cases: test functions whose name appears again in the table of its cases."""
    text = read(path)
    if text is None:
        return None
    functions = set(re.findall(r"^static void (\w+)\(void \*\*\w*\)", text, re.M))
    table = "".join(re.findall(r"struct CMUnitTest tests\[\] = \{(.*?)\};", text, re.S))
    return functions & set(re.findall(r"\w+", table))


@functools.cache
def functions(path):
    """What pytest finds in a file."""
    text = read(path)
    return None if text is None else set(re.findall(r"^def (test_\w+)\(", text, re.M))


@functools.cache
def fuzzers():
    return {name[:-2] for name in os.listdir(TOP + "/tests/fuzz") if re.match(r"fuzz_\w+\.c$", name)}


@functools.cache
def runs():
    rows = [line.split("#")[0].split() for line in read("tests/sim/runs").splitlines()]
    return {row[0] for row in rows if row}


@functools.cache
def rows():
    """The benchmark's rows by name, and its families. Its own modules say so; what they need to run is not needed here."""
    try:
        import pexpect  # noqa: F401
    except ImportError:
        sys.modules["pexpect"] = types.ModuleType("pexpect")
    sys.path[:0] = [TOP + "/tests/bench", TOP + "/tests/boot"]
    import bench
    names = {row.name for row in bench.ROWS + bench.LONG}
    families = {name[:dot.start()] for name in names for dot in re.finditer(r"\.", name)}
    families.update(bench.oracle.FAMILIES + bench.compress.FAMILIES)
    return names | {name + ".*" for name in families}


def known(place):
    """The names that there are in a place; None: there is no such place."""
    if re.match(r"unit/test_\w+\.c$", place):
        return cases("tests/" + place)
    if re.match(r"boot/test_\w+\.py$", place):
        return functions("tests/" + place)
    kind = {"fuzz": fuzzers, "sim": runs, "bench": rows}.get(place)
    return kind() if kind else None


def missing(tests):
    """What is wrong with the third column of a promise."""
    for group in tests.split(";"):
        place, colon, names = group.strip().partition(": ")
        there = known(place)
        if not colon or not names.strip():
            yield f"\"{group.strip()}\" is not PLACE: NAME, NAME"
        elif there is None:
            yield f"there is no {place} in tests/"
        else:
            yield from (f"there is no {name.strip()} in {place}" for name in names.split(",")
                        if name.strip() not in there)


def check_row(where, section, line, seen):
    m = PROMISE.match(line)
    if not m:
        yield f"{where}: a row that is not | number | sentence | tests |"
        return
    number = m[1] + m[2]
    if number in seen:
        yield f"{where}: {number} is used twice"
    elif m[1] != section:
        yield f"{where}: {number} stands under {section}"
    elif any(x[0] == m[1] and int(x[1:]) > int(m[2]) for x in seen):
        yield f"{where}: {number} comes after a higher number"
    seen.add(number)
    if not m[3].rstrip().endswith("."):
        yield f"{where}: {number} is not a whole sentence: it does not end with a full stop"
    yield from (f"{where}: {number}: {what}" for what in missing(m[4]))


def check_quoted(seen):
    for path, pattern in QUOTED.items():
        for n, line in enumerate((read(path) or "").splitlines(), 1):
            for quoted in pattern.findall(line):
                yield from (f"{path}:{n}: there is no promise {x}" for x in NUMBERS.findall(quoted) if x not in seen)


def check(files=None):
    """One line for each thing that is wrong."""
    del files
    text, section, seen = read(SPECIFICATION), None, set()
    if text is None:
        yield f"{SPECIFICATION}: is missing"
        return
    for n, line in enumerate(text.splitlines(), 1):
        heading = HEADING.match(line)
        section = heading[1] if heading else section
        if line.startswith("|") and not TITLE.match(line):
            yield from check_row(f"{SPECIFICATION}:{n}", section, line, seen)
    if not seen:
        yield f"{SPECIFICATION}: no promise was found"
    yield from check_quoted(seen)


if __name__ == "__main__":
    found = list(check())
    for wrong in found:
        print(wrong)
    sys.exit(1 if found else 0)

# SPDX-License-Identifier: GPL-2.0-only
"""What the published-style set's guests find on their disks: files made from fixed seeds, and Debian's own programs.

Programs come from Debian's packages, unpacked, not installed, or from this machine's own /usr when it is part of what
tools/setup installs. All shared libraries that ldd names lie in /mnt/lib; PRELUDE makes the guest's small root find the
program loader where every Debian program names it.
"""
import glob, os, random, re, shutil, sqlite3, subprocess

from paths import BENCH, TOP

DEBROOT = BENCH + "/debroot"
PACKAGES = ("redis-server redis-tools libjemalloc2 liblua5.1-0 liblzf1 libhiredis0.14 lua-cjson lua-bitop libatomic1 "
            "libssl3 libsystemd0 sqlite3 libsqlite3-0 libreadline8").split()
PRELUDE = """#!/bin/sh
mkdir -p /lib64
ln -s /mnt/lib/ld-linux-x86-64.so.2 /lib64/ld-linux-x86-64.so.2 2>/dev/null
export LD_LIBRARY_PATH=/mnt/lib PATH=/mnt/bin:/bin
cd /mnt
"""


def debs():
    """Debian's packages, fetched and unpacked once."""
    if os.path.exists(DEBROOT + "/done"):
        return
    os.makedirs(BENCH + "/deb", exist_ok=True)
    subprocess.run(["apt-get", "-q", "-o", f"APT::Sandbox::User={os.environ.get('USER', 'root')}", "download",
                    *PACKAGES], cwd=BENCH + "/deb", check=True, stdout=subprocess.DEVNULL)
    for deb in glob.glob(BENCH + "/deb/*.deb"):
        subprocess.run(["dpkg-deb", "-x", deb, DEBROOT], check=True)
    with open(DEBROOT + "/done", "w"):
        pass


def program(folder, path, name=None):
    """A program with its libraries, into folder/bin and folder/lib."""
    os.makedirs(folder + "/bin", exist_ok=True)
    os.makedirs(folder + "/lib", exist_ok=True)
    shutil.copyfile(path, f"{folder}/bin/{name or os.path.basename(path)}")
    os.chmod(f"{folder}/bin/{name or os.path.basename(path)}", 0o755)
    env = dict(os.environ, LD_LIBRARY_PATH=DEBROOT + "/usr/lib/x86_64-linux-gnu")
    text = subprocess.run(["ldd", path], capture_output=True, text=True, env=env, check=True).stdout
    if "not found" in text:
        raise RuntimeError(f"{path} lacks libraries: {text}")
    for lib in re.findall(r"(/\S+) \(0x", text):
        shutil.copyfile(lib, f"{folder}/lib/{os.path.basename(lib)}")
        os.chmod(f"{folder}/lib/{os.path.basename(lib)}", 0o755)


def own(folder, *names):
    """Programs of tests/bench/guest."""
    os.makedirs(folder + "/bin", exist_ok=True)
    for name in names:
        shutil.copy(f"{BENCH}/bin/{name}", folder + "/bin/")


def script(folder, text, name="job"):
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{name}", "w", encoding="ascii") as f:
        f.write(PRELUDE + text + "\n")
    os.chmod(f.name, 0o755)


def noise(path, mib, seed=1):
    """A file that nothing compresses."""
    source = random.Random(seed)
    with open(path, "wb") as f:
        for _ in range(mib):
            f.write(source.randbytes(1 << 20))


def text_file(path, mib):
    """A file that compresses as text does: words of a made-up language, by a Zipf law."""
    source = random.Random(2)
    words = ["".join(source.choice("aeioubcdfglmnprst") for _ in range(source.randint(2, 9))) for _ in range(20000)]
    weights = [1 / (i + 1) for i in range(len(words))]
    with open(path, "w", encoding="ascii") as f:
        for _ in range(mib):
            line, size = [], 0
            for w in source.choices(words, weights, k=300000):
                line.append(w)
                size += len(w) + 1
                if size >= 1 << 20:
                    break
            f.write(" ".join(line)[:(1 << 20) - 1] + "\n")


def database(path, rows, size, asks, answers):
    """An sqlite3 database, a script of zipf-distributed SELECTs for its shell, and what it answers."""
    source = random.Random(3)
    if os.path.exists(path):
        os.unlink(path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA page_size=4096")
    db.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB)")
    sums = {}
    for k in range(rows):
        v = source.randbytes(size)
        sums[k] = v[100:104].hex().upper()
        db.execute("INSERT INTO t VALUES(?, ?)", (k, v))
    db.commit()
    db.close()
    ranks = source.choices(range(rows), [1 / (r + 1) for r in range(rows)], k=asks)
    keys = [r * 7919 % rows for r in ranks]
    with open(answers + ".sql", "w", encoding="ascii") as f:
        f.writelines(f"SELECT hex(substr(v,101,4)) FROM t WHERE k={k};\n" for k in keys)
    with open(answers, "w", encoding="ascii") as f:
        f.writelines(sums[k] + "\n" for k in keys)


UNITS = ("balance", "curve", "divide", "slat")  # of mm/, compiled side by side
GCC = "/usr/lib/gcc/x86_64-linux-gnu/12"
COMPILE = "cc1 -quiet -O2 -DVMMB_HOST -ffreestanding -mgeneral-regs-only -I. -isystem include {0} -o {1}.s"


def tree(folder):
    """gcc's compiler and assembler proper, and our own sources to compile; the objects' checksum, made here."""
    program(folder, GCC + "/cc1")
    program(folder, "/usr/bin/as")
    shutil.copytree(GCC + "/include", folder + "/src/include", dirs_exist_ok=True)
    for room in ("mm", "kernel", "kernel/lib", "arch/x86_64", "boot", "drivers", "vdev"):
        os.makedirs(f"{folder}/src/{room}", exist_ok=True)
        for f in glob.glob(f"{TOP}/{room}/*.h") + (glob.glob(f"{TOP}/{room}/*.c") if room == "mm" else []):
            shutil.copy(f, f"{folder}/src/{room}/")
    env = dict(os.environ, PATH=folder + "/bin:" + os.environ["PATH"])
    out = BENCH + "/objects"
    os.makedirs(out, exist_ok=True)
    for n in UNITS:
        subprocess.run(COMPILE.format(f"mm/{n}.c", f"{out}/{n}") + f" && as {out}/{n}.s -o {out}/{n}.o", shell=True,
                       cwd=folder + "/src", env=env, check=True)
    objects = b"".join(open(f"{out}/{n}.o", "rb").read() for n in UNITS)
    return objects

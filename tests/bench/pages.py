#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What real guests' memory is made of: boots a stock Debian in plain QEMU, lets programs work, and takes its memory apart.

  tests/bench/pages.py                all states, as root (mmdebstrap); some minutes each
  tests/bench/pages.py --only redis   these states

For each state the guest's memory is saved by QEMU's pmemsave with the processor stopped, just after the guest itself wrote
/proc/kpageflags to a disk; build/bench/zip joins the two: a page is anonymous, a file's, a slab's ... by the guest kernel's
own word, and its size is what mm/pager/lz4.c makes of it. Results: build/bench/pages/STATE.json, a sample of the processes'
pages in STATE.sample, all of it in sizes.json (kept as tests/bench/page_sizes.json, from which compress.py draws).
The kernel is build/guests/cloud's, the programs are Debian's packages.
"""
import argparse, json, os, shutil, socket, subprocess, sys, tempfile, time

import pexpect

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = TOP + "/build/bench/pages"
GUESTS = TOP + "/build/guests/cloud"
MIB = 256
SLOW = float(os.environ.get("VMMB_SLOW") or 1)
PACKAGES = "redis-server,redis-tools,sqlite3,gcc,libc6-dev,python3-minimal"
KINDS = ("anon", "shmem", "slab", "pgtable", "kernel", "free", "file")

# Session records as an application stores them: names, numbers, times, a token that does not repeat.
FEED = r'''
import random, sys
r = random.Random(1)
names = "anna bruno carla dmitri elena farid greta hugo ines jonas".split()
def resp(*a):
    out = [b"*%d\r\n" % len(a)]
    for x in a:
        x = x.encode(); out.append(b"$%d\r\n%s\r\n" % (len(x), x))
    return b"".join(out)
for i in range(int(sys.argv[1])):
    u = r.choice(names)
    body = '{"id":%d,"user":"%s%d","mail":"%s%d@example.org","seen":%d,"cart":[%s],"token":"%032x"}' % (
        i, u, r.randrange(1000), u, r.randrange(1000), 1700000000 + r.randrange(10**7),
        ",".join(str(r.randrange(5000)) for _ in range(r.randrange(8))), r.getrandbits(128))
    sys.stdout.buffer.write(resp("SET", "session:%d" % i, body))
'''
ROWS = r'''
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, qty INT, price REAL, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 150000)
INSERT INTO t SELECT i, 'item ' || (i * 7919 % 100003), abs(random()) % 1000, abs(random()) % 100000 / 100.0,
 'ordered by customer ' || (abs(random()) % 5000) || ' from ' || hex(randomblob(4)) FROM n;
CREATE INDEX ti ON t(name);
SELECT count(*), 'LOADED' FROM t;
'''
OBJECTS = r'''
import random
r = random.Random(2)
words = ["w%d" % r.randrange(3000) for _ in range(200000)]
count, graph = {}, []
for i, w in enumerate(words):
    count.setdefault(w, []).append(i)
    graph.append((w, r.random(), {"left": i // 2, "right": 2 * i}))
print("LOADED", flush=True)
import time
time.sleep(1000)
'''
# No network is up: a socket.
REDIS = "redis-server --save '' --port 0 --unixsocket /tmp/redis --daemonize yes; sleep 2; "
# What brings each state about; it ends in LOADED on the console. Programs in the background go on.
STATES = {
    "shell": "for i in 1 2 3; do sh -c 'sleep 1000; :' & done; echo LOADED",
    "redis": REDIS + "python3 feed.py 250000 | redis-cli -s /tmp/redis --pipe; echo LOADED",
    "redis-bench": REDIS + "redis-benchmark -s /tmp/redis -q -r 300000 -n 300000 -d 200 -P 64 -t set; echo LOADED",
    "sqlite": "(cat rows.sql; sleep 1000) | sqlite3 :memory: &",
    "python": "python3 objects.py &",
    # Stopped while the compiler holds 90 MB.
    "compile": """gcc -O2 -c all.c -o /tmp/all.o &
for i in $(seq 3000); do
	p=$(pidof cc1)
	[ -n "$p" ] && [ $(awk '/VmRSS/{print $2}' /proc/$p/status) -gt 90000 ] && kill -STOP $p && break
	sleep 0.1
done
echo LOADED""",
}


def run(*cmd, **kw):
    subprocess.run(list(map(str, cmd)), check=True, **kw)


def make_disk(image):
    """A Debian with the programs and what they are fed; the folder is gone when the image is made."""
    if os.path.exists(image):
        return
    if os.getuid():
        sys.exit("pages: making a Debian needs root")
    with tempfile.TemporaryDirectory() as tmp:
        fs = tmp + "/fs"
        run("mmdebstrap", "--variant=minbase", "--quiet", "--include=" + PACKAGES,
            "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*", "bookworm", fs)
        for name, text in ("feed.py", FEED), ("rows.sql", ROWS), ("objects.py", OBJECTS):
            with open(f"{fs}/root/{name}", "w") as f:
                f.write(text)
        for name, line in STATES.items():
            with open(f"{fs}/root/{name}.sh", "w") as f:
                f.write(line + "\n")
        to_compile(fs + "/root/all.c")
        run("mke2fs", "-q", "-t", "ext4", "-d", fs, image + ".new", "1200M")
    os.rename(image + ".new", image)


def to_compile(path):
    """A source big enough that the compiler holds what a real one makes it hold."""
    with open(path, "w") as f:
        for n in range(1500):
            f.write(f"""struct node{n} {{ struct node{n} *next; int key[{n % 7 + 2}]; const char *name; }};
static int hash{n}(const char *s) {{ unsigned h = {n}u; while (*s) h = h * 31u + (unsigned char)*s++; return (int)h; }}
int insert{n}(struct node{n} **table, struct node{n} *e, int size)
{{
	int at = hash{n}(e->name) % size;
	for (struct node{n} *p = table[at]; p; p = p->next) {{
		int same = 1;
		for (int i = 0; i < {n % 7 + 2}; i++)
			same &= p->key[i] == e->key[i];
		if (same && p->name == e->name)
			return {n};
	}}
	e->next = table[at];
	table[at] = e;
	switch (e->key[0] % 5) {{
	case 0: return insert{n}(table, e->next ? e->next : e, size / 2 + 1);
	case 1: e->key[1] += at * {n}; break;
	case 2: e->key[0] ^= hash{n}(e->name + 1); break;
	default: e->key[1] = e->key[0] / (at + 1) - {n};
	}}
	return at;
}}
""")


class Guest:
    def __init__(self, image):
        self.dir = tempfile.mkdtemp()
        self.flags = self.dir + "/flags"
        with open(self.flags, "wb") as f:
            f.truncate(MIB << 8 << 3)
        self.monitor = None
        self.child = pexpect.spawn("nice", [
            "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", f"{MIB}M", "-nographic", "-no-reboot",
            "-kernel", GUESTS + "/vmlinuz", "-initrd", GUESTS + "/initrd", "-append", "console=ttyS0 nodisk quiet",
            "-drive", f"file={image},format=raw,if=virtio,snapshot=on",
            "-drive", f"file={self.flags},format=raw,if=virtio",
            "-serial", "mon:stdio", "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off"],
            encoding="utf-8", codec_errors="replace", timeout=300 * SLOW, dimensions=(24, 300), echo=False)
        self.child.expect("READY")
        self.sh("mount -t ext4 /dev/vda /mnt; for d in dev proc sys tmp; do mount --bind /$d /mnt/$d; done; echo OK",
                "OK")

    def sh(self, line, until):
        # Cut in two, so that the echo of the line is not taken for its output.
        self.child.send(line.replace("echo " + until, f"echo {until[:2]}''{until[2:]}") + "\n")
        self.child.expect(until)

    def save(self, path):
        self.sh("sync; dd if=/proc/kpageflags of=/dev/vdb bs=64k 2>/dev/null; sync; echo FLAGGED", "FLAGGED")
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.dir + "/qmp")
            f = s.makefile("rw")

            def ask(**what):
                f.write(json.dumps(what) + "\n")
                f.flush()
                while True:
                    r = json.loads(f.readline())
                    if "error" in r:
                        raise RuntimeError(r["error"])
                    if "return" in r:
                        return

            f.readline()
            ask(execute="qmp_capabilities")
            ask(execute="stop")
            ask(execute="pmemsave", arguments={"val": 0, "size": MIB << 20, "filename": path})
            ask(execute="quit")
        self.child.expect(pexpect.EOF)

    def close(self):
        self.child.close(force=True)
        shutil.rmtree(self.dir, ignore_errors=True)


def one(name, image):
    g = Guest(image)
    try:
        # Programs in the background must outlive what starts them: this shell stays.
        g.sh("chroot /mnt /bin/sh -c 'cd /root; exec sh'; echo ENDED", "# ")
        g.child.send(f". ./{name}.sh\n")
        g.child.expect("LOADED", 1800 * SLOW)
        g.save(g.dir + "/memory")
        text = subprocess.run([TOP + "/build/bench/zip", "measure", g.dir + "/memory", g.flags, f"{OUT}/{name}.sample"],
                              stdout=subprocess.PIPE, check=True, text=True).stdout
    finally:
        g.close()
    kinds = {r.pop("kind"): r for r in map(json.loads, text.splitlines())}
    with open(f"{OUT}/{name}.json", "w") as f:
        json.dump(kinds, f)
    return kinds


def table(states):
    print(f"{'state':12} {'kind':8} {'pages':>7} {'zero':>6} {'<=1/4':>6} {'<=1/3':>6} {'<=1/2':>6} {'<=3/4':>6} {'ratio':>6}")
    for name, kinds in states.items():
        for k in KINDS:
            t = kinds[k]
            full = t["pages"] - t["zero"]
            if full < 50:
                continue
            share = [t["zero"] / t["pages"]] + [t[x] / full for x in ("quarter", "third", "half", "three_quarters")]
            print(f"{name:12} {k:8} {t['pages']:7} " + " ".join(f"{100 * x:5.1f}%" for x in share) +
                  f" {full * 4096 / t['bytes']:6.2f}")


def main():
    p = argparse.ArgumentParser(prog="tests/bench/pages.py", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", nargs="+", choices=list(STATES), default=list(STATES))
    p.add_argument("--show", action="store_true", help="only print what is in build/bench/pages")
    args = p.parse_args()
    os.makedirs(OUT, exist_ok=True)
    if not args.show:
        run("make", "-s", "-C", TOP, "build/bench/zip")
        make_disk(OUT + "/root.ext4")
        for name in args.only:
            one(name, OUT + "/root.ext4")
            print(f"pages: {name} done", file=sys.stderr)
    states = {}
    for name in STATES:
        if os.path.exists(f"{OUT}/{name}.json"):
            with open(f"{OUT}/{name}.json") as f:
                states[name] = json.load(f)
    with open(OUT + "/sizes.json", "w") as f:
        f.write("{" + ",\n".join(f'"{n}": {{' + ",\n".join(f' "{k}": {json.dumps(t)}' for k, t in kinds.items()) + "}"
                                 for n, kinds in states.items()) + "}\n")
    table(states)


if __name__ == "__main__":
    main()

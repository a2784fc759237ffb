# SPDX-License-Identifier: GPL-2.0-only
"""A machine that runs VMMB in an emulator, driven over its serial console.

    m = Machine("two", modules=[...], disks=[...], memory="320M")
    m.start()
    m.cmd("qos web weight=300")         the text that the command printed
    m.cmd_json("vm list")               one dictionary a line
    m.wait_ready("web")                 until the guest's initramfs has said READY
    m.sh("web", "md5sum /mnt/x")        a command in the guest's shell: its output
    with m.con("web") as con: ...       pexpect on the guest's console
    m.poweroff()

The emulator is what the caller names, or the first of $VMMB_EMU, or tcg. Everything that the machine printed is kept in
build/boot/NAME.log. $VMMB_SLOW multiplies every timeout.
"""
import contextlib, json, os, re, shutil, subprocess, time

import pexpect

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = TOP + "/build/boot"
GUESTS = TOP + "/build/guests"
EMU = (os.environ.get("VMMB_EMU") or "tcg").split(",")[0]
SLOW = float(os.environ.get("VMMB_SLOW") or 1)
PROMPT = "vmmb> "
# Lines that appear by themselves above the prompt: the log's and the guests'.
UNASKED = re.compile(r"[-*!] |(?!error: )[a-z0-9-]+[|:] ")
MAX_LINE = 400  # a guest's console input queue holds little more


class ConsoleError(Exception):
    pass


class GuestError(Exception):
    def __init__(self, vm, command, status, output):
        super().__init__(f"{vm}: {command!r} ended with {status}:\n{output}")
        self.status, self.output = status, output


def tool(name, *args):
    """Run one of tools/; its output on failure becomes the exception's text."""
    done = subprocess.run([f"{TOP}/tools/{name}", *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"tools/{name} failed: {done.stderr}{done.stdout}")
    return done.stdout


def render(text):
    """The lines that a terminal shows after this text: CR, LF, backspace, erase-line."""
    lines, line, col, i = [], [], 0, 0
    while i < len(text):
        c = text[i]
        if c == "\x1b":
            seq = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.?").match(text, i)
            if seq[0] == "\x1b[K":
                del line[col:]
            i = seq.end()
            continue
        if c == "\n":
            lines.append("".join(line))
            line, col = [], 0
        elif c == "\r":
            col = 0
        elif c == "\b":
            col = max(0, col - 1)
        elif c >= " " or c == "\t":
            line[col:col + 1] = c
            col += 1
        i += 1
    return lines + ["".join(line)]


def linux_modules(name, flavour="cloud", words="", args="", kernel=None, initrd=None):
    """The two --module lines of a Linux guest from build/guests."""
    folder = f"{GUESTS}/{flavour}"
    return [f"{kernel or folder + '/vmlinuz'} kernel vm={name} {words} -- console=ttyS0 "
            f"vmname={name} {args}",
            f"{initrd or folder + '/initrd'} initrd vm={name}"]


class Machine:
    def __init__(self, name, modules=(), disks=(), memory="320M", cmdline=None,
                 emu=None, cpu_model=None, vmmb=TOP + "/build/vmmb.elf", emu_args=(), env=None):
        os.makedirs(BUILD, exist_ok=True)
        self.name, self.emu = name, emu or EMU
        # A UART holds 16 bytes: at 115200 baud 70,000 instructions of Bochs' CPU, which is 60 times
        # slower than a real one. At 19200 it waits as long as a real one's would.
        cmdline = cmdline or f"console=com1,{19200 if self.emu == 'bochs' else 115200}"
        self.iso = f"{BUILD}/{name}.iso"
        self.vmmb, self.cmdline, self.modules = vmmb, cmdline, list(modules)
        self.args = ["--emu", self.emu, "--iso", self.iso, "--memory", memory]
        self.args += ["--disk", *disks] if disks else []
        self.args += ["--cpu-model", cpu_model] if cpu_model else []
        self.args += list(emu_args)
        self.env = env or {}
        self.child = self.log = None
        self.where = None  # the guest whose console has the terminal
        self.commands = 0
        self.unasked = []  # log and guest lines seen between commands' outputs

    # ---- the machine ----------------------------------------------------------------------

    def start(self, prompt=True, timeout=120):
        """Build the ISO and switch on; waits for the console's prompt unless told not to."""
        module_args = [x for m in self.modules for x in ("--module", m)]
        tool("mkiso", "-o", self.iso, "--vmmb", self.vmmb, "--cmdline", self.cmdline, *module_args)
        self.log = open(f"{BUILD}/{self.name}.log", "w", encoding="utf-8", errors="replace")
        self.child = pexpect.spawn(TOP + "/tools/emu", self.args, echo=False, encoding="utf-8",
                                   codec_errors="replace", timeout=60 * SLOW,
                                   dimensions=(24, 200), env=dict(os.environ, **self.env))
        self.child.logfile_read = self.log
        self.child.delaybeforesend = None
        if prompt:
            self.expect(PROMPT, timeout)
        return self

    def expect(self, pattern, timeout=60):
        """pexpect's expect; a failure shows the end of the transcript."""
        try:
            return self.child.expect(pattern, timeout * SLOW)
        except (pexpect.TIMEOUT, pexpect.EOF) as e:
            kind = "timeout" if isinstance(e, pexpect.TIMEOUT) else "end of the machine"
            raise ConsoleError(f"{kind} while waiting for {pattern!r}:\n{self.tail()}") from None

    def tail(self, lines=40):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as f:
            return "\n".join(render(f.read()[-20000:])[-lines:])

    def wait_end(self, timeout=60):
        """Until the emulator ends by itself; its status as tools/emu reports it."""
        self.expect(pexpect.EOF, timeout)
        self.child.close()
        return self.child.exitstatus

    def poweroff(self, timeout=60):
        self.leave()
        self.child.send("poweroff\r")
        return self.wait_end(timeout)

    def close(self):
        if self.child and self.child.isalive():
            self.child.kill(15)
            with contextlib.suppress(pexpect.ExceptionPexpect):
                self.child.expect(pexpect.EOF, 20)
            self.child.close(force=True)
        if self.log:
            self.log.close()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    # ---- the hypervisor's console ---------------------------------------------------------

    def cmd(self, line, timeout=60):
        """What one console command printed, without what came unasked in between."""
        self.leave()
        self.child.send(line + "\r")
        seen, end = PROMPT, time.monotonic() + timeout * SLOW
        while True:
            self.read_into(end, f"the output of {line!r}")
            seen += self.child.buffer_taken
            shown = render(seen)
            echo = PROMPT + line
            if echo in shown and shown[-1] == PROMPT and shown.index(echo) < len(shown) - 1:
                break
        if "\0" in seen:
            raise ConsoleError(f"NUL bytes on the terminal after {line!r}: {seen[-500:]!r}")
        at = shown.index(echo)
        body = shown[at + 1:-1]
        self.unasked += [x for x in shown[:at] + body if UNASKED.match(x)]
        return "\n".join(x for x in body if not UNASKED.match(x) or x.startswith("{")).strip("\n")

    def read_into(self, end, what):
        """Whatever the machine prints next, into child.buffer_taken."""
        try:
            self.child.expect(r"(?s).+", max(0.1, end - time.monotonic()))
        except pexpect.TIMEOUT:
            raise ConsoleError(f"timeout while waiting for {what}:\n{self.tail()}") from None
        except pexpect.EOF:
            raise ConsoleError(f"the machine ended during {what}:\n{self.tail()}") from None
        self.child.buffer_taken = self.child.after

    def cmd_json(self, line, timeout=60):
        """The command with -j: one dictionary a line."""
        text = self.cmd(line + " -j", timeout)
        return [json.loads(x) for x in text.splitlines() if x.strip()]

    def guest(self, name):
        """One guest's line of `vm list`: state, held, target, ... in bytes."""
        return next(v for v in self.cmd_json("vm list") if v["name"] == name)

    def counters(self, name):
        return self.cmd_json(f"vm show {name}")[0]

    def conserved(self):
        """The conservation law holds: recounted by the hypervisor."""
        assert self.cmd_json("mem check")[-1]["violations"] == 0, self.cmd("mem check")

    # ---- a guest's console ----------------------------------------------------------------

    def enter(self, vm):
        if self.where == vm:
            return
        self.leave()
        self.child.send(f"con {vm}\r")
        self.expect(re.escape(f"[{vm}: Ctrl-A d leaves") + r"[^\n]*\n")
        self.where = vm

    def leave(self):
        if self.where:
            self.child.send("\x01d")
            self.where = None
            self.expect(PROMPT)

    @contextlib.contextmanager
    def con(self, vm):
        """The guest's console has the terminal: use expect() and child.send()."""
        self.enter(vm)
        try:
            yield self
        finally:
            if self.child.isalive():
                self.leave()

    def wait_ready(self, vm, timeout=600):
        """Until the guest's shell has its prompt."""
        with self.con(vm):
            self.expect(re.escape(f"\n{vm}# "), timeout)

    def sh(self, vm, command, timeout=120, check=True):
        """A command in the guest's shell: its output; with check a failure is an exception."""
        if len(command) > MAX_LINE:
            raise ValueError(f"longer than {MAX_LINE} characters: {command[:60]}...")
        with self.con(vm):
            # The marks are quoted so that the echo of the line does not look like them, and
            # numbered since entering a console shows again what it printed last. One line, and
            # only at the prompt: what is typed ahead is echoed in the middle of the output.
            self.commands += 1
            n = self.commands
            end = " " if command.endswith("&") else "; "
            self.child.send(f"echo '<'{n}-; {command}{end}echo '>'{n}-$?\n")
            self.expect(rf"(?s)\n<{n}-\r?\n(.*?)>{n}-(\d+)\r?\n", timeout)
            text, status = self.child.match[1], int(self.child.match[2])
            self.expect(re.escape(f"{vm}# "))
        output = "\n".join(render(text)).rstrip("\n")
        if check and status:
            raise GuestError(vm, command, status, output)
        return output

    def sh_start(self, vm, command):
        """Start a command in the guest's background; it may outlast this call."""
        self.sh(vm, f"({command}) </dev/null >/tmp/bg.out 2>&1 &")

    def sh_await(self, vm, file, timeout=600):
        """Until a background command has written DONE into this file; what is in it."""
        self.sh(vm, f"while ! grep -q DONE {file}; do sleep 1; done", timeout)
        return self.sh(vm, f"cat {file}")


def copy_disk(image, name):
    """A private, sparse copy of a disk image for a test that writes."""
    os.makedirs(BUILD, exist_ok=True)
    target = f"{BUILD}/{name}"
    subprocess.run(["cp", "--sparse=always", image, target], check=True)
    return target


def require(program):
    if not shutil.which(program):
        raise RuntimeError(f"{program} is not installed: tools/setup test")

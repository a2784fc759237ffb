# SPDX-License-Identifier: GPL-2.0-only
"""The tools that everything else boots with, tried without the hypervisor: modecho stands in."""
import os, re, signal, socket, subprocess, time

import pexpect
import pytest

import vmmb

WORDS = "kernel vm=web ram=256M disk=hd0p2 -- console=ttyS0 a=b;c $HOME"


@pytest.fixture(scope="module")
def modecho():
    """A Multiboot2 program that prints its modules' words and echoes COM1."""
    os.makedirs(vmmb.BUILD, exist_ok=True)
    elf = vmmb.BUILD + "/modecho.elf"
    subprocess.run(["gcc", "-m32", "-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding",
                    "-nostdlib", "-static", "-no-pie", "-fno-pie", "-fno-stack-protector",
                    "-fno-asynchronous-unwind-tables", "-fcf-protection=none",
                    "-Wl,-Ttext=0x100000,--build-id=none,-z,noexecstack",
                    "-Wl,--section-start=.mb2=0xff000", "-o", elf,
                    vmmb.TOP + "/tests/boot/modecho.c"], check=True)
    return elf


def machine(modecho, name, emu):
    file = f"{vmmb.BUILD}/{name}.bin"
    with open(file, "wb") as f:
        f.write(b"x" * 12345)
    return vmmb.Machine(name, vmmb=modecho, cmdline="console=com1,115200",
                        modules=[f"{file} {WORDS}", f"{file} initrd vm=web"], emu=emu,
                        memory="64M")


@pytest.mark.parametrize("emu", ["tcg", "bochs"])
def test_words_echo_and_power_off(modecho, emu):
    m = machine(modecho, f"words-{emu}", emu)
    try:
        m.start(prompt=False)
        m.expect(re.escape("cmdline [console=com1,115200]"))
        m.expect(re.escape(f"module 12345 [{WORDS}]"))
        m.expect(re.escape("module 12345 [initrd vm=web]"))
        m.expect("modecho> ")
        m.child.send("hello \x01\x03 you")
        m.expect("hello \x01\x03 you")
        m.child.send("q")
        assert m.wait_end() == 0
    finally:
        m.close()


def test_triple_fault_is_a_failure(modecho):
    m = machine(modecho, "triple", "bochs")
    try:
        m.start(prompt=False)
        m.expect("modecho> ")
        m.child.send("t")
        assert m.wait_end() == 1
    finally:
        m.close()


@pytest.mark.parametrize("emu", ["tcg", "bochs"])
def test_terminate_leaves_nothing(modecho, emu):
    m = machine(modecho, f"kill-{emu}", emu)
    disk = vmmb.BUILD + f"/kill-{emu}.img"
    with open(disk, "wb") as f:
        f.truncate(1 << 20)
    m.args += ["--disk", disk]
    try:
        m.start(prompt=False)
        m.expect("modecho> ")
        m.child.kill(signal.SIGTERM)
        assert m.wait_end() == 128 + signal.SIGTERM
        assert not os.path.exists(disk + ".lock")
    finally:
        m.close()


def test_until_timeout_and_socket(modecho):
    m = machine(modecho, "socket", "tcg")
    m.start(prompt=False)
    m.close()
    emu = [vmmb.TOP + "/tools/emu", "--emu", "tcg", "--iso", m.iso, "--memory", "64M"]
    run = subprocess.run([*emu, "--until", "modecho> ", "--timeout", "60"], capture_output=True)
    assert run.returncode == 0 and b"module 12345" in run.stdout
    assert subprocess.run([*emu, "--serial", "none", "--timeout", "1"]).returncode == 124
    path = vmmb.BUILD + "/socket"
    with subprocess.Popen([*emu, "--serial", f"unix:{path}", "--timeout", "60"]) as child:
        wait_for(lambda: os.path.exists(path))
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            seen = b""
            while b"modecho> " not in seen:
                seen += s.recv(4096)
            s.sendall(b"q")
        assert child.wait(30) == 0
    assert not os.path.exists(path)


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("args, says", [
    (["--vmmb", "/nowhere"], "no ELF file"),
    (["--vmmb", __file__], "no ELF file"),
    (["--linux", "/nowhere"], "no file /nowhere"),
])
def test_mkiso_refusals(args, says, tmp_path):
    run = subprocess.run([vmmb.TOP + "/tools/mkiso", "-o", f"{tmp_path}/x", *args],
                         capture_output=True, text=True)
    assert run.returncode and says in run.stderr and "Traceback" not in run.stderr


@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_mkdisk_layout(label, tmp_path):
    image = f"{tmp_path}/disk.img"
    args = ["--guest", "web:size=64M,ext4,swap=16M", "--guest", "db:size=32M,swap=8M",
            "--vmmb-swap", "128M"] + (["--mbr"] if label == "dos" else [])
    vmmb.tool("mkdisk", "-o", image, *args)
    with open(image, "rb") as f:
        first = f.read()
    vmmb.tool("mkdisk", "-o", image, *args)
    with open(image, "rb") as f:
        assert f.read() == first
    table = sfdisk(image)
    assert f"label: {label}" in table
    assert [int(x) for x in re.findall(r"start= *(\d+)", table)] == [2048, 133120, 198656]
    own = "B5" if label == "dos" else "564D4D42-5357-4150-8A4D-6D656D62616C"
    assert f"type={own}" in table.splitlines()[-1].replace("type=b5", "type=B5")
    inner = f"{tmp_path}/web.img"
    with open(inner, "wb") as f:
        f.write(first[1 << 20:65 << 20])
    assert re.findall(r"type=(\w+)", sfdisk(inner)) == ["83", "82"]
    fs = f"{tmp_path}/fs.img"
    with open(fs, "wb") as f:
        f.write(first[2 << 20:49 << 20])
    subprocess.run(["/usr/sbin/e2fsck", "-fn", fs], check=True, capture_output=True)
    # The guest's swap signature ends the first page of its last partition.
    assert first[(49 << 20) + 4086:(49 << 20) + 4096] == b"SWAPSPACE2"


def sfdisk(image):
    return subprocess.run(["/usr/sbin/sfdisk", "-d", image], capture_output=True, text=True,
                          check=True).stdout


@pytest.mark.parametrize("args, says", [
    (["--guest", "web:size=64"], "'64' is no size"),
    (["--guest", "web"], "size= is missing"),
    (["--guest", "web:size=16M,ext4,swap=12M"], "left for ext4"),
    ([], "nothing to put on the disk"),
    (["--mbr"] + [x for n in range(5) for x in ("--guest", f"g{n}:size=1M")], "four partitions"),
])
def test_mkdisk_refusals(args, says, tmp_path):
    run = subprocess.run([vmmb.TOP + "/tools/mkdisk", "-o", f"{tmp_path}/x", *args],
                         capture_output=True, text=True)
    assert run.returncode and says in run.stderr and "Traceback" not in run.stderr


def test_stock_guest_bare(guests, tmp_path):
    """The stock kernel with the small initramfs on a virtio disk: ext4, swap, shell, power-off."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "hello").write_text("from the host\n")
    image = f"{tmp_path}/disk.img"
    vmmb.tool("mkdisk", "-o", image, "--guest", f"web:size=64M,ext4={files},swap=16M")
    inner, iso = f"{tmp_path}/web.img", f"{tmp_path}/bare.iso"
    with open(image, "rb") as src, open(inner, "wb") as dst:
        src.seek(1 << 20)
        dst.write(src.read(64 << 20))
    vmmb.tool("mkiso", "-o", iso, "--linux", guests.kernel, "--initrd", guests.initrd,
              "--cmdline", "console=ttyS0 quiet vmname=web")
    c = pexpect.spawn(vmmb.TOP + "/tools/emu", ["--emu", "tcg", "--iso", iso, "--disk", inner,
                                                "--disk-bus", "virtio", "--memory", "256M"],
                      echo=False, encoding="utf-8", codec_errors="replace", timeout=90)
    try:
        c.expect("GUEST web READY")
        c.expect("web# ")
        c.send("cat /mnt/hello; cat /proc/swaps; echo done:$(hostname)\n")
        c.expect("from the host")
        c.expect("/dev/vda2")
        c.expect("done:web")
        c.send("poweroff\n")
        c.expect(pexpect.EOF)
        c.close()
        assert c.exitstatus == 0
    finally:
        c.close(force=True)


def test_console_rendering():
    """An unasked line above a half-typed command leaves the command whole."""
    text = vmmb.PROMPT + "vm l\r\x1b[K- a log line\r\n" + vmmb.PROMPT + "vm list\r\nweb\r\n"
    assert vmmb.render(text + vmmb.PROMPT) == ["- a log line", "vmmb> vm list", "web", "vmmb> "]
    assert vmmb.render("abx\b \bc") == ["abc"]


FAKE = r"""
import os, subprocess, sys, termios, tty
tty.setraw(0)
def put(s): sys.stdout.write(s); sys.stdout.flush()
def line(prompt, log):
    text = ""
    put(prompt)
    while True:
        c = os.read(0, 1).decode()
        if c == "\x01": return c + os.read(0, 1).decode()
        if c in "\r\n": put("\r\n"); return text
        text += c; put(c)
        if log and len(text) == 3: put("\r\x1b[K- a log line\r\n" + prompt + text)
out = ""
while True:
    cmd = line("vmmb> ", True)
    if cmd == "poweroff": sys.exit(0)
    if cmd == "vm list -j": put('{"vm":"web"}\r\n- said inside\r\n{"vm":"db"}\r\n')
    elif cmd == "con web":
        put("[web: Ctrl-A d leaves, Ctrl-A Ctrl-A sends Ctrl-A]\r\n" + out)
        while True:
            cmd = line("web# \x1b[6n", False)
            if cmd == "\x01d": put("\r\n"); break
            said = subprocess.run(["sh", "-c", cmd], stdout=-1, text=True).stdout
            out = out[-900:] + said.replace("\n", "\r\n")
            put(said.replace("\n", "\r\n"))
    else: put("no such command: " + cmd + "\r\n")
"""


def test_harness_on_a_fake_console(tmp_path):
    """cmd, cmd_json, sh and poweroff against a console that interrupts the typing."""
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    m = vmmb.Machine("fake", emu="tcg")
    with open(tmp_path / "log", "w+", encoding="utf-8") as m.log:
        m.child = pexpect.spawn("/usr/bin/python3", [str(script)], echo=False, encoding="utf-8",
                                timeout=10)
        m.child.logfile_read = m.log
        m.expect(vmmb.PROMPT)
        assert m.cmd("nonsense") == "no such command: nonsense"
        assert m.cmd_json("vm list") == [{"vm": "web"}, {"vm": "db"}]
        assert m.unasked == ["- a log line", "- a log line", "- said inside"]
        assert m.sh("web", "echo one; echo two") == "one\ntwo"
        assert m.sh("web", "echo three") == "three"
        with pytest.raises(vmmb.GuestError):
            m.sh("web", "false")
        assert m.cmd("again") == "no such command: again"
        assert m.poweroff() == 0

# SPDX-License-Identifier: GPL-2.0-only
"""What VMMB says when it can't do what it was asked to: one line, and nothing else suffers."""
import vmmb
from conftest import two_guest_disk


def test_a_cpu_without_vmx_is_named_and_the_machine_halts(artifacts):
    m = vmmb.Machine("novmx", emu="bochs", cpu_model="athlon64_venice", memory="128M")
    try:
        m.start(prompt=False)
        m.expect(r"VMX[^\n]*\n")
        m.expect("halted")
    finally:
        m.close()


def test_wrong_module_lines_stop_only_their_guest(artifacts):
    good = vmmb.linux_modules("web", words="ram=128M disk=hd0p1", args="quiet")
    bad = vmmb.linux_modules("db", words="ram=128 disk=hd0p2", args="quiet")
    clash = vmmb.linux_modules("two", words="ram=128M disk=hd0p1", args="quiet")
    huge = vmmb.linux_modules("huge", words="ram=2G", args="quiet")
    m = vmmb.Machine("config", modules=good + bad + clash + huge, disks=[two_guest_disk("config")], memory="256M")
    try:
        m.start()
        m.wait_ready("web")
        m.cmd("watch off")
        state = {v["name"]: v for v in m.cmd_json("vm list")}
        assert state["web"]["state"] == "running"
        for name, word in ("two", "hd0p1"), ("huge", "swap"):
            assert state[name]["state"] == "refused" and word in state[name]["reason"], state[name]
        assert "db" not in state or state["db"]["state"] == "refused"
        log = m.cmd("log 200")
        assert "ram=128" in log and "db" in log
        assert m.poweroff() == 0
    finally:
        m.close()

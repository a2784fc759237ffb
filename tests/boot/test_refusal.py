# SPDX-License-Identifier: GPL-2.0-only
"""What VMMB says when it can't do what it was asked to: one line, and nothing else suffers."""
import pytest

import vmmb
from conftest import two_guest_disk

# A processor with neither VMX nor SVM.
PLAIN_CPU = {"bochs": "athlon64_venice", "tcg": "max,-svm", "kvm": "host,-vmx,-svm"}


@pytest.mark.story
def test_a_cpu_without_vmx_or_svm_is_named_and_the_machine_halts(artifacts, emu):
    m = vmmb.Machine(f"plain-{emu}", emu=emu, cpu_model=PLAIN_CPU[emu], memory="128M")
    try:
        m.start(prompt=False)
        m.expect(r"no VMX[^\n]*no SVM[^\n]*\n")
        m.expect("halted")
    finally:
        m.close()


def test_wrong_module_lines_stop_only_their_guest(artifacts, emu):
    good = vmmb.linux_modules("web", words="ram=128M disk=hd0p1", args="quiet")
    bad = vmmb.linux_modules("db", words="ram=128 disk=hd0p2", args="quiet")
    clash = vmmb.linux_modules("two", words="ram=128M disk=hd0p1", args="quiet")
    huge = vmmb.linux_modules("huge", words="ram=2G", args="quiet")
    name = f"config-{emu}"
    with vmmb.Machine(name, modules=good + bad + clash + huge, disks=[two_guest_disk(name)], memory="256M",
                      emu=emu) as m:
        m.wait_ready("web")
        m.cmd("watch off")
        state = {v["name"]: v for v in m.cmd_json("vm list")}
        assert state["web"]["state"] == "running"
        for vm, word in ("two", "hd0p1"), ("huge", "swap"):
            assert state[vm]["state"] == "refused" and word in state[vm]["reason"], state[vm]
        assert "db" not in state or state["db"]["state"] == "refused"
        log = m.cmd("log 200")
        assert "ram=128" in log and "db" in log
        assert m.poweroff() == 0

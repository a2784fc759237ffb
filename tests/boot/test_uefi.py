# SPDX-License-Identifier: GPL-2.0-only
"""The same ISO through UEFI firmware (OVMF): console, memory, ACPI, a guest."""
import pytest

import vmmb
from test_disks import DISK, boot, exercise

pytestmark = pytest.mark.skipif(vmmb.EMU == "bochs", reason="Bochs has no UEFI firmware")


@pytest.mark.parametrize("machine,bus,memory", [("q35", "nvme", "192M"), ("pc", "virtio", "192M"), ("q35", "ahci", "5G")])
def test_boots_and_runs_a_guest(machine, bus, memory, artifacts):
    m = boot(bus, f"uefi-{machine}-{bus}", ["--firmware", "uefi", "--machine", machine], memory)
    try:
        m.start(timeout=180)
        log = m.cmd("log 100")
        assert "IOAPIC: at" in log and "ACPI names none" not in log and "ACPI:" not in log, log
        assert f"{DISK[bus]}p1: 128 MiB" in log, log
        assert m.cmd_json("mem check")[-1]["violations"] == 0
        if memory == "5G":
            m.wait_ready("web")
            assert m.cmd_json("mem")[0]["total"] > 4.5 * (1 << 30) / 4096
            assert "bad=0" in m.sh("web", "memfill 150 11 1", timeout=300)
        else:
            exercise(m, DISK[bus])
        assert m.poweroff() == 0
    finally:
        m.close()

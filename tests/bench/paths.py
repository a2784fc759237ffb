# SPDX-License-Identifier: GPL-2.0-only
"""Where the benchmark's files are; makes the boot tests' harness importable."""
import os, sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = TOP + "/build/bench"
sys.path.insert(0, TOP + "/tests/boot")

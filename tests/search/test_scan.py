"""What a walk finds, and what it does not fall for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polyglance.errors import CollectionError
from polyglance.search.scan import scan


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def paths(root: Path) -> list[str]:
    return [found.path for found in scan(root).pictures]


def test_pictures_by_suffix_in_a_fixed_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "z/c.webp", "m/d.TIFF", "m/n/e.gif", "notes.txt", "f.MP4"):
        touch(tmp_path / name)
    assert paths(tmp_path) == ["a.png", "b.JPG", "f.MP4", "m/d.TIFF", "m/n/e.gif", "z/c.webp"]


def test_hidden_and_appledouble_files_are_passed_over(tmp_path: Path) -> None:
    for name in ("a.png", "._a.png", ".hidden.png", ".cache/b.png"):
        touch(tmp_path / name)
    assert paths(tmp_path) == ["a.png"]


def test_links_in_circles_end(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "b" / "c.png")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    (tmp_path / "0-before-a").symlink_to(tmp_path / "a")
    assert paths(tmp_path) == ["a/b/c.png"]


def test_linked_folders_and_files_outside_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / "a.png")
    touch(tmp_path / "elsewhere" / "below" / "b.png")
    root = tmp_path / "root"
    root.mkdir()
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    (root / "again").symlink_to(tmp_path / "elsewhere")
    (root / "file.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    assert paths(root) == ["file.png", "again/a.png", "again/below/b.png"]


def test_link_to_nothing_is_a_problem_and_gone(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "nowhere")
    result = scan(tmp_path)
    assert result.problems == [("a.png", "a link to nothing")]
    assert result.unreachable == ["a.png/"]  # no more than what lay below, if it was a folder


def test_links_that_cannot_be_followed_are_folders_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "trip").mkdir()
    (tmp_path / "trip" / "disk").symlink_to(tmp_path / "nowhere")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    result = scan(tmp_path)
    assert result.problems == [
        ("circle/", "cannot be followed: Too many levels of symbolic links"),
        ("trip/disk/", "cannot be followed: No such file or directory"),
    ]
    assert result.unreachable == ["circle/", "trip/disk/"]


def test_pipes_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert scan(tmp_path).problems == [("pipe.png", "not a regular file")]


def test_deep_folders(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(120):
        deep = deep / "d"
    touch(deep / "a.png")
    assert paths(tmp_path) == ["d/" * 120 + "a.png"]


def test_size_and_time_are_noted(tmp_path: Path) -> None:
    file = touch(tmp_path / "a.png")
    os.utime(file, ns=(5, 7))
    found = scan(tmp_path).pictures[0]
    assert (found.size, found.mtime_ns) == (1, 7)


def test_neither_folder_nor_manifest(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="no such folder or manifest"):
        scan(tmp_path / "nowhere")

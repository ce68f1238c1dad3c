"""``polyglance index --watch`` in a process of its own, and what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyglance.cli.index import _print_update
from polyglance.data.locking import only_writer
from polyglance.errors import CollectionError
from polyglance.search import watching
from polyglance.search.indexer import Summary
from support.collections import photos_of_three_folders, run, use_colours
from support.colours import picture

# Whoever runs tests in the background has them inherit that Ctrl-C is ignored.
WATCHER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[1])
from polyglance import retriever
from polyglance.cli.main import main
from polyglance.search import watching
from polyglance.search.indexer import Summary
from support.colours import ColourEncoder
watching.QUIET = 0.3
retriever.Retriever.load = staticmethod(lambda name: ColourEncoder())
sys.argv = ["polyglance", *sys.argv[2:]]
main()
"""


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_colours(monkeypatch)
    return photos_of_three_folders(tmp_path / "photos")


def test_it_keeps_up_until_ctrl_c(photos: Path, tmp_path: Path) -> None:
    words = ["index", str(photos), "-c", str(tmp_path / "c"), "--watch"]
    tests = str(Path(__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", WATCHER, tests, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert next(lines).startswith("7 indexed, 0 unchanged")
        assert "pictures encoded" in next(lines)
        assert next(lines) == f"watching {photos}; Ctrl-C ends it\n"
        picture(photos / "new.png", "red", "blue")
        at = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  "
        assert re.fullmatch(
            at + r"1 indexed, 0 moved, 0 removed, 0 skipped; 8 pictures in the collection\n",
            next(lines),
        )
        (photos / "broken.jpg").write_bytes(b"broken")
        assert re.fullmatch(at + r"skipped broken.jpg: not a picture.*\n", next(lines))
        assert re.fullmatch(at + r"0 indexed, 0 moved, 0 removed, 1 skipped; 8 .*\n", next(lines))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert errors == "polyglance: interrupted; run the same command again to go on\n"
    assert "0 indexed, 8 unchanged" in run("index", photos, "-c", tmp_path / "c")


def test_what_fails_once_is_told_and_tried_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def updates(source: Path, *, collection: Path) -> Iterator[frozenset[str]]:
        assert (source, collection) == (photos, tmp_path / "c")
        yield frozenset()
        picture(photos / "new.png", "red", "blue")
        with only_writer(collection, CollectionError):
            yield frozenset()
        yield frozenset()  # nothing else has changed, and the picture is taken in now
        yield frozenset()  # nothing to tell

    monkeypatch.setattr(watching, "updates", updates)
    printed = run("index", photos, "-c", tmp_path / "c", "--watch")
    assert printed.count("being written by process") == 1
    assert printed.count("1 indexed, 0 moved") == 1
    assert len(printed.splitlines()) == 5


def test_what_was_skipped_before_is_looked_up_and_not_searched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    compared = 0

    class Line(tuple[str, str]):
        __hash__ = tuple.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return tuple(self) == other

    def summary(count: int) -> Summary:
        return Summary(skipped=[Line((f"{i}.png", "empty (0 bytes)")) for i in range(count)])

    _print_update(summary(301), summary(300))
    assert "skipped 300.png: empty (0 bytes)\n" in (printed := capsys.readouterr().out)
    assert "0 removed, 1 skipped" in printed
    assert compared < 2 * 301


def test_unreadable_files_are_retried_once(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyglance.search import indexer

    asked: list[bool] = []
    index = indexer.index

    def watched(*arguments: object, **options: object) -> object:
        asked.append(bool(options["retry"]))
        return index(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(indexer, "index", watched)
    monkeypatch.setattr(watching, "updates", lambda *_, **__: iter([frozenset()] * 3))
    run("index", photos, "-c", tmp_path / "c", "--watch", "--retry")
    assert asked == [True, False, False]


def test_what_fails_at_first_ends_it(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="not a collection"):
        run("index", photos, "-c", photos, "--watch")


def test_without_the_extra_nothing_is_begun(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(CollectionError, match=r"polyglance\[watch\]"):
        run("index", photos, "-c", tmp_path / "c", "--watch")
    assert not (tmp_path / "c").exists()

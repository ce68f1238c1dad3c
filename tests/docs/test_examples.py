"""The examples that the pages mark with ``<!-- run -->``, run as a reader would, on few pictures.

Every page below starts in a home of its own with what the text says that the reader has. What
needs a download, a server or another program is marked ``<!-- not run: why -->`` and counted here,
so that nothing stops being run unnoticed.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from docs.pages import PAGES, ROOT, RUN, Block, blocks, commands, lines
from polyglance import Retriever
from polyglance.cli.main import app
from polyglance.data.feature_store import FeatureStoreWriter
from polyglance.weights.cache import cache_folder

# Page → how many of its blocks are run, and how many cannot be.
EXAMPLES = {
    "docs/tutorial.md": (7, 3),
    "docs/how-to/train-on-your-data.md": (6, 0),
    "docs/how-to/add-a-language.md": (2, 2),
    "docs/how-to/compare-models.md": (3, 0),
    "docs/how-to/serve-on-a-network.md": (0, 3),
    "docs/how-to/serve-from-several-machines.md": (0, 3),
    "docs/how-to/index-on-a-cluster.md": (0, 2),
    "docs/reference/formats.md": (1, 0),
}
STORE = "docs/reference/formats.md"
FOLLOWED = [name for name, (run, _) in EXAMPLES.items() if run and name != STORE]
PHOTOS = 6
SMALLER = {
    "train": ["--set", "training.phases.0.epochs=1"],
    "evaluate": ["--draws", "20"],
}


def test_every_example_is_marked_and_counted() -> None:
    marked = {}
    for page in PAGES:
        marks = [block.mark for block in blocks(page) if block.mark]
        if marks:
            run = marks.count(RUN)
            marked[str(page.relative_to(ROOT))] = (run, len(marks) - run)
    assert marked == EXAMPLES
    for name in EXAMPLES:
        shown = [it for it in blocks(ROOT / name) if it.language in {"console", "python"}]
        assert all(block.mark for block in shown), name


@pytest.fixture
def home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flickr8k: Path, mini: Retriever
) -> Iterator[Path]:
    """A reader's home and checkout: few photos, few samples, and the towers of ``mini``."""
    fetched = cache_folder()
    _photos(flickr8k, tmp_path)
    _samples(fetched / "samples" / "emoji", tmp_path / ".cache/polyglance/samples/emoji")
    (tmp_path / ".cache/polyglance/towers").symlink_to(fetched / "towers")
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    # Of its own: who saves a model has the saved one's fingerprint from then on.
    mine = Retriever(mini.system, name="mine", fingerprint="", languages=mini.languages)
    mine.save(tmp_path / "runs/mine/model")
    for name in ("POLYGLANCE_CACHE", "XDG_CACHE_HOME", "SAMPLES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    load_once(monkeypatch, mini)
    yield tmp_path
    os.environ.pop("SAMPLES", None)


def load_once(monkeypatch: pytest.MonkeyPatch, mini: Retriever) -> None:
    """Let every command have the ``mini`` at hand: loading it takes longer than most examples."""
    from polyglance import retriever

    load = retriever.Retriever.load
    monkeypatch.setattr(
        retriever.Retriever,
        "load",
        staticmethod(lambda name: mini if str(name) == "mini" else load(name)),
    )


def _photos(flickr8k: Path, home: Path) -> None:
    """Photos with and without captions beside them, and manifests of the very same ones."""
    rows = _rows(flickr8k / "val.jsonl", PHOTOS)
    pictures = home / "Pictures"
    pictures.mkdir()
    for row in rows:
        source = flickr8k / row["image"]
        shutil.copy(source, pictures)
        row["image"] = f"Pictures/{source.name}"
        if "de" in row["captions"]:
            text = "\n".join(row["captions"]["de"])
            (pictures / f"{source.stem}.de.txt").write_text(text, "utf-8")
    manifests = {"train": rows[:3], "val": rows[3:5], "test": rows[5:]}
    for name, some in manifests.items():
        _write(home / f"{name}.jsonl", some)


def _samples(emoji: Path, target: Path) -> None:
    if not emoji.is_dir():
        pytest.skip("the sample pictures are absent: polyglance download emoji")
    (target / "images").mkdir(parents=True)
    for name, count in (("train", 3), ("test", 3)):
        rows = _rows(emoji / f"{name}.jsonl", count)
        for row in rows:
            shutil.copy(emoji / row["image"], target / row["image"])
        _write(target / f"{name}.jsonl", rows)


def _rows(manifest: Path, count: int) -> list[dict[str, Any]]:
    with manifest.open(encoding="utf-8") as file:
        return [json.loads(line) for line, _ in zip(file, range(count), strict=False)]


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def type_in(line: str) -> None:
    """Do what a shell would with a line: set a variable, or run a command, which has to succeed."""
    expanded = os.path.expandvars(line)
    name, is_set, value = expanded.partition("=")
    if is_set and name.isidentifier():
        os.environ[name] = str(Path(value).expanduser())
        return
    [arguments] = commands(expanded)
    assert shlex.split(expanded, comments=True)[1:] == arguments, f"more than a command: {line}"
    full = [str(Path(word).expanduser()) if word.startswith("~") else word for word in arguments]
    full += SMALLER.get(full[0], [])
    result = CliRunner().invoke(app, full, catch_exceptions=False)
    assert result.exit_code == 0, f"{line}\n{result.output}"


@cache
def to_run(page: str) -> list[Block]:
    return [block for block in blocks(ROOT / page) if block.mark == RUN]


def work_through(page: str) -> None:
    names: dict[str, Any] = {}
    for block in to_run(page):
        if block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)
        else:
            for line in lines(block):
                type_in(line)


@pytest.mark.flickr8k
@pytest.mark.towers
@pytest.mark.parametrize(
    "page", [name for name in EXAMPLES if "formats" not in name and to_run(name)]
)
def test_the_page_can_be_followed(page: str, home: Path) -> None:
    work_through(page)


def test_a_feature_store_is_read_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    written = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    with FeatureStoreWriter(tmp_path / "store", fingerprint="f", shape=(2, 3)) as writer:
        writer.append(["a", "b"], written, ["1", "1"])
    monkeypatch.chdir(tmp_path)
    [block] = to_run(STORE)
    names: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), names)
    assert (names["row_of"]["b"] == written[1]).all()

"""Files that vanish or are damaged, and two who write at once: a sentence, and nothing lost."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from faults.kill_indexing import COLOURS, WITH_COLOURS, command, rows_of
from polyglance import Retriever
from polyglance.cli.main import app
from polyglance.errors import PolyglanceError
from polyglance.search.collection import Collection
from polyglance.search.engine import Threads
from polyglance.search.indexer import index
from polyglance.search.query import Query
from polyglance.search.searcher import Searcher
from polyglance.search.verification import verify
from support.colours import ColourEncoder, many_pictures
from support.squares import write_squares


def _emptied(file: Path) -> None:
    file.write_bytes(b"")


def _halved(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _scrambled(file: Path) -> None:
    file.write_bytes(random.Random(0).randbytes(file.stat().st_size))


DAMAGES = [_emptied, _halved, _scrambled, Path.unlink]


# pictures


@pytest.mark.parametrize("damage", DAMAGES)
def test_files_that_change_while_they_are_read(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    photos = tmp_path / "photos"
    many_pictures(photos, 40)
    pristine = {file.name: file.read_bytes() for file in photos.iterdir()}

    class Fateful(ColourEncoder):
        def encode_pixels(self, pixels: Any) -> Any:
            for number in range(30, 35):
                if (photos / f"{number:04}.png").exists():
                    damage(photos / f"{number:04}.png")
            return super().encode_pixels(pixels)

    summary = index(photos, tmp_path / "c", encoder=Fateful(), batch_size=2, engine=Threads(1))
    assert [path for path, _ in summary.skipped] == [f"{n:04}.png" for n in range(30, 35)]
    assert all(reason for _, reason in summary.skipped)
    assert len(rows_of(tmp_path / "c")) == 35
    for name, content in pristine.items():
        (photos / name).write_bytes(content)
    index(photos, tmp_path / "c", encoder=ColourEncoder(), retry=True)
    assert len(rows_of(tmp_path / "c")) == 40


# collections


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage")
    many_pictures(folder / "photos", 60)
    index(folder / "photos", folder / "c", encoder=ColourEncoder())
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_of_a_collection_is_damaged_is_told_in_a_sentence(
    indexed: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    files = [file for file in sorted((indexed / "c").rglob("*")) if file.is_file()]
    told = []
    for number, file in enumerate(files):
        torn = tmp_path / str(number)
        shutil.copytree(indexed / "c", torn)
        damage(torn / file.relative_to(indexed / "c"))
        uses = (_verified, _searched, _indexed_again)
        complaints = [_complaint(use, indexed / "photos", torn) for use in uses]
        assert all(str(torn) in complaint for complaint in complaints if complaint)
        told += complaints
    assert any(told)


def _complaint(use: Callable[[Path, Path], None], photos: Path, collection: Path) -> str:
    """The sentence in which something fails, or nothing; whatever else it raises is a bug."""
    try:
        use(photos, collection)
    except PolyglanceError as error:
        return str(error)
    return ""


def _verified(_photos: Path, collection: Path) -> None:
    verify(collection, fingerprint_of=lambda _name: ColourEncoder.fingerprint)


def _searched(_photos: Path, collection: Path) -> None:
    hits = Searcher(Collection.open(collection), ColourEncoder()).search(Query.of("rot"), top=60)
    assert len(hits) == 60


def _indexed_again(photos: Path, collection: Path) -> None:
    assert index(photos, collection, encoder=ColourEncoder()).pictures == 60


def test_two_who_write_at_once(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    many_pictures(photos, 300)
    words = command(photos, tmp_path / "c", COLOURS)
    assert tuple(words[:2]) == WITH_COLOURS
    both = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=150) for process in both]
    codes = [process.returncode for process in both]
    if codes != [0, 0]:  # where one began after the other had ended, both may
        assert sorted(codes) == [0, 2], told
        [refused] = [errors for (_, errors), code in zip(told, codes, strict=True) if code == 2]
        assert "is being written by" in refused  # whose number, if it had the time to leave it
        assert "Traceback" not in refused
    assert len(rows_of(tmp_path / "c")) == 300
    _verified(photos, tmp_path / "c")


# checkpoints


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    recipe = write_squares(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY", str(folder))
        patch.setenv("POLYGLANCE_CACHE", str(folder / "cache"))
        words = ["train", str(recipe), "--output", str(folder / "run")]
        CliRunner().invoke(
            app, [*words, "--set=training.phases=[{steps = 3}]"], catch_exceptions=False
        )
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_of_a_checkpoint_is_damaged_is_named(
    trained: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    sound = Retriever.load(trained / "run" / "model")
    for file in sorted((trained / "run" / "model").iterdir()):
        torn = tmp_path / f"{file.stem}-torn"
        shutil.copytree(trained / "run" / "model", torn)
        damage(torn / file.name)
        if file.name == "card.md":  # for people to read
            assert Retriever.load(torn).fingerprint == sound.fingerprint
            continue
        with pytest.raises(PolyglanceError, match=torn.name):
            Retriever.load(torn)


@pytest.mark.parametrize("damage", [_emptied, _halved, _scrambled])
def test_a_damaged_state_of_a_run_is_named(
    trained: Path, tmp_path: Path, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY", str(trained))
    monkeypatch.setenv("POLYGLANCE_CACHE", str(trained / "cache"))
    shutil.copytree(trained / "run", tmp_path / "run")
    damage(tmp_path / "run" / "last.safetensors")
    words = ["train", str(trained / "colours.toml"), "--output", str(tmp_path / "run")]
    result = CliRunner().invoke(app, [*words, "--set=training.phases=[{steps = 3}]"])
    assert isinstance(result.exception, PolyglanceError), result.exception
    assert "last.safetensors" in str(result.exception)

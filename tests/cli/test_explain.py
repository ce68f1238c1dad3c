"""``polyglance explain`` as a user types it, over a model whose cells see colours."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from polyglance import retriever
from polyglance.cli.explain import explain
from polyglance.errors import ConfigError, ModelError, PictureError, QueryError
from support.colours import picture
from support.localiser import colour_localiser

app = typer.Typer()
app.command()(explain)


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(retriever.Retriever, "load", staticmethod(lambda name: colour_localiser()))
    monkeypatch.chdir(tmp_path)
    return picture(tmp_path / "photo.png", "red", "red", "red", "blue", size=(120, 60))


def run(*arguments: str) -> str:
    """Output of the verb; errors are raised as the ``polyglance`` command sees them."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "JPEG"])
def test_the_map_is_drawn_and_told(photo: Path, suffix: str) -> None:
    output = run(str(photo), "ein blaues Bild, blau", "--language", "de", "-o", f"new/map.{suffix}")
    assert "language: de\n" in output
    assert "score: 0." in output
    assert re.search(
        r"hottest place: (top )?right, 94% from the left and \d+% from the top", output
    )
    assert f"wrote new/map.{suffix}" in output
    drawn = Image.open(Path("new") / f"map.{suffix}")
    assert drawn.size == (120, 60)
    bright = np.asarray(drawn.convert("L"), np.float32).mean(0)  # (columns,)
    assert bright[105:].mean() > bright[:60].mean() + 50


def test_a_language_not_given_or_not_known_is_said(photo: Path) -> None:
    assert "language: und (not given); --language sets it" in run(str(photo), "blue", "-o", "m.png")
    assert "not trained on sw" in run(str(photo), "blue", "--language", "sw", "-o", "m.png")


def test_large_pictures_are_written_smaller(photo: Path) -> None:
    picture(photo, "red", "blue", size=(3000, 1500))
    run(str(photo), "blue", "-o", "m.jpg")
    assert Image.open("m.jpg").size == (2048, 1024)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["none.jpg", "blue", "-o", "m.png"], PictureError, "no such file"),
        (["photo.png", " ", "-o", "m.png"], QueryError, "the query is empty"),
        (["photo.png", "blue", "-o", "m.pdf"], ConfigError, r"ends in \.png"),
        (["photo.png", "blue", "-o", "photo.png"], ConfigError, "the picture itself"),
        (["photo.png", "blau", "-o", "m.png", "--language", "deutsch"], QueryError, "not a lang"),
    ],
)
def test_mistakes(photo: Path, arguments: list[str], error: type[Exception], message: str) -> None:
    before = photo.read_bytes()
    with pytest.raises(error, match=message):
        run(*arguments)
    assert photo.read_bytes() == before
    assert not Path("m.png").exists()


def test_a_folder_is_no_output(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ConfigError, match="name a file"):
        run(str(photo), "blue", "-o", "folder.png")


@pytest.mark.parametrize("place", ["photo.png/m.png", "photo.png/below/m.png"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    photo: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(retriever.Retriever, "load", staticmethod(pytest.fail))
    with pytest.raises(ConfigError, match="cannot be written: Not a directory"):
        run(str(photo), "blue", "-o", place)


def test_a_disk_that_is_full_in_the_end_is_told(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(ConfigError, match=r"^m\.png: cannot be written: No space left"):
        run(str(photo), "blue", "-o", "m.png")


def test_models_that_cannot_say_where(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = colour_localiser()
    whole.system.image.backbone.pools_by_mean = False
    monkeypatch.setattr(retriever.Retriever, "load", staticmethod(lambda name: whole))
    with pytest.raises(ModelError, match="does not say where"):
        run(str(photo), "blue", "-o", "m.png")


def test_the_module_is_light() -> None:
    script = (
        "import sys, polyglance.cli.explain\n"
        "heavy = {'torch', 'numpy', 'PIL', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

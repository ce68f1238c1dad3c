"""``search`` with several texts and pictures, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from polyglance import retriever
from polyglance.cli.index import index
from polyglance.cli.search import search
from polyglance.cli.terms import query_of
from polyglance.errors import QueryError
from polyglance.search.terms import Term
from support.colours import PALETTE, ColourEncoder, picture

app = typer.Typer()
app.command()(index)
app.command()(search)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(retriever.Retriever, "load", staticmethod(lambda _name: ColourEncoder()))
    monkeypatch.chdir(tmp_path)
    for colour in PALETTE:
        picture(tmp_path / "photos" / f"{colour}.png", colour)
    picture(tmp_path / "photos" / "flag.png", "red", "blue")
    CliRunner().invoke(app, ["index", "photos", "-c", "c"], catch_exceptions=False)
    return tmp_path / "photos"


def found(*arguments: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(
        app, ["search", "-c", "c", "--json", *arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    hits: list[dict[str, object]] = json.loads(result.stdout)
    return hits


def best(*arguments: str) -> str:
    return Path(str(found(*arguments)[0]["path"])).stem


def test_texts_and_pictures_with_weights_and_minus(photos: Path) -> None:
    blue = str(photos / "blue.png")
    assert best("rot", "--text", "blau@de,0.9") == "flag"
    assert best("rot", "--text", "blau", "--minus", "青@ja") == "red"
    assert best("--image", blue, "--image", str(photos / "red.png")) == "flag"
    assert best("rot", "--image", f"{blue}@3") == "blue"
    assert best("--text", "rot, blau", "--minus-image", f"{blue}@0.9") == "red"
    assert found("rot", "--minus", "blau")[-1]["path"] == blue


def test_languages_are_told(photos: Path) -> None:
    arguments = ["rot", "--language", "de", "--text", "أزرق@ar", "--minus", "sort@sv,0.5"]
    assert found(*arguments)[0]["languages"] == ["de", "ar", "sv"]
    result = CliRunner().invoke(app, ["search", "-c", "c", *arguments])
    assert "language: de, ar, sv" in result.stderr
    assert "the model was not trained on sv" in result.stderr


def test_how_parts_are_read(tmp_path: Path) -> None:
    odd = tmp_path / "odd@2"
    odd.write_bytes(b"")
    query = query_of(
        "QUERY@de is taken as it is@2",
        language="fr",
        texts=["at 10:30", "a@b.example@.5", "nachts@de", "狗@zh-Hant,2", "literally@de@1"],
        minus=["snow@0.25"],
        images=[odd, Path(f"{odd}@3"), Path("icon@2x.png")],
    )
    assert query.terms == (
        Term.of("QUERY@de is taken as it is@2", language="fr"),
        Term.of("at 10:30", language="fr"),
        Term.of("a@b.example", language="fr", weight=0.5),
        Term.of("nachts", language="de"),
        Term.of("狗", language="zh-Hant", weight=2),
        Term.of("literally@de", language="fr"),
        Term.of(image=odd),
        Term.of(image=odd, weight=3),
        Term.of(image=Path("icon@2x.png")),
        Term.of("snow", language="fr", weight=-0.25),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rot", "--minus", "red"], "cancel one another out: “rot” − “red”"),
        (["rot", "--text", "blau@-1"], "the weight -1 is below 0; use --minus"),
        (["rot", "--text", "blau@0"], "the weight 0 is none"),
        (["rot", "--minus", " "], "a text of the query is empty"),
        (["rot", "--text", "blau", "--rerank", "judge"], "one text at a time"),
        (["rot", "--minus", "blau", "--rerank", "judge"], "one text at a time"),
        (["--minus", "blau", "--rerank", "judge"], "one text at a time"),
    ],
)
def test_mistakes(photos: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        found(*arguments)

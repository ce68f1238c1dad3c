"""``index`` and ``search`` as a user types them, over a model that sees colours."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from polyglance import retriever
from polyglance.cli.index import index
from polyglance.cli.search import search
from polyglance.errors import CollectionError, PolyglanceError, QueryError
from polyglance.search import mini_encoder
from support.colours import PALETTE, ColourEncoder, picture
from support.places import taken_at

app = typer.Typer()
app.command()(index)
app.command()(search)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    loaded: list[str] = []

    def load(name: str) -> ColourEncoder:
        loaded.append(str(name))
        encoder = ColourEncoder()
        encoder.name = str(name)
        return encoder

    monkeypatch.setattr(retriever.Retriever, "load", staticmethod(load))
    monkeypatch.setattr(mini_encoder, "is_mini", lambda _folder: False)  # whatever it is called
    monkeypatch.chdir(tmp_path)
    for colour in PALETTE:
        picture(tmp_path / "photos" / f"{colour}.png", colour)
    return tmp_path / "photos"


def run(*arguments: str) -> str:
    """Output of a command; errors are raised as the ``polyglance`` command sees them."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_index_then_search_as_json(photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"broken")
    output = run("index", str(photos), "--collection", "c", "--model", "colours")
    assert "skipped broken.jpg: not a picture" in output
    assert "7 indexed, 0 unchanged, 0 moved, 0 removed, 1 skipped" in output
    assert "images/s" in output
    hits = json.loads(
        run(
            "search",
            "ein grünes Bild",
            "--collection",
            "c",
            "--language",
            "de",
            "--top",
            "2",
            "--json",
        )
    )
    assert Path(hits[0]["path"]) == photos / "green.png"
    assert [hit["language"] for hit in hits] == ["de", "de"]
    assert hits[0]["score"] > hits[1]["score"]


def test_search_lines_say_the_language(photos: Path) -> None:
    run("index", "photos", "-c", "c")
    result = CliRunner().invoke(app, ["search", "rot", "-c", "c"])
    assert result.stdout.splitlines()[0].split() == ["1.000", str(photos / "red.png")]
    assert "language: und (not given); --language sets it" in result.stderr
    result = CliRunner().invoke(app, ["search", "rot", "-c", "c", "--language", "sw"])
    assert "not trained on sw" in result.stderr


def test_a_language_that_is_not_given_is_guessed_and_told(photos: Path) -> None:
    run("index", "photos", "-c", "c")
    result = CliRunner().invoke(app, ["search", "ein rotes Bild", "-c", "c"])
    assert re.search(r"language: de \(guessed, 9\d %\); --language sets it", result.stderr)
    hits = json.loads(run("search", "ein rotes Bild", "-c", "c", "--json"))
    assert {hit["language"] for hit in hits} == {"de"}
    result = CliRunner().invoke(app, ["search", "ein rotes Bild", "-c", "c", "--language", "cs"])
    assert "language: cs\n" in result.stderr
    several = ["search", "ein rotes Bild", "--text", "une fleur bleue", "--minus", "un@fr"]
    result = CliRunner().invoke(app, [*several, "-c", "c"])
    assert re.search(r"language: de \(guessed.*\), fr \(guessed.*\), fr; --", result.stderr)


def test_hybrid_search_tells_the_ranks(photos: Path) -> None:
    lines = [{"image": "photos/red.png", "captions": {"de": ["Mohn im Feld"]}}]
    lines += [{"image": "photos/blue.png", "captions": {"de": ["Meer"]}}]
    manifest = photos.parent / "m.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    run("index", str(manifest), "-c", "c", "--model", "colours")
    asked = ["search", "blauer Mohn", "-c", "c", "--hybrid", "--language", "de"]
    assert run(*asked).splitlines()[0].endswith("red.png  (vectors 2, captions 1)")
    assert run(*asked).splitlines()[1].endswith("blue.png  (vectors 1)")
    hits = json.loads(run(*asked, "--json"))
    assert [(hit["vector_rank"], hit["text_rank"]) for hit in hits] == [(2, 1), (1, None)]
    assert "vector_rank" not in json.loads(run(*asked[:4], "--json"))[0]
    run("index", "photos", "-c", "plain", "--model", "colours")
    with pytest.raises(QueryError, match="no picture of this collection has a caption"):
        run("search", "Mohn", "-c", "plain", "--hybrid")


def test_search_by_image(photos: Path, tmp_path: Path) -> None:
    run("index", "photos", "-c", "c")
    asked = picture(tmp_path / "asked.png", "purple")
    hits = json.loads(run("search", "-c", "c", "--image", str(asked), "--json"))
    assert hits[0]["path"].endswith("purple.png")
    assert "language" not in hits[0]


def test_words_that_name_a_picture_file_are_told_of_the_option(photos: Path) -> None:
    run("index", "photos", "-c", "c")
    result = CliRunner().invoke(app, ["search", str(photos / "red.png"), "-c", "c", "-n", "1"])
    assert result.exit_code == 0, result.output
    assert f"to search by that picture: --image '{photos / 'red.png'}'" in result.stderr
    assert len([line for line in result.stdout.splitlines() if line.endswith(".png")]) == 1
    gone = CliRunner().invoke(app, ["search", "gone.png", "-c", "c"])
    assert "--image" not in gone.output


def test_model_is_remembered(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    run("index", "photos", "-c", "c", "--model", "model")
    described = json.loads((tmp_path / "c" / "collection.json").read_text())
    assert described["model"] == str(tmp_path / "model")
    assert "0 indexed, 7 unchanged" in run("index", "photos", "-c", "c")
    assert described["model"] == str(tmp_path / "model")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["search", "rot", "-c", "nowhere"], CollectionError, "there is no collection"),
        (["search", " ", "-c", "c"], QueryError, "the query is empty"),
        (["search", "-c", "c"], QueryError, "the query is empty"),
        (["search", "rot", "-c", "c", "--language", "deutsch"], QueryError, "not a language tag"),
        (["search", "-c", "c", "--image", "none.jpg"], PolyglanceError, "no such file"),
        (["index", "nowhere", "-c", "c"], CollectionError, "no such folder or manifest"),
        (["index", "photos", "-c", "photos"], CollectionError, "not a collection"),
    ],
)
def test_mistakes(photos: Path, arguments: list[str], error: type[Exception], message: str) -> None:
    run("index", "photos", "-c", "c")
    with pytest.raises(error, match=message):
        run(*arguments)


def asked(*arguments: str) -> list[str]:
    """Names of the hits of ``search rot`` with these options."""
    hits = json.loads(run("search", "rot", "-c", "c", "--json", *arguments))
    return [Path(hit["path"]).name for hit in hits]


def test_filters(photos: Path) -> None:
    picture(photos / "it's 100%_" / "tall.png", "blue", size=(20, 90))
    picture(photos / "it's 100%_" / "wide.jpg", "green", size=(300, 200))
    run("index", "photos", "-c", "c")
    assert sorted(asked("--folder", "it's 100%_")) == ["tall.png", "wide.jpg"]
    assert sorted(asked("--folder", str(photos / "it's 100%_") + "/")) == ["tall.png", "wide.jpg"]
    assert len(asked("--folder", str(photos))) == 9
    assert asked("--kind", "jpg") == asked("--min-size", "100") == ["wide.jpg"]
    assert asked("--orientation", "portrait", "--top", "1") == ["tall.png"]
    for nothing in (["--folder", "its"], ["--since", "2024"], ["--caption", "rot"]):
        result = CliRunner().invoke(app, ["search", "rot", "-c", "c", *nothing])
        assert (result.exit_code, result.stdout) == (0, "")
        assert "no picture passes the filters: " in result.stderr
    assert asked("--folder", "its") == []


def test_captions_are_filtered_in_their_scripts(photos: Path) -> None:
    captions = [{"zh": ["一隻狗"], "en": ["100% dog_1"]}, {"he": ["כלב בשלג"]}]
    lines = [
        json.dumps({"image": f"photos/{name}.png", "captions": each})
        for name, each in zip(("red", "blue"), captions, strict=True)
    ]
    Path("m.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    run("index", "m.jsonl", "-c", "c")
    assert asked("--caption", "狗") == asked("--caption", "% DOG_") == ["red.png"]
    assert asked("--caption", "בשלג") == ["blue.png"]
    assert asked("--caption", "%") == ["red.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "May"], "since: 'May' is not a date"),
        (["--since", "2024", "--until", "2023"], "no day is since"),
        (["--min-size", "-1"], "minimum size"),
        (["--orientation", "up"], "no orientation"),
        (["--kind", "exe"], "no kind of file"),
        (["--near", "Prague"], "near: 'Prague' is no place"),
    ],
)
def test_mistaken_filters(photos: Path, arguments: list[str], message: str) -> None:
    run("index", "photos", "-c", "c")
    with pytest.raises(QueryError, match=message):
        run("search", "rot", "-c", "c", *arguments)


def test_places(photos: Path) -> None:
    taken_at(photos / "prague.jpg", "red", 50.0875, 14.42125)
    taken_at(photos / "sydney.jpg", "red", -33.8568, 151.2153)
    run("index", "photos", "-c", "c")
    assert asked("--near", "50.08,14.43,5km") == ["prague.jpg"]
    assert asked("--near", "-33.86, 151.22, 800 m") == ["sydney.jpg"]
    run("index", "photos", "-c", "c", "--no-places")
    assert asked("--near", "50.08,14.43,5km") == []
    assert "2 places found of pictures from before" in run("index", "photos", "-c", "c", "--places")
    assert asked("--near", "50.08,14.43,5km") == ["prague.jpg"]


def test_pages(photos: Path) -> None:
    run("index", "photos", "-c", "c")
    whole = asked("--top", "7")
    assert asked("--top", "3") + asked("--top", "3", "--offset", "3") == whole[:6]
    assert asked("--offset", "7") == []
    result = CliRunner().invoke(app, ["search", "rot", "-c", "c", "--offset", "7"])
    assert "there are 7 pictures, and none behind this offset" in result.stderr
    result = CliRunner().invoke(app, ["search", "rot", "-c", "c", "--offset", "-1"])
    assert result.exit_code == 2

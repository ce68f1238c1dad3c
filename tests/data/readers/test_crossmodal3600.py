"""Crossmodal-3600: a JSON object a line, 36 languages, Norwegian among them."""

import json
from pathlib import Path
from typing import Any

import pytest

from polyglance.data.readers import READERS, ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError

LINE = {
    "image/key": "000411001ff7dd4f",
    "image/locale": "no",
    "no": {
        "caption": ["En hund. ", "Hunden."],
        "caption/tokenized": ["En hund ."],
        "caption/tokenized/lowercase": ["en hund ."],
    },
    "quz": {"caption": ["Allqu."]},
    "zh": {"caption": ["狗"]},
    "fil": {"caption": []},
}


def read(folder: Path, *lines: Any, **options: Any) -> list[Record]:
    path = folder / "captions.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    return list(READERS["crossmodal3600"]([path], ReaderOptions(**options)))


def test_every_language_and_every_caption_survives(tmp_path: Path) -> None:
    (record,) = read(tmp_path, LINE)
    assert record == Record(
        id="000411001ff7dd4f",
        image=tmp_path / "000411001ff7dd4f.jpg",
        captions={"no": ("En hund.", "Hunden."), "quz": ("Allqu.",), "zh": ("狗",)},
        split="test",
        extra={"locale": "no"},
    )


def test_languages_can_be_chosen(tmp_path: Path) -> None:
    (record,) = read(tmp_path, LINE, languages=("no",), images=tmp_path / "photos")
    assert record.captions == {"no": ("En hund.", "Hunden.")}
    assert record.image == tmp_path / "photos/000411001ff7dd4f.jpg"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "line 2: a JSON object is needed"),
        ({"no": {"caption": ["a"]}}, "line 2: image/key: missing"),
        ({"image/key": "../x"}, "line 2: image/key: '../x.jpg' is not a path below"),
        ({"image/key": "x", "norsk": {"caption": ["a"]}}, "'norsk' is not a language tag"),
        ({"image/key": "x", "no": {"caption": "a"}}, "line 2: no.caption: a list is needed"),
        ({"image/key": "x", "no": {}}, "line 2: no.caption: missing"),
        ({"image/key": "x", "no": {"caption": ["a", 1]}}, "line 2: no.caption[1]: a caption is"),
    ],
)
def test_errors_name_line_and_key(tmp_path: Path, line: Any, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, LINE, line)
    assert message in str(caught.value)
    assert "captions.jsonl" in str(caught.value)


def test_broken_json_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text(json.dumps(LINE) + "\n{")
    with pytest.raises(ManifestError, match=r"captions\.jsonl, line 2: not JSON"):
        list(READERS["crossmodal3600"]([path], ReaderOptions()))

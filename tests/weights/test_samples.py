from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyglance.data.manifest import read_manifest
from polyglance.data.record import Record
from polyglance.errors import WeightsError
from polyglance.weights.emoji import LANGUAGES, convert_emoji, emoji_of
from polyglance.weights.food import food_names
from polyglance.weights.samples import split_of, write_samples
from polyglance.weights.stamps import convert_stamps, parse_phrases

from .packages import npm_package

ANIMALS = (
    *("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibex"),
    *("jay", "koi", "lion", "mole", "newt", "owl", "pig", "rat", "seal"),
)


def test_the_split_is_by_caption_for_ever_and_about_a_fifth() -> None:
    assert split_of("A dog.") == split_of(" a DOG. ") == "train"
    splits = [split_of(f"caption {number}") for number in range(5000)]
    assert 0.18 < splits.count("test") / len(splits) < 0.22


def test_a_set_without_test_pictures_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(b"")
    records = [Record(id="a", image=image, captions={"en": ("x",)}, split="train")]
    with pytest.raises(WeightsError, match="no test pictures"):
        write_samples(records, tmp_path)


def _cldr(language: str, animals: dict[str, str]) -> bytes:
    entries = {
        emoji: {"tts": [f"{name} {language}"], "default": [f"{name} {language}", "animal", "pet"]}
        for emoji, name in animals.items()
    }
    return json.dumps({"annotations": {"annotations": entries}}).encode()


def test_emoji_need_a_name_in_every_language(tmp_path: Path) -> None:
    animals = {chr(0x1F400 + index): name for index, name in enumerate(ANIMALS)}
    names = {f"annotations/{tag}/annotations.json": _cldr(tag, animals) for tag in LANGUAGES}
    nameless = chr(0x1F400)  # has no Czech name
    fewer = {emoji: name for emoji, name in animals.items() if emoji != nameless}
    names["annotations/cs/annotations.json"] = _cldr("cs", fewer)
    names["annotations/sv/annotations.json"] = b"not read"
    pictures = {f"assets/{ord(emoji):x}-fe0f.webp": emoji.encode() for emoji in animals}
    pictures["assets/1f401-1f3fb.webp"] = b"with a skin tone"
    pictures["assets/logo.png"] = b"no emoji"
    folder = tmp_path / "emoji"
    folder.mkdir()
    archives = {
        "@lobehub/fluent-emoji-3d": npm_package(tmp_path / "pictures.tgz", pictures),
        "cldr-annotations-full": npm_package(tmp_path / "names.tgz", names),
    }
    convert_emoji(archives, folder)
    train, test = read_manifest(folder / "train.jsonl"), read_manifest(folder / "test.jsonl")
    assert sorted(record.extra["emoji"][0] for record in [*train, *test]) == sorted(fewer)
    for record in train:
        name = animals[record.extra["emoji"][0]]
        assert record.captions["de"] == (f"{name} de", "animal, pet")
        assert set(record.captions) == set(LANGUAGES)
    for record in test:
        assert record.captions["cs"] == (f"{animals[record.extra['emoji'][0]]} cs",)
        assert record.extra["keywords"]["cs"] == ["animal", "pet"]
        assert record.image is not None
        assert record.image.read_text() == record.extra["emoji"][0]


def test_emoji_are_named_by_their_code_points() -> None:
    assert emoji_of("1f3f3-fe0f-200d-1f308.webp") == "🏳️‍🌈"


def test_phrases_of_a_stamp() -> None:
    text = "A dog.\nde.utf8=Ein Hund. \nzh_CN.utf8=一只狗。\npt_BR.utf8=Um cão.\n"
    text += "en_GB.utf8=A dog!\nsr@latin.utf8=Pas.\nfr.utf8=\nnonsense\nfr=Un chien\n"
    assert parse_phrases(text) == {
        "en": ("A dog.",),
        "de": ("Ein Hund.",),
        "zh": ("一只狗。",),
        "pt-BR": ("Um cão.",),
        "sr-Latn": ("Pas.",),
    }
    assert parse_phrases("") == {}
    assert parse_phrases("\nde.utf8=Ein Hund.") == {}


def test_stamps_are_png_files_with_a_phrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = "./usr/share/tuxpaint/stamps/animals/"
    files = {"./usr/share/doc/copyright": b"x", f"{inside}silent.png": b"no phrase"}
    for name in ANIMALS:
        files[f"{inside}{name}.png"] = name.encode()
        files[f"{inside}{name}.txt"] = f"A {name}.\nde.utf8=Ein {name}.\n".encode()

    def members(archive: Path, select: object) -> list[tuple[str, bytes]]:
        return [(name, content) for name, content in files.items() if select(name)]  # type: ignore[operator]

    monkeypatch.setattr("polyglance.weights.stamps.members", members)
    convert_stamps({"tuxpaint-stamps-default": tmp_path / "x.deb"}, tmp_path)
    records = [
        *read_manifest(tmp_path / "train.jsonl"),
        *read_manifest(tmp_path / "test.jsonl"),
    ]
    assert sorted(record.id for record in records) == [f"animals-{name}" for name in ANIMALS]
    assert {record.captions["de"][0] for record in records} == {f"Ein {name}." for name in ANIMALS}
    assert len(list((tmp_path / "images").iterdir())) == len(ANIMALS)


def test_food_names_with_english_synonyms() -> None:
    table = 'code,name,scie,desc\nA006,"Maize, dry",x,"B. Bhutta; E. Corn, Dry corn; G. Makai."\n'
    table += "A009,Quinoa,x,\nA010,Corn,x,E. Corn.\n"
    assert food_names(table) == {
        "A006": ("Maize, dry", "Corn", "Dry corn"),
        "A009": ("Quinoa",),
        "A010": ("Corn",),
    }

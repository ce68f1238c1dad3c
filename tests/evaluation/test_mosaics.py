"""Mosaics of four pictures: a model that sees colours, and maps whose answer is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from polyglance import Retriever
from polyglance.cli.evaluate import evaluate
from polyglance.data.record import Record
from polyglance.errors import ConfigError, ModelError, PictureError
from polyglance.evaluation.mosaics import hottest_quarter, measure_pointing
from polyglance.evaluation.pointing import Pointed, Pointing
from polyglance.evaluation.results import Report
from support.colours import PALETTE, picture
from support.localiser import colour_localiser

GERMAN = dict(zip(PALETTE, ("rot", "grün", "blau", "gelb", "lila", "weiß", "schwarz"), strict=True))


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    return [
        Record(
            id=colour,
            image=picture(tmp_path / f"{colour}.png", colour),
            captions={"en": (f"a {colour} wall", colour), "de": (GERMAN[colour],)},
        )
        for colour in PALETTE
    ]


def test_a_model_that_sees_it_is_always_right(records: list[Record]) -> None:
    found = measure_pointing(colour_localiser(), records, mosaics=6)
    assert list(found.languages) == ["en", "de"]
    for each in (*found.languages.values(), found.mean):
        assert each.hits == 100
        assert each.interval == (100, 100)
    assert found.languages["de"].questions == 24
    assert (found.mosaics, found.side) == (6, 64)


def test_the_share_and_its_interval_are_of_the_questions(records: list[Record]) -> None:
    misled = [  # German calls everything red
        replace(record, captions={**record.captions, "de": ("rot",)}) for record in records
    ]
    found = measure_pointing(colour_localiser(), misled, mosaics=40, seed=3)
    assert found.languages["en"].hits == 100
    german = found.languages["de"]
    assert 10 <= german.hits <= 25  # right for the red picture alone, where it is there
    assert german.interval is not None
    assert german.interval.low < german.hits < german.interval.high
    assert found.mean.hits == pytest.approx((100 + german.hits) / 2)


def test_the_seed_decides_and_nothing_else(records: list[Record]) -> None:
    misled = [replace(record, captions={"en": ("red",)}) for record in records]
    once, again, other = (
        measure_pointing(colour_localiser(), misled, mosaics=9, seed=seed) for seed in (1, 1, 2)
    )
    assert once == again
    assert once != other


def test_pictures_without_captions_fill_quarters(records: list[Record]) -> None:
    few = [records[0], *(replace(record, captions={}) for record in records[1:])]
    found = measure_pointing(colour_localiser(), few, mosaics=14, draws=0)
    assert 1 <= found.languages["de"].questions <= 14
    assert found.languages["de"] == Pointed(100.0, None, found.languages["de"].questions)


def test_unreadable_pictures_are_passed_over(records: list[Record], tmp_path: Path) -> None:
    gone = [replace(record, image=tmp_path / "gone.jpg") for record in records[:3]]
    found = measure_pointing(colour_localiser(), [*gone, *records[3:]], mosaics=3)
    assert found.languages["en"].questions == 12
    with pytest.raises(PictureError, match=r"four pictures that can be read; .*gone\.jpg"):
        measure_pointing(colour_localiser(), [*gone, *records[4:]], mosaics=3)


def test_mistakes_are_told(records: list[Record]) -> None:
    with pytest.raises(ConfigError, match="'cs'"):
        measure_pointing(colour_localiser(), records, mosaics=1, languages=["cs"])
    whole = colour_localiser()
    whole.system.image.backbone.pools_by_mean = False
    with pytest.raises(ModelError, match="does not say where"):
        measure_pointing(whole, records, mosaics=1)
    rare = [replace(records[0], captions={"en": ("red",)}), *records[1:4]]
    rare += [replace(record, captions={"en": ("red",)}) for record in records[4:]]
    broken = [replace(record, image=None) for record in rare[1:4]]
    with pytest.raises(ConfigError, match="caption in de"):
        measure_pointing(colour_localiser(), [rare[0], *broken, *rare[4:]], mosaics=1)


@pytest.mark.parametrize(
    ("shape", "place", "expected"),
    [
        ((4, 4), (0, 0), 0),
        ((4, 4), (1, 2), 1),
        ((4, 4), (2, 1), 2),
        ((4, 4), (3, 3), 3),
        ((5, 4), (2, 0), None),  # cut by the border
        ((4, 5), (0, 2), None),
        ((5, 5), (3, 1), 2),
    ],
)
def test_quarters(shape: tuple[int, int], place: tuple[int, int], expected: int | None) -> None:
    heat = np.zeros(shape, np.float32)
    heat[place] = 1
    assert hottest_quarter(heat) == expected


def test_maxima_that_are_shared_must_lie_in_one_quarter() -> None:
    assert hottest_quarter(np.ones((4, 4), np.float32)) is None
    heat = np.zeros((4, 4), np.float32)
    heat[2:, 0] = 1
    assert hottest_quarter(heat) == 2
    heat[1, 0] = 1
    assert hottest_quarter(heat) is None


def test_the_report_keeps_it() -> None:
    pointing = Pointing({"en": Pointed(50.0, None, 8)}, Pointed(50.0), 2, 64, 0)
    assert Pointing.from_dict(json.loads(json.dumps(pointing.as_dict()))) == pointing


def test_from_the_command_line(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retriever, "load", lambda name: colour_localiser())
    manifest = tmp_path / "photos.jsonl"
    lines = [
        {"image": record.image.name, "captions": {tag: [*t] for tag, t in record.captions.items()}}
        for record in records
        if record.image is not None
    ]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    app = typer.Typer()
    app.command()(evaluate)
    result = CliRunner().invoke(
        app,
        [
            *("colours", str(manifest), "--mosaics", "5", "--language", "de"),
            *("--json", str(tmp_path / "m.json"), "--report", str(tmp_path / "m.md")),
        ],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    plain = " ".join(result.stdout.split())
    assert "5 mosaics of four pictures, 64 × 64 pixels" in plain
    assert "by language: de 100.0 % (100–100)" in plain
    kept = Report.load(tmp_path / "m.json").pointing
    assert kept is not None
    assert kept.languages["de"].hits == 100
    assert "5 mosaics" in (tmp_path / "m.md").read_text()


@pytest.mark.towers
@pytest.mark.flickr8k
def test_the_built_in_model_points_at_real_photos(mini: Retriever, flickr8k: Path) -> None:
    from polyglance.data.manifest import read_manifest

    records = read_manifest(flickr8k / "val.jsonl")
    found = measure_pointing(mini, records, mosaics=8, languages=["en", "zh"], draws=0)
    assert found.side == 448
    assert found.languages["en"].hits >= 65
    assert found.languages["zh"].hits >= 55

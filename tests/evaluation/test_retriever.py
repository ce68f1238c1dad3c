"""A model measured against pictures on disk, good and bad."""

from __future__ import annotations

import pytest

from polyglance.data.record import Record
from polyglance.errors import ConfigError, PictureError
from polyglance.evaluation.retriever import evaluate_retriever

from .fakes import COLOURS, ColourRetriever, save_pictures


@pytest.fixture
def records(tmp_path):
    return [
        Record(id=name, image=path, captions={"en": (name, name), "cs": (name,)})
        for name, path in save_pictures(tmp_path).items()
    ]


def test_each_language_is_measured_and_told_to_the_model(records):
    model = ColourRetriever()
    report = evaluate_retriever(model, records, draws=20, batch_size=4, manifest="colours.jsonl")
    assert report.images == len(COLOURS)
    assert report.languages["en"].scores.rsum == 600.0
    assert report.languages["en"].captions_per_image == 2
    assert report.worst == "cs"  # every Czech caption is the same vector, so ties abound
    assert report.languages["cs"].scores.text_to_image.metrics.recall_at_1 < 20
    assert {language for language, _ in model.heard} == {"en", "cs"}
    assert (report.model, report.fingerprint) == ("colours", "c0ffee")
    assert report.manifest == "colours.jsonl"
    assert report.warnings == ("the model was not trained on cs",)


def test_unreadable_pictures_leave_with_their_captions(records, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"")
    bad = [
        Record(id="broken", image=broken, captions={"en": ("red",)}),
        Record(id="absent", image=tmp_path / "absent.jpg", captions={"en": ("red",)}),
        Record(id="none", captions={"en": ("red",)}, features="row"),
    ]
    mixed = [records[0], bad[0], *records[1:4], *bad[1:], *records[4:]]
    report = evaluate_retriever(ColourRetriever(), mixed, languages=["en"], batch_size=2, draws=0)
    good = evaluate_retriever(ColourRetriever(), records, languages=["en"], batch_size=2, draws=0)
    assert report.images == len(records)
    assert report.languages == good.languages
    assert [skipped.path for skipped in report.skipped] == [
        str(broken),
        str(tmp_path / "absent.jpg"),
        "none",
    ]
    assert "empty" in report.skipped[0].reason
    assert "no such file" in report.skipped[1].reason


def test_a_whole_batch_of_unreadable_pictures_does_not_stop_the_run(records, tmp_path):
    bad = [Record(id=f"x{n}", image=tmp_path / f"{n}.jpg") for n in range(4)]
    report = evaluate_retriever(ColourRetriever(), bad + records, batch_size=2, draws=0)
    assert report.images == len(records)
    assert len(report.skipped) == 4


def test_no_readable_picture_is_an_error_with_the_first_reason(tmp_path):
    record = Record(id="x", image=tmp_path / "x.jpg", captions={"en": ("red",)})
    with pytest.raises(PictureError, match=r"none of 1 pictures can be read; .*x\.jpg"):
        evaluate_retriever(ColourRetriever(), [record])


def test_a_language_that_loses_all_its_pictures_is_named(records, tmp_path):
    lost = Record(id="lost", image=tmp_path / "lost.jpg", captions={"fr": ("rouge",)})
    report = evaluate_retriever(ColourRetriever(), [*records, lost], draws=0)
    assert "fr" not in report.languages
    assert any("not measured" in warning and "fr" in warning for warning in report.warnings)
    with pytest.raises(ConfigError, match="caption in fr can be read"):
        evaluate_retriever(ColourRetriever(), [*records, lost], languages=["fr"], draws=0)


def test_languages_are_chosen_and_unknown_ones_refused(records):
    report = evaluate_retriever(ColourRetriever(), records, languages=["cs"], draws=0)
    assert list(report.languages) == ["cs"]
    with pytest.raises(ConfigError, match="'no'; the manifest has en, cs"):
        evaluate_retriever(ColourRetriever(), records, languages=["no"])
    with pytest.raises(ConfigError, match="no captions"):
        evaluate_retriever(ColourRetriever(), [Record(id="x", captions={"en": ()})])


def test_translations_are_matched_where_the_manifest_has_them(records):
    parallel = [
        Record(id=r.id, image=r.image, captions=r.captions, parallel={"en": r.id, "de": r.id})
        for r in records
    ]
    report = evaluate_retriever(ColourRetriever(), parallel, draws=0)
    assert report.text_to_text["en"]["de"].recalls["R@1"] == 100.0
    assert report.text_to_text["de"]["en"].queries == len(records)
    only_english = evaluate_retriever(ColourRetriever(), parallel, languages=["en"], draws=0)
    assert only_english.text_to_text == {}


def test_leaks_are_warned_of(records, tmp_path):
    leaked = tmp_path / "COCO_train2014_000000000009.jpg"
    records[0].image.rename(leaked)
    first = Record(id="leak", image=leaked, captions=records[0].captions, split="train")
    noted = Record(id="x", image=records[1].image, extra={"coco_part": "train2014"})
    mixed = [first, noted, *records[2:]]
    warnings = evaluate_retriever(ColourRetriever(), mixed, draws=0).warnings
    assert any("2 of 6 pictures are from COCO train2014" in warning for warning in warnings)
    assert any("split 'train'" in warning for warning in warnings)


def test_regional_variants_of_a_known_language_are_known(records):
    british = [Record(id=r.id, image=r.image, captions={"en-GB": (r.id,)}) for r in records]
    assert evaluate_retriever(ColourRetriever(), british, draws=0).warnings == ()

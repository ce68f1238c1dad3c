"""Two models against pictures on disk: what the first finds, the second puts in order."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from tests.systems.tiny_scan import tiny_scan

from polyglance import precision
from polyglance.data.record import Record
from polyglance.errors import ConfigError, PictureError
from polyglance.evaluation.page import html_page, markdown_page
from polyglance.evaluation.reranking import best_weight, two_stages
from polyglance.evaluation.results import Report
from polyglance.evaluation.retriever import evaluate_retriever
from polyglance.reranker import Reranker
from polyglance.retriever import Retriever

from .fakes import ColourRetriever, save_pictures, unit

CAPTIONS = {
    "red": "a red wall",
    "green": "grass and grass",
    "blue": "the sea is blue and wide",
    "yellow": "a yellow lemon on a table",
    "white": "snow",
    "black": "a black mat",
}


class Blurred(ColourRetriever):
    """A first stage that sees the colour, and more noise, always the same."""

    def text_features(self, texts, *, language=None):
        features = super().text_features(texts, language=language)
        noise = np.random.default_rng(len(texts)).normal(size=features.embedding.shape)
        noisy = features.embedding.numpy() + 1.5 * noise.astype(np.float32)
        return type(features)(torch.from_numpy(noisy))


class Judge:
    """Scores pairs by colour, and remembers how many it was asked for."""

    def __init__(self, scale=1.0):
        self.encoder = ColourRetriever(languages=("en", "de", "cs"))
        self.encoder.name, self.encoder.fingerprint = "judge", "1ad9e"
        self.scale = scale
        self.asked = []
        self.kept = []  # texts, lest others get their place in memory, and so their id

    def score_pairs(self, images, texts, pairs, *, show_progress=False):
        self.kept.append(texts)
        self.asked += [(id(texts), *pair) for pair in pairs.tolist()]
        return self.scale * (images.embedding[pairs[:, 0]] * texts.embedding[pairs[:, 1]]).sum(1)


@pytest.fixture
def records(tmp_path):
    return [
        Record(id=name, image=path, captions={"en": (name, name), "cs": (name,)})
        for name, path in save_pictures(tmp_path).items()
    ]


def test_lists_of_everything_are_ranked_as_the_second_model_ranks(records):
    judge = Judge()
    report = two_stages(Blurred(), judge, records, top=12, draws=20).report()
    alone = evaluate_retriever(judge.encoder, records, draws=20)
    assert report.languages == alone.languages
    assert report.mean == alone.mean
    assert report.rank_variance == alone.rank_variance
    first = evaluate_retriever(Blurred(), records, draws=20)
    assert report.reranking.first.languages == first.languages
    assert report.reranking.ceilings["cs"] == (100.0, 100.0)
    assert report.reranking.passes == 6 * 12 + 6 * 6 == len(judge.asked) == len(set(judge.asked))


def test_what_is_not_on_the_list_cannot_be_found(records):
    judge = Judge()
    report = two_stages(Blurred(), judge, records, top=2, draws=0).report()
    for tag, ceiling in report.reranking.ceilings.items():
        found = report.languages[tag].scores
        assert 0 < ceiling.text_to_image < 100
        # The judge is always right about what it sees.
        assert found.text_to_image.metrics.recall_at_1 == pytest.approx(ceiling.text_to_image)
        assert found.image_to_text.metrics.recall_at_1 == pytest.approx(ceiling.image_to_text)
        first = report.reranking.first.languages[tag].scores.text_to_image
        assert first.curve[1] == pytest.approx(ceiling.text_to_image)  # R@2
    assert len(judge.asked) == len(set(judge.asked)) == report.reranking.passes < 2 * 6 * (3 + 3)


def test_folds_and_captioned_galleries_are_reranked_within(records):
    some = [*records[:5], Record(id="x", image=records[5].image, captions={"en": ("black",)})]
    settings = {"folds": 2, "gallery": "captioned", "draws": 0}
    report = two_stages(Blurred(), Judge(), some, top=9, **settings).report()
    alone = evaluate_retriever(Judge().encoder, some, **settings)
    assert report.languages == alone.languages
    assert report.reranking.passes == (3 * 6 + 3 * 5) + (3 * 3 + 2 * 2)


def test_languages_are_told_to_both_and_chosen(records):
    first, judge = Blurred(), Judge()
    judge.encoder.languages = ("en",)
    report = two_stages(first, judge, records, top=2, languages=["cs"], draws=0).report()
    assert list(report.languages) == ["cs"]
    assert {language for language, _ in first.heard} == {"cs"}
    assert {language for language, _ in judge.encoder.heard} == {"cs"}
    assert report.warnings == (
        "the model was not trained on cs",
        "the reranker judge was not trained on cs",
    )
    with pytest.raises(ConfigError, match="'no'; the manifest has en, cs"):
        two_stages(first, judge, records, languages=["no"])


def test_pictures_that_one_model_cannot_read_take_no_part(records, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"")
    broken = Record(id="broken", image=tmp_path / "broken.jpg", captions={"en": ("red",)})

    class NeverGreen(Blurred):
        """Its store has all pictures but one."""

    class Store:
        folder = tmp_path
        names = tuple(name for name in CAPTIONS if name != "green")

        def place(self, key):
            return self.names.index(key) if key in self.names else None

        def take(self, places):
            image = Image.open(tmp_path / f"{self.names[places[0]]}.png").resize((8, 8))
            return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)[None]

    keyed = [
        Record(id=r.id, image=r.image, captions=r.captions, features=r.id)
        for r in [records[0], broken, *records[1:]]
    ]
    report = two_stages(NeverGreen(), Judge(), keyed, top=9, draws=0, features=Store()).report()
    alone = evaluate_retriever(Judge().encoder, [records[0], *records[2:]], draws=0)
    assert report.languages == alone.languages
    assert [skipped.path for skipped in report.skipped] == [
        str(tmp_path / "broken.jpg"),
        str(tmp_path / "green.png"),
    ]
    with pytest.raises(PictureError, match="none of 1 pictures"):
        two_stages(NeverGreen(), Judge(), [broken])


def test_the_weight_is_chosen_where_it_helps(records):
    right, wrong = Judge(), Judge(scale=-1.0)
    assert best_weight(Blurred(), right, records, top=6) == 0.0
    assert best_weight(ColourRetriever(), wrong, records, top=6, weights=(0.0, 0.5, 3.0)) == 3.0
    english = {"languages": ["en"], "draws": 0}
    stages = two_stages(ColourRetriever(), wrong, records, top=6, **english)
    assert stages.report(weight=3.0).languages == stages.first().languages
    assert stages.report(weight=0.0).mean.rsum < stages.report(weight=3.0).mean.rsum
    with pytest.raises(ValueError, match="no weights"):
        stages.best_weight([])


def test_a_report_says_what_it_is_and_keeps_it(records, tmp_path):
    report = two_stages(
        Blurred(), Judge(), records, top=2, draws=20, manifest="colours.jsonl"
    ).report(weight=0.5)
    assert report.model == "colours, reranked by judge"
    assert report.manifest == "colours.jsonl"
    report.save(tmp_path / "report.json")
    assert Report.load(tmp_path / "report.json") == report
    shape = json.loads((tmp_path / "report.json").read_text())["reranking"]
    assert (shape["top"], shape["weight"]) == (2, 0.5)
    assert shape["model"] == {"name": "judge", "fingerprint": "1ad9e"}
    assert shape["first_stage"]["model"]["name"] == "colours"
    assert shape["first_stage"]["reranking"] is None
    for page in (markdown_page(report), html_page(report)):
        assert "the best 2 by colours, ordered by the score of judge + 0.5" in page
        assert "ceiling, the first stage&#x27;s R@2" in page or "first stage's R@2" in page


@pytest.fixture
def photos(tmp_path):
    records = []
    for number, (name, caption) in enumerate(CAPTIONS.items()):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        path = tmp_path / f"photo-{name}.png"
        Image.fromarray(pixels).save(path)
        captions = {"en": (caption, f"{caption} today"), "de": (caption,)}
        records.append(Record(id=name, image=path, captions=captions))
    return records


class Numbered(ColourRetriever):
    """A first stage that finds anything: embeddings are noise."""

    def pixel_features(self, pixels):
        features = super().pixel_features(pixels)
        noise = np.random.default_rng(0).normal(size=(len(pixels), 3)).astype(np.float32)
        return type(features)(torch.from_numpy(unit(100 * noise)))

    def text_features(self, texts, *, language=None):
        features = super().text_features(texts, language=language)
        noise = np.random.default_rng(1).normal(size=(len(texts), 3)).astype(np.float32)
        return type(features)(torch.from_numpy(unit(100 * noise)))


def test_scan_reranks_as_it_ranks(photos, monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda _: False)  # as evaluation ranks
    scan = tiny_scan(list(CAPTIONS.values()))
    stages = two_stages(Numbered(), Reranker(scan), photos, top=12, batch_size=4, draws=0)
    assert stages.report().languages == evaluate_retriever(scan, photos, draws=0).languages
    few = two_stages(Numbered(), Reranker(scan), photos, top=3, draws=0).report()
    for tag, ceiling in few.reranking.ceilings.items():
        recall = few.languages[tag].scores.text_to_image.metrics.recall_at_1
        assert recall <= ceiling.text_to_image < 100


def test_scan_can_be_the_first_stage_too(photos):
    scan = tiny_scan(list(CAPTIONS.values()))
    report = two_stages(scan, Judge(), photos, top=2, draws=0).report()
    assert report.reranking.first.languages == evaluate_retriever(scan, photos, draws=0).languages


def test_comparing_everything_says_how_much_that_is(photos, capsys):
    scan = tiny_scan(list(CAPTIONS.values()))
    evaluate_retriever(scan, photos, draws=0, batch_size=4, show_progress=True)
    told = "tiny-scan compares every picture with every caption: 108 pairs"
    assert told in capsys.readouterr().err
    evaluate_retriever(Numbered(), photos, draws=0, show_progress=True)
    assert "pairs" not in capsys.readouterr().err


def test_the_verb_prints_both_stages(photos, tmp_path, monkeypatch):
    import typer
    from typer.testing import CliRunner

    from polyglance.cli.evaluate import evaluate

    models = {"first": Numbered(), "scan": tiny_scan(list(CAPTIONS.values()))}
    monkeypatch.setattr(Retriever, "load", lambda name: models[name])
    manifest = tmp_path / "photos.jsonl"
    lines = [{"image": r.image.name, "captions": dict(r.captions)} for r in photos]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    app = typer.Typer()
    app.command()(evaluate)

    def run(*arguments):
        return CliRunner().invoke(app, ["first", str(manifest), *arguments], terminal_width=300)

    result = run("--rerank", "scan", "--rerank-top", "3", "--json", str(tmp_path / "m.json"))
    assert result.exit_code == 0, result.output
    passes = json.loads((tmp_path / "m.json").read_text())["reranking"]["passes"]
    assert f"reranking the best 3 of every query: {passes} passes of tiny-scan" in result.stderr
    assert f"ordered by the score of tiny-scan; {passes} passes" in result.stdout
    assert "ceiling, the first stage's R@3" in result.stdout
    assert re.search(r"^ +first stage +reranked +change", result.stdout, flags=re.MULTILINE)
    for arguments, message in (
        (["--rerank-weight", "1"], "without --rerank"),
        (["--rerank-features", "store"], "without --rerank"),
        (["--rerank", "scan", "--rerank-weight", "nan"], "give a number"),
    ):
        refused = run(*arguments)
        assert isinstance(refused.exception, ConfigError)
        assert message in str(refused.exception)
    assert run("--rerank", "scan", "--rerank-top", "0").exit_code == 2

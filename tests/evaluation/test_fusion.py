"""Captions asked together with their machine translations."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from polyglance.data.record import Record
from polyglance.errors import ConfigError
from polyglance.evaluation.fusion import Fusion
from polyglance.evaluation.protocol import Scored, evaluate_scores
from polyglance.evaluation.retriever import evaluate_retriever
from polyglance.evaluation.scores import MatrixScores
from polyglance.features import Features
from polyglance.matching.fusion import fused_scores

from .fakes import ColourRetriever, save_pictures
from .test_cli import run

__all__ = ["run"]  # a fixture


MIXED = np.random.default_rng(0).normal(0, 0.002, (3, 4)).astype(np.float32)


@pytest.fixture
def records(tmp_path):
    """Czech, which the model does not know, and what a machine made of it."""
    return [
        Record(
            id=name,
            image=path,
            captions={"cs": (f"barva {name}", name)},
            machine_translated={"en-x-one": (name, "white" if name == "red" else name)},
        )
        for name, path in save_pictures(tmp_path).items()
    ]


def by_hand(records, weight):
    """One picture and one text at a time."""
    from PIL import Image

    model = ColourRetriever()
    pixels = [torch.tensor(Image.open(r.image).getpixel((0, 0))).view(3, 1, 1) for r in records]
    images = [model.pixel_features(p[None].numpy()).embedding[0] for p in pixels]
    matrices = []
    for language, read in (
        ("cs", lambda r: r.captions["cs"]),
        ("en", lambda r: r.machine_translated["en-x-one"]),
    ):
        texts = [
            model.text_features([text], language=language).embedding[0]
            for record in records
            for text in read(record)
        ]
        matrices.append(torch.stack([torch.stack([i @ t for t in texts]) for i in images]))
    scores = MatrixScores(fused_scores(*matrices, weight=weight))
    owners = [record.id for record in records for _ in range(2)]
    return evaluate_scores([r.id for r in records], {"cs": Scored(scores, owners)}, draws=0)


@pytest.mark.parametrize("weight", [0.0, 0.2, 0.5])
def test_scores_are_those_of_both_matrices_fused(records, weight):
    fusion = Fusion({"cs": "en-x-one"}, weight)
    report = evaluate_retriever(ColourRetriever(), records, draws=0, fusion=fusion)
    assert report.languages["cs"].scores == by_hand(records, weight).languages["cs"].scores
    plain = evaluate_retriever(ColourRetriever(), records, draws=0)
    assert report.languages["cs"].scores.rsum > plain.languages["cs"].scores.rsum
    assert any("translation en-x-one" in warning for warning in report.warnings)
    assert not any("en-x-one" in warning for warning in plain.warnings)


def test_rounding_errors_are_ties_after_fusion_too(records, monkeypatch):
    """All captions are the same picture's, but for the last bit of their numbers."""

    def collapsed(self, texts, *, language=None):
        generator = torch.Generator().manual_seed(len(language))
        return Features(0.5 + 2e-7 * torch.randn(len(texts), 4, generator=generator))

    monkeypatch.setattr(ColourRetriever, "text_features", collapsed)
    monkeypatch.setattr(
        ColourRetriever,
        "pixel_features",
        lambda _, pixels: Features(0.5 + 2e-7 * torch.from_numpy(pixels.mean((2, 3)) @ MIXED)),
    )
    fusion = Fusion({"cs": "en-x-one"}, 0.5)
    report = evaluate_retriever(ColourRetriever(), records, draws=0, fusion=fusion)
    worst = report.languages["cs"].scores.text_to_image.metrics
    assert (worst.recall_at_5, worst.median_rank) == (0.0, len(records))


def test_weight_one_is_no_fusion(records):
    fused = evaluate_retriever(
        ColourRetriever(), records, draws=0, fusion=Fusion({"cs": "en-x-one"}, 1.0)
    )
    plain = evaluate_retriever(ColourRetriever(), records, draws=0)
    assert fused.languages["cs"].scores == plain.languages["cs"].scores


def test_what_cannot_be_fused_is_refused(records):
    def evaluated(fusion):
        return evaluate_retriever(ColourRetriever(), records, draws=0, fusion=fusion)

    with pytest.raises(ConfigError, match=r"'de' is not among the measured: cs"):
        evaluated(Fusion({"de": "en-x-one"}))
    with pytest.raises(ConfigError, match=r"2 captions in 'cs' and 0 translations 'en-x-two'"):
        evaluated(Fusion({"cs": "en-x-two"}))
    records[1] = replace(records[1], machine_translated={"en-x-one": ("green",)})
    with pytest.raises(ConfigError, match=r"'green' has 2 captions in 'cs' and 1 translations"):
        evaluated(Fusion({"cs": "en-x-one"}))
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Fusion({"cs": "en-x-one"}, 1.5)


def test_from_the_command_line(run, records, tmp_path):
    lines = [
        {"image": r.image.name, "captions": r.captions, "machine_translated": r.machine_translated}
        for r in records
    ]
    manifest = tmp_path / "photos.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    output = run("mini", manifest, "--fuse", "cs=en-x-one", "--fuse-weight", "0.2", "--draws", "0")
    assert "scores count 80%" in output.replace("\n", " ")
    with pytest.raises(ConfigError, match="zh=en-x-opus"):
        run("mini", manifest, "--fuse", "en-x-one")
    with pytest.raises(ConfigError, match="--fuse and --rerank"):
        run("mini", manifest, "--fuse", "cs=en-x-one", "--rerank", "runs/fei")

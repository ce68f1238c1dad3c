"""The second look: chosen pairs scored as the system scores them, and candidates in their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.systems.tiny_backbone import TINY
from tests.systems.tiny_scan import tiny_scan
from tests.training.tiny import TinySystem

from polyglance import Reranker
from polyglance.errors import ModelError, PictureError
from polyglance.features import Features
from polyglance.retriever import Hit, Retriever
from polyglance.systems import base
from polyglance.systems.base import System
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import save_system
from polyglance.systems.config import (
    FeiConfig,
    SingleStreamConfig,
    TokenizerConfig,
    TrunkConfig,
    VisualConfig,
)

TEXTS = ["a red wall", "the sea is blue and wide", "grass", "a white cat on a black mat today"]
NO_AUTOCAST = {"atol": 1e-5, "rtol": 1e-5}
BFLOAT16 = {"atol": 0.02, "rtol": 0.02}


def tiny_fei() -> Retriever:
    torch.manual_seed(0)
    trunk = TrunkConfig(
        tokenizer=TokenizerConfig(vocabulary_size=400, min_frequency=1),
        layers=2,
        width=32,
        heads=2,
        max_length=24,
    )
    stream = SingleStreamConfig(
        trunk=trunk, visual=VisualConfig(frequencies=4, scale=1.0), languages=("en", "de")
    )
    system = build_system(FeiConfig(backbone=TINY, stream=stream), training_texts={"en": TEXTS})
    with torch.no_grad():  # as if trained: pictures matter
        for parameter in system.stream.trunk.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return Retriever(system, name="tiny-fei", fingerprint="fe1", languages=("en", "de"))


@pytest.fixture(scope="module", params=["scan", "fei"])
def reranker(request: pytest.FixtureRequest) -> Reranker:
    return Reranker(tiny_scan(TEXTS) if request.param == "scan" else tiny_fei())


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = []
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def one_by_one(system: System, images: Features, texts: Features, pairs: torch.Tensor) -> list:
    scores = []
    with torch.no_grad():
        for image, text in pairs.tolist():
            alone = images.rows(slice(image, image + 1)), texts.rows(slice(text, text + 1))
            scores.append(float(system.score(*alone)))
    return scores


@pytest.mark.parametrize("at_once", [1, 2, 256])
def test_systems_score_chosen_pairs(
    reranker: Reranker, photos: list[Path], monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(base, "PAIRS_AT_ONCE", at_once)
    images, texts = reranker.encode_images(photos), reranker.encode_texts(TEXTS, language="en")
    pairs = torch.tensor([[4, 1], [0, 3], [4, 1], [2, 0], [1, 3], [3, 1]])
    system = reranker.encoder.system
    scores = system.score_pairs(images, texts, pairs)
    assert scores.dtype == torch.float32
    expected = torch.tensor(one_by_one(system, images, texts, pairs))
    assert expected.unique().numel() == 5
    torch.testing.assert_close(scores, expected, **NO_AUTOCAST)
    assert system.score_pairs(images, texts, pairs[:0]).shape == (0,)


def test_systems_that_compare_embeddings_score_pairs_too() -> None:
    torch.manual_seed(0)
    images, texts = Features(torch.randn(3, 16)), Features(torch.randn(2, 16))
    pairs = torch.tensor([[2, 1], [0, 0], [2, 0]])
    scores = TinySystem().score_pairs(images, texts, pairs)
    products = (images.embedding[pairs[:, 0]] * texts.embedding[pairs[:, 1]]).sum(1)
    torch.testing.assert_close(scores, products)


def test_scores_do_not_depend_on_how_pairs_are_batched(
    reranker: Reranker, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, texts = reranker.encode_images(photos), reranker.encode_texts(TEXTS, language="en")
    scores = reranker.score(images, texts)
    assert scores.shape == (5, 4)
    everything = torch.cartesian_prod(torch.arange(5), torch.arange(4))
    alone = np.array(one_by_one(reranker.encoder.system, images, texts, everything))
    np.testing.assert_allclose(scores, alone.reshape(5, 4), **BFLOAT16)
    monkeypatch.setattr("polyglance.reranker.PAIRS_AT_ONCE", 3)
    np.testing.assert_allclose(reranker.score(images, texts), scores, **BFLOAT16)


def test_pairs_of_like_texts_stand_together(
    reranker: Reranker, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, texts = reranker.encode_images(photos[:2]), reranker.encode_texts(TEXTS)
    expected = reranker.score(images, texts)
    system, asked = reranker.encoder.system, []
    score_pairs = system.score_pairs

    def watched(images: Features, texts: Features, pairs: torch.Tensor) -> torch.Tensor:
        asked.append(pairs)
        return score_pairs(images, texts, pairs)

    monkeypatch.setattr(system, "score_pairs", watched)
    pairs = torch.tensor([[0, 3], [0, 2], [1, 1], [1, 3], [1, 2], [0, 0], [0, 1]])
    scores = reranker.score_pairs(images, texts, pairs)
    assert torch.cat(asked)[:, 1].tolist() == [2, 2, 0, 1, 1, 3, 3]  # 1, 3, 6 and 8 words
    np.testing.assert_allclose(scores, expected[pairs[:, 0], pairs[:, 1]], **BFLOAT16)


def test_candidates_come_best_first(reranker: Reranker, photos: list[Path]) -> None:
    images = reranker.encode_images(photos)
    scores = reranker.score(images, reranker.encode_texts(TEXTS[:1], language="de"))[:, 0]
    hits = reranker.rerank(TEXTS[0], photos, language="de")
    assert [hit.row for hit in hits] == np.argsort(-scores).tolist()
    assert hits == reranker.rerank(TEXTS[0], images, language="de")
    assert [hit.score for hit in hits] == pytest.approx(sorted(scores, reverse=True))
    assert reranker.rerank(TEXTS[0], []) == []


def test_first_scores_count_as_much_as_they_weigh(reranker: Reranker, photos: list[Path]) -> None:
    images = reranker.encode_images(photos)
    first = [0.1, 0.5, 0.4, 0.2, 0.3]
    own = {hit.row: hit.score for hit in reranker.rerank(TEXTS[1], images)}
    hits = reranker.rerank(TEXTS[1], images, first=first, weight=100.0)
    assert [hit.row for hit in hits] == [1, 2, 4, 3, 0]
    for row, score in hits:
        assert score == pytest.approx(own[row] + 100 * first[row], rel=1e-3)
    unweighed = reranker.rerank(TEXTS[1], images, first=first)
    assert [hit.row for hit in unweighed] == sorted(own, key=lambda row: -own[row])
    with pytest.raises(ValueError, match="5 candidates but 2 first scores"):
        reranker.rerank(TEXTS[1], images, first=[1.0, 2.0], weight=1.0)
    with pytest.raises(ValueError, match="needs the first scores"):
        reranker.rerank(TEXTS[1], images, weight=1.0)


def test_equal_candidates_keep_their_order(reranker: Reranker, photos: list[Path]) -> None:
    twice = reranker.encode_images([photos[1], photos[0], photos[1]])
    rows = [hit.row for hit in reranker.rerank(TEXTS[2], twice)]
    assert rows.index(0) < rows.index(2)
    assert isinstance(reranker.rerank(TEXTS[2], twice)[0], Hit)


def test_loads_what_was_trained_and_names_what_is_wrong(
    reranker: Reranker, photos: list[Path], tmp_path: Path
) -> None:
    save_system(reranker.encoder.system, tmp_path / "model", languages=["en", "de"])
    loaded = Reranker.load(tmp_path / "model")
    assert loaded.encoder.languages == ("en", "de")
    found = {hit.row: hit.score for hit in loaded.rerank(TEXTS[3], photos)}
    for row, score in reranker.rerank(TEXTS[3], photos):
        assert found[row] == pytest.approx(score, abs=0.02)  # its backbone is in bfloat16
    with pytest.raises(ModelError, match="'nonesuch'"):
        Reranker.load("nonesuch")
    with pytest.raises(PictureError, match=r"gone\.png"):
        loaded.rerank("grass", [photos[0], tmp_path / "gone.png"])

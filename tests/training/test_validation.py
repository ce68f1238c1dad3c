"""Validation of systems that compare parts, and of systems that compare embeddings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from polyglance.data.dataset import TensorSource
from polyglance.errors import ConfigError, PictureError
from polyglance.features import Features, joined
from polyglance.matching.stacked_cross_attention import StackedCrossAttention
from polyglance.training.validation import Validator

from .tiny import TinySystem, tiny_pixels, tiny_records

COUNT = 12


class TinyAttention(TinySystem):
    """Compares quarters of the tiny embedding; how many of them a text has is its length."""

    matching = StackedCrossAttention()
    is_inner_product = False

    def encode_images(self, images: Tensor) -> Features:
        embedding = super().encode_images(images).embedding
        return Features(embedding, normalize(embedding.unflatten(1, (4, 4)), dim=-1))

    def encode_texts(self, inputs: dict[str, Tensor]) -> Features:
        embedding = super().encode_texts(inputs).embedding
        words = normalize(embedding.unflatten(1, (4, 4)), dim=-1)
        return Features(embedding, words, torch.ones(words.shape[:2], dtype=torch.bool))

    def score(self, images: Features, texts: Features) -> Tensor:
        scores: Tensor = self.matching(images, texts)
        return scores


def recall_at_1(scores: Tensor, captions_each: int) -> tuple[float, float]:
    """Text to image and image to text, in per cent; captions lie in the order of pictures."""
    own = torch.arange(scores.shape[1]) // captions_each
    forward = (scores.argmax(dim=0) == own).float().mean()
    backward = (own[scores.argmax(dim=1)] == torch.arange(len(scores))).float().mean()
    return 100 * float(forward), 100 * float(backward)


@pytest.mark.parametrize("kind", [TinySystem, TinyAttention])
def test_the_report_is_that_of_the_systems_own_scores(
    kind: type[TinySystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyglance.training.validation.BATCH", 5)
    torch.manual_seed(0)
    system, records = kind().eval(), tiny_records(COUNT)
    with torch.no_grad():  # in float32; the scores of so few pictures lie far apart
        source = TensorSource(system.backbone_features(tiny_pixels(COUNT)))
        images = system.encode_images(source.load(range(COUNT)).images)
        texts = [text for record in records for text in record.captions["en"]]
        encoded = [system.encode_texts(system.prepare_texts([text], ["en"])) for text in texts]
        wanted = recall_at_1(system.score(images, joined(encoded)), captions_each=2)
    monkeypatch.setattr("polyglance.precision.has_fast_bfloat16", lambda _: False)
    report = Validator(records, languages=["en", "xx"]).measure(system, source)
    scores = report.languages["en"].scores
    assert list(report.languages) == ["en"]
    np.testing.assert_allclose(
        (scores.text_to_image.metrics.recall_at_1, scores.image_to_text.metrics.recall_at_1), wanted
    )


def test_pictures_that_cannot_be_loaded_leave_the_gallery() -> None:
    class Holey(TensorSource):
        def load(self, pictures):
            return super().load([picture for picture in pictures if picture % 2])

    system, records = TinyAttention(), tiny_records(COUNT)
    source = Holey(torch.randn(COUNT, 32))
    report = Validator(records, languages=["en"]).measure(system, source)
    assert report.images == COUNT // 2
    assert report.languages["en"].captions == COUNT
    assert not system.training


def test_a_language_goes_with_the_pictures_that_cannot_be_loaded() -> None:
    class Holey(TensorSource):
        def load(self, pictures):
            return super().load([picture for picture in pictures if picture % 2])

    records = [
        replace(record, captions={("en", "de")[number % 2]: record.captions["en"]})
        for number, record in enumerate(tiny_records(COUNT))
    ]
    source = Holey(torch.randn(COUNT, 32))
    report = Validator(records, languages=["de", "en"]).measure(TinySystem(), source)
    assert list(report.languages) == ["de"]
    with pytest.raises(PictureError, match="can be read has a caption in en"):
        Validator(records, languages=["en"]).measure(TinySystem(), source)


def test_nothing_to_measure_is_an_error() -> None:
    records = tiny_records(2)
    with pytest.raises(ConfigError, match="none of the 2 validation pictures"):
        Validator(records, languages=["cs"])

    class Empty(TensorSource):
        def load(self, pictures):
            return super().load([])

    with pytest.raises(PictureError, match="can be read"):
        Validator(records, languages=["en"]).measure(TinySystem(), Empty(torch.randn(2, 32)))

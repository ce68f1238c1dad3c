"""The frozen sentence encoder behind its cache, and the residual head."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from polyglance.heads import ProjectionHead
from polyglance.text.sentence import ResidualHead, SentenceTextEncoder


class CountingEmbedder:
    """Rows from a hash of the text, and a record of what was asked for."""

    dimension = 16

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls.append(list(texts))
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        rows = np.array([list(digest[:16]) for digest in digests], dtype=np.float32) - 127
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def build(kept_texts: int = 100) -> tuple[SentenceTextEncoder, CountingEmbedder]:
    torch.manual_seed(0)
    embedder = CountingEmbedder()
    head = ProjectionHead(input_dimension=16, dimension=8)
    return SentenceTextEncoder(encoder=embedder, head=head, kept_texts=kept_texts), embedder


def prepare(encoder: SentenceTextEncoder, texts: list[str]) -> torch.Tensor:
    return encoder.prepare(texts, ["en"] * len(texts))["embeddings"]


def test_rows_are_those_of_the_encoder_in_order() -> None:
    encoder, embedder = build()
    for texts in (["a", "b", "a"], ["b", "c"], ["c", "a", "b"]):
        assert torch.equal(prepare(encoder, texts), torch.from_numpy(embedder.embed(texts)))


def test_without_a_head_the_rows_are_the_embeddings() -> None:
    embedder = CountingEmbedder()
    encoder = SentenceTextEncoder(encoder=embedder, head=None)
    found = encoder(encoder.prepare(["a", "b"], ["en", "de"])).embedding
    assert torch.equal(found, torch.from_numpy(embedder.embed(["a", "b"])))
    assert (encoder.dimension, encoder.parts(), encoder.state_dict()) == (16, {}, {})


def test_a_text_is_embedded_once() -> None:
    encoder, embedder = build()
    for texts in (["a", "b", "a"], ["b", "c"], ["c", "a"]):
        prepare(encoder, texts)
    assert embedder.calls == [["a", "b"], ["c"]]


def test_composed_and_decomposed_are_one_text() -> None:
    encoder, embedder = build()
    rows = prepare(encoder, ["bě", "be\u030c"])
    assert torch.equal(rows[0], rows[1])
    assert embedder.calls == [["bě"]]


@pytest.mark.parametrize("kept_texts", [0, 1, 3])
def test_memory_is_bounded_and_rows_stay_right(kept_texts: int) -> None:
    encoder, embedder = build(kept_texts)
    for texts in (["a", "b", "c", "d"], ["d", "e", "a"], ["a", "a", "f"]):
        rows = prepare(encoder, texts)
        assert len(encoder._kept) <= kept_texts
        assert torch.equal(rows, torch.from_numpy(embedder.embed(texts)))


def test_the_oldest_text_goes_first() -> None:
    encoder, embedder = build(kept_texts=2)
    prepare(encoder, ["a", "b"])
    prepare(encoder, ["c"])
    prepare(encoder, ["b", "c", "a"])
    assert embedder.calls == [["a", "b"], ["c"], ["a"]]


def test_threads_may_share_it() -> None:
    encoder, _ = build(kept_texts=5)
    texts = [[str(n % 7), str(n % 11)] for n in range(200)]
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda each: prepare(encoder, each), texts))
    for each, row in zip(texts, rows, strict=True):
        assert torch.equal(row, torch.from_numpy(CountingEmbedder().embed(each)))


def test_only_the_head_learns_and_is_saved() -> None:
    encoder, _ = build()
    features = encoder(encoder.prepare(["a", "", "c"], ["en", "no", "cs"]))
    assert features.embedding.shape == (3, 8)
    torch.testing.assert_close(features.embedding.norm(dim=1), torch.ones(3))
    features.embedding[:, 0].sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())
    assert list(encoder.parts()) == ["head"]
    assert set(encoder.state_dict()) == {f"head.{name}" for name in encoder.head.state_dict()}


def test_no_text_at_all() -> None:
    encoder, _ = build()
    assert prepare(encoder, []).shape == (0, 16)


def test_a_negative_number_of_texts_is_refused() -> None:
    with pytest.raises(ValueError, match="kept_texts"):
        build(kept_texts=-1)


def test_a_residual_head_starts_near_its_input_and_learns_everywhere() -> None:
    torch.manual_seed(0)
    head = ResidualHead(dimension=512, hidden=1024)
    inputs = torch.nn.functional.normalize(torch.randn(4, 512), dim=-1)
    outputs = head(inputs)
    torch.testing.assert_close(outputs.norm(dim=1), torch.ones(4))
    assert torch.cosine_similarity(inputs, outputs).min() > 0.9
    outputs[:, 0].sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


def test_a_residual_head_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        ResidualHead(dimension=4, hidden=0)

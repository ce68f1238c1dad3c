"""The recurrent text encoder against the equations and the official code's reading."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.text.tiny_encoders import (
    TEXTS,
    characters,
    encode,
    learned,
    naive_gru,
    recurrent,
    words_of,
)
from torch import nn
from torch.nn.functional import normalize

from polyglance.text.character_words import CharacterWords
from polyglance.text.learned_words import LearnedWords
from polyglance.text.segment import Segmenter
from polyglance.text.word_vectors import WordVectors


@pytest.mark.parametrize("words", [learned, characters])
@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_against_the_equations(
    words: Callable[[], LearnedWords | CharacterWords], pooling: str, bidirectional: bool
) -> None:
    encoder = recurrent(
        words, head=None, pooling=pooling, bidirectional=bidirectional, keep_tokens=True
    ).eval()
    assert encoder.dimension == 10
    features = encode(encoder, TEXTS)
    for row, text in enumerate(TEXTS):
        vectors = words_of(encoder, text)
        states = [naive_gru(encoder, vectors, 0)]
        if bidirectional:
            states.append(naive_gru(encoder, vectors[::-1], 1))
        ends = [each[-1] for each in states]
        aligned = [states[0]] + [each[::-1] for each in states[1:]]
        averaged = [sum(each) / len(states) for each in zip(*aligned, strict=True)]
        pooled = sum(ends) / len(ends) if pooling == "last" else sum(averaged) / len(averaged)
        torch.testing.assert_close(features.embedding[row], normalize(pooled, dim=0))
        kept = features.mask[row]
        assert kept.tolist() == [True] * len(vectors) + [False] * (len(kept) - len(vectors))
        torch.testing.assert_close(
            features.tokens[row][kept], normalize(torch.stack(averaged), dim=-1)
        )
    without_tokens = recurrent(words, head=None, pooling=pooling, bidirectional=bidirectional)
    without_tokens.load_state_dict(encoder.state_dict())
    assert torch.equal(encode(without_tokens.eval(), TEXTS).embedding, features.embedding)


@pytest.mark.parametrize("words", [learned, characters])
def test_unpacked_reads_padding_as_the_official_code_does(
    words: Callable[[], LearnedWords | CharacterWords],
) -> None:
    """torch's own GRU over padded texts; the average of both directions at the last word."""
    encoder = recurrent(words, head=None, pooling="unpacked").eval()
    official = nn.GRU(6, 10, batch_first=True, bidirectional=True)
    for direction, suffix in enumerate(["", "_reverse"]):
        for ours, theirs in (("input", "ih"), ("hidden", "hh")):
            for kind in ("weight", "bias"):
                value = getattr(encoder.gru, f"{kind}_{ours}")[direction].data
                getattr(official, f"{kind}_{theirs}_l0{suffix}").data = value
    padding = encoder.words(encoder.words.prepare(["<pad>"]))[0]
    lengths = [len(words_of(encoder, text)) for text in TEXTS]
    padded = torch.stack(
        [
            torch.stack(words_of(encoder, text) + [padding] * (max(lengths) - length))
            for text, length in zip(TEXTS, lengths, strict=True)
        ]
    )
    states, _ = official(padded)  # (texts, words, 2 · hidden)
    averaged = (states[..., :10] + states[..., 10:]) / 2
    for row, length in enumerate(lengths):
        wanted = normalize(averaged[row, length - 1], dim=0)
        torch.testing.assert_close(encode(encoder, TEXTS).embedding[row], wanted)
    alone = encode(encoder, TEXTS[:1]).embedding
    assert not torch.allclose(alone, encode(encoder, TEXTS).embedding[:1])


def test_statistics_of_liwe_are_over_distinct_words_without_padding() -> None:
    counted, plain = recurrent(characters), recurrent(characters)
    torch.manual_seed(1)
    encode(counted, ["a dog a dog a", "a dog runs"])
    torch.manual_seed(1)
    words = ["<start>", "<end>", "a", "dog", "runs"]
    plain.words(plain.words.prepare(words))
    for ours, wanted in zip(counted.words.buffers(), plain.words.buffers(), strict=True):
        torch.testing.assert_close(ours, wanted)


def test_what_romanised_texts_share() -> None:
    first, second = encode(recurrent(segmenter=Segmenter(romanise=True)), ["狗", "gou"]).embedding
    torch.testing.assert_close(first, second)
    first, second = encode(recurrent(), ["狗", "gou"]).embedding
    assert not torch.allclose(first, second)


def test_dropout_drops_numbers_of_words() -> None:
    encoder = recurrent(dropout=0.5)
    assert not torch.equal(encode(encoder, TEXTS).embedding, encode(encoder, TEXTS).embedding)
    encoder.eval()
    assert torch.equal(encode(encoder, TEXTS).embedding, encode(encoder, TEXTS).embedding)


def test_a_length_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        recurrent(max_length=2)


def test_frozen_word_vectors_cannot_move() -> None:
    vectors = WordVectors(vectors=torch.randn(7, 6), frozen=True).requires_grad_(True)
    before = vectors.vectors.clone()
    assert list(vectors.parameters()) == []
    assert torch.equal(vectors.state_dict()["vectors"], before)


def test_learned_word_vectors_start_as_published() -> None:
    torch.manual_seed(0)
    words = WordVectors.uniform(vocabulary_size=2000)
    assert words.dimension == 300
    assert float(words.vectors.detach().abs().max()) <= 0.1
    assert float(words.vectors.detach().std()) == pytest.approx(0.2 / 12**0.5, rel=0.01)


def test_pretrained_word_vectors_are_copied_and_can_learn() -> None:
    vectors = torch.randn(7, 3)
    words = WordVectors(vectors=vectors)
    with torch.no_grad():
        words.vectors.zero_()
    assert vectors.abs().sum() > 0
    assert words.vectors.requires_grad


@pytest.mark.parametrize(
    "vectors", [torch.zeros(3), torch.zeros(0, 3), torch.zeros(2, 3, dtype=torch.int64)]
)
def test_wrong_word_vectors_are_refused(vectors: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="float matrix"):
        WordVectors(vectors=vectors)

"""The recurrent text encoder against the equations and the official code's reading.

Values and gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from tests.text.tiny_encoders import (
    TEXTS,
    assert_alike,
    characters,
    encode,
    learned,
    naive_gru,
    recurrent,
    words_of,
)
from torch import nn
from torch.func import functional_call
from torch.nn.functional import normalize

from polyglance.text.character_words import CharacterWords
from polyglance.text.learned_words import LearnedWords
from polyglance.text.segment import Segmenter
from polyglance.text.words import WordEmbedding


@pytest.mark.parametrize("words", [learned, characters])
@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_against_the_equations(
    words: Callable[[], LearnedWords | CharacterWords], pooling: str, bidirectional: bool
) -> None:
    encoder = recurrent(
        words, head=None, pooling=pooling, bidirectional=bidirectional, keep_tokens=True
    )
    encoder.double().eval()
    assert encoder.dimension == 10
    features = encode(encoder, TEXTS)
    found, wanted = [], []
    for row, text in enumerate(TEXTS):
        vectors = words_of(encoder, text)
        states = [naive_gru(encoder.unit, vectors, 0)]
        if bidirectional:
            states.append(naive_gru(encoder.unit, vectors[::-1], 1))
        ends = [each[-1] for each in states]
        aligned = [states[0]] + [each[::-1] for each in states[1:]]
        averaged = [sum(each) / len(states) for each in zip(*aligned, strict=True)]
        pooled = sum(ends) / len(ends) if pooling == "last" else sum(averaged) / len(averaged)
        kept = features.mask[row]
        assert kept.tolist() == [True] * len(vectors) + [False] * (len(kept) - len(vectors))
        found += [features.embedding[row], features.tokens[row][kept]]
        wanted += [normalize(pooled, dim=0), normalize(torch.stack(averaged), dim=-1)]
    assert_alike(encoder, found, wanted)
    encoder.keep_tokens = False
    alone = encode(encoder, TEXTS).embedding
    assert torch.equal(alone, features.embedding)
    assert_alike(encoder, [*alone], wanted[::2])


@pytest.mark.parametrize("words", [learned, characters])
def test_unpacked_reads_padding_as_the_official_code_does(
    words: Callable[[], LearnedWords | CharacterWords],
) -> None:
    """torch's own GRU over padded texts; the average of both directions at the last word."""
    encoder = recurrent(words, head=None, pooling="unpacked").double().eval()
    official = nn.GRU(6, 10, batch_first=True, bidirectional=True)
    weights = {
        f"{kind}_{theirs}_l0{suffix}": getattr(encoder.unit, f"{kind}_{ours}")[direction]
        for direction, suffix in enumerate(["", "_reverse"])
        for ours, theirs in (("input", "ih"), ("hidden", "hh"))
        for kind in ("weight", "bias")
    }
    padding = encoder.words(encoder.words.prepare(["<pad>"], ["und"]))[0]
    lengths = [len(words_of(encoder, text)) for text in TEXTS]
    padded = torch.stack(
        [
            torch.stack(words_of(encoder, text) + [padding] * (max(lengths) - length))
            for text, length in zip(TEXTS, lengths, strict=True)
        ]
    )
    states, _ = functional_call(official, weights, (padded,))  # (texts, words, 2 · hidden)
    averaged = (states[..., :10] + states[..., 10:]) / 2
    wanted = [normalize(averaged[row, length - 1], dim=0) for row, length in enumerate(lengths)]
    found = encode(encoder, TEXTS).embedding
    assert_alike(encoder, [*found], wanted)
    alone = encode(encoder, TEXTS[:1]).embedding
    assert not torch.allclose(alone, found[:1])


def test_statistics_of_liwe_are_over_distinct_words_without_padding() -> None:
    counted, plain = recurrent(characters), recurrent(characters)
    torch.manual_seed(1)
    encode(counted, ["a dog a dog a", "a dog runs"])
    torch.manual_seed(1)
    words = ["<start>", "<end>", "a", "dog", "runs"]
    plain.words(plain.words.prepare(words, ["und"] * 5))
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


class Words(WordEmbedding):
    """Remembers what it was asked for."""

    dimension = 6

    def __init__(self, *, knows_languages: bool) -> None:
        super().__init__()
        self.knows_languages = knows_languages
        self.asked: list[tuple[str, str]] = []

    def prepare(self, words: Sequence[str], languages: Sequence[str]) -> dict[str, torch.Tensor]:
        self.asked = list(zip(words, languages, strict=True))
        numbers = [float(len(word) + ord(tag[0])) for word, tag in self.asked]
        return {"numbers": torch.tensor(numbers)[:, None].expand(-1, 6)}

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return inputs["numbers"]

    def save(self, folder: Path) -> None: ...


def test_words_that_know_their_language_are_given_once_in_each() -> None:
    texts, languages = ["die Hunde", "die", "die dog", "die"], ["de-AT", "de", "en", "und"]
    told = recurrent(lambda: Words(knows_languages=True))
    inputs = told.prepare(texts, languages)
    marks = [("<start>", "und"), ("<end>", "und")]
    words = [("die", "de"), ("hunde", "de"), ("die", "en"), ("dog", "en"), ("die", "und")]
    assert told.words.asked == marks + words
    assert inputs["index"].tolist() == [[0, 2, 3, 1], [0, 2, 1, 0], [0, 4, 5, 1], [0, 6, 1, 0]]
    embedding = told(inputs).embedding
    assert not torch.allclose(embedding[1], embedding[3])
    untold = recurrent(lambda: Words(knows_languages=False))
    untold.prepare(texts, languages)
    assert untold.words.asked == marks + [(word, "und") for word in ("die", "hunde", "dog")]


def test_a_length_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        recurrent(max_length=2)

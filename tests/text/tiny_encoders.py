"""Small text encoders for tests, and the states of a GRU word by word."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.text.alphabet import Alphabet
from polyglance.text.character_words import CharacterWords
from polyglance.text.frozen_transformer import FrozenTransformerTextEncoder
from polyglance.text.gru import GRU
from polyglance.text.learned_words import LearnedWords
from polyglance.text.recurrent import RecurrentTextEncoder
from polyglance.text.segment import Segmenter
from polyglance.text.sru import SRU
from polyglance.text.tokenizer import Tokenizer
from polyglance.text.transformer import (
    TransformerTextEncoder,
    new_distilbert,
)
from polyglance.text.vocabulary import Vocabulary

TEXTS = ["a dog", "", "a dog runs over the wide green grass by the sea", "狗", "seven 👩🏽‍🚀 words"]
TOKENIZER = Tokenizer.train(TEXTS, min_frequency=1, vocabulary_size=300)
SEGMENTER = Segmenter()
WORDS = [word for text in TEXTS for word in SEGMENTER.words(text)]
VOCABULARY = Vocabulary.of([*WORDS, "<unk>"], min_frequency=1)
ALPHABET = Alphabet.of(WORDS, min_frequency=1)
TextModule = RecurrentTextEncoder | TransformerTextEncoder | FrozenTransformerTextEncoder


def learned() -> LearnedWords:
    return LearnedWords(vocabulary=VOCABULARY, dimension=6)


def characters() -> CharacterWords:
    return CharacterWords(
        alphabet=ALPHABET, character_dimension=3, word_length=6, widths=(7, 6), dropout=0.1
    )


def recurrent(
    words: Callable[[], LearnedWords | CharacterWords] = learned,
    *,
    bidirectional: bool = True,
    **changes: object,
) -> RecurrentTextEncoder:
    torch.manual_seed(0)
    arguments: dict[str, object] = {
        "segmenter": SEGMENTER,
        "words": words(),
        "unit": GRU(input_size=6, hidden_size=10, bidirectional=bidirectional),
        "head": ProjectionHead(input_dimension=10, dimension=4),
    }
    return RecurrentTextEncoder(**(arguments | changes))


def simple_recurrent(**changes: object) -> RecurrentTextEncoder:
    torch.manual_seed(0)
    return recurrent(unit=SRU(input_size=6, hidden_size=10, layers=2), **changes)


def distilbert(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return new_distilbert(
        vocabulary_size=len(TOKENIZER), pad_id=TOKENIZER.pad_id, layers=2, width=12, heads=3
    )


def transformer(**changes: object) -> TransformerTextEncoder:
    arguments: dict[str, object] = {
        "tokenizer": TOKENIZER,
        "model": distilbert(0),
        "head": ProjectionHead(input_dimension=12, dimension=4),
    }
    return TransformerTextEncoder(**(arguments | changes))


def frozen_transformer(**changes: object) -> FrozenTransformerTextEncoder:
    model = distilbert(0)
    arguments: dict[str, object] = {
        "tokenizer": TOKENIZER,
        "model": model,
        "hidden_size": 10,
        "head": ProjectionHead(input_dimension=10, dimension=4),
    }
    return FrozenTransformerTextEncoder(**(arguments | changes))


def encode(encoder: TextModule, texts: list[str]) -> Features:
    return encoder(encoder.prepare(texts, ["en"] * len(texts)))


def learning(encoder: TextModule) -> dict[str, nn.Parameter]:
    return {name: p for name, p in encoder.named_parameters() if p.requires_grad}


def assert_alike(
    encoder: TextModule, found: list[torch.Tensor], wanted: list[torch.Tensor]
) -> None:
    """Equal numbers, and of a random weighting of them equal gradients of all that learns."""
    generator = torch.Generator().manual_seed(3)
    weights = [torch.randn(each.shape, generator=generator).to(each) for each in wanted]
    learned = list(learning(encoder).values())
    gradients = [
        torch.autograd.grad(
            sum((each * weight).sum() for each, weight in zip(some, weights, strict=True)),
            learned,
            retain_graph=True,
        )
        for some in (found, wanted)
    ]
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(*gradients)
    assert all(gradient.any() for gradient in gradients[0])


def naive_gru(gru: GRU, words: list[torch.Tensor], direction: int) -> list:
    """States word by word, from the equations of Cho et al. 2014."""
    w_in, w_state = gru.weight_input[direction], gru.weight_hidden[direction]
    b_in, b_state = gru.bias_input[direction], gru.bias_hidden[direction]
    state, states = w_state.new_zeros(gru.hidden_size), []
    for word in words:
        r_in, z_in, n_in = (w_in @ word + b_in).chunk(3)
        r_state, z_state, n_state = (w_state @ state + b_state).chunk(3)
        reset, update = torch.sigmoid(r_in + r_state), torch.sigmoid(z_in + z_state)
        state = (1 - update) * torch.tanh(n_in + reset * n_state) + update * state
        states.append(state)
    return states


def words_of(encoder: RecurrentTextEncoder, text: str) -> list[torch.Tensor]:
    """Each word's vector, embedded by itself."""
    words = ["<start>", *SEGMENTER.words(text), "<end>"]
    return [encoder.words(encoder.words.prepare([word], ["und"]))[0] for word in words]

"""MLM and TLM, against the formula word by word, and what a hidden word is found from."""

from __future__ import annotations

import pytest
import torch
from tests.pretraining.tiny import (
    ENGLISH,
    GERMAN,
    WIDTH,
    gradients,
    tiny_regions,
    tiny_stream,
    tiny_tokenizer,
)
from torch import Tensor

from polyglance.pretraining.masking import mask_words
from polyglance.pretraining.mlm import masked_language_model
from polyglance.pretraining.prediction import WordPrediction
from polyglance.pretraining.tasks import word_masking
from polyglance.pretraining.tlm import translation_language_model
from polyglance.single_stream.stream import SingleStream
from polyglance.single_stream.tokens import PairTokenizer, Tokens
from polyglance.single_stream.visual_embedding import EmbeddedRegions


@pytest.fixture(scope="module")
def tokenizer() -> PairTokenizer:
    return tiny_tokenizer()


def prediction_of(stream: SingleStream) -> WordPrediction:
    return WordPrediction(width=WIDTH, vocabulary_size=len(stream.trunk.words))


def naive(
    stream: SingleStream,
    prediction: WordPrediction,
    hidden: Tokens,
    targets: Tensor,
    images: EmbeddedRegions | None,
) -> Tensor:
    """Text by text without padding; −log of the probability of each word that was there."""
    losses = []
    for row in range(len(hidden)):
        length = int(hidden.mask[row].sum())
        alone = Tokens(**{name: t[row, None, :length] for name, t in hidden.tensors().items()})
        picture = None if images is None else images.rows(torch.tensor([row]))
        states = stream(stream.embed_tokens(alone), alone.mask, picture).tokens[0]
        for place in range(length):
            if targets[row, place] != -100:
                probability = prediction(states[place], stream.trunk.words).softmax(0)
                losses.append(-probability[targets[row, place]].log())
    return torch.stack(losses).mean()


@pytest.mark.parametrize("pictured", [True, False])
def test_masked_words_of_texts_and_of_captions(tokenizer: PairTokenizer, pictured: bool) -> None:
    stream = tiny_stream(tokenizer)
    prediction, masking = prediction_of(stream), word_masking(tokenizer.tokenizer, share=0.3)
    tokens = tokenizer.single(ENGLISH[:4], ["en"] * 4)
    images = stream.embed_regions(tiny_regions(4)) if pictured else None
    torch.manual_seed(5)
    one, states = masked_language_model(stream, prediction, masking, tokens=tokens, images=images)
    assert (states.regions is not None) == pictured
    torch.manual_seed(5)
    other = naive(stream, prediction, *masking(tokens), images)
    torch.testing.assert_close(one, other)
    learned = [stream.trunk.words.vectors, prediction.bias, stream.trunk.positions]
    learned += [stream.visual.projection.weight] if pictured else [stream.no_picture]
    for found, expected in zip(gradients(one, *learned), gradients(other, *learned), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)
        assert found.any()


def test_masked_words_of_translations(tokenizer: PairTokenizer) -> None:
    stream = tiny_stream(tokenizer)
    prediction, masking = prediction_of(stream), word_masking(tokenizer.tokenizer, share=0.3)
    pairs = tokenizer.pair(ENGLISH[:3], GERMAN[:3], ["en"] * 3, ["de"] * 3)
    torch.manual_seed(5)
    one = translation_language_model(stream, prediction, masking, pairs=pairs)
    torch.manual_seed(5)
    hidden, targets = masking(pairs)
    torch.testing.assert_close(one, naive(stream, prediction, hidden, targets, None))
    assert {int(s) for s in pairs.segments[targets != -100]} == {0, 1}  # on both sides


def test_what_a_hidden_word_is_found_from(tokenizer: PairTokenizer) -> None:
    """Words beside it, its picture, and its translation; never padding or the word itself."""
    stream = tiny_stream(tokenizer)
    pairs = tokenizer.pair(ENGLISH[:1], GERMAN[:1], ["en"], ["de"])
    embedded = stream.embed_tokens(pairs).detach().requires_grad_()
    states = stream(embedded, pairs.mask, None)
    (reached,) = gradients(states.tokens[0, 2].norm(), embedded)
    assert reached[0][pairs.segments[0] == 1].abs().sum(1).gt(0).all()
    # The second sentence counts its places anew, and every token knows its language.
    second = pairs.segments[0] == 1
    assert pairs.positions[0, second].tolist() == list(range(int(second.sum())))
    numbers = {tokenizer.language("en"), tokenizer.language("de")}
    assert {*pairs.languages[pairs.mask].tolist()} == numbers
    hidden, targets = mask_words(
        pairs,
        mask_id=tokenizer.tokenizer.mask_id,
        ordinary=torch.tensor([300]),
        share=1.0,
    )
    assert (hidden.ids[targets != -100] != pairs.ids[targets != -100]).float().mean() > 0.7


def test_words_that_stand_in_are_never_special(tokenizer: PairTokenizer) -> None:
    masking = word_masking(tokenizer.tokenizer)
    special = tokenizer.tokenizer.special_ids
    assert masking.mask_id in special
    assert not set(masking.ordinary.tolist()) & set(special)
    assert len(masking.ordinary) + len(special) == len(tokenizer.tokenizer)

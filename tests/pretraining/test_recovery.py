"""Text recovery: its attention against loops, and what the transformer then gets to see."""

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

from polyglance.pretraining.cltr import CrossLingualTextRecovery
from polyglance.pretraining.cmtr import CrossModalTextRecovery
from polyglance.pretraining.prediction import WordPrediction
from polyglance.pretraining.recovery import RecoveryAttention, recover
from polyglance.single_stream.stream import SingleStream
from polyglance.single_stream.tokens import PairTokenizer, Tokens


def naive_attention(weight: Tensor, words: Tensor, context: Tensor, mask: Tensor) -> Tensor:
    """Equations of section 3.1, one word and one thing to look at after the other."""
    rows = []
    for e, b, there in zip(words, context, mask, strict=True):
        found = []
        for i in range(len(e)):
            scores = {j: e[i] @ weight @ b[j] for j in range(len(b)) if there[j]}
            total = sum(s.exp() for s in scores.values())
            mean = sum((s.exp() / total * b[j] for j, s in scores.items()), start=0 * e[i])
            found.append(torch.tanh(mean))
        rows.append(torch.stack(found))
    return torch.stack(rows)


def test_attention_equals_the_formula() -> None:
    torch.manual_seed(0)
    attention = RecoveryAttention(width=5)
    words = torch.randn(3, 4, 5, requires_grad=True)
    context = torch.randn(3, 6, 5, requires_grad=True)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]]).bool()
    weights = torch.randn(3, 4, 5)  # so that the gradient of every number differs
    learned = [attention.weight, words, context]
    one = attention(words, context, mask)
    other = naive_attention(attention.weight, words, context, mask)
    torch.testing.assert_close(one, other)
    assert not one[2].any()  # where there is nothing to look at, nothing is found
    for found, expected in zip(
        gradients((one * weights).sum(), *learned),
        gradients((other * weights).sum(), *learned),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)


@pytest.fixture(scope="module")
def tokenizer() -> PairTokenizer:
    return tiny_tokenizer()


def naive_recovery(
    stream: SingleStream,
    prediction: WordPrediction,
    attention: RecoveryAttention,
    tokens: Tokens,
    context: Tensor,
    mask: Tensor,
) -> Tensor:
    """One text at a time, without padding, through the transformer by hand."""
    trunk, losses = stream.trunk, []
    for row in range(len(tokens)):
        length = int(tokens.mask[row].sum())
        own = trunk.words(tokens.ids[row, :length])  # (length, width)
        found = naive_attention(attention.weight, own[None], context[row, None], mask[row, None])
        vectors = []
        for place in range(length):
            word = own[place] if place in {0, length - 1} else found[0, place]
            position, segment = trunk.positions[place], trunk.segments[0]
            language = stream.languages[tokens.languages[row, 0]]
            vectors.append(word + position + segment + language + stream.no_picture)
        states = trunk(torch.stack(vectors)[None], torch.ones(1, length, dtype=torch.bool))
        for place in range(1, length - 1):
            logits = prediction(states[:, place], trunk.words)[0]
            losses.append(logits.logsumexp(0) - logits[tokens.ids[row, place]])
    return torch.stack(losses).mean()


def test_a_caption_is_recovered_from_its_picture_alone(tokenizer: PairTokenizer) -> None:
    stream, regions = tiny_stream(tokenizer), tiny_regions(3)
    torch.nn.init.normal_(stream.languages, std=0.02)
    torch.nn.init.normal_(stream.no_picture, std=0.02)
    prediction = WordPrediction(width=WIDTH, vocabulary_size=len(stream.trunk.words))
    task = CrossModalTextRecovery(width=WIDTH)
    task.attention.weight.data *= 300  # so that words look at different regions
    tokens = tokenizer.single(ENGLISH[:3], ["en", "en", "xx"])
    assert not tokens.mask.all()
    images = stream.embed_regions(regions)
    one = task(stream, prediction, tokens=tokens, images=images)
    other = naive_recovery(stream, prediction, task.attention, tokens, images.vectors, images.mask)
    torch.testing.assert_close(one, other)
    learned = [
        task.attention.weight,
        stream.visual.projection.weight,
        stream.trunk.words.vectors,
        stream.languages,
        prediction.bias,
    ]
    for found, expected in zip(gradients(one, *learned), gradients(other, *learned), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)
        assert found.any()


def test_a_sentence_is_recovered_from_its_translation_alone(tokenizer: PairTokenizer) -> None:
    stream = tiny_stream(tokenizer, dimension=12)
    prediction = WordPrediction(width=WIDTH, vocabulary_size=len(stream.trunk.words))
    task = CrossLingualTextRecovery(width=WIDTH)
    task.attention.weight.data *= 300
    tokens = tokenizer.single(ENGLISH[:3], ["en"] * 3)
    translations = tokenizer.single(GERMAN[:3], ["de"] * 3)
    one = task(stream, prediction, tokens=tokens, translations=translations)
    context = stream.embed_words(translations)
    of_words = torch.zeros_like(translations.mask)
    for row in range(3):
        of_words[row, 1 : int(translations.mask[row].sum()) - 1] = True
    other = naive_recovery(stream, prediction, task.attention, tokens, context, of_words)
    torch.testing.assert_close(one, other)
    learned = [task.attention.weight, stream.trunk.words.vectors]
    for found, expected in zip(gradients(one, *learned), gradients(other, *learned), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)
        assert found.any()


def test_the_transformer_sees_what_was_found_and_neither_words_nor_picture(
    tokenizer: PairTokenizer,
) -> None:
    stream, regions = tiny_stream(tokenizer), tiny_regions(2)
    prediction = WordPrediction(width=WIDTH, vocabulary_size=len(stream.trunk.words))
    seen: list[Tensor] = []
    stream.trunk.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    attention = RecoveryAttention(width=WIDTH)
    torch.nn.init.zeros_(attention.weight)  # whatever the word, it finds the mean region
    images = stream.embed_regions(regions)
    for texts in (ENGLISH[:2], [" ".join(text.split()[::-1]) for text in ENGLISH[:2]]):
        tokens = tokenizer.single(texts, ["en", "en"])
        recover(
            stream,
            prediction,
            attention,
            tokens=tokens,
            context=images.vectors,
            context_mask=images.mask,
        )
        assert seen[-1].shape == (*tokens.ids.shape, WIDTH)  # no region, and no end
    forwards, backwards = seen
    torch.testing.assert_close(forwards, backwards)


def test_words_that_find_nothing_are_still_numbers(tokenizer: PairTokenizer) -> None:
    stream = tiny_stream(tokenizer)
    prediction = WordPrediction(width=WIDTH, vocabulary_size=len(stream.trunk.words))
    task = CrossLingualTextRecovery(width=WIDTH)
    tokens, empty = (
        tokenizer.single(["a dog", ""], ["en", "en"]),
        tokenizer.single(["", ""], ["xx"] * 2),
    )
    loss = task(stream, prediction, tokens=tokens, translations=empty)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in stream.parameters() if p.grad is not None)

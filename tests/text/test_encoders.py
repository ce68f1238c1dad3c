"""What every text encoder that learns from tokens must do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.text.tiny_encoders import (
    ALPHABET,
    TEXTS,
    TOKENIZER,
    TextModule,
    characters,
    encode,
    frozen_transformer,
    learning,
    recurrent,
    simple_recurrent,
    transformer,
)
from torch import nn

from polyglance.text.alphabet import Alphabet
from polyglance.text.learned_words import LearnedWords
from polyglance.text.recurrent import RecurrentTextEncoder
from polyglance.text.tokenizer import Tokenizer
from polyglance.text.vocabulary import Vocabulary

ENCODERS: dict[str, Callable[..., TextModule]] = {
    "gru": lambda **c: recurrent(bidirectional=False, **c),
    "bigru": recurrent,
    "bigru, mean": lambda **c: recurrent(pooling="mean", **c),
    "sru": simple_recurrent,
    "sru, mean": lambda **c: simple_recurrent(pooling="mean", **c),
    "liwe": lambda **c: recurrent(characters, **c),
    "transformer": transformer,
    "transformer, mean": lambda **c: transformer(pooling="mean", **c),
    "frozen transformer": frozen_transformer,
}
every_encoder = pytest.mark.parametrize("build", ENCODERS.values(), ids=ENCODERS.keys())


@every_encoder
def test_unit_rows_of_the_stated_dimension(build: Callable[..., TextModule]) -> None:
    encoder = build().eval()
    embedding = encode(encoder, TEXTS).embedding
    assert embedding.shape == (5, encoder.dimension)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(5))
    assert len(torch.unique(embedding.detach().round(decimals=5), dim=0)) == 5


@every_encoder
def test_an_embedding_does_not_depend_on_its_batch(build: Callable[..., TextModule]) -> None:
    encoder = build(keep_tokens=True).eval()
    together = encode(encoder, TEXTS)
    for row, text in enumerate(TEXTS):
        alone = encode(encoder, [text])
        torch.testing.assert_close(together.embedding[row], alone.embedding[0], rtol=0, atol=3e-6)
        kept = together.tokens[row][together.mask[row]]
        torch.testing.assert_close(kept, alone.tokens[0], rtol=0, atol=3e-6)
    backwards = encode(encoder, TEXTS[::-1]).embedding.flip(0)
    torch.testing.assert_close(together.embedding, backwards, rtol=0, atol=3e-6)


@every_encoder
def test_padding_is_never_read(build: Callable[..., TextModule]) -> None:
    encoder = build().eval()
    inputs = encoder.prepare(TEXTS, ["en"] * 5)
    longer = dict(inputs)
    if "mask" in inputs:
        noisy = inputs["ids"].masked_fill(~inputs["mask"], TOKENIZER.vocabulary["d"])
        longer["ids"] = torch.cat([noisy, torch.ones(5, 7, dtype=torch.int64)], dim=1)
        longer["mask"] = torch.cat([inputs["mask"], torch.zeros(5, 7, dtype=torch.bool)], dim=1)
    else:
        padding = torch.arange(inputs["index"].shape[1]) >= inputs["lengths"][:, None]
        noisy = inputs["index"].masked_fill(padding, 3)
        longer["index"] = torch.cat([noisy, torch.ones(5, 7, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(
        encoder(inputs).embedding, encoder(longer).embedding, rtol=0, atol=1e-6
    )


@every_encoder
def test_gradient_reaches_every_parameter_that_learns(build: Callable[..., TextModule]) -> None:
    encoder = build()
    weights = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    (encode(encoder, TEXTS).embedding * weights).sum().backward()
    for name, parameter in learning(encoder).items():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@every_encoder
def test_parts_hold_every_parameter_that_learns_once(build: Callable[..., TextModule]) -> None:
    encoder = build()
    parts = encoder.parts()
    assert set(parts) == {"encoder", "head"}
    in_parts = [id(p) for part in parts.values() for p in part.parameters()]
    assert sorted(in_parts) == sorted(id(p) for p in learning(encoder).values())


@every_encoder
def test_a_frozen_encoder_gets_no_gradient_and_its_head_does(
    build: Callable[..., TextModule],
) -> None:
    encoder = build()
    encoder.parts()["encoder"].requires_grad_(False)
    encode(encoder, TEXTS).embedding[:, 0].sum().backward()
    assert all(p.grad is None for p in encoder.parts()["encoder"].parameters())
    assert all(p.grad is not None for p in encoder.parts()["head"].parameters())


@every_encoder
def test_saved_and_loaded_it_is_the_same(build: Callable[..., TextModule], tmp_path: Path) -> None:
    encoder = build().eval()
    encoder.save_tokenizer(tmp_path)
    other = build().eval()
    if isinstance(other, RecurrentTextEncoder):
        if isinstance(other.words, LearnedWords):
            other.words.vocabulary = Vocabulary.load(tmp_path / "vocabulary.json")
        else:
            assert Alphabet.load(tmp_path / "alphabet.json").characters == ALPHABET.characters
    else:
        other.tokenizer = Tokenizer.load(tmp_path / "tokenizer.json")
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    assert not torch.allclose(encode(encoder, TEXTS).embedding, encode(other, TEXTS).embedding)
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(encode(encoder, TEXTS).embedding, encode(other, TEXTS).embedding)


@every_encoder
def test_a_long_text_is_cut(build: Callable[..., TextModule]) -> None:
    encoder = build(max_length=8).eval()
    embedding = encode(encoder, ["dog " * 6, "dog " * 5000]).embedding
    torch.testing.assert_close(embedding[0], embedding[1], rtol=0, atol=1e-6)


@every_encoder
def test_bfloat16_autocast_works(build: Callable[..., TextModule]) -> None:
    encoder = build().eval()
    full = encode(encoder, TEXTS).embedding
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = encode(encoder, TEXTS).embedding
    assert torch.cosine_similarity(full, half.float()).min() > 0.99

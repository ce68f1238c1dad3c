"""A frozen transformer under a GRU."""

from __future__ import annotations

from pathlib import Path

import torch
from tests.text.tiny_encoders import (
    TEXTS,
    TOKENIZER,
    assert_alike,
    encode,
    frozen_transformer,
    naive_gru,
)
from torch.nn.functional import normalize

from polyglance.text.tokenizer import Tokenizer
from polyglance.text.transformer import (
    load_architecture,
)


def test_a_frozen_transformer_stays_frozen_and_reads_a_text_once() -> None:
    encoder = frozen_transformer().train().requires_grad_(True)  # as a phase of training does
    assert not encoder.model.training
    calls = []
    encoder.model.register_forward_hook(lambda *_: calls.append(1))
    encode(encoder, TEXTS).embedding[:, 0].sum().backward()
    encode(encoder, TEXTS[::-1])
    assert len(calls) == 1
    assert all(parameter.grad is None for parameter in encoder.model.parameters())


def test_a_frozen_transformer_hands_its_last_layer_to_the_gru() -> None:
    encoder = frozen_transformer(head=None, keep_tokens=True).double().eval()
    ids, mask = TOKENIZER.encode_batch(TEXTS)
    features = encode(encoder, TEXTS)
    found, wanted = [], []
    for row, there in enumerate(mask):
        with torch.no_grad():
            states = encoder.model(input_ids=ids[row][there][None]).last_hidden_state[0]
        states = states.half().double()  # as they are kept
        backwards = naive_gru(encoder.gru, list(states.flip(0)), 1)
        forwards = naive_gru(encoder.gru, list(states), 0)
        averaged = [
            (ahead + back) / 2 for ahead, back in zip(forwards, backwards[::-1], strict=True)
        ]
        ends = (forwards[-1] + backwards[-1]) / 2
        found += [features.embedding[row], features.tokens[row][there]]
        wanted += [normalize(ends, dim=0), normalize(torch.stack(averaged), dim=-1)]
    assert_alike(encoder, found, wanted)


def test_a_frozen_transformer_of_a_checkpoint(tmp_path: Path) -> None:
    encoder = frozen_transformer().eval()
    encoder.save_tokenizer(tmp_path)
    other = frozen_transformer(
        model=load_architecture(tmp_path), tokenizer=Tokenizer.load(tmp_path / "tokenizer.json")
    ).eval()
    encode(other, TEXTS)  # what it kept of other weights is forgotten
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(encode(encoder, TEXTS).embedding, encode(other, TEXTS).embedding)

"""A frozen transformer under a GRU."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from tests.text.tiny_encoders import (
    TEXTS,
    TOKENIZER,
    assert_alike,
    encode,
    frozen_transformer,
    naive_gru,
)
from tests.training.tiny import TinySystem
from torch.nn.functional import normalize

from polyglance.text.tokenizer import Tokenizer
from polyglance.text.transformer import (
    load_architecture,
)
from polyglance.training.phases import freeze
from polyglance.training.recipe import PhaseConfig
from polyglance.training.state import BEST, Progress, RunState


def test_a_frozen_transformer_stays_frozen_and_reads_a_text_once() -> None:
    encoder = frozen_transformer().train().requires_grad_(True)  # as a phase of training does
    assert not encoder.model.training
    calls = []
    encoder.model.register_forward_hook(lambda *_: calls.append(1))
    encode(encoder, TEXTS).embedding[:, 0].sum().backward()
    encode(encoder, TEXTS[::-1])
    assert len(calls) == 1
    assert all(parameter.grad is None for parameter in encoder.model.parameters())


def test_a_phase_leaves_the_transformer_out(tmp_path: Path) -> None:
    system = TinySystem()
    system.text = frozen_transformer()
    freeze(system, ())
    learned = {name for name, tensor in system.named_parameters() if tensor.requires_grad}
    assert not any(name.startswith("text.model.") for name in learned)
    assert any(name.startswith("text.gru.") for name in learned)
    state = RunState(tmp_path, system=system, phases=(PhaseConfig(steps=1),))
    state.save_best(Progress(best_step=1, best_recall=1.0))
    assert not any("text.model." in name for name in load_file(tmp_path / BEST))


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

"""Trunks give the states of the models that they come from."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.single_stream.tiny_stream import TOKENIZER, tiny_stream, tiny_trunk
from torch import nn

from polyglance.errors import ModelError
from polyglance.single_stream.tokens import Tokens
from polyglance.single_stream.trunk import load_trunk, new_trunk, trunk_of
from polyglance.single_stream.word_table import new_word_table
from polyglance.text.transformer import load_architecture

SIZE = {
    "vocab_size": 50,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}


def official(family: str) -> Any:
    """A tiny model of the transformers library with weights that are not near zero."""
    import transformers

    torch.manual_seed(0)
    if family == "distilbert":
        size = {"dim": 12, "n_layers": 2, "n_heads": 2, "hidden_dim": 16}
        config = transformers.DistilBertConfig(vocab_size=50, max_position_embeddings=20, **size)
        model = transformers.DistilBertModel(config)
    elif family == "bert":
        model = transformers.BertModel(transformers.BertConfig(**SIZE))
    elif family == "electra":
        config = transformers.ElectraConfig(embedding_size=12, **SIZE)
        model = transformers.ElectraModel(config)
    else:
        kinds = {
            "roberta": (transformers.RobertaConfig, transformers.RobertaModel),
            "xlm-roberta": (transformers.XLMRobertaConfig, transformers.XLMRobertaModel),
            "camembert": (transformers.CamembertConfig, transformers.CamembertModel),
        }
        kind, of = kinds[family]
        model = of(kind(**SIZE, type_vocab_size=1, pad_token_id=1))
    for parameter in model.parameters():
        parameter.data.normal_(std=0.3)
    return model.eval()


def tokens_of(ids: torch.Tensor, mask: torch.Tensor) -> Tokens:
    places = torch.arange(ids.shape[1]).expand_as(ids)
    zeros = torch.zeros_like(ids)
    return Tokens(ids, places, zeros, zeros, zeros - 1, mask)


@pytest.mark.parametrize(
    "family", ["bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert"]
)
def test_texts_alone_get_the_states_of_the_official_model(tmp_path: Path, family: str) -> None:
    model = official(family)
    model.save_pretrained(tmp_path)
    stream = tiny_stream(trunk=load_trunk(tmp_path)).eval()
    ids = torch.randint(5, 50, (3, 9))
    mask = torch.arange(9) < torch.tensor([9, 4, 7])[:, None]
    ids[~mask] = model.config.pad_token_id
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        tokens = tokens_of(ids, mask)
        found = stream(stream.embed_tokens(tokens), mask)
    torch.testing.assert_close(found.tokens[mask], expected[mask], rtol=0, atol=1e-5)
    torch.testing.assert_close(found.first, expected[:, 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "family", ["bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert"]
)
def test_first_places_alone_get_the_states_and_gradients_of_all(family: str) -> None:
    trunk = trunk_of(official(family), family).eval()
    embedded = torch.randn(3, 9, 12, requires_grad=True)
    mask = torch.arange(9) < torch.tensor([9, 4, 7])[:, None]
    expected, found = trunk(embedded, mask)[:, 0], trunk.first(embedded, mask)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    weights = torch.randn_like(expected)
    of_all, of_first = (
        torch.autograd.grad((states * weights).sum(), embedded)[0] for states in (expected, found)
    )
    torch.testing.assert_close(of_first, of_all, rtol=1e-4, atol=1e-5)


def test_first_places_alone_are_dropped_out_in_training() -> None:
    trunk = tiny_trunk(dropout=0.5)
    embedded, mask = torch.randn(2, 5, trunk.width), torch.ones(2, 5, dtype=torch.bool)
    assert not torch.equal(trunk.first(embedded, mask), trunk.first(embedded, mask))
    trunk.eval()
    torch.testing.assert_close(trunk.first(embedded, mask), trunk(embedded, mask)[:, 0])


def test_a_second_sentence_has_berts_own_segment(tmp_path: Path) -> None:
    model = official("bert")
    stream = tiny_stream(trunk=trunk_of(deepcopy(model), "bert")).eval()
    ids = torch.randint(5, 50, (1, 8))
    segments = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1]])
    positions = torch.tensor([[0, 1, 2, 0, 1, 2, 3, 4]])
    mask = torch.ones(1, 8, dtype=torch.bool)
    zeros = torch.zeros_like(ids)
    tokens = Tokens(ids, positions, segments, zeros, zeros, mask)
    with torch.no_grad():
        expected = model(input_ids=ids, token_type_ids=segments, position_ids=positions)
        found = stream(stream.embed_tokens(tokens), mask)
    torch.testing.assert_close(found.tokens, expected.last_hidden_state, rtol=0, atol=1e-5)


def test_a_checkpoints_architecture_makes_the_same_trunk(tmp_path: Path) -> None:
    trunk = trunk_of(official("xlm-roberta"), "there").eval()
    trunk.save_architecture(tmp_path)
    other = trunk_of(load_architecture(tmp_path), tmp_path).eval()
    other.load_state_dict(trunk.state_dict())
    states, mask = torch.randn(2, 5, 12), torch.ones(2, 5, dtype=torch.bool)
    assert torch.equal(trunk(states, mask), other(states, mask))
    assert trunk.max_length == 16  # 20 less the two of padding, a picture's and the end's


def test_a_new_trunk_has_the_size_that_was_asked_for() -> None:
    words = new_word_table(vocabulary_size=30, width=16, dimension=4)
    trunk = new_trunk(
        words=words, layers=3, heads=4, max_length=10, dropout=0.0, attention_dropout=0.25
    )
    assert trunk.max_length == 10
    assert trunk.width == 16
    assert trunk.words is words
    assert trunk.segments.shape == (3, 16)
    dropouts = {
        name: module.p for name, module in trunk.named_modules() if isinstance(module, nn.Dropout)
    }
    assert {p for name, p in dropouts.items() if "attention.self" in name} == {0.25}
    assert {p for name, p in dropouts.items() if "attention.self" not in name} == {0.0}
    assert sum("attention.self.query.weight" in name for name, _ in trunk.named_parameters()) == 3
    assert not any(len(p) == 1 for name, p in trunk.named_parameters())  # no words of its own


def test_every_parameter_of_a_trunk_learns() -> None:
    trunk = tiny_trunk()
    stream = tiny_stream(trunk=trunk)
    tokens = TOKENIZER.pair(["A dog runs."], ["Ein Hund."], ["en"], ["de"])
    stream(stream.embed_tokens(tokens), tokens.mask).tokens.square().sum().backward()
    assert [name for name, p in trunk.named_parameters() if p.grad is None] == []


def test_other_families_are_refused(tmp_path: Path) -> None:
    import transformers

    transformers.ElectraModel(transformers.ElectraConfig(embedding_size=6, **SIZE)).save_pretrained(
        tmp_path / "electra"
    )
    with pytest.raises(ModelError, match=r"ElectraModel of width 12 over embeddings of 6"):
        load_trunk(tmp_path / "electra")
    config = transformers.MPNetConfig(**SIZE)
    transformers.MPNetModel(config).save_pretrained(tmp_path / "mpnet")
    with pytest.raises(ModelError, match=r"MPNetModel .* bert, camembert"):
        load_trunk(tmp_path / "mpnet")
    with pytest.raises(ModelError, match="no text model at"):
        load_trunk(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="not a multiple of 5 heads"):
        new_trunk(words=new_word_table(vocabulary_size=9, width=12), heads=5)

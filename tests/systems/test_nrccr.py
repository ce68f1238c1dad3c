"""NRCCR's terms against loops over pairs, and what its parts teach whom."""

from __future__ import annotations

import pytest
import torch
from tests.systems.naive_translated import (
    Each,
    check_gradients,
    described,
    double,
    hinges,
    one_by_one,
    pictures,
    relations,
    same,
)
from tests.systems.tiny_translated import batch, built, tiny
from torch import Tensor

from polyglance.errors import ConfigError
from polyglance.systems.config import NRCCRConfig, SentenceTextConfig
from polyglance.systems.nrccr import NRCCR
from polyglance.text.sentence import SentenceTextEncoder


def filtered(system: NRCCR, each: Each) -> list[Tensor]:
    """c of each pair: attention and translation averaged, without padding."""
    found = []
    for source, target in zip(each.source_words, each.target_words, strict=True):
        attended, _ = system.noise_filter.attention(source[None], target[None], target[None])
        mean = torch.cat([attended[0], target]).mean(0)
        found.append(mean / mean.norm())
    return found


def naive(system: NRCCR, each: Each) -> dict[str, Tensor]:
    c = filtered(system, each)
    images = [each.images[row] for row in pictures()]
    teacher = [[v.detach() @ x.detach() for x in c] for v in images]
    student = [[v @ t for t in each.targets] for v in images]
    apart = [(one - other).abs() for one, other in zip(c, each.targets, strict=True)]
    means = [words.mean(0) for words in [*each.source_words, *each.target_words]]
    labels = [1.0] * 5 + [0.0] * 5
    told = [torch.sigmoid(system.adversary.layers(mean.detach()))[0] for mean in means]
    telling = [-torch.log(p if y else 1 - p) for p, y in zip(told, labels, strict=True)]
    return {
        "target": 0.6 * hinges(each.images, each.targets, described()),
        "distillation": 0.4 * relations(teacher, student, 0.07),
        "feature": 0.1 * sum((x * x / 8).sum() for x in apart) / 5,  # all below β = 4
        "consistency": 0.5 * hinges(each.sources, each.back, same()),
        "source": hinges(each.images, each.sources, described()),
        "telling": sum(telling) / 10,
    }


def fooling(system: NRCCR, each: Each) -> Tensor:
    """−log of the share of languages' odds that translations are sources."""
    odds = [torch.sigmoid(system.adversary.layers(w.mean(0)))[0] for w in each.target_words]
    return 0.001 * sum(-torch.log(p) for p in odds) / 5


def test_values_and_gradients_against_loops() -> None:
    system = double(built(tiny(NRCCRConfig)))
    given = batch(back=True)
    terms = system.training_step(given)
    expected = naive(system, one_by_one(system, given))
    assert list(terms) == [*expected, "fooling"]
    for name, value in expected.items():
        check_gradients(terms[name], value, system)


def test_the_encoder_misleads_and_the_adversary_is_not_misled() -> None:
    system = double(built(tiny(NRCCRConfig)))
    given = batch()
    terms = system.training_step(given)
    expected = fooling(system, one_by_one(system, given))
    torch.testing.assert_close(terms["fooling"], expected)
    encoder, adversary = list(system.text.parameters()), list(system.adversary.parameters())
    for one, other in zip(
        torch.autograd.grad(terms["fooling"], encoder, retain_graph=True),
        torch.autograd.grad(expected, encoder),
        strict=True,
    ):
        torch.testing.assert_close(one, other)

    def moved(term: str, parameters: list[torch.nn.Parameter]) -> bool:
        found = torch.autograd.grad(terms[term], parameters, retain_graph=True, allow_unused=True)
        return any(each is not None and bool(each.any()) for each in found)

    assert not moved("fooling", adversary)
    assert moved("telling", adversary)
    assert not moved("telling", encoder)


def test_the_distillation_teaches_the_plain_translation_and_not_the_filter() -> None:
    system = double(built(tiny(NRCCRConfig)))
    terms = system.training_step(batch())
    attention = list(system.noise_filter.parameters())
    found = torch.autograd.grad(
        terms["distillation"], attention, retain_graph=True, allow_unused=True
    )
    assert all(each is None for each in found)
    learned = torch.autograd.grad(terms["feature"], attention)
    assert any(bool(each.any()) for each in learned)


@pytest.mark.parametrize(
    ("key", "gone"),
    [
        ("target_weight", {"target"}),
        ("distillation_weight", {"distillation"}),
        ("feature_weight", {"feature"}),
        ("consistency_weight", {"consistency"}),
        ("adversary_weight", {"telling", "fooling"}),
    ],
)
def test_a_term_of_weight_zero_is_left_out(key: str, gone: set[str]) -> None:
    given = batch(back=True)
    every = set(built(tiny(NRCCRConfig)).training_step(given))
    assert every - set(built(tiny(NRCCRConfig, **{key: 0.0})).training_step(given)) == gone


def test_without_back_translations_there_is_no_consistency() -> None:
    assert "consistency" not in built(tiny(NRCCRConfig)).training_step(batch())


def test_an_encoder_without_words_is_refused() -> None:
    config = tiny(NRCCRConfig)
    system = built(config)

    class Embedder:
        dimension = 16

    text = SentenceTextEncoder(encoder=Embedder(), head=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="reads a text as a whole"):
        NRCCR(
            image=system.image,
            text=text,
            matching=system.matching,
            loss=system.loss,
            config=config,
            towers={},
        )
    assert SentenceTextConfig().project


def test_heads_that_do_not_divide_the_dimension_are_refused() -> None:
    with pytest.raises(ConfigError, match="attention_heads"):
        built(tiny(NRCCRConfig, attention_heads=5))

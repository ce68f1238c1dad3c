"""Losses that learn or count: the annealed hinges and the learned scales."""

from __future__ import annotations

import math

import pytest
import torch

from polyglance.losses.annealed_hinges import AnnealedHinges
from polyglance.losses.info_nce import InfoNCE
from polyglance.losses.siglip import SigLIP
from polyglance.losses.sum_of_hinges import SumOfHinges

SCORES = torch.rand(4, 6, generator=torch.Generator().manual_seed(0))
POSITIVES = torch.eye(4, 6).bool()


def test_annealing_follows_its_equation() -> None:
    loss = AnnealedHinges(eta=0.9)
    first = loss(SCORES, POSITIVES)
    for name, term in SumOfHinges()(SCORES, POSITIVES).items():
        torch.testing.assert_close(first[name], term)
    for _ in range(9):
        loss(SCORES, POSITIVES)
    assert loss.weight_of_max == pytest.approx(1 - 0.9**10)


def test_annealing_counts_training_steps_only() -> None:
    loss = AnnealedHinges().eval()
    loss(SCORES, POSITIVES)
    assert int(loss.steps) == 0
    loss.train()(SCORES, POSITIVES)
    assert int(loss.steps) == 1


def test_annealing_resumes_exactly() -> None:
    loss = AnnealedHinges(eta=0.9)
    for _ in range(5):
        loss(SCORES, POSITIVES)
    resumed = AnnealedHinges(eta=0.9)
    resumed.load_state_dict(loss.state_dict())
    for name, term in loss(SCORES, POSITIVES).items():
        assert torch.equal(term, resumed(SCORES, POSITIVES)[name])
        resumed.load_state_dict(loss.state_dict() | {"steps": torch.tensor(5)})


def test_a_fixed_scale_does_not_learn_but_is_saved() -> None:
    loss = InfoNCE(scale=20, learnable=False)
    assert not list(loss.parameters())
    assert float(loss.state_dict()["log_scale"]) == pytest.approx(math.log(20))


def test_a_learned_scale_is_bounded_and_can_come_back() -> None:
    loss = InfoNCE()
    with torch.no_grad():
        loss.log_scale.fill_(9.0)
    terms = loss(SCORES, POSITIVES)
    sum(terms.values()).backward()
    assert float(loss.log_scale.detach().exp()) == pytest.approx(100)
    assert float(loss.log_scale.grad) > 0  # random scores: the scale wants to shrink


@pytest.mark.parametrize("loss", [InfoNCE(), SigLIP()], ids=type)
def test_learned_numbers_get_gradients(loss: InfoNCE | SigLIP) -> None:
    sum(loss(SCORES, POSITIVES).values()).backward()
    for parameter in loss.parameters():
        assert parameter.grad is not None
        assert float(parameter.grad.abs()) > 0

"""Each loss over scores against plain loops written from its equation: values and gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from polyglance.losses.annealed_hinges import AnnealedHinges
from polyglance.losses.base import ScoreLoss
from polyglance.losses.info_nce import InfoNCE
from polyglance.losses.max_of_hinges import MaxOfHinges
from polyglance.losses.siglip import SigLIP
from polyglance.losses.simclr import SimCLR
from polyglance.losses.sum_of_hinges import SumOfHinges

Terms = dict[str, Tensor]
PairLoss = Callable[[Tensor, list[Tensor]], Tensor]  # positive score, its negatives' scores

MASKS = {
    "one text an image": torch.eye(4).bool(),
    "five captions an image": torch.eye(3).bool().repeat_interleave(5, dim=1),
    "two images share a caption": torch.tensor([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]).bool(),
    "an image and two texts alone": torch.tensor(
        [[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
    ).bool(),
    "an image that every text describes": torch.tensor([[1, 1, 1], [0, 1, 0]]).bool(),
    "one pair": torch.tensor([[True]]),
    "no pair": torch.zeros(2, 3).bool(),
}


def zero(scores: Tensor) -> Tensor:
    return (scores * 0).sum()


def over_pairs(scores: Tensor, positives: Tensor, loss: PairLoss) -> Terms:
    """Sum of ``loss`` over the positive pairs: negatives in the row, negatives in the column."""
    images, texts = positives.shape
    rows, columns = zero(scores), zero(scores)
    for i in range(images):
        for c in range(texts):
            if positives[i, c]:
                in_row = [scores[i, k] for k in range(texts) if not positives[i, k]]
                in_column = [scores[k, c] for k in range(images) if not positives[k, c]]
                rows = rows + loss(scores[i, c], in_row)
                columns = columns + loss(scores[i, c], in_column)
    return {"image_to_text": rows, "text_to_image": columns}


def hinge(negative: Tensor, positive: Tensor, margin: float) -> Tensor:
    return torch.clamp(margin - positive + negative, min=0)


def naive_sum_of_hinges(scores: Tensor, positives: Tensor, margin: float = 0.2) -> Terms:
    def loss(positive: Tensor, negatives: list[Tensor]) -> Tensor:
        return sum((hinge(n, positive, margin) for n in negatives), start=zero(scores))

    return over_pairs(scores, positives, loss)


def naive_max_of_hinges(scores: Tensor, positives: Tensor, margin: float = 0.2) -> Terms:
    def loss(positive: Tensor, negatives: list[Tensor]) -> Tensor:
        return max((hinge(n, positive, margin) for n in negatives), default=zero(scores))

    return over_pairs(scores, positives, loss)


def naive_annealed(scores: Tensor, positives: Tensor, steps: int) -> Terms:
    weight = 1 - 0.991**steps
    sums, maxima = naive_sum_of_hinges(scores, positives), naive_max_of_hinges(scores, positives)
    return {name: weight * maxima[name] + (1 - weight) * sums[name] for name in sums}


def naive_simclr(scores: Tensor, positives: Tensor, temperature: float = 0.07) -> Terms:
    def loss(positive: Tensor, negatives: list[Tensor]) -> Tensor:
        if not negatives:
            return zero(scores)
        denominator = sum(torch.exp(n / temperature) for n in negatives)
        return -torch.log(torch.exp(positive / temperature) / denominator)

    return over_pairs(scores, positives, loss)


def naive_info_nce(scores: Tensor, positives: Tensor, scale: float = 1 / 0.07) -> Terms:
    def direction(scores: Tensor, positives: Tensor) -> Tensor:
        total = zero(scores)
        for query, mask in zip(scores, positives, strict=True):
            true = [s for s, p in zip(query, mask, strict=True) if p]
            false = sum(torch.exp(scale * s) for s, p in zip(query, mask, strict=True) if not p)
            for s in true:
                total = total - torch.log(torch.exp(scale * s) / (torch.exp(scale * s) + false)) / (
                    len(true)
                )
        return total / 2

    return {
        "image_to_text": direction(scores, positives),
        "text_to_image": direction(scores.T, positives.T),
    }


def naive_siglip(scores: Tensor, positives: Tensor) -> Terms:
    terms = {"positives": zero(scores), "negatives": zero(scores)}
    for i in range(scores.shape[0]):
        for c in range(scores.shape[1]):
            z = 1 if positives[i, c] else -1
            name = "positives" if positives[i, c] else "negatives"
            terms[name] = terms[name] - torch.log(
                1 / (1 + torch.exp(-z * (10 * scores[i, c] - 10)))
            )
    return terms


def annealed_at(steps: int) -> AnnealedHinges:
    loss = AnnealedHinges()
    loss.steps.fill_(steps)
    return loss


CASES: dict[str, tuple[Callable[[], ScoreLoss], Callable[[Tensor, Tensor], Terms]]] = {
    "sum_of_hinges": (SumOfHinges, naive_sum_of_hinges),
    "sum_of_hinges, margin 1": (
        lambda: SumOfHinges(margin=1.0),
        lambda s, p: naive_sum_of_hinges(s, p, 1.0),
    ),
    "max_of_hinges": (MaxOfHinges, naive_max_of_hinges),
    "annealed at 0": (lambda: annealed_at(0), lambda s, p: naive_annealed(s, p, 0)),
    "annealed at 50": (lambda: annealed_at(50), lambda s, p: naive_annealed(s, p, 50)),
    "simclr": (lambda: SimCLR(reduction="sum"), naive_simclr),
    "info_nce": (lambda: InfoNCE(reduction="sum"), naive_info_nce),
    "info_nce, fixed scale 3": (
        lambda: InfoNCE(scale=3, learnable=False, reduction="sum"),
        lambda s, p: naive_info_nce(s, p, 3.0),
    ),
    "siglip": (lambda: SigLIP(reduction="sum"), naive_siglip),
}


def random_scores(mask: Tensor, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(mask.shape, generator=generator, dtype=torch.float64) * 2 - 1
    return scores.requires_grad_()


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize(("build", "naive"), CASES.values(), ids=CASES.keys())
def test_values_and_gradients(
    build: Callable[[], ScoreLoss], naive: Callable[[Tensor, Tensor], Terms], mask: Tensor
) -> None:
    scores = random_scores(mask)
    loss = build().double()
    terms, expected = loss(scores, mask), naive(scores, mask)

    assert terms.keys() == expected.keys()
    for name, term in terms.items():
        # The learned scales are kept in float32 and give seven digits.
        torch.testing.assert_close(term, expected[name], rtol=1e-6, atol=1e-9)
        (gradient,) = torch.autograd.grad(term, scores, retain_graph=True)
        (wanted,) = torch.autograd.grad(expected[name], scores, retain_graph=True)
        torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    "loss", [SimCLR(), InfoNCE(), SigLIP(), MaxOfHinges(), SumOfHinges()], ids=type
)
@pytest.mark.parametrize(
    "name", ["five captions an image", "two images share a caption", "an image and two texts alone"]
)
def test_gradients_by_finite_differences(loss: ScoreLoss, name: str) -> None:
    loss = loss.double()
    scores = random_scores(MASKS[name], seed=3)
    inputs = (scores, *loss.parameters())
    assert torch.autograd.gradcheck(lambda s, *_: sum(loss(s, MASKS[name]).values()), inputs)


@pytest.mark.parametrize("build", [SumOfHinges, MaxOfHinges, SimCLR, SigLIP], ids=str)
def test_mean_is_the_sum_over_positive_pairs(build: type[ScoreLoss]) -> None:
    mask = MASKS["two images share a caption"]
    scores = random_scores(mask)
    sums, means = build(reduction="sum")(scores, mask), build(reduction="mean")(scores, mask)
    for name, total in sums.items():
        torch.testing.assert_close(means[name], total / 5)


def test_mean_of_info_nce_is_over_queries_with_a_positive() -> None:
    mask = MASKS["an image and two texts alone"]  # 2 of 3 images, 3 of 5 texts have a positive
    scores = random_scores(mask)
    sums, means = InfoNCE(reduction="sum")(scores, mask), InfoNCE()(scores, mask)
    torch.testing.assert_close(means["image_to_text"], sums["image_to_text"] / 2)
    torch.testing.assert_close(means["text_to_image"], sums["text_to_image"] / 3)


def test_info_nce_without_shared_images_is_the_cross_entropy_of_clip() -> None:
    mask = torch.eye(6).bool()
    scores = random_scores(mask)
    target = torch.arange(6)
    rows = torch.nn.functional.cross_entropy(scores / 0.07, target)
    columns = torch.nn.functional.cross_entropy(scores.T / 0.07, target)
    terms = InfoNCE(learnable=False).double()(scores, mask)
    torch.testing.assert_close(sum(terms.values()), (rows + columns) / 2, rtol=1e-6, atol=0)


def test_simclr_by_hand() -> None:
    """Two pairs: the only negative minus the positive, over τ; no positive in the denominator."""
    scores = torch.tensor([[0.9, 0.2], [0.1, 0.5]])
    terms = SimCLR(temperature=0.1, reduction="sum")(scores, torch.eye(2).bool())
    assert float(terms["image_to_text"]) == pytest.approx((0.2 - 0.9) / 0.1 + (0.1 - 0.5) / 0.1)
    assert float(terms["text_to_image"]) == pytest.approx((0.1 - 0.9) / 0.1 + (0.2 - 0.5) / 0.1)


def test_siglip_starts_as_published() -> None:
    loss = SigLIP()
    assert math.exp(loss.log_scale.item()) == pytest.approx(10)
    assert loss.bias.item() == -10

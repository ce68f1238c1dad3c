"""What every loss over scores must do, whatever its equation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polyglance.losses.base import EmbeddingLoss, ScoreLoss
from polyglance.losses.catalogue import LOSSES
from polyglance.losses.max_of_hinges import MaxOfHinges
from polyglance.losses.sum_of_hinges import SumOfHinges

SCORE_LOSSES = {name: loss for name, loss in LOSSES.items() if issubclass(loss, ScoreLoss)}
every_loss = pytest.mark.parametrize("build", SCORE_LOSSES.values(), ids=SCORE_LOSSES.keys())


def total(loss: ScoreLoss, scores: torch.Tensor, positives: torch.Tensor) -> torch.Tensor:
    return torch.stack(list(loss(scores, positives).values())).sum()


def test_every_entry_of_the_catalogue_is_a_loss_named_after_its_module() -> None:
    assert len(LOSSES) == 7
    for name, loss in LOSSES.items():
        assert issubclass(loss, ScoreLoss | EmbeddingLoss)
        assert loss.__module__ == f"polyglance.losses.{name}"


@every_loss
@settings(max_examples=40, deadline=None)
@given(
    images=st.integers(1, 5),
    texts=st.integers(1, 7),
    density=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    magnitude=st.sampled_from([0.0, 1.0, 6e4]),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32]),
    seed=st.integers(0, 1000),
)
def test_always_finite(
    build: type[ScoreLoss],
    images: int,
    texts: int,
    density: float,
    magnitude: float,
    dtype: torch.dtype,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = (torch.rand(images, texts, generator=generator) * 2 - 1) * magnitude
    scores = scores.to(dtype).requires_grad_()
    positives = torch.rand(images, texts, generator=generator) < density
    loss = build()
    with torch.autograd.set_detect_anomaly(True):  # not a NaN on the way either
        value = total(loss, scores, positives)
        value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    assert scores.grad is not None
    assert torch.isfinite(scores.grad.float()).all()
    assert all(p.grad is None or torch.isfinite(p.grad) for p in loss.parameters())


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(build: type[ScoreLoss], dtype: torch.dtype) -> None:
    scores = torch.linspace(-1, 1, 12).reshape(3, 4).to(dtype)
    positives = torch.eye(3, 4).bool()
    loss = build()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = total(loss, scores, positives)
    torch.testing.assert_close(half, total(build(), scores.float(), positives), rtol=0, atol=0)


@every_loss
def test_order_of_the_batch_does_not_matter(build: type[ScoreLoss]) -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.rand(4, 9, generator=generator, dtype=torch.float64)
    positives = torch.rand(4, 9, generator=generator) < 0.3
    rows, columns = torch.randperm(4, generator=generator), torch.randperm(9, generator=generator)
    loss = build().eval()
    shuffled = loss(scores[rows][:, columns], positives[rows][:, columns])
    for name, term in loss(scores, positives).items():
        torch.testing.assert_close(shuffled[name], term)


@every_loss
def test_no_positive_is_pushed_apart(build: type[ScoreLoss]) -> None:
    """Five captions an image, the last one shared by two images: only negatives go down."""
    positives = torch.eye(4).bool().repeat_interleave(5, dim=1)
    positives[0, 9] = True
    scores = torch.rand(4, 20, generator=torch.Generator().manual_seed(2)).requires_grad_()
    (gradient,) = torch.autograd.grad(total(build(), scores, positives), scores)
    assert (gradient[positives] <= 0).all()
    assert (gradient[~positives] >= 0).all()
    assert (gradient[positives] < 0).any()
    assert (gradient[~positives] > 0).any()


@every_loss
def test_a_step_improves_ranks(build: type[ScoreLoss]) -> None:
    """Free scores under gradient descent: every positive ends above every negative."""
    positives = torch.eye(5).bool()
    scores = torch.zeros(5, 5, requires_grad=True)
    loss = build()
    for _ in range(200):
        (gradient,) = torch.autograd.grad(total(loss, scores, positives), scores)
        with torch.no_grad():
            scores -= 0.05 * gradient
    assert scores[positives].min() > scores[~positives].max()


@pytest.mark.parametrize("batch", [2, 128])
def test_collapsed_embeddings_cost_twice_the_batch_times_the_margin(batch: int) -> None:
    scores = torch.ones(batch, batch)
    value = total(MaxOfHinges(margin=0.2), scores, torch.eye(batch).bool())
    assert float(value) == pytest.approx(2 * batch * 0.2)  # 51.2 for a batch of 128
    value = total(SumOfHinges(margin=0.2), scores, torch.eye(batch).bool())
    assert float(value) == pytest.approx(2 * batch * (batch - 1) * 0.2)


def test_equally_hard_negatives_share_the_gradient() -> None:
    scores = torch.tensor([[0.5, 0.5, 0.5]], requires_grad=True)
    terms = MaxOfHinges()(scores, torch.tensor([[True, False, False]]))
    (gradient,) = torch.autograd.grad(terms["image_to_text"], scores)
    torch.testing.assert_close(gradient, torch.tensor([[-1.0, 0.5, 0.5]]))


@every_loss
def test_wrong_inputs_are_refused(build: type[ScoreLoss]) -> None:
    loss = build()
    with pytest.raises(ValueError, match="positives must be bool"):
        loss(torch.zeros(2, 3), torch.zeros(3, 2).bool())
    with pytest.raises(ValueError, match="positives must be bool"):
        loss(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="nothing to contrast"):
        loss(torch.zeros(0, 3), torch.zeros(0, 3).bool())
    with pytest.raises(ValueError, match="scores must be"):
        loss(torch.zeros(3), torch.zeros(3).bool())


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("sum_of_hinges", {"margin": 0.0}, "margin"),
        ("sum_of_hinges", {"margin": float("inf")}, "margin"),
        ("max_of_hinges", {"margin": -0.2}, "margin"),
        ("max_of_hinges", {"reduction": "average"}, "'sum' or 'mean'"),
        ("annealed_hinges", {"margin": float("nan")}, "margin"),
        ("annealed_hinges", {"eta": 1.0}, "strictly between"),
        ("annealed_hinges", {"eta": 0.0}, "strictly between"),
        ("simclr", {"temperature": 0.0}, "temperature"),
        ("simclr", {"reduction": "none"}, "'sum' or 'mean'"),
        ("info_nce", {"scale": 0.0}, "scale"),
        ("info_nce", {"scale": 200.0}, "exceeds"),
        ("info_nce", {"maximum_scale": -1.0}, "maximum_scale"),
        ("siglip", {"scale": -10.0}, "scale"),
        ("siglip", {"bias": float("nan")}, "bias"),
        ("barlow_twins", {"redundancy_weight": -0.1}, "not negative"),
    ],
)
def test_impossible_values_are_refused(
    name: str, arguments: dict[str, float | str], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        LOSSES[name](**arguments)


@every_loss
def test_arguments_go_by_name(build: type[ScoreLoss]) -> None:
    with pytest.raises(TypeError):
        build(0.2)

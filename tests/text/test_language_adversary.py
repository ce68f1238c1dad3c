"""The adversary tells languages apart, and an encoder that follows its other half hides them."""

from __future__ import annotations

import torch

from polyglance.text.language_adversary import LanguageAdversary


def vectors() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sources, targets = torch.randn(2, 64, 6, generator=generator)
    sources[:, 0] += 2
    return sources, targets


def trained(sources: torch.Tensor, targets: torch.Tensor) -> LanguageAdversary:
    torch.manual_seed(0)
    adversary = LanguageAdversary(dimension=6, hidden=(16, 8))
    optimizer = torch.optim.Adam(adversary.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        adversary(sources, targets)["telling"].backward()
        optimizer.step()
    return adversary


def told_apart(adversary: LanguageAdversary, targets: torch.Tensor) -> float:
    """The share of targets that are taken for targets."""
    return float((adversary.layers(targets) < 0).float().mean())


def test_each_half_moves_only_its_own() -> None:
    sources, targets = vectors()
    adversary = trained(sources, targets)
    assert float(adversary(sources, targets)["telling"].detach()) < 0.35
    assert told_apart(adversary, targets) > 0.75
    weights = {name: each.clone() for name, each in adversary.state_dict().items()}
    moved = targets.clone().requires_grad_()
    for _ in range(50):
        fooling = adversary(sources.requires_grad_(), moved)["fooling"]
        gradients = torch.autograd.grad(
            fooling, [moved, sources, *adversary.parameters()], allow_unused=True
        )
        assert all(each is None for each in gradients[1:])
        moved = (moved - 5 * gradients[0]).detach().requires_grad_()
    assert told_apart(adversary, moved) < 0.2
    assert all(torch.equal(weights[name], each) for name, each in adversary.state_dict().items())


def test_without_hidden_layers_it_is_logistic_regression() -> None:
    adversary = LanguageAdversary(dimension=6, hidden=())
    sources, targets = vectors()
    losses = adversary(sources, targets)
    logits = [adversary.layers(each)[:, 0] for each in (sources, targets)]
    telling = -torch.cat([logits[0].sigmoid().log(), (1 - logits[1].sigmoid()).log()]).mean()
    torch.testing.assert_close(losses["telling"], telling)
    torch.testing.assert_close(losses["fooling"], -logits[1].sigmoid().log().mean())

"""Telling languages apart, and teaching an encoder not to let it happen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.precision import at_least_float32


class LanguageAdversary(nn.Module):
    """Guesses whether a text is a source or a translation, from its vector (NRCCR, section 3.5).

    Two losses in one step, neither of which moves what is the other's: the adversary learns from
    vectors that take no gradient, and the encoder learns, from the adversary's weights as they are,
    to have translations taken for sources. The published code has two optimisers in turn; with
    these halves one optimiser does, at another learning rate for the part ``adversary`` where that
    is wanted. Reversing one gradient would need no second pass but also drive sources towards
    translations, which the paper does not.

    Args:
        dimension: of the vectors.
        hidden: widths of the layers between, with tanh.
    """

    def __init__(self, *, dimension: int, hidden: Sequence[int] = (256, 128)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width, narrower in pairwise([dimension, *hidden]):
            layers += [nn.Linear(width, narrower), nn.Tanh()]
        layers.append(nn.Linear(hidden[-1] if hidden else dimension, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, sources: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """(texts, dimension) each → ``telling``, the adversary's loss, and ``fooling``."""
        both = torch.cat([sources, targets]).detach()  # (all texts, dimension)
        logits = at_least_float32(self.layers(both)[:, 0])
        is_source = torch.arange(len(both), device=both.device) < len(sources)
        frozen = {name: weight.detach() for name, weight in self.layers.named_parameters()}
        taken = at_least_float32(torch.func.functional_call(self.layers, frozen, (targets,))[:, 0])
        return {
            "telling": functional.binary_cross_entropy_with_logits(logits, is_source.to(logits)),
            "fooling": functional.softplus(-taken).mean(),  # cross-entropy to being a source
        }

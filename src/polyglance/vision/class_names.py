"""A picture as the names of what a classifier sees in it.

ConSE (Norouzi et al., "Zero-shot learning by convex combination of semantic embeddings", ICLR
2014, equation 3): the mean of the classes' name vectors under the classifier's posterior.
Deviations: all classes take part, not the T likeliest; the name vectors start as the sentence
encoder's embeddings of the names and are learned, as is the posterior's temperature.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ClassNames(nn.Module):
    """(batch, classes) logits → (batch, dimension) unit rows in the space of names.

    Args:
        classes: of the classifier.
        dimension: of a name vector.
    """

    def __init__(self, *, classes: int = 1000, dimension: int = 512) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(classes, dimension))
        self.log_sharpness = nn.Parameter(torch.zeros(()))

    def forward(self, logits: Tensor) -> Tensor:
        """(batch, classes) → (batch, dimension)."""
        posterior = torch.softmax(logits * self.log_sharpness.exp(), dim=1)
        return functional.normalize(posterior @ functional.normalize(self.vectors, dim=1), dim=1)

"""The projection into the joint space, the same block for pictures and texts."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ProjectionHead(nn.Module):
    """Linear, or a one-hidden-layer perceptron, then dropout-regularised and L2-normalised.

    Args:
        input_dimension: of the encoder's output.
        dimension: of the joint space.
        hidden: width of the hidden layer; ``None`` for a linear head.
        dropout: probability, before the last linear layer.

    Raises:
        ValueError: a dimension is not positive.
    """

    def __init__(
        self,
        *,
        input_dimension: int,
        dimension: int,
        hidden: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if min(input_dimension, dimension, hidden or 1) < 1:
            raise ValueError("every dimension of a projection head must be positive")
        self.dimension = dimension
        layers: list[nn.Module] = []
        if hidden is not None:
            layers += [nn.Linear(input_dimension, hidden), nn.GELU()]
        layers += [nn.Dropout(dropout), nn.Linear(hidden or input_dimension, dimension)]
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., input_dimension) → (..., dimension) with unit rows."""
        return functional.normalize(self.layers(inputs), dim=-1)

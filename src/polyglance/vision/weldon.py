"""WELDON: a picture by the places that speak most for each channel, and most against it."""

from __future__ import annotations

from torch import Tensor, nn

from polyglance.vision.extremes import mean_of_extremes
from polyglance.vision.pooling import GridPooling


class WeldonPooling(GridPooling):
    """A 1 × 1 convolution, and of each of its channels the highest and the lowest cells.

    Durand et al. ("WELDON: weakly supervised learning of deep convolutional neural networks",
    CVPR 2016, equation 2), as Portaz et al. (2019) take it from Engilberge et al. (CVPR 2018).
    With z the cells of a channel in ascending order, n of them, and k⁺, k⁻ how many count::

        s = 1/k⁺ (z_n + … + z_{n−k⁺+1}) + 1/k⁻ (z_1 + … + z_{k⁻})

    The lowest cells are evidence that something is absent. With a grid of no more than k⁺ or k⁻
    cells all of them count, and that half is their mean.

    Args:
        channels: of the grid.
        output_channels: of the convolution, and of the pooled vector.
        maxima: k⁺.
        minima: k⁻; 0 leaves the lowest cells out.

    Raises:
        ValueError: ``maxima`` is not positive, or ``minima`` negative.
    """

    def __init__(
        self, *, channels: int, output_channels: int, maxima: int = 15, minima: int = 15
    ) -> None:
        super().__init__()
        if maxima < 1 or minima < 0:
            raise ValueError(f"{maxima} maxima and {minima} minima: at least 1 and 0 are needed")
        self.maxima = maxima
        self.minima = minima
        self.convolution = nn.Linear(channels, output_channels)

    def forward(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, output_channels), float32 or better."""
        cells = self._convolved(grid)  # (batch, output_channels, rows · columns)
        return mean_of_extremes(cells, highest=self.maxima, lowest=self.minima)

    def cells(self, grid: Tensor) -> Tensor:
        """(batch, output_channels, rows, columns), the map before the highest and lowest are taken.

        Their mean is not the pooled vector: a cell may count for one channel and not for another.
        """
        batch, _, rows, columns = grid.shape
        return self._convolved(grid).reshape(batch, -1, rows, columns)

    def _convolved(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, output_channels, rows · columns).

        A linear layer over cells: with bfloat16 on a CPU its gradient takes a third of the time
        that a convolution's does.
        """
        convolved: Tensor = self.convolution(grid.flatten(2).mT)  # (batch, cells, output_channels)
        return convolved.mT

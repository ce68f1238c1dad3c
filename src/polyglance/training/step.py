"""The training step as the forward pass of a module, which is what Fabric and DDP look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from polyglance.data.batch import Batch
    from polyglance.systems.base import System


class Given:
    """A batch on its way through Fabric and DDP, which would take apart what they know.

    Args:
        batch: of this process.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


class TrainingStep(nn.Module):
    """A system whose forward pass is its training step.

    Args:
        system: whose step.
    """

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def forward(self, given: Given) -> dict[str, Tensor]:
        """Named terms of the loss."""
        return self.system.training_step(given.batch)

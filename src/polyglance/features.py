"""What every encoder returns, for pictures and for texts alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Features:
    """Encoded pictures or texts; one type for both keeps matching symmetrical.

    Attributes:
        embedding: (batch, dim), L2-normalised rows.
        tokens: (batch, length, dim), regions or words, for systems that compare parts.
        mask: (batch, length), true where ``tokens`` holds something.
    """

    embedding: Tensor
    tokens: Tensor | None = None
    mask: Tensor | None = None

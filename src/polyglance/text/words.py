"""The contract of everything that turns words into vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

UNDETERMINED = "und"  # BCP-47: the language of a word that is said to have none


class WordEmbedding(nn.Module, ABC):
    """Distinct words in, one vector each out, in the two steps of a text encoder.

    A text encoder gives each distinct word of a batch once, however often its texts repeat it, and
    the marks that stand around texts (:data:`~polyglance.text.segment.MARKS`) as words like others.
    In evaluation mode a word's vector depends on that word alone.

    Attributes:
        dimension: of a vector.
        knows_languages: a word may have another vector in another language (German *die* is no
            English *die*), so that it is given once for each.
    """

    dimension: int
    knows_languages: bool = False

    @abstractmethod
    def prepare(self, words: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        """Tensors for distinct words, first axis (words,), without gradients.

        Args:
            words: in lower case, or marks.
            languages: of each word, without script or region; ``und`` where there is none, and
                everywhere unless the embedding knows languages.
        """

    @abstractmethod
    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """What ``prepare`` returned → (words, dimension)."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what ``prepare`` needs into a checkpoint's folder, if anything."""

    def parameter_count(self) -> int:
        """How many numbers of it learn, every one counted: biases and normalisation too."""
        return sum(parameter.numel() for parameter in self.parameters())

"""The contract of what reads a text's words one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from polyglance.text.packing import Packing


class RecurrentUnit(nn.Module, ABC):
    """Texts of repeated words in, a state for each word out.

    Packed: no direction reads padding, and the states of a text do not depend on the texts beside
    it. Matrix products follow autocast, while states stay in float32.

    Attributes:
        hidden_size: of the state in each direction.
    """

    hidden_size: int

    @abstractmethod
    def read(self, table: Tensor, packing: Packing) -> list[Tensor]:
        """Read texts whose words are rows of ``table`` (distinct words, input).

        Returns:
            one (all words, hidden) a direction, in the order of the packing.
        """

    def forward(self, table: Tensor, index: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read texts that are given as rows of a table of their distinct words.

        Args:
            table: (distinct words, input).
            index: (texts, words) int64, rows of ``table``; any row at padding.
            lengths: (texts,) int64, in words.

        Returns:
            ``states`` (texts, words, hidden), the mean of the directions, zero at padding, and
            ``last`` (directions, texts, hidden), where each direction ends: after the last word,
            and after the first.

        Raises:
            ValueError: a text is empty, or longer than ``index`` is wide.
        """
        packing = Packing.of(index, lengths)
        packed = self.read(table, packing)
        return packing.padded(packed), packing.last(packed)

    def last(self, table: Tensor, index: Tensor, lengths: Tensor) -> Tensor:
        """Like :meth:`forward`, without the states on the way: (directions, texts, hidden)."""
        packing = Packing.of(index, lengths)
        return packing.last(self.read(table, packing))

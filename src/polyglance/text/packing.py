"""The words of a batch of texts in the order in which a recurrent unit reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Packing:
    """All words of all texts, step by step; at each step the texts not yet over, longest first.

    Attributes:
        index: (texts, words) rows of the table of distinct words.
        text: (all words,) the text that each belongs to.
        step: (all words,) how many words of the text were read before it.
        length: (all words,) of the text.
        running: how many texts are read at each step; never grows.
    """

    index: Tensor
    text: Tensor
    step: Tensor
    length: Tensor
    running: list[int]

    @classmethod
    def of(cls, index: Tensor, lengths: Tensor) -> Packing:
        """Pack texts.

        Args:
            index: (texts, words) int64; whatever it holds behind a text's length is not read.
            lengths: (texts,) int64, in words.

        Raises:
            ValueError: a text is empty, or longer than ``index`` is wide.
        """
        shortest, longest = (int(bound) for bound in torch.aminmax(lengths))
        if shortest < 1 or longest > index.shape[1]:
            raise ValueError(
                f"texts have {shortest} to {longest} words; they need one at least, and at most "
                f"{index.shape[1]}, the width of their index"
            )
        order = lengths.argsort(descending=True, stable=True)  # (texts,)
        time = torch.arange(longest, device=index.device)[:, None]  # (steps, 1)
        there = time < lengths[order]  # (steps, texts)
        text = order.expand_as(there)[there]  # (all words,)
        return cls(
            index=index,
            text=text,
            step=time.expand_as(there)[there],
            length=lengths[text],
            running=there.sum(dim=1).tolist(),
        )

    def place(self, direction: int) -> Tensor:
        """(all words,) where each word stands in its text, if read in this direction."""
        return self.step if direction == 0 else self.length - 1 - self.step

    def words(self, direction: int) -> Tensor:
        """(all words,) rows of the table, in the order of reading."""
        return self.index[self.text, self.place(direction)]

    def padded(self, packed: Sequence[Tensor]) -> Tensor:
        """(all words, hidden) a direction → (texts, words, hidden), their mean; else zero."""
        texts, words = self.index.shape
        mean = packed[0]
        if len(packed) > 1:
            read = torch.empty_like(self.index)
            read[self.text, self.place(1)] = torch.arange(len(self.text), device=self.index.device)
            mean = (mean + packed[1][read[self.text, self.step]]) / 2  # (all words, hidden)
        padded = mean.new_zeros(texts * words, mean.shape[1])
        return padded.index_copy(0, self.text * words + self.step, mean).view(texts, words, -1)

    def last(self, packed: Sequence[Tensor]) -> Tensor:
        """(all words, hidden) a direction → (directions, texts, hidden), where each text ends."""
        ends = (self.step == self.length - 1).nonzero().squeeze(1)  # (texts,)
        rows = torch.empty_like(ends).index_put((self.text[ends],), ends)  # by text
        return torch.stack([each[rows] for each in packed])


def steps(running: list[int]) -> list[tuple[slice, int]]:
    """Where each step's words lie, and how many texts it reads."""
    found, start = [], 0
    for texts in running:
        found.append((slice(start, start + texts), texts))
        start += texts
    return found

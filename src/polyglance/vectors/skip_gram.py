"""Skip-gram with negative sampling, many sentences at a time."""

from __future__ import annotations

import torch
from torch import Tensor

# A word's summed gradient in a step is no longer than this. Each prediction adds a vector of about
# the length of a word's own, so that this is some dozens of predictions that all agree.
LONGEST = 8.0


class SkipGram:
    """Vectors of words that predict others, and vectors of words that are predicted.

    For each prediction of a word o by a word i, with weight w, skip-gram with negative sampling
    (Mikolov et al., NIPS 2013, equation 4) lowers::

        w · (−log σ(v_i · u_o) − k · E_n log σ(−v_i · u_n))

    Here a sentence's predictions are a matrix of weights, its words by its words, so that a step is
    three products of small matrices and needs no list of pairs. All words of a sentence share
    their negatives n (Ji et al. 2016 share them within a window): with d drawn instead of k, each
    counts k / d, which has the same expectation.

    Deviations from word2vec: a step adds the gradients of a whole batch, and where so many of one
    word agree that the sum is longer than :data:`LONGEST`, it is cut to that; one at a time would
    have seen the earlier ones' effect. A negative may by chance be the predicted word.

    Args:
        words: how many there are.
        dimension: of a vector.
        generator: draws the first vectors.

    Attributes:
        inputs: (words, dimension) v, uniform within ±1 / (2 · dimension) at first.
        outputs: (words, dimension) u, zero at first.
    """

    def __init__(self, *, words: int, dimension: int, generator: torch.Generator) -> None:
        self.inputs = (torch.rand(words, dimension, generator=generator) - 0.5) / dimension
        self.outputs = torch.zeros(words, dimension)

    def step(
        self,
        words: Tensor,
        predicted: Tensor,
        negatives: Tensor,
        against: Tensor,
        *,
        learning_rate: float,
    ) -> None:
        """Learn from some sentences.

        Args:
            words: (batch, words), any word at padding.
            predicted: (batch, words, words) float32, the weight w with which the word of a row
                predicts the word of a column; zero at padding.
            negatives: (batch, drawn) words.
            against: (batch, words, drawn) float32, the weight with which the word of a row
                predicts that a negative is *not* there.
            learning_rate: per prediction.
        """
        others = torch.cat([words, negatives], dim=1)  # (batch, words + drawn)
        inputs, outputs = self.inputs[words], self.outputs[others]
        on_inputs, on_outputs = gradients(inputs, outputs, predicted, against)
        _descend(self.inputs, words, on_inputs, learning_rate)
        _descend(self.outputs, others, on_outputs, learning_rate)


def gradients(
    inputs: Tensor, outputs: Tensor, predicted: Tensor, against: Tensor
) -> tuple[Tensor, Tensor]:
    """Of the objective that :class:`SkipGram` tells.

    Args:
        inputs: (batch, words, dimension).
        outputs: (batch, words + drawn, dimension): of the words themselves, then of negatives.
        predicted: (batch, words, words).
        against: (batch, words, drawn).

    Returns:
        The same shapes as ``inputs`` and ``outputs``.
    """
    push = torch.bmm(inputs, outputs.transpose(1, 2)).sigmoid_()  # (batch, words, words + drawn)
    push[:, :, : predicted.shape[2]] -= 1.0
    push *= torch.cat([predicted, against], dim=2)
    return torch.bmm(push, outputs), torch.bmm(push.transpose(1, 2), inputs)


def _descend(table: Tensor, rows: Tensor, gradient: Tensor, learning_rate: float) -> None:
    """One step of gradient descent on the rows that occur: (batch, n) and (batch, n, dimension)."""
    distinct, place = torch.unique(rows.flatten(), return_inverse=True)
    total = torch.zeros(len(distinct), table.shape[1])
    total.index_add_(0, place, gradient.flatten(0, 1))
    total *= LONGEST / total.norm(dim=1, keepdim=True).clamp_min(LONGEST)
    table.index_add_(0, distinct, total, alpha=-learning_rate)

"""The distinct words of a batch of texts, and each text as rows of their table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import chain
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Word = TypeVar("Word", bound=Hashable)


def distinct_words(
    texts: Sequence[Sequence[Word]], *, first: Sequence[Word] = ()
) -> tuple[list[Word], Tensor, Tensor]:
    """Number the words of a batch in the order in which they first occur.

    The order depends on the batch alone, so that a resumed run adds numbers up in the same order.

    Args:
        texts: words of each text, or words with whatever tells equal ones apart.
        first: words that come before all others, whether a text has them or not.

    Returns:
        words; ``index`` (texts, longest) int64, their numbers, zero at padding; and ``lengths``
        (texts,) int64.
    """
    numbers = {word: number for number, word in enumerate(dict.fromkeys(chain(first, *texts)))}
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    ids = np.fromiter(
        map(numbers.__getitem__, chain.from_iterable(texts)), np.int64, int(lengths.sum())
    )
    index = np.zeros((len(texts), int(lengths.max(initial=0))), np.int64)
    index[np.arange(index.shape[1]) < lengths[:, None]] = ids
    return list(numbers), torch.from_numpy(index), torch.from_numpy(lengths)

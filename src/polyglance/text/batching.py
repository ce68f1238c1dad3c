"""Batches of texts of like length, so that little is spent on padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def length_sorted_batches(texts: Sequence[str], *, batch_size: int) -> Iterator[list[int]]:
    """Rows of ``texts`` in batches, longest texts first; each row is in exactly one batch.

    Length is counted in characters, which are known before any tokenizer has run. The longest come
    first so that a batch that does not fit in memory fails at once and not at the end.

    Raises:
        ValueError: ``batch_size`` is not positive.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; a batch holds at least one text")
    order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]

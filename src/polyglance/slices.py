"""What is too long to be worked on at once, in parts of one size."""

from __future__ import annotations

from collections.abc import Iterator


def slices(length: int, step: int) -> Iterator[slice]:
    """Slices of ``step`` that follow one another up to ``length``; the last may be shorter."""
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))

"""How far pages of pictures go."""

from __future__ import annotations

from polyglance.errors import QueryError

MAX_TOP = 1000
MAX_OFFSET = 10_000


def check_page(top: int, offset: int) -> None:
    """See that a page can be asked for.

    Raises:
        QueryError: a number is out of range.
    """
    if not 1 <= top <= MAX_TOP + 1:  # one more tells whether there are more
        raise QueryError("the number of results must be between 1 and {most}", most=MAX_TOP)
    if not 0 <= offset <= MAX_OFFSET:
        raise QueryError("the offset must be between 0 and {most}", most=MAX_OFFSET)

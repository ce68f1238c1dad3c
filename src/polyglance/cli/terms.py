"""Parts of a query as ``polyglance search`` takes them: ``at night@0.5``, ``bei Nacht@de,0.5``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polyglance.search.query import Query
    from polyglance.search.terms import Term

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_WEIGHTED = re.compile(rf"(.*)@({_NUMBER})", re.DOTALL)
_SPOKEN = re.compile(rf"(.*)@([A-Za-z]{{2,3}}(?:-[A-Za-z0-9]{{1,8}})*)(?:,({_NUMBER}))?", re.DOTALL)


def query_of(
    words: str | None,
    *,
    language: str | None,
    texts: Sequence[str] = (),
    minus: Sequence[str] = (),
    images: Sequence[Path] = (),
    minus_images: Sequence[Path] = (),
) -> Query:
    """The query that options describe.

    Args:
        words: taken as they are, with weight 1.
        language: tag of ``words``, and of texts that name none.
        texts: each may end in ``@WEIGHT``, ``@LANGUAGE`` or ``@LANGUAGE,WEIGHT``.
        minus: likewise, subtracted.
        images: each may end in ``@WEIGHT``, unless there is a file of that name.
        minus_images: likewise, subtracted.

    Raises:
        QueryError: a part is malformed, or there is none.
    """
    from polyglance.search.query import Query
    from polyglance.search.terms import Term

    terms = [Term.of(words, language=language)] if words is not None and words.strip() else []
    terms += _texts(texts, 1, language)
    terms += _images(images, 1)
    terms += _texts(minus, -1, language)
    terms += _images(minus_images, -1)
    return Query.combined(terms)


def _texts(values: Iterable[str], sign: int, language: str | None) -> Iterator[Term]:
    from polyglance.search.terms import Term

    for value in values:
        text, tag, weight = value, language, 1.0
        if matched := _WEIGHTED.fullmatch(value):
            text, weight = matched[1], _weight(matched[2])
        elif matched := _SPOKEN.fullmatch(value):
            text, tag, weight = matched[1], matched[2], _weight(matched[3])
        yield Term.of(text, language=tag, weight=sign * weight)


def _images(values: Iterable[Path], sign: int) -> Iterator[Term]:
    from polyglance.search.terms import Term

    for value in values:
        path, weight = value, 1.0
        if not value.exists() and (matched := _WEIGHTED.fullmatch(str(value))):
            path, weight = Path(matched[1]), _weight(matched[2])
        yield Term.of(image=path, weight=sign * weight)


def _weight(text: str | None) -> float:
    from polyglance.errors import QueryError

    weight = 1.0 if text is None else float(text)
    if weight < 0:
        raise QueryError(f"the weight {text} is below 0; use --minus or --minus-image")
    return weight

"""Parts of a query as ``polyglance search`` takes them: ``at night@0.5``, ``bei Nacht@de,0.5``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polyglance.search.query import Query
    from polyglance.search.terms import Term


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
    from polyglance.search.notation import read_text
    from polyglance.search.terms import Term

    for value in values:
        text, tag, weight = read_text(value)
        yield Term.of(text, language=tag or language, weight=sign * _weight(weight))


def _images(values: Iterable[Path], sign: int) -> Iterator[Term]:
    from polyglance.search.notation import Written, read_picture
    from polyglance.search.terms import Term

    for value in values:
        path, _, weight = (
            Written(str(value), None, None) if value.exists() else read_picture(str(value))
        )
        yield Term.of(image=Path(path), weight=sign * _weight(weight))


def _weight(written: float | None) -> float:
    from polyglance.errors import QueryError

    weight = 1.0 if written is None else written
    if weight < 0:
        raise QueryError(f"the weight {weight:g} is below 0; use --minus or --minus-image")
    return weight

"""``polyglance search``: ask a collection by text in any language, by a picture, or by both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyglance.cli.search_options import (
    Caption,
    Folder,
    Kind,
    MinSize,
    Near,
    Shape,
    Since,
    Until,
    below_root,
)

if TYPE_CHECKING:
    from polyglance.search.filters import Filters
    from polyglance.search.hit import Hit
    from polyglance.search.query import Query
    from polyglance.search.reranking import RerankedHit
    from polyglance.search.searcher import Searcher

EMPTY = "the collection is empty"
COLLECTION_HELP = "Made by 'polyglance index', or its copy at s3://BUCKET/PATH."
MODEL_HELP = "An export of the collection's model. Without it: the model itself."
PICTURE_FILE = "{0!r} is looked for as words; to search by that picture: --image {0!r}"
NO_MATCH = "nothing here matches well: the best picture has relevance {:.2f}; the nearest are"


def search(
    collection: Annotated[
        str, typer.Option("--collection", "-c", metavar="COLLECTION", help=COLLECTION_HELP)
    ],
    query: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="Words, in any language of the model's.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language tag of the query, such as de or zh-Hant.")
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="Words that count as well; @WEIGHT, @LANGUAGE or @LANGUAGE,WEIGHT may follow.",
        ),
    ] = None,
    minus: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Likewise, for what is not wanted.")
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Pictures like this file; @WEIGHT may follow."),
    ] = None,
    minus_image: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Pictures unlike this file.")
    ] = None,
    model: Annotated[str | None, typer.Option(help=MODEL_HELP)] = None,
    top: Annotated[
        int, typer.Option("--top", "-n", min=1, max=1000, help="How many pictures.")
    ] = 10,
    offset: Annotated[
        int, typer.Option(min=0, max=10_000, help="Leave out so many of the best before them.")
    ] = 0,
    min_relevance: Annotated[
        float, typer.Option(min=0, max=1, help="Only pictures that are so relevant.")
    ] = 0.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON list of hits instead of lines.")
    ] = False,
    hybrid: Annotated[
        bool,
        typer.Option(
            "--hybrid", help="Look for the words in the captions as well, and join both rankings."
        ),
    ] = False,
    rerank: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Let this second model look at the best pictures again, and order them.",
        ),
    ] = None,
    rerank_top: Annotated[
        int, typer.Option(min=1, max=1000, help="How many pictures the second model looks at.")
    ] = 64,
    rerank_weight: Annotated[
        float, typer.Option(help="Of the cosine, which is added to the second model's score.")
    ] = 0.0,
    folder: Folder = None,
    since: Since = None,
    until: Until = None,
    near: Near = None,
    min_size: MinSize = None,
    orientation: Shape = None,
    kind: Kind = None,
    caption: Caption = None,
) -> None:
    """Find pictures in a collection, best first, each with its score (cosine) and relevance.

    With filters alone, those that were taken last come first, each with its date.

    With --hybrid, best first is by its ranks by vectors and by captions, which are told.

    Several texts and pictures are one query: the weighted sum of their embeddings, brought to unit
    length. Of a video, the moment that matches best is told.
    """
    from polyglance.cli.terms import query_of
    from polyglance.search.collection import read_info
    from polyglance.search.filters import Filters
    from polyglance.search.location import location_of
    from polyglance.search.opening import open_searcher
    from polyglance.search.relevance import nothing_matches

    filters = Filters.of(
        folder=below_root(folder, read_info(location_of(collection)).root),
        since=since,
        until=until,
        near=near,
        min_size=min_size,
        orientation=orientation,
        kind=kind,
        caption=caption,
    )
    if filters and not any((query, text, minus, image, minus_image, hybrid, rerank, min_relevance)):
        _list_newest(collection, filters, top=top, offset=offset, as_json=as_json)
        return
    asked = query_of(
        query,
        language=language,
        texts=text or (),
        minus=minus or (),
        images=image or (),
        minus_images=minus_image or (),
    )
    if rerank is not None:
        _check_reranking(asked, rerank_weight)  # before models are loaded
    if query is not None and _is_picture(query):
        typer.echo(PICTURE_FILE.format(query), err=True)
    searcher = open_searcher(collection, model, pictures=bool(image or minus_image))
    asked = searcher.understand(asked)
    if rerank is not None:
        found = _search_and_rerank(
            searcher,
            asked,
            filters,
            top,
            offset,
            hybrid,
            min_relevance,
            rerank,
            rerank_top,
            rerank_weight,
        )
        _print_json(_reranked_json(found, asked)) if as_json else _print_reranked(found, offset)
        return
    hits = searcher.search(
        asked,
        top=top,
        offset=offset,
        filters=filters,
        hybrid=hybrid,
        min_relevance=min_relevance,
    )
    if not hits:
        _print_nothing(searcher.matching(filters), filters, min_relevance)
    elif offset == 0 and nothing_matches(hits):
        typer.echo(NO_MATCH.format(hits[0].relevance), err=True)
    if as_json:
        _print_json([_as_json(hit, asked) for hit in hits])
        return
    _print_languages(asked, searcher.encoder.languages)
    for hit in hits:
        typer.echo(_line(hit))


def _is_picture(query: str) -> bool:
    """Whether the words are the name of a picture file, as rclip and others take it."""
    from polyglance.data.decode import IMAGE_SUFFIXES

    path = Path(query)
    try:
        return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    except OSError:  # longer than any name
        return False


def _list_newest(
    collection: str, filters: Filters, *, top: int, offset: int, as_json: bool
) -> None:
    """Pictures without a question, and so without a model."""
    from polyglance.search.collection import Collection
    from polyglance.search.location import location_of
    from polyglance.search.newest import newest
    from polyglance.search.schema import readable

    opened = Collection.open(location_of(collection))
    hits = newest(opened, top=top, offset=offset, filters=filters)
    if not hits:
        _print_nothing(opened.matching(filters.expression()), filters)
    if as_json:
        dates = [hit.taken and hit.taken.isoformat() for hit in hits]
        paths = [readable(str(hit.path)) for hit in hits]
        listed = zip(paths, dates, hits, strict=True)
        _print_json([{"path": path, "taken": date, "id": hit.id} for path, date, hit in listed])
        return
    for hit in hits:
        date = f"{hit.taken:%Y-%m-%d %H:%M}" if hit.taken else "–"
        typer.echo(f"{date:16}  {readable(str(hit.path))}")


def _check_reranking(asked: Query, weight: float) -> None:
    from math import isfinite

    from polyglance.errors import ConfigError
    from polyglance.search.reranking import require_words

    require_words(asked)
    if not isfinite(weight):
        raise ConfigError(f"--rerank-weight {weight}: give a number, such as 0.5")


def _search_and_rerank(
    searcher: Searcher,
    asked: Query,
    filters: Filters,
    top: int,
    offset: int,
    hybrid: bool,
    min_relevance: float,
    model: str,
    rerank_top: int,
    weight: float,
) -> list[RerankedHit]:
    """Hits; what is known of the language, and pictures that are gone, are said at once."""
    from polyglance.reranker import Reranker
    from polyglance.search.query import language_warning
    from polyglance.search.reranking import search_and_rerank
    from polyglance.search.schema import readable

    reranker = Reranker.load(model)
    hits, gone = search_and_rerank(
        searcher,
        reranker,
        asked,
        top=top,
        rerank_top=rerank_top,
        weight=weight,
        filters=filters,
        offset=offset,
        hybrid=hybrid,
        min_relevance=min_relevance,
    )
    if not hits and not gone:
        _print_nothing(searcher.matching(filters), filters, min_relevance)
    _print_languages(asked, searcher.encoder.languages)
    if warning := language_warning(asked.language, reranker.encoder.languages):
        typer.echo(f"{model}: {warning}", err=True)
    for path, reason in gone:
        typer.echo(f"skipped {readable(str(path))}: {reason}", err=True)
    return hits


def _as_json(hit: Hit, query: Query) -> dict[str, object]:
    from polyglance.search.schema import readable

    language: dict[str, object] = {}
    if query.languages:
        several = len(query.languages) > 1
        language = {"languages": query.languages} if several else {"language": query.languages[0]}
    path = readable(str(hit.path))
    moment = {} if hit.moment is None else {"moment": round(hit.moment, 3)}
    ranks: dict[str, object] = {}
    if hit.found_by is not None:
        ranks = {"vector_rank": hit.found_by.vector, "text_rank": hit.found_by.text}
    relevance = None if hit.relevance is None else round(hit.relevance, 4)
    scores = {"score": round(hit.score, 6), "relevance": relevance, **ranks}
    return {"path": path, **scores, "id": hit.id, **moment, **language}


def _reranked_json(hits: list[RerankedHit], query: Query) -> list[dict[str, object]]:
    return [
        _as_json(each.hit, query)
        | {
            "first_rank": each.rank,
            "rerank_score": None if each.score is None else round(each.score, 6),
        }
        for each in hits
    ]


def _print_reranked(hits: list[RerankedHit], offset: int) -> None:
    """Each with the score that it was ordered by, its rank before and now, and its cosine."""
    if hits:
        typer.echo("second score, rank before → now, cosine", err=True)
    for rank, each in enumerate(hits, start=offset + 1):
        score = f"{'–':>7}" if each.score is None else f"{each.score:7.3f}"
        typer.echo(f"{score}  {each.rank:>4} → {rank:<4}  {_line(each.hit)}")


def _print_nothing(matching: int, filters: Filters, min_relevance: float = 0.0) -> None:
    if matching and min_relevance:
        least = f"relevance {min_relevance:g} or above"
        told = f"there are {matching} pictures, and no more with {least}"
    elif matching:
        told = f"there are {matching} pictures, and none behind this offset"
    else:
        told = f"no picture passes the filters: {filters}" if filters else EMPTY
    typer.echo(told, err=True)


def _print_json(hits: list[dict[str, object]]) -> None:
    typer.echo(json.dumps(hits, ensure_ascii=False, indent=2))


def _print_languages(query: Query, known: tuple[str, ...]) -> None:
    """The languages that reached the model, and whether it knows them."""
    from polyglance.search.query import language_warning

    if not query.texts:
        return
    typer.echo(f"language: {spoken(query)}", err=True)
    for language in dict.fromkeys(query.languages):
        if warning := language_warning(language, known):
            typer.echo(warning, err=True)


def spoken(query: Query) -> str:
    """The languages of a query's texts, and how to set those that were not given."""
    from polyglance.search.terms import NOT_GIVEN

    told = ", ".join(term.spoken for term in query.texts)
    is_open = any(term.guess or term.language == NOT_GIVEN for term in query.texts)
    return f"{told}; --language sets it" if is_open else told


def _line(hit: Hit) -> str:
    from polyglance.search.schema import readable

    moment = "" if hit.clock is None else f"  at {hit.clock}"
    relevance = "" if hit.relevance is None else f"  {hit.relevance:4.2f}"
    ranks = "" if hit.found_by is None else f"  ({hit.found_by})"
    return f"{hit.score:6.3f}{relevance}  {readable(str(hit.path))}{moment}{ranks}"

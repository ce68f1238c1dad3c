"""``polyglance search``: ask a collection by text in any language, by a picture, or by both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from polyglance.search.query import Hit, Query, Searcher


def search(
    collection: Annotated[
        Path, typer.Option("--collection", "-c", help="Made by 'polyglance index'.")
    ],
    query: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="Words, in any language of the model's.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language tag of the query, such as de or zh-Hant.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="Find pictures like this file; with words, both count.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many pictures.")] = 10,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON list of hits instead of lines.")
    ] = False,
) -> None:
    """Find pictures in a collection, best first, each with its score (cosine)."""
    from polyglance.search.query import Query

    asked = Query.of(query, language=language, image=image)
    searcher = open_searcher(collection)
    hits = searcher.search(asked, top=top)
    if as_json:
        listed = [_as_json(hit, asked) for hit in hits]
        typer.echo(json.dumps(listed, ensure_ascii=False, indent=2))
    else:
        _print_lines(hits, asked, searcher)


def open_searcher(collection: Path) -> Searcher:
    """Open a collection with the model that it names."""
    from polyglance.retriever import Retriever
    from polyglance.search.collection import Collection
    from polyglance.search.query import Searcher

    opened = Collection.open(collection)
    return Searcher(opened, Retriever.load(opened.info.model))


def _as_json(hit: Hit, query: Query) -> dict[str, object]:
    from polyglance.search.schema import readable

    language = {"language": query.language} if query.text else {}
    path = readable(str(hit.path))
    return {"path": path, "score": round(hit.score, 6), "id": hit.id, **language}


def _print_lines(hits: list[Hit], query: Query, searcher: Searcher) -> None:
    from polyglance.search.query import NOT_GIVEN
    from polyglance.search.schema import readable

    if query.text:
        note = " (not given; --language sets it)" if query.language == NOT_GIVEN else ""
        typer.echo(f"language: {query.language}{note}", err=True)
        if warning := searcher.language_warning(query.language):
            typer.echo(warning, err=True)
    if not hits:
        typer.echo("the collection is empty", err=True)
    for hit in hits:
        typer.echo(f"{hit.score:6.3f}  {readable(str(hit.path))}")

"""``polyglance index``: embed a folder's pictures and videos, and keep up with its changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyglance.cli.folders import collection_folder

if TYPE_CHECKING:
    from polyglance.search.engine import Engine
    from polyglance.search.indexer import Summary

DEFAULT_MODEL = "mini"
SKIPPED_SHOWN = 20


class EngineName(StrEnum):
    """Who encodes."""

    threads = "threads"
    ray = "ray"


def index(
    source: Annotated[
        Path, typer.Argument(metavar="FOLDER|MANIFEST", help="Pictures to make searchable.")
    ],
    collection: Annotated[
        Path,
        typer.Option(
            "--collection",
            "-c",
            metavar="FOLDER",
            parser=collection_folder,
            help="Where the embeddings are kept; made if absent.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="Built-in model, hub name, or folder of a model or of an export. Without it: the "
            f"one the collection names, or {DEFAULT_MODEL} for a new collection."
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures encoded at once.")] = 16,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads that encode a batch each, or workers of a cluster with a processor each; "
            "by default as many as processors.",
        ),
    ] = None,
    engine: Annotated[
        EngineName,
        typer.Option(help="Threads of this process, or workers of a Ray cluster."),
    ] = EngineName.threads,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT|auto",
            help="Of a Ray cluster that runs; 'auto' for the one that this machine is a part of. "
            "Without it, --engine ray uses this machine alone.",
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try unreadable files again, changed or not.")
    ] = False,
    places: Annotated[
        bool | None,
        typer.Option(
            "--places/--no-places",
            help="Note where pictures were taken, or forget it. Without either: as the collection "
            "remembers, at first noting.",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Stay, and keep up with the folder's changes until Ctrl-C."),
    ] = False,
) -> None:
    """Embed the pictures of a folder or manifest into a collection, and of videos their frames.

    Run it again at any time: new and changed pictures are embedded, moved ones recognised, deleted
    ones forgotten, files that cannot be read listed with the reason. An interrupted run goes on
    where it stopped. With --watch it stays and does that by itself; with --engine ray several
    machines encode.
    """
    from polyglance.search.encoder import load_encoder
    from polyglance.search.indexer import index as run
    from polyglance.search.watching import require_watcher, updates

    if watch:
        require_watcher()
    encodes = _engine(engine, address=address, workers=workers, watch=watch)
    encoder = load_encoder(_model_for(collection, model))

    def bring_up_to_date(waiting: AbstractSet[str], *, retry: bool = False) -> Summary:
        return run(
            source,
            collection,
            encoder=encoder,
            batch_size=batch_size,
            engine=encodes,
            retry=retry,
            places=places,
            waiting=waiting,
            show_progress=True,
        )

    if not watch:
        _print_summary(bring_up_to_date(frozenset(), retry=retry))
        return
    whenever = updates(source, collection=collection)
    first = bring_up_to_date(next(whenever), retry=retry)
    _print_summary(first)
    typer.echo(f"watching {source}; Ctrl-C ends it")
    _keep_up(whenever, first, bring_up_to_date)


def _engine(name: EngineName, *, address: str | None, workers: int | None, watch: bool) -> Engine:
    """Whoever encodes.

    Raises:
        BadParameter: an option is given that this engine has no use for.
        ClusterError: Ray is not installed.
    """
    from polyglance.search.engine import Threads

    if name is EngineName.threads:
        if address is not None:
            raise typer.BadParameter("only --engine ray has one", param_hint="--address")
        return Threads(workers)
    if watch:
        raise typer.BadParameter("--engine ray does not keep up", param_hint="--watch")
    from polyglance.search.cluster.engine import RayEngine

    return RayEngine(address=address, workers=workers)


def _keep_up(
    whenever: Iterator[frozenset[str]],
    known: Summary,
    bring_up_to_date: Callable[[AbstractSet[str]], Summary],
) -> None:
    """Update whenever the folder has changed; what goes wrong in one update is told, and goes on.

    Raises:
        CollectionError: the folder is gone.
    """
    from polyglance.errors import PolyglanceError

    for waiting in whenever:
        try:
            summary = bring_up_to_date(waiting)
        except PolyglanceError as error:
            typer.echo(f"polyglance: {error}", err=True)
        else:
            _print_update(summary, known)
            known = summary


def _print_update(summary: Summary, before: Summary) -> None:
    """What is new, in lines that begin with the time; nothing where nothing is."""
    told = set(before.skipped)
    skipped = [line for line in summary.skipped if line not in told]
    if not (summary.indexed or summary.moved or summary.removed or skipped):
        return
    at = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
    for path, reason in skipped[:SKIPPED_SHOWN]:
        typer.echo(f"{at}  skipped {path}: {reason}")
    if len(skipped) > SKIPPED_SHOWN:
        typer.echo(f"{at}  … and {len(skipped) - SKIPPED_SHOWN} more")
    typer.echo(
        f"{at}  {summary.indexed} indexed, {summary.moved} moved, {summary.removed} removed, "
        f"{len(skipped)} skipped; {summary.pictures} pictures in the collection"
    )


def _model_for(collection: Path, model: str | None) -> str:
    from polyglance.search.collection import read_info
    from polyglance.search.schema import INFO_FILE

    if model is not None:  # a collection remembers it: a relative path would not be found again
        return str(Path(model).resolve()) if Path(model).is_dir() else model
    return read_info(collection).model if (collection / INFO_FILE).exists() else DEFAULT_MODEL


def _print_summary(summary: Summary) -> None:
    for path, reason in summary.skipped[:SKIPPED_SHOWN]:
        typer.echo(f"skipped {path}: {reason}")
    if len(summary.skipped) > SKIPPED_SHOWN:
        typer.echo(f"… and {len(summary.skipped) - SKIPPED_SHOWN} more")
    typer.echo(
        f"{summary.indexed} indexed, {summary.unchanged} unchanged, {summary.moved} moved, "
        f"{summary.removed} removed, {len(summary.skipped)} skipped; "
        f"{summary.pictures} pictures in the collection"
    )
    if summary.located:
        typer.echo(f"{summary.located} places found of pictures from before")
    if summary.encoded:
        typer.echo(
            f"{summary.encoded} pictures encoded in {summary.seconds:.1f} s "
            f"({summary.images_per_second:.1f} images/s)"
        )

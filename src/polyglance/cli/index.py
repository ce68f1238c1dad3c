"""``polyglance index``: embed a folder's pictures and videos, and keep up with its changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from polyglance.search.indexer import Summary

DEFAULT_MODEL = "mini"
SKIPPED_SHOWN = 20


def index(
    source: Annotated[
        Path, typer.Argument(metavar="FOLDER|MANIFEST", help="Pictures to make searchable.")
    ],
    collection: Annotated[
        Path,
        typer.Option("--collection", "-c", help="Where the embeddings are kept; made if absent."),
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
        typer.Option(min=1, help="Threads that encode a batch each; by default as many as cores."),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try unreadable files again, changed or not.")
    ] = False,
) -> None:
    """Embed the pictures of a folder or manifest into a collection, and of videos their frames.

    Run it again at any time: new and changed pictures are embedded, moved ones recognised, deleted
    ones forgotten, files that cannot be read listed with the reason. An interrupted run goes on
    where it stopped.
    """
    from polyglance.search.encoder import load_encoder
    from polyglance.search.indexer import index as run

    summary = run(
        source,
        collection,
        encoder=load_encoder(_model_for(collection, model)),
        batch_size=batch_size,
        workers=workers,
        retry=retry,
        show_progress=True,
    )
    _print_summary(summary)


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
    if summary.encoded:
        typer.echo(
            f"{summary.encoded} pictures encoded in {summary.seconds:.1f} s "
            f"({summary.images_per_second:.1f} images/s)"
        )

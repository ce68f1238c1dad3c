"""``polyglance collection``: look after what ``polyglance index`` has made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyglance.cli.collection_copies import duplicates_json, print_duplicates
from polyglance.cli.collection_health import print_repaired, print_verdict, verdict_json
from polyglance.cli.folders import collection_folder
from polyglance.cli.tables import FILES_SHOWN

if TYPE_CHECKING:
    from polyglance.search.collection import Collection
    from polyglance.search.inventory import IndexState, Inventory
    from polyglance.search.pruning import Survey
    from polyglance.search.recall import Measured, Recall

FOLDERS_SHOWN = 10

app = typer.Typer(
    help="Look after collections: what is in them, whether it is true, copies, exports.",
    no_args_is_help=True,
)

CollectionPlace = Annotated[
    str,
    typer.Argument(
        metavar="COLLECTION", help="Made by 'polyglance index', or its copy at s3://BUCKET/PATH."
    ),
]
CollectionFolder = Annotated[
    Path,
    typer.Argument(
        metavar="COLLECTION", parser=collection_folder, help="Made by 'polyglance index'."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")]


@app.command()
def info(collection: CollectionPlace, as_json: AsJson = False) -> None:
    """Say what is in a collection, which model filled it and how it is searched."""
    from polyglance.search.collection import Collection
    from polyglance.search.inventory import take_inventory

    opened = Collection.open(collection)
    inventory = take_inventory(opened)
    if as_json:
        print_json(_inventory_json(opened, inventory))
    else:
        _print_inventory(opened, inventory)


@app.command()
def verify(
    collection: CollectionPlace,
    content: Annotated[
        bool,
        typer.Option("--content", help="Read every file and compare its bytes, not size and time."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check that files, embeddings, tables and model are as they were; changes nothing.

    Exit code 1 if anything is wrong.
    """
    from polyglance.search.location import location_of
    from polyglance.search.verification import verify as check

    verdict = check(
        location_of(collection), fingerprint_of=_fingerprint_of, content=content, show_progress=True
    )
    print_json(verdict_json(verdict)) if as_json else print_verdict(verdict)
    if verdict.problems:
        raise typer.Exit(1)


@app.command()
def repair(collection: CollectionFolder, as_json: AsJson = False) -> None:
    """Mend what 'verify' finds wrong in the tables; what is sound stays as it is.

    Keys, words of captions and their index are made anew, doubles taken out. Files whose embedding
    is damaged are forgotten: 'polyglance index' encodes them again. Files that are gone or changed
    are for 'prune' and 'index'. Exit code 1 if more is wrong than can be mended.
    """
    from dataclasses import asdict

    from polyglance.search.repair import repair as mend
    from polyglance.search.verification import verify as check

    repaired = mend(collection)
    verdict = check(collection, fingerprint_of=_fingerprint_of, show_progress=True)
    if as_json:
        print_json({"repaired": asdict(repaired), **verdict_json(verdict)})
    else:
        print_repaired(repaired)
        print_verdict(verdict)
    if verdict.problems:
        raise typer.Exit(1)


@app.command()
def prune(
    collection: CollectionFolder,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be taken out, and leave it.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask, however much is taken out.")
    ] = False,
) -> None:
    """Take out pictures and videos whose files are gone.

    Where a whole folder is not there, or holds nothing at all, its pictures are kept: a disk that
    is not mounted must not empty a collection. Asks before it takes out more than half.
    """
    from polyglance.search.collection import Collection
    from polyglance.search.pruning import prune as take_out
    from polyglance.search.pruning import survey

    surveyed = survey(Collection.open(collection))
    _print_survey(surveyed)
    if dry_run or not surveyed.gone:
        typer.echo(f"{len(surveyed.gone)} of {surveyed.files} would be taken out")
        return
    if surveyed.most and not yes:
        _ask(f"take {len(surveyed.gone)} of {surveyed.files} files out of {collection}?")
    removed = take_out(collection, surveyed.gone)
    typer.echo(f"{removed} taken out; {surveyed.files - removed} left")


@app.command()
def export(
    collection: CollectionPlace,
    output: Annotated[Path, typer.Option(metavar="FILE", help="To write: .jsonl or .parquet.")],
    embeddings: Annotated[
        bool,
        typer.Option(
            "--embeddings",
            help="The vectors too: a column in Parquet, a file .npy beside JSON Lines. Of a video, "
            "each frame is then a line.",
        ),
    ] = False,
) -> None:
    """Write path, captions, size, date, place and hash of every file, as a manifest."""
    from polyglance.search.collection import Collection
    from polyglance.search.export import export as write

    opened = Collection.open(collection)
    exported = write(opened, output, embeddings=embeddings)
    typer.echo(f"{output}: {exported.lines} lines")
    if exported.vectors is not None:
        typer.echo(f"{exported.vectors}: {exported.lines} × {opened.info.dimension}")
    if exported.outside:
        typer.echo(
            f"lines that name no 'image' or 'video', only a 'path': {exported.outside}; as a "
            f"manifest, write the file into {opened.info.root}, or a folder above all pictures",
            err=True,
        )


@app.command()
def copy(
    collection: CollectionFolder,
    target: Annotated[str, typer.Argument(metavar="s3://BUCKET/PATH", help="Where to.")],
) -> None:
    """Bring a copy of a collection to an S3-compatible store, where others read it.

    Later copies write only what is new; readers see a new state whole or not at all. The pictures
    themselves are not copied. Credentials, region and endpoint are taken from the environment, as
    AWS's tools take them.
    """
    from polyglance.search.publishing import publish
    from polyglance.search.store import Store

    published = publish(collection, Store.of(target), show_progress=True)
    typer.echo(
        f"{target}: {published.files} files written ({published.size / 1e6:,.1f} MB), "
        f"{published.deleted} old ones deleted"
    )


@app.command()
def duplicates(
    collection: CollectionPlace,
    threshold: Annotated[
        float, typer.Option(min=-1, max=1, help="The least cosine of a copy's embedding.")
    ] = 0.7,
    bits: Annotated[
        int, typer.Option(min=0, max=64, help="Of 64, in which perceptual hashes may differ.")
    ] = 8,
    exact: Annotated[
        bool, typer.Option("--exact", help="Only files with the same bytes; none is read.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find copies: files with the same bytes, and pictures saved again, scaled or cropped a little.

    Copies are near by their embeddings and look the same by a perceptual hash, computed from the
    pictures; the shots of a burst are near, but do not. Nothing is deleted. Of each group, the one
    with most pixels comes first.
    """
    from polyglance.search.collection import Collection
    from polyglance.search.copies import find_duplicates

    opened = Collection.open(collection)
    found = find_duplicates(opened, cosine=threshold, bits=bits, near=not exact, show_progress=True)
    if as_json:
        print_json(duplicates_json(opened, found))
        return
    print_duplicates(found)


@app.command()
def evaluate(
    collection: CollectionPlace,
    manifest: Annotated[
        Path,
        typer.Argument(metavar="MANIFEST", help="Whose captions are asked: .jsonl or .parquet."),
    ],
    language: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="Ask in this language only; may be repeated."),
    ] = None,
    queries: Annotated[
        int, typer.Option(min=1, help="Captions asked in each language, evenly spaced.")
    ] = 500,
    as_json: AsJson = False,
) -> None:
    """Measure the index: recall@10 against exact search, by texts in each language, and latency.

    It tells what searching fast loses, not how well the model finds pictures: for that there is
    'polyglance evaluate'.
    """
    from polyglance.data.manifest import read_manifest
    from polyglance.search.collection import Collection
    from polyglance.search.inventory import index_state
    from polyglance.search.recall import captions_of, measure_recall

    opened = Collection.open(collection)
    captions = captions_of(read_manifest(manifest), languages=language or (), most=queries)

    from polyglance.search.encoder import load_encoder

    encoder = load_encoder(opened.info.model)
    recall = measure_recall(opened, encoder, captions, show_progress=True)
    state = index_state(opened)
    print_json(_recall_json(recall, state)) if as_json else _print_recall(recall, state)


def print_json(value: Any) -> None:
    """As all verbs print it."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _inventory_json(opened: Collection, inventory: Inventory) -> dict[str, Any]:
    from dataclasses import asdict

    described = opened.info.model_dump(mode="json")
    counted = asdict(inventory) | {"index": inventory.index._asdict()}
    dates = {
        edge: None if counted[edge] is None else counted[edge].isoformat()
        for edge in ("first", "last")
    }
    return {"collection": str(opened.folder), **described, **counted, **dates}


def _print_inventory(opened: Collection, inventory: Inventory) -> None:
    described = opened.info
    lines = {
        "pictures": f"{inventory.pictures:,}",
        "videos": f"{inventory.videos:,}",
        "skipped": f"{inventory.skipped:,}",
        "root": described.root,
        "folders": _folders(inventory),
        "dates": _dates(inventory),
        "places": _places(opened, inventory),
        "model": f"{described.model} ({described.fingerprint[:12]})",
        "dimension": str(described.dimension),
        "rows": f"{inventory.rows:,}",
        "index": _index(inventory.index),
        "size": f"{inventory.size / 1e6:,.1f} MB",
        "created": f"{described.created:%Y-%m-%d %H:%M} UTC",
        "format": str(described.format),
    }
    for name, value in lines.items():
        typer.echo(f"{name + ':':<11}{value}")


def _folders(inventory: Inventory) -> str:
    listed = [f"{name} ({count:,})" for name, count in inventory.folders.items()]
    more = len(listed) - FOLDERS_SHOWN
    return ", ".join(listed[:FOLDERS_SHOWN] + ([f"and {more} more"] if more > 0 else [])) or "none"


def _dates(inventory: Inventory) -> str:
    if inventory.first is None or inventory.last is None:
        return "no picture says when it was taken"
    return f"{inventory.first:%Y-%m-%d} to {inventory.last:%Y-%m-%d}"


def _places(opened: Collection, inventory: Inventory) -> str:
    if not opened.info.places:
        return "not noted; 'polyglance index --places' does"
    return f"known of {inventory.located:,}" if inventory.located else "no picture says where"


def _index(state: IndexState) -> str:
    if not state.approximate:
        return "none: every row is compared, exactly"
    beside = f", rows not yet in it: {state.beside:,}" if state.beside else ""
    return f"approximate, laid out for {state.built_on:,} rows{beside}"


def _fingerprint_of(name: str) -> str:
    from polyglance.search.encoder import load_encoder

    return load_encoder(name).fingerprint


def _print_survey(surveyed: Survey) -> None:
    from polyglance.search.schema import readable

    for file in surveyed.gone[:FILES_SHOWN]:
        typer.echo(f"gone: {readable(file.path)}")
    if len(surveyed.gone) > FILES_SHOWN:
        typer.echo(f"… and {len(surveyed.gone) - FILES_SHOWN} more")
    if not surveyed.out_of_reach:
        return
    for folder, count in list(surveyed.out_of_reach.items())[:FOLDERS_SHOWN]:
        typer.echo(f"kept: {readable(str(folder))} ({count})", err=True)
    typer.echo(
        f"files kept: {sum(surveyed.out_of_reach.values())}, since their folders are not there, "
        "hold nothing, or cannot be looked into: is a disk not mounted? If they are gone for good, "
        "'polyglance index' forgets them",
        err=True,
    )


def _ask(question: str) -> None:
    """Go on if the answer is yes.

    Raises:
        typer.Exit: it is no.
        CollectionError: nobody is there to answer.
    """
    from polyglance.errors import CollectionError

    try:
        agreed = typer.confirm(question)
    except typer.Abort:
        raise CollectionError(
            "more than half would be taken out, and nobody said yes; --yes does"
        ) from None
    if not agreed:
        typer.echo("nothing was taken out")
        raise typer.Exit(1)


def _recall_json(recall: Recall, state: IndexState) -> dict[str, Any]:
    languages = {tag: _measured_json(measured) for tag, measured in recall.languages.items()}
    return {
        "index": state._asdict(),
        "all": _measured_json(recall.total),
        "languages": languages,
        "worst": recall.worst,
    }


def _measured_json(measured: Measured) -> dict[str, Any]:
    (p50, p95), (whole_p50, whole_p95) = measured.search, measured.whole
    return {
        "queries": measured.queries,
        "recall@10": round(measured.recall, 6),
        "search_ms": {"p50": round(p50, 3), "p95": round(p95, 3)},
        "query_ms": {"p50": round(whole_p50, 3), "p95": round(whole_p95, 3)},
    }


def _print_recall(recall: Recall, state: IndexState) -> None:
    typer.echo("language  queries  recall@10   search, ms p50   p95   with encoding p50   p95")
    for tag, measured in [*recall.languages.items(), ("all", recall.total)]:
        (p50, p95), (whole_p50, whole_p95) = measured.search, measured.whole
        typer.echo(
            f"{tag:<8}  {measured.queries:>7,}  {measured.recall:>9.4f}   {p50:>14.2f} {p95:>5.1f}"
            f"   {whole_p50:>17.1f} {whole_p95:>5.1f}"
        )
    typer.echo(f"worst: {recall.worst}; index: {_index(state)}")

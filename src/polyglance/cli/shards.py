"""``polyglance data fetch``: bring a dataset's shards here as archives, and loose pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from polyglance.data.loose import Mirrored
    from polyglance.data.shards import Fetched


def fetch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE…",
            help="Archives (.tar), Parquet files with pictures inside, or folders of them; on this "
            "machine or at s3://BUCKET/PATH. Or a folder of pictures at s3://BUCKET/PATH.",
        ),
    ],
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the archives, or the pictures, go.")
    ],
    image: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Of the Parquet files, the column with the pictures; not needed if only one can.",
        ),
    ] = None,
    caption: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG=COLUMN",
            help="May be repeated. Of the Parquet files, a column with captions in a language, as "
            "in de=caption_german; it holds a caption, or lists of them.",
        ),
    ] = None,
) -> None:
    """Bring a dataset's shards here, each as one archive, or a store's loose pictures.

    Pictures are read from the archives, and nothing is unpacked: go on with `polyglance data
    prepare webdataset FOLDER`. A folder at s3:// that has pictures and no shards becomes a folder
    here, for `polyglance index FOLDER`. What is there is not brought again. The network is used
    for sources at s3:// alone; credentials come from the environment.
    """
    from polyglance.data.loose import fetch_loose, find_loose
    from polyglance.data.shards import ListedOnce, fetch_shards, find_shards
    from polyglance.progress import track
    from polyglance.search.store import Store

    columns = _columns(caption or [])
    open_store = cache(lambda address: ListedOnce(Store.anywhere(address)))
    loose = find_loose(sources, open_store)
    shards = list(find_shards([each for each in sources if each not in loose], open_store))
    if loose:
        files = [file for found in loose.values() for file in found]
        with track("pictures", len(files)) as advance:
            mirrored = fetch_loose(files, output, advance=advance)
        typer.echo(_of_loose(mirrored, output))
    if shards:
        with track("shards", len(shards)) as advance:
            done = fetch_shards(shards, output, picture=image, captions=columns, advance=advance)
        typer.echo(_of_shards(done, output))


def _of_loose(done: Mirrored, output: Path) -> str:
    told = [f"{len(done.files)} pictures in {output}"]
    told += [f"{done.kept} more were there"] if done.kept else []
    told += [f"{len(done.gone)} left the store meanwhile"] if done.gone else []
    return "; ".join(told)


def _of_shards(done: Fetched, output: Path) -> str:
    told = [f"{len(done.archives)} archives in {output}"]
    told += [f"{done.kept} more were there"] if done.kept else []
    told += [f"{done.samples} samples from Parquet files"] if done.samples else []
    told += [f"{done.empty} rows without a picture left out"] if done.empty else []
    return "; ".join(told)


def _columns(pairs: list[str]) -> dict[str, str]:
    """Language tag → column.

    Raises:
        BadParameter: a pair is none, or names no language.
    """
    from polyglance.data.language import is_language_tag

    columns = {}
    for pair in pairs:
        tag, _, column = pair.partition("=")
        if not column or not is_language_tag(tag):
            raise typer.BadParameter(f"{pair!r} is not TAG=COLUMN", param_hint="--caption")
        columns[tag] = column
    return columns

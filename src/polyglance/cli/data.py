"""``polyglance data``: turn published formats into manifests, and look at what they hold."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from polyglance.cli.features import export_precomp, prepare_features, told
from polyglance.cli.shards import fetch
from polyglance.cli.translation import translate
from polyglance.cli.vocabulary import vocabulary

app = typer.Typer(
    help="Make manifests from published formats, and inspect them.", no_args_is_help=True
)


class Format(StrEnum):
    """The formats that can be read.

    The keys of `polyglance.data.readers.READERS` and, for features, of `REGION_READERS` with
    ``precomp``.
    """

    BIGFILE = "bigfile"
    BOTTOM_UP = "bottom-up"
    CAPTION_LINES = "caption-lines"
    COCO = "coco"
    CROSSMODAL3600 = "crossmodal3600"
    FOLDER = "folder"
    KARPATHY = "karpathy"
    MULTI30K = "multi30k"
    NPY = "npy"
    PRECOMP = "precomp"
    UNITER = "uniter"
    VATEX = "vatex"
    WEBDATASET = "webdataset"
    XTD10 = "xtd10"


_FEATURES = {Format.BIGFILE, Format.BOTTOM_UP, Format.NPY, Format.PRECOMP, Format.UNITER}


@app.command()
def prepare(
    format_: Annotated[Format, typer.Argument(metavar="FORMAT", help="What the sources are.")],
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE…",
            help="Files, or the folders of multi30k, xtd10, folder, webdataset, precomp, "
            "uniter, npy and bigfile.",
        ),
    ],
    output: Annotated[Path, typer.Option(help="The manifest to write: .jsonl or .parquet.")],
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of the pictures; that of the first source if not given."),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG",
            help="May be repeated. For coco and plain captions: the language of the sources, one "
            "for all or one for each, in order. For formats that name languages: those to keep.",
        ),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=TAG",
            help="May be repeated. What a language's name in the files means, as in jp=ja.",
        ),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="May be repeated. The splits to keep; where the files name none, the split's name."
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="A text file of picture names, one a line; only these are kept."),
    ] = None,
    link: Annotated[
        bool,
        typer.Option(
            "--link",
            help="Where the pictures are outside the manifest's folder: link their folder beside "
            "it, as 'images'. Nothing is copied.",
        ),
    ] = False,
    recursive: Annotated[
        bool, typer.Option(help="Whether subfolders of a folder are read.")
    ] = True,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="For files of features: where they go; beside the manifest, "
            "as its name with .features, if not given.",
        ),
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option(
            metavar="MANIFEST",
            help="For files of features without captions: the manifest that has these.",
        ),
    ] = None,
    regions: Annotated[
        int,
        typer.Option(
            min=1, help="For the same: regions kept of each picture, or frames of a video."
        ),
    ] = 36,
) -> None:
    """Write a manifest from a published format.

    Paths in the manifest are relative to it, so it must lie above the pictures: beside their
    folder, say. An existing manifest is replaced when the new one is complete.

    From precomp, bottom-up, uniter, npy and bigfile, files of features without pictures, also a
    feature store is written, whose rows the manifest names; recipes read it as data.features.
    """
    import warnings

    from polyglance.data.prepare import prepare_manifest
    from polyglance.data.readers import ReaderOptions

    given = {
        "--images": images, "--link": link, "--pictures": pictures, "--store": store,
        "--captions": captions, "--language": language, "--rename": rename, "--split": split,
    }  # fmt: skip
    _refuse_unread(format_, [option for option, value in given.items() if value])
    splits = split or []
    options = ReaderOptions(
        images=images,
        languages=tuple(language or ()),
        rename=_renamed(rename or []),
        split=splits[0] if len(splits) == 1 else None,
        recursive=recursive,
    )
    if format_ in _FEATURES:
        prepare_features(
            format_.value,
            sources,
            output,
            store=store or output.with_suffix(".features"),
            options=options,
            splits=splits,
            captions=captions,
            regions=regions,
        )
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        prepared = prepare_manifest(
            format_.value,
            sources,
            output,
            options=options,
            splits=splits,
            pictures=pictures,
            link=link,
        )
    for warning in caught:
        typer.echo(f"warning: {warning.message}", err=True)
    if prepared.missing:
        typer.echo(
            f"warning: {len(prepared.missing)} of {prepared.pictures} pictures are not there, "
            f"such as {prepared.missing[0]}; --images names their folder",
            err=True,
        )
    typer.echo(told(output, prepared))


@app.command()
def inspect(
    manifests: Annotated[
        list[Path],
        typer.Argument(
            metavar="MANIFEST…", help="One, with the splits it names; or several, each a split."
        ),
    ],
    json: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Also write everything found as JSON.")
    ] = None,
) -> None:
    """Count pictures and captions; find missing files, copies, and leaks between splits.

    Leaves with exit code 1 where a picture stands in more than one split, or a file is missing or
    cannot be opened. Captions that several pictures share are counted but are no mistake.
    """
    from polyglance.cli.inspection import print_inspection
    from polyglance.data.inspect import inspect_records, splits_of_manifests
    from polyglance.progress import track

    splits = splits_of_manifests(manifests)
    with track("pictures", sum(map(len, splits.values()))) as advance:
        inspection = inspect_records(splits, advance)
    if json is not None:
        _write_json(inspection.to_json(), json)
    print_inspection(inspection)
    if inspection.leaks or inspection.missing or inspection.unreadable:
        raise typer.Exit(1)


app.command("export-precomp")(export_precomp)
app.command("vocabulary")(vocabulary)
app.command()(fetch)
app.command()(translate)
app.command()(vocabulary)


def _refuse_unread(format_: Format, given: list[str]) -> None:
    """An option that a format has no use for is a misunderstanding; better told than passed over.

    Raises:
        BadParameter: naming the first such option.
    """
    if format_ == Format.PRECOMP:
        unread = {"--images", "--link", "--pictures", "--captions"}
    elif format_ in _FEATURES:
        unread = {"--images", "--link", "--pictures", "--language", "--rename", "--split"}
    else:
        unread = {"--store", "--captions"}
    for option in given:
        if option in unread:
            raise typer.BadParameter(f"{format_.value} has no use for it", param_hint=option)


def _renamed(pairs: list[str]) -> dict[str, str]:
    for pair in pairs:
        name, equals, tag = pair.partition("=")
        if not (name and equals and tag):
            raise typer.BadParameter(f"{pair!r} is not NAME=TAG", param_hint="--rename")
    return dict(pair.split("=", 1) for pair in pairs)


def _write_json(content: object, path: Path) -> None:
    import json

    from polyglance.data.files import replaced_when_complete
    from polyglance.errors import ManifestError

    try:
        with replaced_when_complete(path) as temporary:
            text = json.dumps(content, ensure_ascii=False, indent=2)
            temporary.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ManifestError(f"{path}: cannot be written: {error.strerror}") from None

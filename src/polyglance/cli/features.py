"""The halves of ``polyglance data`` that deal in features: files of others in, our own out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import Tensor

    from polyglance.data.feature_store import FeatureStore
    from polyglance.data.prepare import Prepared
    from polyglance.data.readers import ReaderOptions
    from polyglance.data.record import Record
    from polyglance.vision.preprocessing import Preprocessing

DEV_CAPTIONS = 5000
"""Of ``dev``, that VSE++ and SCAN measure on while they train, counted on to be there."""


def told(manifest: Path, prepared: Prepared) -> str:
    """What ``prepare`` says at its end."""
    counts = ", ".join(f"{count} {tag}" for tag, count in sorted(prepared.captions.items()))
    return f"{manifest}: {prepared.pictures} pictures; captions: {counts or 'none'}"


def prepare_features(
    format_: str,
    sources: Sequence[Path],
    output: Path,
    *,
    store: Path,
    options: ReaderOptions,
    splits: Sequence[str],
    captions: Path | None,
    regions: int,
) -> None:
    """``polyglance data prepare`` for files of features: a manifest and a feature store."""
    from polyglance.data.prepare_regions import prepare_precomp, prepare_regions

    if format_ == "precomp":
        prepared, stored = prepare_precomp(sources, output, store, options=options, splits=splits)
    else:
        prepared, stored = prepare_regions(
            format_, sources, output, store, captions=captions, regions=regions
        )
    typer.echo(told(output, prepared))
    shape = " × ".join(map(str, stored.shape))
    there = f", {stored.present} there already" if stored.present else ""
    typer.echo(f"{store}: {stored.stored} pictures stored{there}; a row is {shape}")
    if stored.cut:
        typer.echo(
            f"warning: {stored.cut} pictures have more than {regions} regions and keep the first "
            "(frames of videos: evenly spaced ones); "
            "--regions keeps more, in a new --store",
            err=True,
        )


def export_precomp(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="Pictures and captions: .jsonl or .parquet.")
    ],
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the files go.")],
    store: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A feature store that has the pictures' features."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Or a model, by name or folder: what its backbone makes of the pictures."
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="Or a fetched backbone by name, as in resnet50: the cells of its grid."),
    ] = None,
    pooled: Annotated[
        bool,
        typer.Option("--pooled", help="The mean over regions, a vector a picture, as VSE++ reads."),
    ] = False,
    language: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG",
            help="May be repeated. Languages to write, the first also as SPLIT_caps.txt; pictures "
            "that lack one are left out. If not given, every language that no picture lacks.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="What to call the split where the manifest names none, as in train."),
    ] = None,
) -> None:
    """Write a _precomp folder, which the codes of VSE++, SCAN and LAVSE train from.

    Each split becomes SPLIT_ims.npy, SPLIT_caps.txt, SPLIT_caps.LANGUAGE.txt and SPLIT_ids.txt,
    with val called dev. The layout wants equally many captions of each picture in a language: what
    one picture has beyond another is left out, and said.
    """
    from polyglance.data.export_precomp import export_precomp as export
    from polyglance.data.manifest import read_manifest

    records = read_manifest(manifest)
    by_split: dict[str, list[Record]] = {}
    for record in records:
        name = record.split or split
        if name is None:
            raise typer.BadParameter("the manifest names no splits; say one", param_hint="--split")
        by_split.setdefault(name, []).append(record)
    features = _store(records, store=store, model=model, backbone=backbone)
    for name, some in by_split.items():
        done = export(some, features, output, split=name, languages=language or (), pooled=pooled)
        shape = " × ".join(map(str, done.shape))
        each = ", ".join(f"{count} {tag}" for tag, count in done.captions.items())
        typer.echo(f"{output / done.name}_ims.npy: {shape}; captions a picture: {each}")
        for tag, count in done.surplus.items():
            if count:
                typer.echo(f"warning: {done.name}: {count} {tag} captions left out", err=True)
            if done.captions[tag] not in (1, 5):
                typer.echo(
                    f"warning: {done.name}: the official codes count on 1 or 5 captions a picture, "
                    f"not on {done.captions[tag]} ({tag})",
                    err=True,
                )
        if done.name == "dev" and done.shape[0] * min(done.captions.values()) < DEV_CAPTIONS:
            typer.echo(
                f"warning: dev: the official codes read {DEV_CAPTIONS} captions of it, no matter "
                "how many there are; change that line of theirs",
                err=True,
            )
        for tag, count in done.incomplete.items():
            typer.echo(f"warning: {done.name}: no {tag}, {count} pictures lack it", err=True)
        for what, without in (
            ("features", done.without_features),
            ("captions in a language asked for", done.without_captions),
        ):
            if without:
                typer.echo(
                    f"warning: {done.name}: {len(without)} pictures without {what} left out, "
                    f"such as {without[0]}",
                    err=True,
                )


def _store(
    records: Sequence[Record], *, store: Path | None, model: str | None, backbone: str | None
) -> FeatureStore:
    """The store that was named, or that of a backbone, filled where it lacks a picture."""
    from polyglance.data.feature_store import FeatureStore

    if sum(source is not None for source in (store, model, backbone)) != 1:
        raise typer.BadParameter(
            "say where the features come from, with one of the three",
            param_hint="--store, --model, --backbone",
        )
    if store is not None:
        return FeatureStore(store)
    if model is not None:
        return _store_of_model(records, model)
    assert backbone is not None  # noqa: S101 -- one of the three is there
    return _store_of_backbone(records, backbone)


def _store_of_model(records: Sequence[Record], name: str) -> FeatureStore:
    from polyglance.systems.loading import load_model
    from polyglance.systems.locate import locate

    system = load_model(locate(name)).system
    return _filled(
        records,
        encode=system.backbone_features,
        preprocessing=system.preprocessing,
        fingerprint=system.backbone_fingerprint(),
    )


def _store_of_backbone(records: Sequence[Record], name: str) -> FeatureStore:
    from polyglance.systems.fingerprint import features_fingerprint
    from polyglance.vision.pretrained import load_tower

    tower = load_tower(name)
    return _filled(
        records,
        encode=lambda pixels: tower(pixels).grid.flatten(2).mT.contiguous(),
        preprocessing=tower.preprocessing,
        # that of a dual encoder over the same cells: training and export share one store
        fingerprint=features_fingerprint(tower, keeps="regions", tower=None),
    )


def _filled(
    records: Sequence[Record],
    *,
    encode: Callable[[Tensor], Tensor],
    preprocessing: Preprocessing,
    fingerprint: str,
) -> FeatureStore:
    """The store in the user's cache, with rows for all of the pictures that can be read."""
    from polyglance.data.feature_building import build_feature_store
    from polyglance.training.sources import feature_cache, tell_skipped

    store, report = build_feature_store(
        records,
        encode=encode,
        preprocessing=preprocessing,
        fingerprint=fingerprint,
        folder=feature_cache() / fingerprint[:16],
        show_progress=True,
    )
    tell_skipped(report.skipped)
    return store

"""``polyglance evaluate``: how well a model finds pictures, language by language."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from polyglance.evaluation.fusion import Fusion
    from polyglance.evaluation.results import Report

SKIPPED_SHOWN = 20
UNLIMITED = 10_000  # columns


class GalleryChoice(StrEnum):
    """Which pictures a caption is ranked against."""

    ALL = "all"
    CAPTIONED = "captioned"


def evaluate(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A built-in model's name or a checkpoint's folder."),
    ],
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="Pictures and captions: .jsonl or .parquet.")
    ],
    json: Annotated[
        Path | None, typer.Option("--json", help="Write everything measured to this JSON file.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a page with plots: .html, or .md for a Markdown table."),
    ] = None,
    clip_benchmark: Annotated[
        Path | None,
        typer.Option(help="Write CLIP_benchmark-style JSON, a file a language, to this folder."),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option(help="Measure this language only; may be repeated. All where absent."),
    ] = None,
    gallery: Annotated[
        GalleryChoice,
        typer.Option(
            help="Rank captions against all pictures, or those captioned in the language."
        ),
    ] = GalleryChoice.ALL,
    folds: Annotated[
        int, typer.Option(min=1, help="Measure this many consecutive parts apart and average.")
    ] = 1,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures encoded at once.")] = 32,
    draws: Annotated[
        int, typer.Option(min=0, help="Bootstrap draws for the 95 % intervals; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Read this feature store in place of the pictures; needed for a model that was "
            "trained on features from files.",
        ),
    ] = None,
    mosaics: Annotated[
        int,
        typer.Option(
            min=0,
            help="Also measure heat maps: on so many mosaics of four pictures, how often the "
            "maximum lies in the picture that a caption belongs to.",
        ),
    ] = 0,
    rerank: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Let this second model order the best that the first has found, and measure both.",
        ),
    ] = None,
    rerank_top: Annotated[
        int, typer.Option(min=1, help="How many of each query's best the second model orders.")
    ] = 64,
    rerank_weight: Annotated[
        float,
        typer.Option(help="Of the first model's score, which is added to the second's."),
    ] = 0.0,
    rerank_features: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="As --features, for the second model."),
    ] = None,
    fuse: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG=TRANSLATIONS",
            help="Ask each caption together with its machine translation, such as zh=en-x-opus, to "
            "compare with numbers published so; may be repeated.",
        ),
    ] = None,
    fuse_weight: Annotated[
        float, typer.Option(min=0, max=1, help="Of the captions' own scores.")
    ] = 0.5,
) -> None:
    """Measure a model on captioned pictures: recall per language, the mean and the worst.

    Pictures that cannot be read are left out with their captions, counted and listed.
    """
    from dataclasses import replace

    _check_outputs(json, report, clip_benchmark)
    _check_reranking(rerank, rerank_weight, rerank_features)
    fusion = _fusion(fuse or [], fuse_weight, rerank)
    from polyglance.data.manifest import read_manifest

    records = read_manifest(manifest)

    from polyglance import Reranker, Retriever
    from polyglance.evaluation.mosaics import measure_pointing
    from polyglance.evaluation.reranking import two_stages
    from polyglance.evaluation.retriever import evaluate_retriever
    from polyglance.systems.stored_features import open_features

    retriever = Retriever.load(model)
    reranker = None if rerank is None else Reranker.load(rerank)
    pointing = None
    if mosaics:  # first, since a model that cannot localise should say so before minutes of work
        pointing = measure_pointing(
            retriever,
            records,
            mosaics=mosaics,
            languages=language or None,
            draws=draws,
            seed=seed,
            show_progress=True,
        )
    asked: dict[str, Any] = {
        "languages": language or None,
        "gallery": gallery.value,
        "folds": folds,
        "batch_size": batch_size,
        "draws": draws,
        "seed": seed,
        "manifest": str(manifest),
        "features": None if features is None else open_features(retriever.system, features),
        "show_progress": True,
    }
    if reranker is None:
        measured = evaluate_retriever(retriever, records, fusion=fusion, **asked)
    else:
        second = reranker.encoder.system
        stored = None if rerank_features is None else open_features(second, rerank_features)
        stages = two_stages(
            retriever, reranker, records, top=rerank_top, reranker_features=stored, **asked
        )
        measured = stages.report(weight=rerank_weight)
    measured = replace(measured, pointing=pointing)
    _print(measured)
    _write(measured, json, report, clip_benchmark)


def _check_outputs(json: Path | None, report: Path | None, clip_benchmark: Path | None) -> None:
    """Refuse what cannot be written before minutes of measuring, not after."""
    from polyglance.cli.outputs import require_file, require_folder
    from polyglance.errors import ConfigError

    if report is not None and report.suffix not in (".html", ".md"):
        raise ConfigError(f"--report {report}: a report's name ends in .html or .md")
    for option, path in (("--json", json), ("--report", report)):
        if path is not None:
            require_file(option, path)
    if clip_benchmark is not None:
        require_folder("--clip-benchmark", clip_benchmark)


def _check_reranking(rerank: str | None, weight: float, features: Path | None) -> None:
    """Refuse what is said of a second model where there is none, and weights that are none."""
    from math import isfinite

    from polyglance.errors import ConfigError

    if rerank is None and (weight or features is not None):
        option = "--rerank-weight" if weight else "--rerank-features"
        raise ConfigError(f"{option}: without --rerank there is no second model")
    if not isfinite(weight):
        raise ConfigError(f"--rerank-weight {weight}: give a number, such as 0.5")


def _fusion(pairs: list[str], weight: float, rerank: str | None) -> Fusion | None:
    """What is to be fused; a mistake is told before minutes of measuring."""
    from polyglance.errors import ConfigError

    if not pairs:
        return None
    if rerank is not None:
        raise ConfigError("--fuse and --rerank: two ways to order results; give one")
    if wrong := [pair for pair in pairs if not all(pair.partition("="))]:
        raise ConfigError(
            f"--fuse {wrong[0]}: write the captions' language and the tag of their translations, "
            "such as zh=en-x-opus"
        )
    from polyglance.evaluation.fusion import Fusion

    return Fusion(dict(pair.split("=", 1) for pair in pairs), weight)


def _print(report: Report) -> None:
    from rich.console import Console

    from polyglance.evaluation.tables import (
        report_table,
        skipped_line,
        summary_lines,
        text_to_text_table,
    )

    console = Console(highlight=False)
    table = report_table(report)
    needed = Console(width=UNLIMITED).measure(table).maximum
    if not console.is_terminal:
        console.width = max(console.width, needed)  # a file has no width to respect
    elif needed > console.width:
        table = report_table(report, intervals=False)
    console.print(table, "")
    if report.draws and needed > console.width:
        console.print(f"(intervals: in a terminal of {needed} columns, or with --json)", "")
    for line in summary_lines(report):
        console.print(line, markup=False)
    _print_stages(report, console)
    if (translations := text_to_text_table(report)) is not None:
        if Console(width=UNLIMITED).measure(translations).maximum <= console.width:
            console.print("", translations)
        else:
            pairs = sum(map(len, report.text_to_text.values()))
            console.print(f"text→text: {pairs:,} pairs of languages, in --json and --report")
    for warning in report.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)
    if report.skipped:
        console.print(f"{skipped_line(report)}:", style="yellow")
        for picture in report.skipped[:SKIPPED_SHOWN]:
            console.print(f"  {picture.path}: {picture.reason}", markup=False)
        if len(report.skipped) > SKIPPED_SHOWN:
            console.print(f"  and {len(report.skipped) - SKIPPED_SHOWN} more (all with --json)")


def _print_stages(report: Report, console: Console) -> None:
    """What a second model changed, where there is one and the terminal is wide enough."""
    from rich.console import Console

    from polyglance.evaluation.comparison import comparison_table

    if report.reranking is None:
        return
    first = report.reranking.first
    table = comparison_table(first, report, titles=("first stage", "reranked"))
    if Console(width=UNLIMITED).measure(table).maximum <= console.width:
        console.print("", table)


def _write(
    measured: Report, json: Path | None, report: Path | None, clip_benchmark: Path | None
) -> None:
    from polyglance.cli.outputs import writing

    written: list[Path] = []
    if json is not None:
        with writing(json):
            measured.save(json)
        written.append(json)
    if report is not None:
        from polyglance.evaluation.page import write_report

        with writing(report):
            write_report(measured, report)
        written.append(report)
    if clip_benchmark is not None:
        from polyglance.evaluation.clip_benchmark import write_clip_benchmark

        with writing(clip_benchmark):
            written += write_clip_benchmark(measured, clip_benchmark)
    for path in written:
        typer.echo(f"wrote {path}")

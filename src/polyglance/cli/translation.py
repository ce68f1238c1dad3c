"""``polyglance data translate``: captions through a translation model, into a new manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def translate(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="A dataset: .jsonl or .parquet.")
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|NAME",
            help="A sequence-to-sequence model of the transformers library (Marian, NLLB, "
            "M2M100, mBART-50): its folder, or its name on the hub if it was fetched before.",
        ),
    ],
    source: Annotated[
        str,
        typer.Option(
            metavar="TAG",
            help="Language of the captions to translate; or what stands under machine_translated, "
            "such as zh-baidu, to translate it back.",
        ),
    ],
    target: Annotated[str, typer.Option(metavar="TAG", help="Language to translate into.")],
    output: Annotated[Path, typer.Option(help="The manifest to write: .jsonl or .parquet.")],
    as_: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="TAG",
            help="Tag of the translations, such as zh-x-mine; made of target and model if not "
            "given.",
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Put the translations in the place of all captions, for measuring a model of "
            "the target language on queries of the source language (translate-test).",
        ),
    ] = False,
    source_code: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="What the model calls the source, as in zho_Hant."),
    ] = None,
    target_code: Annotated[
        str | None, typer.Option(metavar="CODE", help="What the model calls the target.")
    ] = None,
    beams: Annotated[int, typer.Option(min=1, help="Of the beam search.")] = 4,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts translated together.")] = 32,
) -> None:
    """Translate the captions of a dataset with a model of yours.

    The translations go under machine_translated, from where data.translated in a recipe draws
    them. What a model has translated is kept in the user's cache, so that a stopped command goes
    on, and the same captions in another manifest cost nothing.
    """
    from polyglance.data.language import is_language_tag, is_machine_translated
    from polyglance.data.manifest import read_manifest, write_manifest
    from polyglance.data.translate import add_translations, machine_tag, replace_captions
    from polyglance.progress import track
    from polyglance.text.translation import Translator
    from polyglance.weights.cache import cache_folder

    tag = as_ or machine_tag(target, source, model)
    for name, given in (("--source", source), ("--target", target), ("--as", tag)):
        if not is_language_tag(given):
            raise typer.BadParameter(f"{given!r} is not a language tag", param_hint=name)
    if not is_machine_translated(tag):
        raise typer.BadParameter(
            f"{tag!r} does not say that a machine made it; write {target}-x-…", param_hint="--as"
        )
    if replace and as_ is not None:
        raise typer.BadParameter(
            "--replace puts the translations under --target", param_hint="--as"
        )
    records = read_manifest(manifest)
    translator = Translator.load(
        model,
        source=source,
        target=target,
        source_code=source_code,
        target_code=target_code,
        beams=beams,
        memories=cache_folder() / "translations",
    )

    def through_model(texts: list[str]) -> list[str]:
        with track("texts", len(texts)) as advance:
            return translator.translate(texts, batch_size=batch_size, advance=advance)

    if replace:
        written = replace_captions(records, through_model, source=source, target=target)
    else:
        written = add_translations(records, through_model, source=source, tag=tag)
    write_manifest(written, output)
    where = f"captions in {target}" if replace else f"machine_translated.{tag}"
    typer.echo(f"{output}: {len(written)} pictures; {where} translated from {source}")

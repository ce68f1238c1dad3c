"""``polyglance vectors``: make word vectors that languages share, and say how good they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyglance.cli.vector_training import Output, Seed, check_output, train, written

if TYPE_CHECKING:
    from polyglance.vectors.dictionary import Translations
    from polyglance.vectors.quality import Induction
    from polyglance.vectors.space import BilingualSpace, WordSpace

app = typer.Typer(
    help="Make word vectors that languages share: train, align, join; and evaluate them.",
    no_args_is_help=True,
)

app.command()(train)

Source = Annotated[
    Path, typer.Argument(metavar="SOURCE", help="Vectors of the language that is translated.")
]
Target = Annotated[
    Path, typer.Argument(metavar="TARGET", help="Vectors of the language it is translated to.")
]
Dictionaries = Annotated[
    list[Path] | None,
    typer.Option(
        "--dictionary",
        metavar="FILE",
        help="Source words and their translations: MUSE's pairs, a table with tabs, or a dictd "
        ".index, as in Debian's packages dict-freedict-*. May be repeated.",
    ),
]
Reversed = Annotated[
    list[Path] | None,
    typer.Option(
        "--reverse-dictionary",
        metavar="FILE",
        help="The same from the target language to the source. May be repeated.",
    ),
]
Limit = Annotated[int, typer.Option(min=1, help="Words read of each file, the most frequent.")]


@app.command()
def align(
    source: Source,
    target: Target,
    output: Output,
    dictionary: Dictionaries = None,
    reverse_dictionary: Reversed = None,
    identical: Annotated[
        bool,
        typer.Option("--identical", help="Words that both languages write alike are pairs, too."),
    ] = False,
    refinements: Annotated[
        int, typer.Option(min=0, help="Rounds in which CSLS finds more pairs.")
    ] = 5,
    frequent: Annotated[
        int, typer.Option(min=1, help="Words of each language that they look at.")
    ] = 10_000,
    held_out: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=0.9,
            help="About this share of the dictionary's words is measured on and not learned.",
        ),
    ] = 0.1,
    limit: Limit = 200_000,
    seed: Seed = 0,
) -> None:
    """Turn SOURCE so that its words lie on their translations in TARGET.

    Both are written to FOLDER under their own names, with unit length. Languages that are aligned
    with one TARGET into one FOLDER share a space.
    """
    from polyglance.vectors.alignment import align as turn

    if not (dictionary or reverse_dictionary or identical):
        raise typer.BadParameter("name one, or take --identical words", param_hint="--dictionary")
    if source.stem == target.stem:
        raise typer.BadParameter("both files would be written under one name", param_hint="TARGET")
    check_output(output, source.parent, target.parent)
    words, meanings = _read(source, limit), _read(target, limit)
    known, measured = _looked_up(dictionary, reverse_dictionary, words, meanings).split(
        held_out, words=words.words, seed=seed
    )
    if identical:
        known = _with_identical(known, measured, words, meanings)
    typer.echo(f"learning from {known.words:,} source words, {len(known.pairs):,} pairs")
    aligned = turn(words, meanings, known, refinements=refinements, frequent=frequent)
    for number, each in enumerate(aligned.rounds):
        kept = ", kept" if number == aligned.kept else ""
        typer.echo(
            f"round {number}: {each.pairs:,} pairs, mean cosine of frequent words and their "
            f"translations {each.criterion:.3f}{kept}"
        )
    if measured.words:
        _measure(aligned.space, measured)
    for path, space in ((source, aligned.space.source), (target, aligned.space.target)):
        written(output, path.stem, space)


@app.command()
def join(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="SPACE…", help="Folders of two files each, the pivot's and another language's."
        ),
    ],
    output: Output,
    pivot: Annotated[str, typer.Option(metavar="TAG", help="The language in all of them.")] = "en",
    limit: Limit = 200_000,
) -> None:
    """Lay bilingual spaces over each other by the language that they share.

    Its words become the mean of what they are in each; the other languages turn with them.
    """
    from polyglance.vectors.joining import join as lay
    from polyglance.vectors.space import BilingualSpace

    check_output(output, *folders)
    pairs = [_pair(folder, pivot) for folder in folders]
    tags = [other.stem for _, other in pairs]
    for folder, tag in zip(folders, tags, strict=True):
        if tags.count(tag) > 1:
            raise typer.BadParameter(
                f"{folder}: {tag} is in several spaces; join each language once",
                param_hint="SPACE…",
            )
    joined = lay(
        [BilingualSpace(_read(shared, limit), _read(other, limit)) for shared, other in pairs]
    )
    for tag, space in zip([pivot, *tags], joined, strict=True):
        written(output, tag, space)


@app.command()
def evaluate(
    source: Source,
    target: Target,
    dictionary: Dictionaries = None,
    reverse_dictionary: Reversed = None,
    held_out: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1.0,
            help="Measure on the words that `align` held out by the same share and seed, in any "
            "space; on all where absent.",
        ),
    ] = None,
    limit: Limit = 200_000,
    seed: Seed = 0,
    json: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Also write what was found as JSON.")
    ] = None,
) -> None:
    """How often a word's nearest neighbours in the other language hold a translation of it.

    All words of TARGET compete. P@k is the share of the dictionary's words with a translation
    among the first k, by CSLS and by the cosine alone, with 95 % intervals.
    """
    from polyglance.vectors.space import BilingualSpace

    if not (dictionary or reverse_dictionary):
        raise typer.BadParameter("name one to measure by", param_hint="--dictionary")
    words, meanings = _read(source, limit), _read(target, limit)
    if words.dimension != meanings.dimension:
        raise typer.BadParameter(
            f"vectors of {meanings.dimension} numbers, and {words.dimension} in {source}; align "
            "them first",
            param_hint="TARGET",
        )
    translations = _looked_up(dictionary, reverse_dictionary, words, meanings)
    if held_out is not None and translations.words:
        known, translations = translations.split(held_out, words=words.words, seed=seed)
        if not translations.words:
            raise typer.BadParameter(
                f"so small a share has none of {known.words:,} words in it; raise it",
                param_hint="--held-out",
            )
    found = _measure(BilingualSpace(words, meanings), translations)
    if json is not None:
        _write_json(found, json)


def _read(path: Path, limit: int) -> WordSpace:
    from polyglance.text.vector_files import read_vectors
    from polyglance.vectors.space import WordSpace

    space = WordSpace(*read_vectors(path, limit=limit))
    typer.echo(f"{path}: {len(space):,} words of {space.dimension} numbers")
    return space


def _looked_up(
    forth: Sequence[Path] | None, back: Sequence[Path] | None, source: WordSpace, target: WordSpace
) -> Translations:
    from polyglance.vectors.dictionary import match, read_dictionary

    entries = [entry for path in forth or () for entry in read_dictionary(path)]
    entries += [entry for path in back or () for entry in read_dictionary(path, reverse=True)]
    translations = match(entries, source, target)
    if entries:
        typer.echo(
            f"dictionary: {translations.words:,} of its {translations.asked:,} source words have a "
            f"translation among the vectors ({translations.coverage:.1%}; they are "
            f"{translations.words / len(source):.1%} of the source's)"
        )
    return translations


def _with_identical(
    known: Translations, measured: Translations, source: WordSpace, target: WordSpace
) -> Translations:
    """Pairs of words written alike on top, but none of a word that is measured on."""
    import torch

    from polyglance.vectors.dictionary import Translations, identical_words

    alike = identical_words(source, target).pairs
    alike = alike[~torch.isin(alike[:, 0], measured.pairs[:, 0])]
    return Translations(torch.unique(torch.cat([known.pairs, alike]), dim=0), known.asked)


def _measure(space: BilingualSpace, translations: Translations) -> dict[str, Induction]:
    from polyglance.vectors.quality import induce

    found = {
        "csls": induce(space, translations, method="csls"),
        "cosine": induce(space, translations, method="cosine"),
    }
    first = found["csls"]
    typer.echo(f"measured on {first.words:,} words, among {first.candidates:,} candidates:")
    for method, induction in found.items():
        shares = "  ".join(
            f"P@{k} {share.percent:.1f} ({share.low:.1f}–{share.high:.1f})"
            for k, share in induction.precision.items()
        )
        typer.echo(f"  {method:7}{shares}")
    return found


def _pair(folder: Path, pivot: str) -> tuple[Path, Path]:
    """The pivot's file and the other one's."""
    from polyglance.errors import ConfigError

    files = sorted(folder.glob("*.vec"))
    shared = folder / f"{pivot}.vec"
    others = [path for path in files if path != shared]
    if shared not in files or len(others) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise ConfigError(
            f"{folder}: {shared.name} and the file of one other language were expected, there are: "
            f"{names}; --pivot names the language in all spaces"
        )
    return shared, others[0]


def _write_json(found: dict[str, Induction], path: Path) -> None:
    import json
    from dataclasses import asdict

    from polyglance.data.files import replaced_when_complete
    from polyglance.errors import ConfigError

    content = {
        method: asdict(induction)
        | {"precision": {k: share._asdict() for k, share in induction.precision.items()}}
        for method, induction in found.items()
    }
    try:
        with replaced_when_complete(path) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    typer.echo(f"wrote {path}")

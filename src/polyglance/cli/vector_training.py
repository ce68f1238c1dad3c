"""``polyglance vectors train``: word vectors from text."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from polyglance.vectors.space import WordSpace
    from polyglance.vectors.training import TrainingOptions


class Algorithm(StrEnum):
    """How vectors are trained."""

    WORD2VEC = "word2vec"
    FASTTEXT = "fasttext"


Output = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Where the vectors go, a file a language.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of all that is drawn.")]


def train(
    texts: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXT…",
            help="Plain text, a sentence a line.",
        ),
    ],
    language: Annotated[
        list[str],
        typer.Option(
            metavar="TAG",
            help="Of the texts, as in de.",
        ),
    ],
    output: Output,
    algorithm: Annotated[Algorithm, typer.Option(help="How.")] = Algorithm.WORD2VEC,
    dimension: Annotated[int, typer.Option(min=1, help="Numbers of a vector.")] = 300,
    window: Annotated[int, typer.Option(min=1, help="Words to each side, at most.")] = 5,
    negatives: Annotated[int, typer.Option(min=1, help="Drawn against each neighbour.")] = 5,
    epochs: Annotated[
        int, typer.Option(min=1, help="A small text wants more: 40 for 20,000 captions.")
    ] = 10,
    min_count: Annotated[int, typer.Option(min=1, help="Rarer words get no vector.")] = 2,
    seed: Seed = 0,
    workers: Annotated[
        int, typer.Option(min=1, help="Threads; with more than one, no two runs are alike.")
    ] = 1,
    ngrams: Annotated[
        tuple[int, int], typer.Option(help="For fasttext: characters of the n-grams.")
    ] = (3, 6),
    buckets: Annotated[
        int, typer.Option(min=1, help="For fasttext: that n-grams are hashed into.")
    ] = 100_000,
) -> None:
    """Train word vectors from text: FOLDER/TAG.vec; for fasttext a model, FOLDER/TAG.bin, too.

    word2vec and fasttext read one language and need `pip install 'polyglance[vectors]'`.
    """
    _check(len(language) == 1, f"{algorithm} reads one language")
    _check(1 <= ngrams[0] <= ngrams[1], "n-grams go from a short length to a longer one")
    check_output(output)
    from polyglance.vectors.training import TrainingOptions

    options = TrainingOptions(
        dimension=dimension,
        window=window,
        negatives=negatives,
        epochs=epochs,
        min_count=min_count,
        seed=seed,
        workers=workers,
    )
    model = output / f"{language[0]}.bin" if algorithm is Algorithm.FASTTEXT else None
    _monolingual(texts, language[0], output, options, ngrams, buckets, model)


def check_output(folder: Path, *read: Path) -> None:
    """Refuse a folder that is none, or one that is read from: before the work, not after it."""
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{folder} is a file; name a folder", param_hint="--output")
    if folder.resolve() in [each.resolve() for each in read]:
        raise typer.BadParameter(
            f"{folder} has the files that are read; name another folder", param_hint="--output"
        )


def written(folder: Path, name: str, space: WordSpace) -> None:
    """Write a language's vectors and say so."""
    from polyglance.text.vector_files import write_text

    path = folder / f"{name}.vec"
    write_text(path, space.words, space.vectors)
    typer.echo(f"{path}: {len(space):,} words of {space.dimension} numbers")


def _check(fine: bool, otherwise: str) -> None:
    if not fine:
        raise typer.BadParameter(otherwise, param_hint="--algorithm")


def _monolingual(
    texts: list[Path],
    tag: str,
    output: Path,
    options: TrainingOptions,
    ngrams: tuple[int, int],
    buckets: int,
    model: Path | None,
) -> None:
    """word2vec, or fastText where there is a model to write."""
    from polyglance.progress import track
    from polyglance.vectors.corpus import read_sentences
    from polyglance.vectors.training import train_fasttext, train_word2vec

    sentences = read_sentences(texts, language=tag)
    typer.echo(f"{len(sentences):,} sentences, {sum(map(len, sentences)):,} words")
    with track("epochs", options.epochs) as advance:

        def after_epoch() -> None:
            advance(1)

        if model is None:
            space = train_word2vec(sentences, options, after_epoch=after_epoch)
        else:
            shortest, longest = ngrams
            space = train_fasttext(
                sentences,
                options,
                minimum=shortest,
                maximum=longest,
                buckets=buckets,
                model=model,
                after_epoch=after_epoch,
            )
            typer.echo(f"{model}: n-grams for words that the text has not")
    written(output, tag, space)

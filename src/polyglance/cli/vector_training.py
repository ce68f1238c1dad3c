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
    BIVEC = "bivec"


class Links(StrEnum):
    """How bivec finds which word translates which, where no file says so."""

    MODEL1 = "model1"
    POSITION = "position"


Output = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Where the vectors go, a file a language.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of all that is drawn.")]


def train(
    texts: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXT…",
            help="Plain text, a sentence a line. For bivec two files, a sentence and its "
            "translation in the same line.",
        ),
    ],
    language: Annotated[
        list[str],
        typer.Option(
            metavar="TAG",
            help="Of the texts, as in de; for bivec twice, in the order of the files.",
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
    alignments: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="For bivec: which word translates which, a line a sentence, as fast_align and "
            "bivec write it.",
        ),
    ] = None,
    links: Annotated[
        Links,
        typer.Option(
            help="For bivec without --alignments: found in the texts by IBM model 1, or by "
            "position in the sentence."
        ),
    ] = Links.MODEL1,
    bilingual_weight: Annotated[
        float, typer.Option(min=0.0, help="For bivec: of predicting across languages.")
    ] = 1.0,
) -> None:
    """Train word vectors from text: FOLDER/TAG.vec; for fasttext a model, FOLDER/TAG.bin, too.

    word2vec and fasttext read one language and need gensim, which comes with the extra `vectors`.
    bivec reads two and puts both in one space.
    """
    if algorithm is Algorithm.BIVEC:
        _check(len(texts) == len(language) == 2, "bivec reads two texts, of a language each")
        _check(language[0] != language[1], "bivec's two languages have two tags")
        _check(workers == 1, "bivec has no use for --workers")
    else:
        _check(len(language) == 1, f"{algorithm} reads one language")
        _check(alignments is None, f"{algorithm} has no use for --alignments")
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
    if algorithm is Algorithm.BIVEC:
        _bivec(texts, language, output, options, alignments or links, bilingual_weight)
    else:
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
        if model is None:
            space = train_word2vec(sentences, options, after_epoch=lambda: advance(1))
        else:
            shortest, longest = ngrams
            space = train_fasttext(
                sentences,
                options,
                minimum=shortest,
                maximum=longest,
                buckets=buckets,
                model=model,
                after_epoch=lambda: advance(1),
            )
            typer.echo(f"{model}: n-grams for words that the text has not")
    written(output, tag, space)


def _bivec(
    texts: list[Path],
    tags: list[str],
    output: Path,
    options: TrainingOptions,
    alignments: Path | Links,
    bilingual_weight: float,
) -> None:
    from polyglance.progress import track
    from polyglance.vectors.bivec import train_bivec
    from polyglance.vectors.corpus import read_parallel
    from polyglance.vectors.ibm1 import align_words
    from polyglance.vectors.word_alignments import monotonic_alignments, read_alignments

    pairs = read_parallel(texts[0], texts[1], languages=(tags[0], tags[1]))
    typer.echo(f"{len(pairs):,} pairs of sentences")
    if isinstance(alignments, Links):
        find = align_words if alignments is Links.MODEL1 else monotonic_alignments
        linked = find(pairs)
    else:
        linked = read_alignments(alignments, pairs)
    with track("epochs", options.epochs) as advance:
        space = train_bivec(
            pairs,
            dimension=options.dimension,
            window=options.window,
            negatives=options.negatives,
            epochs=options.epochs,
            min_count=options.min_count,
            alignments=linked,
            bilingual_weight=bilingual_weight,
            seed=options.seed,
            after_epoch=lambda: advance(1),
        )
    for tag, half in zip(tags, (space.source, space.target), strict=True):
        written(output, tag, half)

"""Our BiVec against gensim's word2vec on the same text: seconds, and how well sentences are found.

Run: ``POLYGLANCE_MULTI30K_TEXT=… OMP_NUM_THREADS=1 python benchmarks/bivec.py`` (wants
``pip install 'polyglance[vectors]'``)

22,007 English sentences and their translations; one thread each, in processor seconds of training
alone. A sentence is the mean of its words' unit vectors. Among 772 sentences that no vectors have
seen, ``same`` is how often another person's English description of a photo is nearest to the
translators' sentence about it: the quality in one language; ``across`` how often its translation
is: the quality across two, to which word2vec has no answer. BiVec does two languages in its time;
word2vec did English alone in its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import torch
import typer
from torch import Tensor
from torch.nn import functional

from polyglance.vectors.bivec import train_bivec
from polyglance.vectors.corpus import read_parallel, read_sentences
from polyglance.vectors.ibm1 import align_words
from polyglance.vectors.space import BilingualSpace, WordSpace
from polyglance.vectors.training import TrainingOptions, train_word2vec

Sentences = Sequence[list[str]]
Space = TypeVar("Space", WordSpace, BilingualSpace)


def main(
    language: Annotated[str, typer.Option(help="The other one: de, fr or cs.")] = "de",
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    dimension: Annotated[int, typer.Option(min=1)] = 100,
) -> None:
    """Print a line for each way of training."""
    named = os.environ.get("POLYGLANCE_MULTI30K_TEXT")
    if not named:
        raise SystemExit("set POLYGLANCE_MULTI30K_TEXT to the folder that holds train.en.txt")
    folder, tags = Path(named), ("en", language)
    pairs, unseen = (
        read_parallel(folder / f"{part}.en.txt", folder / f"{part}.{language}.txt", languages=tags)
        for part in ("train", "val")
    )
    described = read_sentences([folder / "val.descriptions.en.txt"], language="en")[: len(unseen)]
    english, other = [one for one, _ in unseen], [two for _, two in unseen]
    print(f"{'':26}seconds  same R@1 R@10  across R@1 R@10")

    def word2vec(learning_rate: float) -> WordSpace:
        options = TrainingOptions(dimension=dimension, epochs=epochs, learning_rate=learning_rate)
        return train_word2vec([one for one, _ in pairs], options)

    for rate in (0.025, 0.1):
        space, taken = _timed(partial(word2vec, rate))
        _tell(f"word2vec, English, {rate}", taken, _found(space, english, space, described))
    for name, alignments in (("by position", None), ("by model 1", align_words(pairs))):
        train = partial(train_bivec, pairs, dimension=dimension, epochs=epochs)
        both, taken = _timed(partial(train, alignments=alignments))
        same = _found(both.source, english, both.source, described)
        _tell(f"BiVec, {name}", taken, same, _found(both.source, english, both.target, other))


def _timed(train: Callable[[], Space]) -> tuple[Space, float]:
    """In seconds of the processor: others on the machine do not count."""
    started = time.process_time()
    space = train()
    return space, time.process_time() - started


def _found(
    space: WordSpace, asked: Sentences, others: WordSpace, answers: Sentences
) -> tuple[float, float]:
    """How often, in percent, the answer of the same number is nearest, and among ten."""
    scores = _sentences(space, asked) @ _sentences(others, answers).T  # (asked, answers)
    ranks = (scores > scores.diag()[:, None]).sum(dim=1)  # (asked,)
    first, among_ten = (100 * float((ranks < k).float().mean()) for k in (1, 10))
    return first, among_ten


def _sentences(space: WordSpace, sentences: Sentences) -> Tensor:
    """(sentences, dimension) of unit length."""
    rows, unit = space.rows(), space.unit()
    means = torch.zeros(len(sentences), space.dimension)
    for number, words in enumerate(sentences):
        there = [rows[word] for word in words if word in rows]
        if there:
            means[number] = unit[there].mean(dim=0)
    return functional.normalize(means, dim=1)


def _tell(name: str, seconds: float, *shares: tuple[float, float]) -> None:
    print(f"{name:26}{seconds:7.0f}" + "".join(f"{a:10.1f}{b:6.1f}" for a, b in shares), flush=True)


if __name__ == "__main__":
    typer.run(main)

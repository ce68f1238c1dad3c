"""How often the language of captions, and of their first words, is guessed, and guessed right.

    python benchmarks/language_guess.py MANIFEST [--captions 500] [--expected ar,cs,de,…]

By default the languages of ``mini`` are expected. Of each language's first captions of a picture,
the first words are taken (in Chinese, two characters for each), as a query might end there. A line
for each length: how many get a certain guess, and how many of these are right.
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from polyglance.data.language import writes_spaces
from polyglance.data.manifest import iterate_manifest
from polyglance.text.language_guess import guess_language

MINI = "ar,cs,de,en,es,fr,hi,it,ja,ko,nl,pl,pt,ru,th,tr,zh"
WHOLE = 10_000


def main(
    manifest: Annotated[Path, typer.Argument(help="Captioned pictures.")],
    captions: Annotated[int, typer.Option(min=1, help="Of each language, drawn at random.")] = 500,
    expected: Annotated[str, typer.Option(help="Tags of the languages that are likely.")] = MINI,
) -> None:
    """Print a line for each length, then the time that a guess takes."""
    texts: dict[str, list[str]] = defaultdict(list)
    for record in iterate_manifest(manifest):
        for tag, own in record.captions.items():
            texts[tag].append(own[0])
    random = np.random.default_rng(0)
    drawn = {tag: random.permutation(own)[:captions].tolist() for tag, own in texts.items()}
    guess_language("load the model")
    started, asked = time.perf_counter(), 0
    for words in (1, 2, 3, 5, WHOLE):
        certain = {tag: [0, 0] for tag in drawn}
        for tag, own in drawn.items():
            for text in own:
                guess = guess_language(beginning(text, words, tag), expected=expected.split(","))
                asked += 1
                if guess is not None and guess.is_certain:
                    certain[tag][0] += 1
                    certain[tag][1] += guess.language == tag
        report("whole" if words == WHOLE else f"{words} words", certain, drawn)
    print(f"{1e6 * (time.perf_counter() - started) / asked:.0f} µs a guess")


def beginning(text: str, words: int, tag: str) -> str:
    """The first words of a text."""
    return " ".join(text.split()[:words]) if writes_spaces(tag) else text[: 2 * words]


def report(name: str, certain: dict[str, list[int]], drawn: dict[str, list[str]]) -> None:
    """Shares of all texts that got a certain guess, and of those that are right."""
    every = sum(map(len, drawn.values()))
    told, right = (sum(pair[i] for pair in certain.values()) for i in (0, 1))
    each = "  ".join(f"{tag} {100 * certain[tag][0] / len(drawn[tag]):.0f}" for tag in drawn)
    print(
        f"{name:8} certain {100 * told / every:5.1f} %, right {100 * right / told:5.1f} %   {each}"
    )


if __name__ == "__main__":
    typer.run(main)

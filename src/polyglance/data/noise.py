"""Translations made worse at stated rates, for languages in which no real engine's are at hand.

Three mistakes, each decided by a random number of its own that depends on nothing but the seed,
the picture, the engine and the caption: a mistake made at one rate is made at every higher rate.
So curves over rates compare the same sentences, and differ by what the noise does and not by luck.

The three kinds and their rates are ours; real engines err otherwise (they name the wrong thing, and
always the same one), which is why real translations are the better test where they are to be had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polyglance.data.language import writes_spaces

if TYPE_CHECKING:
    import numpy as np

WordSpans = Callable[[str], list[tuple[int, int]]]
"""Where the words of a text begin and end, for languages that put no spaces between them."""


@dataclass(frozen=True, slots=True)
class NoiseRates:
    """How much is wrong, each a share between 0 and 1.

    Attributes:
        drop: of the words that are missing; one word of a sentence always stays.
        swap: of the pairs of neighbouring words that stand in the wrong order. Pairs do not
            overlap, so that about this share of all words is out of place.
        wrong: of the sentences that are another picture's.
    """

    drop: float = 0.0
    swap: float = 0.0
    wrong: float = 0.0

    def __post_init__(self) -> None:
        for rate in (self.drop, self.swap, self.wrong):
            if not 0 <= rate <= 1:
                raise ValueError(f"a rate of noise is between 0 and 1, not {rate}")

    def __bool__(self) -> bool:
        return any((self.drop, self.swap, self.wrong))


@dataclass(frozen=True, slots=True)
class Noise:
    """Puts mistakes into sentences.

    Attributes:
        rates: of each mistake.
        spans: finds the words where a language puts no spaces between them.
        seed: of every draw.
    """

    rates: NoiseRates
    spans: WordSpans
    seed: int = 0

    def add(
        self, sentences: Mapping[str, Sequence[str]], *, language: str, engine: str = ""
    ) -> dict[str, tuple[str, ...]]:
        """Sentences with mistakes.

        Args:
            sentences: picture's id → its sentences. A wrong sentence comes from another of these
                pictures, so that which one depends on them all; of one picture alone none is wrong.
            language: BCP-47 tag of the sentences.
            engine: that made them; each errs in its own places.

        Returns:
            Picture's id → as many sentences, none empty.
        """
        names = list(sentences)
        find = _spaced_words if writes_spaces(language) else self.spans
        noisy: dict[str, tuple[str, ...]] = {}
        for place, (name, own) in enumerate(sentences.items()):
            changed = []
            for row, sentence in enumerate(own):
                random = _random(self.seed, engine, name, row)
                is_wrong, whose, which = random.random(3)
                if is_wrong < self.rates.wrong and len(names) > 1:
                    other = sentences[names[_another(place, whose, len(names))]]
                    sentence = other[int(which * len(other))]  # noqa: PLW2901 -- that is the noise
                changed.append(_with_mistakes(sentence, self.rates, random, find))
            noisy[name] = tuple(changed)
        return noisy


def _with_mistakes(
    sentence: str, rates: NoiseRates, random: np.random.Generator, find: WordSpans
) -> str:
    """Swap, then drop, by the words' places in the sentence as it was."""
    found = find(sentence)
    words = [sentence[start:stop] for start, stop in found]
    before = [0, *(stop for _, stop in found)]
    gaps = [sentence[end:start] for end, (start, _) in zip(before, found, strict=False)]
    order = list(range(len(words)))
    chances = random.random((len(words), 2))  # of being dropped, of changing places
    for first in range(int(random.random() < 0.5), len(words) - 1, 2):
        if chances[first, 1] < rates.swap:
            order[first], order[first + 1] = first + 1, first
    stays = chances[:, 0] >= rates.drop
    if words:
        stays[chances[:, 0].argmax()] = True
    kept = [gap + words[word] for gap, word in zip(gaps, order, strict=True) if stays[word]]
    return "".join(kept).strip()


def _spaced_words(text: str) -> list[tuple[int, int]]:
    """What stands between spaces, with the punctuation at it."""
    found: list[tuple[int, int]] = []
    for word in text.split():
        start = text.index(word, found[-1][1] if found else 0)
        found.append((start, start + len(word)))
    return found


def _another(place: int, chance: float, count: int) -> int:
    """Any of ``count`` places but this one, by a number from 0 to 1."""
    other = int(chance * (count - 1))
    return other + (other >= place)


def _random(seed: int, engine: str, name: str, row: int) -> np.random.Generator:
    import numpy as np

    digest = hashlib.sha256(f"{seed}\n{engine}\n{row}\n{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))

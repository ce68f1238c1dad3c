"""Is a heat map right? Mosaics of four pictures, asked with the caption of one of them.

Pictures with captions are no ground truth for places; four of them beside one another are. Each
fills a quarter of the mosaic, bent to a square at half the side that the model reads for a map. A
mosaic is asked with one caption of each of its pictures in each language, and answers right where
the maximum of the heat map lies in that picture's quarter. Chance is one in four. It is the
pointing game (Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016,
section 4.1) with quarters for boxes, so that a caption in any language can be asked.

A maximum that a place in another quarter shares, or in a cell that the border of quarters cuts, is
wrong: a constant map scores zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from polyglance.data.ahead import decode
from polyglance.errors import ConfigError, PictureError
from polyglance.evaluation.bootstrap import draw_pictures, interval
from polyglance.evaluation.encoding import chosen_languages
from polyglance.evaluation.pointing import Pointed, Pointing
from polyglance.progress import track
from polyglance.vision.preprocessing import Preprocessing

if TYPE_CHECKING:
    from polyglance.data.record import Record
    from polyglance.features import Features

QUARTERS = 4


class Localiser(Protocol):
    """A model that says where a text is; :class:`polyglance.Retriever` is one."""

    @property
    def map_preprocessing(self) -> Preprocessing:
        """From a picture to the pixels that maps are made of."""

    def text_features(
        self, texts: Sequence[str], *, language: str | Sequence[str] | None = None
    ) -> Features:
        """(n) texts → features of n texts."""

    def heat(self, pixels: NDArray[np.uint8], texts: Features) -> NDArray[np.float32]:
        """(images, 3, side, side) uint8, n texts → (images, n, rows, columns)."""


class Question(NamedTuple):
    """A caption of one of a mosaic's pictures."""

    text: str
    language: str
    quarter: int


def measure_pointing(
    localiser: Localiser,
    records: Sequence[Record],
    *,
    mosaics: int,
    languages: Sequence[str] | None = None,
    draws: int = 1000,
    seed: int = 0,
    show_progress: bool = False,
) -> Pointing:
    """Ask mosaics of these pictures for each of them.

    Pictures that cannot be read are passed over. Each takes part once before any does again.

    Args:
        localiser: the model.
        records: pictures and captions; pictures without a caption fill quarters, too.
        mosaics: how many.
        languages: tags to ask in; ``None`` for every language that has a caption.
        draws: of the bootstrap over mosaics; 0 for no intervals.
        seed: of the pictures' order, of which caption is asked, and of the bootstrap.
        show_progress: on standard error.

    Raises:
        ConfigError: a language has no captions, or no question was asked in it.
        ModelError: the model sees pictures only as a whole.
        PictureError: fewer than four pictures can be read.
    """
    chosen = chosen_languages(records, languages)
    generator = np.random.default_rng(seed)
    side = localiser.map_preprocessing.size // 2 * 2
    hits = np.zeros((mosaics, len(chosen)))
    asked = np.zeros((mosaics, len(chosen)))
    makes = _mosaics(records, side, generator)
    with track("mosaics", mosaics, show=show_progress) as advance:
        for number, (pixels, four) in zip(range(mosaics), makes, strict=False):
            questions = _questions(four, chosen, generator)
            if questions:
                heat = localiser.heat(pixels[np.newaxis], _encoded(localiser, questions))[0]
                for each, quarter in zip(questions, map(hottest_quarter, heat), strict=True):
                    place = number, chosen.index(each.language)
                    hits[place] += quarter == each.quarter
                    asked[place] += 1
            advance(1)
    if silent := [tag for tag, count in zip(chosen, asked.sum(0), strict=True) if not count]:
        raise ConfigError(f"no picture of the mosaics has a caption in {', '.join(silent)}")
    return _summary(hits, asked, chosen, side=side, draws=draws, seed=seed)


def hottest_quarter(heat: NDArray[np.float32]) -> int | None:
    """The quarter, row by row, that (rows, columns) is highest in; ``None`` where in no single one.

    That is: where several quarters share the maximum, or its cell is cut by their border.
    """
    sides = np.array(heat.shape)
    places = np.argwhere(heat == heat.max())  # (places, 2)
    if (2 * places + 1 == sides).any():
        return None
    quarters = np.unique((2 * places >= sides) @ [2, 1])
    return int(quarters[0]) if len(quarters) == 1 else None


def _mosaics(
    records: Sequence[Record], side: int, generator: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], list[Record]]]:
    """Mosaics (3, side, side) and their pictures, in ever new orders, for ever."""
    reading = Preprocessing(size=side // 2)  # bends the whole picture to a square
    reason = ""
    while True:
        four: list[Record] = []
        quarters: list[NDArray[np.uint8]] = []
        made = 0
        for place in generator.permutation(len(records)):
            record = records[place]
            try:
                quarters.append(decode(record.image, reading))
            except PictureError as error:
                reason = f"; {error}"
                continue
            four.append(record)
            if len(four) == QUARTERS:
                yield _joined(quarters), four
                made, four, quarters = made + 1, [], []
        if not made:
            raise PictureError(f"a mosaic needs four pictures that can be read{reason}")


def _joined(quarters: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Four times (3, half, half) → (3, side, side), row by row."""
    top, bottom = (np.concatenate(quarters[row : row + 2], axis=2) for row in (0, 2))
    return np.concatenate([top, bottom], axis=1)


def _questions(
    four: Sequence[Record], languages: Sequence[str], generator: np.random.Generator
) -> list[Question]:
    """One caption of each picture in each language, where it has any."""
    return [
        Question(str(generator.choice(np.array(captions, dtype=object))), tag, quarter)
        for quarter, record in enumerate(four)
        for tag in languages
        if (captions := record.captions.get(tag))
    ]


def _encoded(localiser: Localiser, questions: Sequence[Question]) -> Features:
    return localiser.text_features(
        [question.text for question in questions],
        language=[question.language for question in questions],
    )


def _summary(
    hits: NDArray[np.floating],
    asked: NDArray[np.floating],
    languages: Sequence[str],
    *,
    side: int,
    draws: int,
    seed: int,
) -> Pointing:
    """(mosaics, languages) right answers and questions → shares and their intervals."""
    shares = 100 * hits.sum(0) / asked.sum(0)  # (languages,)
    weights = draw_pictures(len(hits), draws=draws, seed=seed).astype(np.float64)
    with np.errstate(invalid="ignore"):
        drawn = 100 * (weights @ hits) / (weights @ asked)  # (draws, languages)
    return Pointing(
        languages={
            tag: Pointed(
                float(shares[place]),
                interval(drawn[:, place]) if draws else None,
                int(asked[:, place].sum()),
            )
            for place, tag in enumerate(languages)
        },
        mean=Pointed(float(shares.mean()), interval(drawn.mean(1)) if draws else None),
        mosaics=len(hits),
        side=side,
        seed=seed,
    )

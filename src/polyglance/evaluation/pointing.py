"""What pointing at places measured: the result of :mod:`polyglance.evaluation.mosaics`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from polyglance.evaluation.bootstrap import Interval

CHANCE = 25.0  # percent: a quarter of a mosaic


@dataclass(frozen=True, slots=True)
class Pointed:
    """How often a map's maximum lay in the right quarter.

    Attributes:
        hits: percent.
        interval: 95 %, from a bootstrap over mosaics; ``None`` without draws.
        questions: how many captions were asked; 0 in a mean over languages.
    """

    hits: float
    interval: Interval | None = None
    questions: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As in the report's JSON."""
        shape: dict[str, Any] = {"hits": self.hits}
        if self.interval is not None:
            shape["ci95"] = list(self.interval)
        if self.questions:
            shape["questions"] = self.questions
        return shape

    @classmethod
    def from_dict(cls, shape: Mapping[str, Any]) -> Pointed:
        """The inverse of :meth:`as_dict`."""
        pair = shape.get("ci95")
        return cls(
            shape["hits"], None if pair is None else Interval(*pair), shape.get("questions", 0)
        )


@dataclass(frozen=True, slots=True)
class Pointing:
    """Mosaics of four pictures, asked with the captions of each.

    Attributes:
        languages: tag → what was found, in the order of measuring.
        mean: over the languages, each counting the same.
        mosaics: how many.
        side: of a mosaic, in pixels.
        seed: of the pictures' order, the captions and the bootstrap.
    """

    languages: Mapping[str, Pointed]
    mean: Pointed
    mosaics: int
    side: int
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """As in the report's JSON; percent."""
        return {
            "languages": {tag: found.as_dict() for tag, found in self.languages.items()},
            "mean": self.mean.as_dict(),
            "chance": CHANCE,
            "mosaics": self.mosaics,
            "side": self.side,
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, shape: Mapping[str, Any]) -> Pointing:
        """The inverse of :meth:`as_dict`."""
        return cls(
            {tag: Pointed.from_dict(found) for tag, found in shape["languages"].items()},
            Pointed.from_dict(shape["mean"]),
            shape["mosaics"],
            shape["side"],
            shape["seed"],
        )

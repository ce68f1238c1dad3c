"""What is told of a model that is on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["built-in", "checkpoint", "export", "published"]


class Place(NamedTuple):
    """Where a model lies, and by which name every verb takes it."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Weights:
    """How large a model is.

    Attributes:
        parameters: numbers that it stores, as far as files tell: those of safetensors do.
        uncounted: parts whose numbers nothing says: ONNX graphs, and towers that are not here.
        size: of all its files, in bytes, with the pretrained towers that it shares with others.
    """

    parameters: int
    uncounted: tuple[str, ...]
    size: int


class Recall(NamedTuple):
    """Text→image recalls in one language, in percent."""

    at_1: float
    at_5: float
    at_10: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Recalls that were written down when the model was measured.

    Attributes:
        source: the file that says so, and on which pictures.
        recalls: language tag → recalls.
    """

    source: Path
    recalls: Mapping[str, Recall]

    @property
    def worst(self) -> str:
        """The language with the lowest R@10."""
        return min(self.recalls, key=lambda tag: self.recalls[tag].at_10)


class Speed(NamedTuple):
    """What a model encodes in a second, on this machine."""

    texts: float
    pictures: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model, as far as its files tell.

    Attributes:
        name: by which every verb takes it.
        folder: where it lies.
        kind: ``published`` are those of the transformers library.
        system: which system it is, or which family.
        languages: tags that it was trained on; empty where nothing says.
        dimension: of its embeddings; ``None`` where it has none, or the files do not tell.
        weights: how large it is.
        missing: names of pretrained towers that have not been fetched.
        measured: what was written down of its recall.
    """

    name: str
    folder: Path
    kind: Kind
    system: str
    languages: tuple[str, ...]
    dimension: int | None
    weights: Weights
    missing: tuple[str, ...] = ()
    measured: Measured | None = None


@dataclass(frozen=True, slots=True)
class Unusable:
    """What looks like a model and cannot be used, with the reason."""

    name: str
    reason: str

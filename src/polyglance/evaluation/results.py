"""What an evaluation found, and its JSON form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from polyglance.data.files import replaced_when_complete
from polyglance.errors import ManifestError
from polyglance.evaluation.bootstrap import Interval
from polyglance.evaluation.metrics import Metrics, rsum
from polyglance.evaluation.pointing import Pointing

FORMAT = 1
CURVE = (1, 2, 3, 5, 10, 20, 50, 100)  # the K of the recall@K curves

Gallery = Literal["all", "captioned"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of retrieval in one language, or averaged over languages.

    Attributes:
        metrics: the numbers.
        intervals: metric name → 95 % interval; empty where none were asked for.
        queries: how many; 0 in an average over languages.
        gallery: items that each query is ranked against; the mean over folds, where there are any.
        curve: R@K in percent for the K of :data:`CURVE`.
    """

    metrics: Metrics
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    queries: int = 0
    gallery: float = 0
    curve: tuple[float, ...] = ()

    def as_dict(self) -> Json:
        """The metrics by name; the rest where there is something to tell."""
        shape: Json = dict(self.metrics.as_dict())
        if self.intervals:
            shape["ci95"] = {name: list(pair) for name, pair in self.intervals.items()}
        if self.queries:
            shape |= {"queries": self.queries, "gallery": _number(self.gallery)}
        if self.curve:
            shape["recall_curve"] = {"K": list(CURVE), "recall": list(self.curve)}
        return shape

    @classmethod
    def from_dict(cls, shape: Json) -> Direction:
        """The inverse of :meth:`as_dict`."""
        return cls(
            metrics=Metrics.from_dict(shape),
            intervals={name: Interval(*pair) for name, pair in shape.get("ci95", {}).items()},
            queries=shape.get("queries", 0),
            gallery=shape.get("gallery", 0),
            curve=tuple(shape.get("recall_curve", {}).get("recall", ())),
        )


@dataclass(frozen=True, slots=True)
class BothDirections:
    """Both directions, and their sum of six recalls.

    Attributes:
        text_to_image: each caption looks for its picture.
        image_to_text: each picture looks for any of its captions.
        rsum_interval: 95 % interval of :attr:`rsum`.
    """

    text_to_image: Direction
    image_to_text: Direction
    rsum_interval: Interval | None = None

    @property
    def rsum(self) -> float:
        """Sum of the six recalls, percent; at most 600."""
        return rsum(self.text_to_image.metrics, self.image_to_text.metrics)

    @property
    def mean_recall(self) -> float:
        """Mean of the six recalls, percent."""
        return self.rsum / 6

    def as_dict(self) -> Json:
        """As in the report's JSON."""
        shape: Json = {
            "text_to_image": self.text_to_image.as_dict(),
            "image_to_text": self.image_to_text.as_dict(),
            "rsum": self.rsum,
            "mean_recall": self.mean_recall,
        }
        if self.rsum_interval is not None:
            shape["rsum_ci95"] = list(self.rsum_interval)
        return shape

    @classmethod
    def from_dict(cls, shape: Json) -> BothDirections:
        """The inverse of :meth:`as_dict`."""
        pair = shape.get("rsum_ci95")
        return cls(
            Direction.from_dict(shape["text_to_image"]),
            Direction.from_dict(shape["image_to_text"]),
            None if pair is None else Interval(*pair),
        )


@dataclass(frozen=True, slots=True)
class LanguageResult:
    """What was found in one language.

    Attributes:
        scores: both directions.
        images: pictures with a caption in the language.
        captions: in the language.
        fewest: captions of a picture that has any.
        most: captions of a picture.
    """

    scores: BothDirections
    images: int
    captions: int
    fewest: int
    most: int

    @property
    def captions_per_image(self) -> float:
        """Mean over the pictures that have a caption; a whole number where all have as many."""
        return self.fewest if self.fewest == self.most else self.captions / self.images

    def as_dict(self) -> Json:
        """As in the report's JSON."""
        return {
            **self.scores.as_dict(),
            "captions_per_image": self.captions_per_image,
            "captions_per_image_range": [self.fewest, self.most],
            "captions": self.captions,
            "images": self.images,
        }

    @classmethod
    def from_dict(cls, shape: Json) -> LanguageResult:
        """The inverse of :meth:`as_dict`."""
        fewest, most = shape["captions_per_image_range"]
        scores = BothDirections.from_dict(shape)
        return cls(scores, shape["images"], shape["captions"], fewest, most)


@dataclass(frozen=True, slots=True)
class RankVariance:
    """Mean rank variance: how differently the languages rank one and the same picture.

    Attributes:
        text_to_image: variance over languages of a picture's rank, averaged over pictures.
        image_to_text: the same for the rank of the picture's best caption. Languages have
            different galleries of captions, so it compares models and not manifests.
        images: pictures averaged over: those with a caption in every language.
    """

    text_to_image: float
    image_to_text: float
    images: int


@dataclass(frozen=True, slots=True)
class Crossing:
    """Sentences in one language looking for their translations in another: recalls in percent."""

    recalls: Mapping[str, float]
    queries: int
    gallery: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """A picture that took no part, with the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """A whole evaluation.

    Attributes:
        images: pictures that took part.
        languages: tag → result, in the order of measuring.
        mean: plain average over the languages.
        rank_variance: ``None`` below two languages, or where they share no picture.
        text_to_text: source tag → target tag → recalls; from the manifest's ``parallel``.
        gallery: ``all`` pictures, or those ``captioned`` in the language.
        folds: 1, or the number of consecutive parts that were measured apart and averaged.
        seed: of the bootstrap.
        draws: of the bootstrap; 0 for no intervals.
        model: name.
        fingerprint: of the model.
        manifest: where the pictures came from.
        skipped: pictures that could not be read.
        warnings: what a reader of the numbers must know.
        pointing: how often heat maps pointed at the right picture, where that was measured.
        reranking: what came before, where these are the ranks after a second stage.
    """

    images: int
    languages: Mapping[str, LanguageResult]
    mean: BothDirections
    rank_variance: RankVariance | None = None
    text_to_text: Mapping[str, Mapping[str, Crossing]] = field(default_factory=dict)
    gallery: Gallery = "all"
    folds: int = 1
    seed: int = 0
    draws: int = 0
    model: str = ""
    fingerprint: str = ""
    manifest: str = ""
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    pointing: Pointing | None = None
    reranking: Reranking | None = None

    @property
    def worst(self) -> str:
        """The language with the lowest mean recall."""
        return min(self.languages, key=lambda tag: self.languages[tag].scores.rsum)

    def as_dict(self) -> Json:
        """The report as JSON; recalls in percent."""
        return {
            "images": self.images,
            "languages": {tag: result.as_dict() for tag, result in self.languages.items()},
            "mean": self.mean.as_dict(),
            "worst": {"language": self.worst, **self.languages[self.worst].as_dict()},
            "mean_rank_variance": None
            if self.rank_variance is None
            else asdict(self.rank_variance),
            "text_to_text": {
                source: {
                    target: {**found.recalls, "queries": found.queries, "gallery": found.gallery}
                    for target, found in row.items()
                }
                for source, row in self.text_to_text.items()
            },
            "gallery": self.gallery,
            "folds": self.folds,
            "bootstrap": {"draws": self.draws, "seed": self.seed, "unit": "picture"},
            "model": {"name": self.model, "fingerprint": self.fingerprint},
            "manifest": self.manifest,
            "skipped": [asdict(picture) for picture in self.skipped],
            "warnings": list(self.warnings),
            "pointing": None if self.pointing is None else self.pointing.as_dict(),
            "reranking": None if self.reranking is None else self.reranking.as_dict(),
            "format": FORMAT,
        }

    @classmethod
    def from_dict(cls, shape: Json) -> Report:
        """The inverse of :meth:`as_dict`."""
        variance = shape["mean_rank_variance"]
        pointing = shape.get("pointing")  # reports of before it was measured have none
        reranking = shape.get("reranking")
        return cls(
            images=shape["images"],
            languages={
                tag: LanguageResult.from_dict(result) for tag, result in shape["languages"].items()
            },
            mean=BothDirections.from_dict(shape["mean"]),
            rank_variance=None if variance is None else RankVariance(**variance),
            text_to_text={
                source: {target: _crossing(found) for target, found in row.items()}
                for source, row in shape["text_to_text"].items()
            },
            gallery=shape["gallery"],
            folds=shape["folds"],
            seed=shape["bootstrap"]["seed"],
            draws=shape["bootstrap"]["draws"],
            model=shape["model"]["name"],
            fingerprint=shape["model"]["fingerprint"],
            manifest=shape["manifest"],
            skipped=tuple(Skipped(**picture) for picture in shape["skipped"]),
            warnings=tuple(shape["warnings"]),
            pointing=None if pointing is None else Pointing.from_dict(pointing),
            reranking=None if reranking is None else Reranking.from_dict(reranking),
        )

    def save(self, path: Path | str) -> None:
        """Write the JSON, whole or not at all."""
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False)
        with replaced_when_complete(Path(path)) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> Report:
        """Read what :meth:`save` wrote.

        Raises:
            ManifestError: the file is not there or is no report.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise ManifestError(f"{path}: cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise ManifestError(
                f"{path}: not a report of `polyglance evaluate --json` ({error!r})"
            ) from None


class Ceiling(NamedTuple):
    """Share of the queries with a positive among the first stage's best, percent."""

    text_to_image: float
    image_to_text: float


@dataclass(frozen=True, slots=True)
class Reranking:
    """How a second stage came to its ranks.

    Attributes:
        model: name of the second stage's.
        fingerprint: of it.
        top: how many of the first stage's best it ordered, of every query.
        weight: of the first stage's scores, which were added to its own.
        passes: pairs that it compared.
        ceilings: tag → recall of the first stage at ``top``, which no second stage can exceed.
        first: the first stage alone.
    """

    model: str
    fingerprint: str
    top: int
    weight: float
    passes: int
    ceilings: Mapping[str, Ceiling]
    first: Report

    @property
    def mean_ceiling(self) -> Ceiling:
        """Plain average over the languages."""
        ways = zip(*self.ceilings.values(), strict=True)
        return Ceiling(*(sum(way) / len(self.ceilings) for way in ways))

    def as_dict(self) -> Json:
        """As in the report's JSON."""
        return {
            "model": {"name": self.model, "fingerprint": self.fingerprint},
            "top": self.top,
            "weight": self.weight,
            "passes": self.passes,
            "ceiling": {tag: ceiling._asdict() for tag, ceiling in self.ceilings.items()},
            "mean_ceiling": self.mean_ceiling._asdict(),
            "first_stage": self.first.as_dict(),
        }

    @classmethod
    def from_dict(cls, shape: Json) -> Reranking:
        """The inverse of :meth:`as_dict`."""
        return cls(
            model=shape["model"]["name"],
            fingerprint=shape["model"]["fingerprint"],
            top=shape["top"],
            weight=shape["weight"],
            passes=shape["passes"],
            ceilings={tag: Ceiling(**ceiling) for tag, ceiling in shape["ceiling"].items()},
            first=Report.from_dict(shape["first_stage"]),
        )


def _crossing(found: Json) -> Crossing:
    recalls = {name: value for name, value in found.items() if name.startswith("R@")}
    return Crossing(recalls, found["queries"], found["gallery"])


def _number(value: float) -> float:
    """Whole numbers without a fraction."""
    return int(value) if float(value).is_integer() else value

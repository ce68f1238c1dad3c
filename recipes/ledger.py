"""Finished runs of a results page: one line of JSON a run, kept beside the page.

A run is told by its table, its name and its seed, and counts as finished only while its recipe is
the one it was run with. So a page can always be written anew, and whatever changes is run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from polyglance.evaluation.seeds import over_seeds

RECALLS = ("R@1", "R@5", "R@10")
DIRECTIONS = ("image_to_text", "text_to_image")


@dataclass(frozen=True, slots=True)
class Logged:
    """One finished run.

    Attributes:
        table: that it belongs to.
        name: of its row.
        seed: of initialisation, batches and dropout.
        recipe: everything that decided it, without the places of files.
        best_step: whose weights were measured.
        languages: BCP-47 tag → metrics on the validation pictures.
        curve: for each measurement during training, its step and each language's rsum.
        losses: step → loss, thinned.
        warnings: that the guard against collapse gave.
        seconds: of training, by the log's clock.
        pairs: of a picture and a caption seen.
        parameters: part → how many numbers learn.
        regions: what `region_look.py` says of them, where there are any, and how often heat maps
            point at the right picture, where that was measured.
    """

    table: str
    name: str
    seed: int
    recipe: dict[str, Any]
    best_step: int
    languages: dict[str, dict[str, Any]]
    curve: list[tuple[int, dict[str, float]]]
    losses: list[tuple[int, float]]
    warnings: int
    seconds: float
    pairs: int
    parameters: dict[str, int]
    regions: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it from other runs."""
        return self.table, self.name, self.seed

    def rsum(self, language: str) -> float:
        """Sum of the six recalls in a language."""
        return float(self.languages[language]["rsum"])

    def recalls(self, language: str) -> list[float]:
        """R@1, R@5, R@10 image→text, then text→image."""
        metrics = self.languages[language]
        return [float(metrics[way][name]) for way in DIRECTIONS for name in RECALLS]


class Ledger:
    """The finished runs in a file.

    Args:
        path: of the JSON Lines.
        kind: of what a line says: a dataclass of what JSON can hold, told by a ``key`` and finished
            by its ``recipe``.
    """

    def __init__(self, path: Path, kind: type[Any] = Logged) -> None:
        self.path, self.kind = path, kind

    def __iter__(self) -> Iterator[Any]:
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                yield self.kind(**json.loads(line))

    def add(self, run: Any) -> None:
        """Put a run in, in the place of any other with its table, name and seed."""
        kept = {other.key: other for other in self} | {run.key: run}
        lines = [json.dumps(_fields(kept[key]), ensure_ascii=False) for key in sorted(kept)]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".new")
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        temporary.replace(self.path)

    def has(self, key: tuple[str, str, int], recipe: dict[str, Any]) -> bool:
        """Whether that run is finished, by that very recipe."""
        return any(run.key == key and run.recipe == recipe for run in self)

    def of(self, table: str, name: str | None = None) -> list[Any]:
        """The runs of a table, or of one of its rows, by seed."""
        return [run for run in self if run.table == table and name in (None, run.name)]


def _fields(run: Any) -> dict[str, Any]:
    return {field.name: getattr(run, field.name) for field in fields(run)}


def difference(
    first: Sequence[Logged], second: Sequence[Logged], language: str
) -> tuple[float, float] | None:
    """First − second in a language's rsum; see :func:`over_runs`."""
    return over_runs(first, second, lambda run: run.rsum(language))


def over_runs(
    first: Sequence[Any], second: Sequence[Any], value: Callable[[Any], float]
) -> tuple[float, float] | None:
    """First − second over the seeds that both have: mean and half-interval.

    ``None`` where they share fewer than two.

    Runs of one seed share their batches, so that seeds are paired.
    """
    by_seed = [{run.seed: value(run) for run in runs} for runs in (first, second)]
    seeds = sorted(by_seed[0].keys() & by_seed[1].keys())
    if len(seeds) < 2:
        return None
    return over_seeds([by_seed[0][seed] - by_seed[1][seed] for seed in seeds])

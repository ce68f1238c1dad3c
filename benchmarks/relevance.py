"""How often a search says rightly, and wrongly, that nothing in a collection matches.

    python benchmarks/relevance.py [--model mini] [--sizes 100 --sizes 500 …] [--embeddings FOLDER]

Needs POLYGLANCE_FLICKR8K, `polyglance download emoji` and `polyglance download stamps`. One half of
the validation photos lies in collections, filled up with training photos where they are larger.
Ways to tell a match are compared: each gets one cut for all sizes, languages and queries, that
keeps 80 % of the captions whose photo is there; found on 500 training photos, and on the validation
photos, it is tried on the latter. Writes ``docs/results/relevance.json`` and ``relevance.md``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from polyglance import Retriever
from polyglance.search.relevance import GOOD, Calibration
from relevance_page import page
from relevance_queries import Embedder, Split, Vectors

Values = NDArray[Any]  # floating point
Key = tuple[int, str, str]  # size of the collection, kind of query, language

RESULTS = Path("docs/results/relevance")
SIZES = (100, 500, 1000, 5000)
TRAIN_SIZE = 500
KEPT = 0.8
CHOSEN = "16 references"


def main(
    model: Annotated[str, typer.Option(help="That searches.")] = "mini",
    sizes: Annotated[list[int] | None, typer.Option(help="Photos; may be repeated.")] = None,
    embeddings: Annotated[
        Path | None, typer.Option(help="Folder that keeps embeddings for the next time.")
    ] = None,
) -> None:
    """Ask collections of several sizes, and write what came of it."""
    embedder = Embedder(Retriever.load(model), embeddings)
    train, _ = measure(embedder, Split(embedder, "train"), (TRAIN_SIZE,))
    val, found = measure(embedder, Split(embedder, "val"), tuple(sizes or SIZES))
    content = {
        "model": model,
        "good": GOOD,
        "candidates": [compared(name, train[name], val[name]) for name in val],
        "relevance": [
            {"size": key[0], "kind": key[1], "language": key[2], **told(values, found.get(key))}
            for key, values in val[CHOSEN].items()
        ],
    }
    RESULTS.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(page(content), encoding="utf-8")
    print(f"wrote {RESULTS}.json and {RESULTS}.md")


Found = dict[Key, tuple[Values, NDArray[np.bool_]]]


def measure(
    embedder: Embedder, split: Split, sizes: tuple[int, ...]
) -> tuple[dict[str, dict[Key, Values]], Found]:
    """What each candidate gives to the best picture of each query.

    Also of captions: the relevance of their own photo, and whether that is among the first ten.
    """
    references, bank = embedder.references(), split.bank()
    values: dict[str, dict[Key, list[Values]]] = {name: {} for name in CANDIDATES}
    found: Found = {}
    for size in sizes:
        knowledge: dict[int, Known] = {}
        for each in split.asked(size):
            key = (size, each.kind, each.language)
            scores = each.vectors @ each.collection.T  # (queries, photos)
            about = id(each.collection)
            if about not in knowledge:
                knowledge[about] = Known(each.collection, references, bank)
            known = knowledge[about]
            for name, candidate in CANDIDATES.items():
                given = candidate(scores, each.vectors, known)
                values[name].setdefault(key, []).append(given)
            if each.photos is not None:
                own = np.take_along_axis(scores, each.photos[:, None], axis=1)  # (queries, 1)
                found[key] = (
                    known.relevance(each.vectors, own[:, 0]),
                    (scores > own).sum(axis=1) < 10,
                )
    joined = {
        name: {key: np.concatenate(parts) for key, parts in by_key.items()}
        for name, by_key in values.items()
    }
    return joined, found


class Known:
    """What a candidate may know of a collection besides a query's scores."""

    def __init__(self, collection: Vectors, references: Vectors, bank: Vectors) -> None:
        best = (references @ collection.T).max(axis=1)  # (references,)
        self.calibration = Calibration(references, best)
        # (photos,) of each photo, the mean of its ten best cosines with training captions
        self.hubness = np.sort(collection @ bank.T, axis=1)[:, -10:].mean(axis=1)

    def relevance(self, vectors: Vectors, scores: Values) -> Values:
        """(queries, dimension), and a cosine of each → (queries,) relevance."""
        pairs = zip(vectors, scores, strict=True)
        background = self.calibration.background
        return np.array([background(vector).cdf(float(score)) for vector, score in pairs])


def _z(scores: Values, _vectors: Vectors, _known: Known) -> Values:
    z: Values = (scores.max(axis=1) - scores.mean(axis=1)) / scores.std(axis=1)
    return z


def _robust_z(scores: Values, _vectors: Vectors, _known: Known) -> Values:
    middle = np.median(scores, axis=1)
    deviation = np.median(np.abs(scores - middle[:, None]), axis=1)
    z: Values = (scores.max(axis=1) - middle) / deviation
    return z


def _tail(scores: Values, _vectors: Vectors, _known: Known) -> Values:
    """Excess of the best over the 90 % quantile, in units of the mean excess of the others."""
    ordered = np.sort(scores, axis=1)
    start = int(0.9 * scores.shape[1])
    above = ordered[:, start:] - ordered[:, [start - 1]]
    excess: Values = above[:, -1] / above[:, :-1].mean(axis=1)
    return excess


def _all_references(scores: Values, _vectors: Vectors, known: Known) -> Values:
    best = known.calibration.best
    z: Values = (scores.max(axis=1) - best.mean()) / best.std()
    return z


CANDIDATES: Mapping[str, Callable[[Values, Vectors, Known], Values]] = {
    "cosine": lambda scores, _vectors, _known: scores.max(axis=1),
    "z": _z,
    "robust z": _robust_z,
    "exponential tail": _tail,
    "cosine less hubness": lambda scores, _, known: (scores - known.hubness).max(axis=1),
    "all references": _all_references,
    CHOSEN: lambda scores, vectors, known: known.relevance(vectors, scores.max(axis=1)),
}


def compared(
    name: str, train: Mapping[Key, Values], val: Mapping[Key, Values]
) -> dict[str, object]:
    """Share of each kind's queries that pass the cut found on either split."""
    return {
        "name": name,
        **{
            split: _passing(val, float(np.quantile(_of_kind(source, "captions"), 1 - KEPT)))
            for split, source in (("train", train), ("val", val))
        },
    }


def _passing(values: Mapping[Key, Values], cut: float) -> dict[str, float]:
    kinds = dict.fromkeys(kind for _, kind, _ in values)
    return {kind: float(np.mean(_of_kind(values, kind) >= cut)) for kind in kinds}


def _of_kind(values: Mapping[Key, Values], kind: str) -> Values:
    return np.concatenate([each for key, each in values.items() if key[1] == kind])


def told(values: Values, found: tuple[Values, NDArray[np.bool_]] | None) -> dict[str, object]:
    """Of one size, kind and language: how many were asked, and the share with a good relevance."""
    good = values >= GOOD
    shares: dict[str, object] = {"queries": len(values), "good": float(good.mean())}
    if found is None:
        return shares
    own, in_ten = found
    return shares | {
        "in_ten": float(in_ten.mean()),
        "shown": float((in_ten & good).mean()),
        "own": float((own >= GOOD).mean()),
    }


if __name__ == "__main__":
    typer.run(main)

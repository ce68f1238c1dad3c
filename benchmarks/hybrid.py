"""How often captions, vectors and both together find a photo by a caption that was held out.

    python benchmarks/hybrid.py MANIFEST [--model mini] [--languages en,de] [--only en]

For each language, the first caption of each of some photos, drawn at random, is the query. The
collection has all photos with their other captions: no photo's first one in that language, all in
others; or those in one language alone (``--only``), as where a collection was captioned in one
language and is asked in others. A line for each way: recall@1, 5 and 10 with 95 % intervals over
photos.

Several people described each photo, in a few words that they share: no caption of a user's own
pictures is so near to a query. What words find here is the most that they can find.
"""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from polyglance import Retriever
from polyglance.evaluation.bootstrap import draw_pictures, interval
from polyglance.search.caption_words import words_of_text
from polyglance.search.collection import Collection
from polyglance.search.hybrid import fuse, rank_both_ways
from polyglance.search.indexer import index
from polyglance.search.schema import picture_id
from polyglance.search.searcher import Searcher

Vector = NDArray[np.float32]

DRAWS, SEED = 1000, 0
CUTS = (1, 5, 10)


class Asked(NamedTuple):
    """A caption that was held out, and the id of its photo."""

    text: str
    file: str


def main(
    manifest: Annotated[Path, typer.Argument(help="Captioned photos, .jsonl.")],
    model: Annotated[str, typer.Option(help="Whose embeddings are searched.")] = "mini",
    languages: Annotated[str, typer.Option(help="Tags of the queries.")] = "en,de,zh,pt,ar",
    queries: Annotated[int, typer.Option(min=1, help="Photos that are asked for.")] = 500,
    only: Annotated[str | None, typer.Option(help="Keep captions in this language alone.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="To keep the collection in: the next run need not encode.")
    ] = None,
) -> None:
    """Print three lines for each language."""
    retriever = Retriever.load(model)
    with tempfile.TemporaryDirectory() as scratch:
        kept = folder or Path(scratch)
        kept.mkdir(exist_ok=True)
        if not (kept / "photos").exists():
            (kept / "photos").symlink_to(manifest.resolve().parent)
        for language in languages.split(","):
            searcher, asked = held_out(kept, manifest, retriever, language, only)
            asked = [
                asked[i] for i in np.random.default_rng(SEED).permutation(len(asked))[:queries]
            ]
            vectors = retriever.encode_texts([each.text for each in asked], language=language)
            ranks = list(map(partial(ranks_of, searcher), asked, vectors))
            for column, way in enumerate(("captions", "vectors", "hybrid")):
                report(f"{language} {way:8}", np.array([row[column] for row in ranks]))


def held_out(
    folder: Path, manifest: Path, retriever: Retriever, language: str, only: str | None
) -> tuple[Searcher, list[Asked]]:
    """A collection without one caption of each photo, and these captions."""
    lines, asked = [], []
    for line in manifest.read_text("utf-8").splitlines():
        record = json.loads(line)
        captions, image = record["captions"], f"photos/{record['image']}"
        if captions.get(language):
            asked.append(Asked(captions[language].pop(0), picture_id(image)))
        kept = {tag: texts for tag, texts in captions.items() if texts and only in (None, tag)}
        lines.append(json.dumps({"image": image, "captions": kept}))
    path = folder / "held_out.jsonl"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    index(path, folder / "collection", encoder=retriever, show_progress=True)
    return Searcher(Collection.open(folder / "collection"), retriever), asked


def ranks_of(searcher: Searcher, asked: Asked, vector: Vector) -> tuple[float, float, float]:
    """Ranks of the photo by captions, by vectors and by both; infinite where it is not found."""
    found = rank_both_ways(searcher.neighbours, vector, words_of_text(asked.text))
    nearest = [each.row["file"] for each in found.vector]
    rankings = (found.text, nearest, fuse([nearest, found.text]))
    by_captions, by_vectors, by_both = (
        1.0 + ranking.index(asked.file) if asked.file in ranking else np.inf for ranking in rankings
    )
    return by_captions, by_vectors, by_both


def report(name: str, ranks: np.ndarray) -> None:
    """Print recall@k in percent of ``ranks``, (queries,), one a photo."""
    weights = draw_pictures(len(ranks), draws=DRAWS, seed=SEED)
    shown = []
    for cut in CUTS:
        found = ranks <= cut  # (queries,)
        low, high = interval(100 * (weights @ found.astype(float)) / len(ranks))
        shown.append(f"R@{cut} {100 * found.mean():5.1f} ({low:.1f}–{high:.1f})")
    print(f"{name} {len(ranks):5} queries  {'  '.join(shown)}", flush=True)


if __name__ == "__main__":
    typer.run(main)

"""Paper 3's tables on Flickr8k, at a size that two processors train.

`python recipes/paper_3.py` runs every setting through `paper-3.toml` with overrides, goes on where
it was stopped, keeps what each run came to in `docs/results/paper-3.jsonl`, and writes
`docs/results/paper-3.md` from that file and what lies beside it. Needs POLYGLANCE_FLICKR8K, in
POLYGLANCE_VECTORS the folder that `paper_3_vectors.py` filled, and the tower `resnet50`. One
checkpoint stays, in `runs/kept`, for the page's heat maps.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments import Experiment, Setting, main
from paper_3_findings import ALL, LANGUAGES, LONGER, POINTED, SHARED
from paper_3_page import KEPT, write_page

BASE = Path(__file__).parent / "paper-3.toml"
# Vectors of all four languages: a file each. fastText's own models make words of their n-grams.
SPACES = {
    "word2vec": "word2vec/{tag}.vec",
    "fastText": "fasttext/{tag}.bin",
    "MUSE-style": "muse/{tag}.vec",
    "BiVec, joined": "bivec-joined/{tag}.vec",
}
TRAINED_ON = (("en",), ("en", "fr"), ("en", "fr", "de"), LANGUAGES)
STEPS = 600  # of paper-3.toml
MOSAICS = 100  # asked four questions a language each; a minute on one thread


def settings(seeds: int) -> list[Setting]:
    """All runs; seeds go round first, so that an interrupted evening has whole tables."""
    return [
        setting for runs in (_of_seed, _longer) for seed in range(seeds) for setting in runs(seed)
    ]


def _of_seed(seed: int) -> Iterator[Setting]:
    for space, place in SPACES.items():
        for tags in TRAINED_ON if space in SHARED else (TRAINED_ON[0], LANGUAGES):
            yield _setting(space, tags, _files(place, LANGUAGES), seed)
    for other in ("fr", "de"):
        for tags in (("en",), ("en", other)):
            yield _setting(f"BiVec en–{other}", tags, _together(other), seed)
    for other in LANGUAGES[1:]:
        yield _setting("MUSE-style", (other,), _files(SPACES["MUSE-style"], LANGUAGES), seed)


def _longer(seed: int) -> Iterator[Setting]:
    """Two languages with as many English pairs as English alone has, and it alone for as long."""
    steps = f"training.phases.0.steps={2 * STEPS}"
    for other in ("fr", "de"):
        for tags in (("en", other), ("en",)):
            plain = _setting(f"BiVec en–{other}", tags, _together(other), seed)
            name, overrides = plain.name + LONGER, (*plain.overrides, steps)
            yield replace(plain, name=name, overrides=overrides)


def _together(other: str) -> dict[str, str]:
    return _files(f"bivec/en-{other}/{{tag}}.vec", ("en", other))


def _files(place: str, tags: Sequence[str]) -> dict[str, str]:
    return {tag: f"${{POLYGLANCE_VECTORS}}/{place.format(tag=tag)}" for tag in tags}


def _setting(space: str, trained: Sequence[str], files: dict[str, str], seed: int) -> Setting:
    """Trained on some of the languages that the space has; the others are zero-shot."""
    table = ", ".join(f"{tag} = '{path}'" for tag, path in files.items())
    weights = ", ".join(f"{tag} = 1.0" for tag in trained)
    overrides = [
        f"model.text.words={{kind = 'pretrained', files = {{{table}}}}}",
        f"data.languages={{{weights}}}",
    ]
    if unseen := [tag for tag in files if tag not in trained]:
        overrides.append(f"data.zero_shot={unseen}")
    return Setting(space, "+".join(trained), seed, tuple(overrides))


def parts_of(system: Any) -> dict[str, Any]:
    """The learned parts whose sizes the page tells."""
    return {"unit": system.text.unit, "image": system.image.learned()}


def no_look(_system: Any) -> dict[str, float]:
    """What there is to see of regions takes a checkpoint; see `point_at_mosaics`."""
    return {}


def point_at_mosaics(setting: Setting, model: Path) -> dict[str, float]:
    """How often heat maps point at the right picture, for the rows that the page asks it of.

    The mosaics and their questions are the same for all runs.

    Returns:
        ``mosaics``: how many; ``mosaics-en`` and the like: percent, in languages never seen too.
    """
    from polyglance import Retriever
    from polyglance.data.manifest import read_manifest
    from polyglance.evaluation.mosaics import measure_pointing

    if (setting.table, setting.name) not in POINTED:
        return {}
    found = measure_pointing(
        Retriever.load(model),
        read_manifest(Path(os.environ["POLYGLANCE_FLICKR8K"]) / "val.jsonl"),
        mosaics=MOSAICS,
        languages=LANGUAGES,
        draws=0,
    )
    hits = {f"mosaics-{tag}": round(each.hits, 2) for tag, each in found.languages.items()}
    return {"mosaics": MOSAICS, **hits}


EXPERIMENT = Experiment(
    name="paper-3",
    base=BASE,
    parts=parts_of,
    look=no_look,
    examine=point_at_mosaics,
    kept={("MUSE-style", ALL, 0): KEPT},
)


if __name__ == "__main__":
    main(EXPERIMENT, settings, write_page)

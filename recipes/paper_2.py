"""Paper 2's tables on Flickr8k, at a size that two processors train.

`python recipes/paper_2.py` runs every setting through `paper-2.toml` with overrides, goes on where
it was stopped, keeps what each run came to in `docs/results/paper-2.jsonl`, and writes
`docs/results/paper-2.md` from that file alone. Needs POLYGLANCE_FLICKR8K and
POLYGLANCE_MULTI30K_TEXT, and the towers `resnet50` and `sentence-encoder`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments import Experiment, Setting, main
from paper_2_page import write_page

BASE = Path(__file__).parent / "paper-2.toml"

LEARNED = "{kind = 'learned'}"
LIWE = "{kind = 'characters'}"
# Layers over characters learn best more slowly, and without dropout behind them.
GENTLY = ("model.text.dropout=0.0", "training.phases.0.learning_rate=2.5e-3")
SMALL_LIWE = "{kind = 'characters', widths = [256, 256]}"
VECTORS = "{kind = 'joined', parts = [{kind = 'characters'}, {kind = 'sentence'}]}"
FROZEN = "{kind = 'sentence'}"
ANNEALED = "{kind = 'annealed_hinges'}"
LOSSES = {
    "annealed": ANNEALED,
    "sum": "{kind = 'sum_of_hinges'}",
    "max": "{kind = 'max_of_hinges'}",
}
NON_LOCAL = ("paper", "residual", "linear", "without-reduction")  # `none` is CLMR among the losses
LANGUAGES = ("ar", "cs", "de", "en", "fr", "pt", "zh")
DIMENSION, DROPOUT = 512, 0.3  # those of the base recipe
PARALLEL = "data.parallel={{train = {{{files}}}, pivot = 'en', batch_size = 64}}"


def clmr(words: str, *more: str) -> tuple[str, ...]:
    """Overrides for CLMR over these words."""
    gently = GENTLY if words in (LIWE, SMALL_LIWE) else ()
    return (f"model.text.words={words}", *gently, *more)


def beside(system: str, text: str, *more: str) -> tuple[str, ...]:
    """Overrides for a system that is not CLMR, of the same size and with the same loss."""
    size = f"dimension = {DIMENSION}, loss = {ANNEALED}"
    text = f"{{kind = 'recurrent', words = {LEARNED}, dropout = {DROPOUT}{text}}}"
    return (f"model={{system = '{system}', {size}, text = {text}{''.join(more)}}}",)


SYSTEMS: dict[str, tuple[str, ...]] = {
    "VSE++": beside("vsepp", ", bidirectional = false"),
    "SCAN t2i": (
        *beside("scan", "", f", image_dropout = {DROPOUT}"),
        "training.evaluate_every=1000",  # comparing every word with every region takes its time
    ),
    "CLMR": clmr(LEARNED),
    "LIWE": clmr(LIWE),
    "LIWE + vectors": clmr(VECTORS),
}


def settings(seeds: int) -> list[Setting]:
    """All runs; seeds go round first, so that an interrupted evening has whole tables.

    SCAN, which takes three times as long as any other, comes last.
    """
    return sorted(_settings(seeds), key=lambda setting: setting.name == "SCAN t2i")


def _settings(seeds: int) -> Iterator[Setting]:
    for seed in range(seeds):
        for language in ("en", "de", "zh"):
            for name, overrides in SYSTEMS.items():
                yield Setting(f"single-{language}", name, seed, (*overrides, _only(language)))
        for name, overrides in _co_training():
            yield Setting("co-training", name, seed, overrides)
        for name, overrides in _losses():
            yield Setting("losses", name, seed, overrides)
        for form in NON_LOCAL:
            overrides = clmr(LEARNED, f"model.non_local='{form}'", HALF)
            yield Setting("non-local", form, seed, overrides)
        unit = clmr(LEARNED, "model.normalise_regions=true", HALF)
        yield Setting("non-local", "unit regions", seed, unit)
        for name, steps in LONGER.items():
            phase = f"training.phases.0.steps={steps}"
            yield Setting("longer", name, seed, (*SYSTEMS[name], phase))


def _only(*languages: str) -> str:
    return f"data.languages={{{', '.join(f'{tag} = 1.0' for tag in languages)}}}"


def _translations(*languages: str) -> str:
    folder = "${POLYGLANCE_MULTI30K_TEXT}"
    files = ", ".join(f"{tag} = '{folder}/train.{tag}.txt'" for tag in ("en", *languages))
    return PARALLEL.format(files=files)


def _co_training() -> Iterator[tuple[str, tuple[str, ...]]]:
    """English and German by translations, by captions and by both; then all languages."""
    text = _translations("de")
    for name, words in {"CLMR": LEARNED, "LIWE": LIWE, "frozen words": FROZEN}.items():
        yield f"{name}: en captions, en–de text", clmr(words, text)
    yield "LIWE: en and de captions", clmr(LIWE, _only("en", "de"))
    yield "LIWE: en and de captions, en–de text", clmr(LIWE, _only("en", "de"), text)
    yield "LIWE: all captions", clmr(LIWE, _only(*LANGUAGES), *FOR_ALL)


def _losses() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Both models of the paper's table."""
    for system, words in (("CLMR", LEARNED), ("LIWE (256, 256)", SMALL_LIWE)):
        for loss, table in LOSSES.items():
            yield f"{system}, {loss}", clmr(words, f"model.loss={table}", HALF)


HALF = "training.phases.0.steps=500"  # of ablations
# Of each picture as many captions as there are languages, so that each language has its share.
FOR_ALL = (
    "data.captions_per_picture=7",
    "training.phases.0.steps=2000",
    "training.evaluate_every=500",
)
LONGER = {"VSE++": 1800, "CLMR": 2000, "LIWE": 2000}


def look_at_regions(system: Any) -> dict[str, float]:
    """`region_look.look` over some validation pictures, for systems that have regions."""
    from polyglance.data.manifest import read_manifest
    from polyglance.training.sources import RunSources, feature_cache
    from polyglance.vision.region_encoder import RegionEncoder
    from region_look import look

    if not isinstance(system.image, RegionEncoder):
        return {}
    records = read_manifest(Path(os.environ["POLYGLANCE_FLICKR8K"]) / "val.jsonl")[:200]
    sources = RunSources(
        system, records={"validation": records}, features=feature_cache(), show_progress=False
    )
    return look(system.image, sources("validation", True).load(range(len(records))).images)


def parts_of(system: Any) -> dict[str, Any]:
    """The learned parts whose sizes the page tells."""
    text = system.text
    return {"words": text.words, "gru": text.unit, "image": system.image.learned()}


EXPERIMENT = Experiment(name="paper-2", base=BASE, parts=parts_of, look=look_at_regions)


if __name__ == "__main__":
    main(EXPERIMENT, settings, write_page)

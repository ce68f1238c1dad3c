"""Paper 4's tables on Flickr8k, at a size that two processors train.

`python recipes/paper_4.py` runs every setting through `paper-4.toml` with overrides, goes on where
it was stopped, keeps what each run came to in `docs/results/paper-4.jsonl`, and writes
`docs/results/paper-4.md` from that file and what lies beside it. Needs POLYGLANCE_FLICKR8K and the
towers `resnet50` and `sentence-encoder`. Some checkpoints stay, in `runs/kept/paper-4`: two to be
timed, and those that know English alone, to be asked in translations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments import Experiment, Setting, main
from paper_4_findings import (
    APART,
    CL2CM,
    DISTILLED,
    ENGLISH,
    FROZEN,
    HARDEST,
    HUMAN,
    LONGER,
    MAIN,
    NOISE,
    NOISY,
    NRCCR,
    PARTS,
    PLAIN,
    RATES,
    SENTENCES,
    SHARED,
    TEACHERS,
    TRUST,
    TRUSTED_AT,
    TRUSTING,
    TRUSTING_FROZEN,
    WHOLE,
    WORDLESS,
    noisy,
)
from paper_4_page import KEPT, write_page

BASE = Path(__file__).parent / "paper-4.toml"

DUAL_ENCODER = "model.system='dual-encoder'"
FOLDER = "${POLYGLANCE_FLICKR8K}"
# In place of all of the base's data, since its translations cannot be overridden by none.
ENGLISH_DATA = (
    f"data={{train = '{FOLDER}/train.jsonl', validation = '{FOLDER}/val.jsonl', views = 3, "
    "languages = {en = 1.0}, zero_shot = ['zh']}"
)
HUMAN_DATA = "data.translated={source = 'en', target = 'zh', human = true}"
SENTENCE_TEXT = "model.text={kind = 'sentence', dropout = 0.3}"
# It has no words, and nothing of it learns.
FROZEN_TEACHER = (
    "model.teacher={kind = 'sentence', project = false}",
    "model.word_weight=0.0",
    "model.sentence_weight=0.0",
)
TRIPLETS = "model.loss={kind = 'max_of_hinges', margin = 0.2}"

SYSTEMS: dict[str, tuple[str, ...]] = {
    PLAIN: (DUAL_ENCODER,),
    CL2CM: (),
    HUMAN: (DUAL_ENCODER, HUMAN_DATA),
    NRCCR: ("model.system='nrccr'",),
    DISTILLED: ("model.system='distilled'",),
    ENGLISH: (DUAL_ENCODER, ENGLISH_DATA),
    SENTENCES: (DUAL_ENCODER, ENGLISH_DATA, SENTENCE_TEXT),
}
PARTLY: dict[str, tuple[str, ...]] = {
    WORDLESS: ("model.word_weight=0.0",),
    APART: ("model.distillation_weight=0.0",),
    HARDEST: (*SYSTEMS[NRCCR], TRIPLETS),
}
OTHER_TEACHERS: dict[str, tuple[str, ...]] = {
    SHARED: ("model.teacher='shared'",),
    FROZEN: FROZEN_TEACHER,
}
OF_WHOLE_TEXTS: dict[str, tuple[str, ...]] = {
    PLAIN: (*SYSTEMS[PLAIN], SENTENCE_TEXT),
    CL2CM: (SENTENCE_TEXT, *FROZEN_TEACHER, "model.teacher_temperature=0.1"),
    HUMAN: (*SYSTEMS[HUMAN], SENTENCE_TEXT),
}
OF_WHOLE_TEXTS_LONGER = {
    name: (*overrides, "training.phases.0.steps=1800") for name, overrides in OF_WHOLE_TEXTS.items()
}


def _mistakes(rate: float) -> str:
    """Of all three kinds alike, on top of those that the engines make."""
    return f"data.translated.noise={{drop = {rate}, swap = {rate}, wrong = {rate}}}"


WORSE: dict[str, tuple[str, ...]] = {
    noisy(name, rate): (*SYSTEMS[name], _mistakes(rate)) for rate in RATES for name in NOISY
}
# A translation is trusted that is among the five nearest of its caption, and this among its five.
TRUSTED = "model.trusted_rank=5"
TEACHERS_TRUSTED = {TRUSTING: (TRUSTED,), TRUSTING_FROZEN: (*FROZEN_TEACHER, TRUSTED)}
TRUSTED_ROWS: dict[str, tuple[str, ...]] = {
    noisy(name, rate): (*TEACHERS_TRUSTED[name], *((_mistakes(rate),) if rate else ()))
    for name, rate in TRUSTED_AT
}
TABLES = {
    MAIN: SYSTEMS,
    WHOLE: OF_WHOLE_TEXTS,
    LONGER: OF_WHOLE_TEXTS_LONGER,
    PARTS: PARTLY,
    NOISE: WORSE,
    TEACHERS: OTHER_TEACHERS,
    TRUST: TRUSTED_ROWS,
}


def settings(seeds: int) -> list[Setting]:
    """All runs, the main table first; in each, seeds go round first.

    So an interrupted evening has the tables that matter most, and all rows of them.
    """
    return [
        Setting(table, name, seed, overrides)
        for table, rows in TABLES.items()
        for seed in range(seeds)
        for name, overrides in rows.items()
    ]


def parts_of(system: Any) -> dict[str, Any]:
    """What of a trained system is learned and used: the page tells their sizes."""
    return {"image": system.image.learned(), "text": system.text}


def no_look(_system: Any) -> dict[str, float]:
    """Regions are means of cells here: there is nothing to see."""
    return {}


EXPERIMENT = Experiment(
    name="paper-4",
    base=BASE,
    parts=parts_of,
    look=no_look,
    kept={
        (MAIN, PLAIN, 0): KEPT / "plain",
        (MAIN, CL2CM, 0): KEPT / "cl2cm",
        **{(MAIN, ENGLISH, seed): KEPT / f"english-{seed}" for seed in range(3)},
    },
)


if __name__ == "__main__":
    main(EXPERIMENT, settings, write_page)

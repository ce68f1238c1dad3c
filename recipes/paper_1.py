"""Paper 1's tables on Flickr8k, at a size that two processors train.

`python recipes/paper_1.py` trains a first stage for each seed; aligns, pretrains and fine-tunes a
reranker for every row; goes on where it was stopped, keeps what each run came to in
`docs/results/paper-1.jsonl`, and writes `docs/results/paper-1.md` from that file alone. Needs
POLYGLANCE_FLICKR8K and POLYGLANCE_MULTI30K_TEXT, and the towers `resnet50` and `sentence-encoder`.
"""

from __future__ import annotations

from pathlib import Path

from experiments import Setting, main
from paper_1_page import ALIGNED, FULL, LANGUAGES, UNREAD, UNTOLD, WITHOUT, write_page
from reranked import Rerankings

RECIPES = Path(__file__).parent
ABLATED_LANGUAGES = ("en", "de")  # the paper's on Multi30K
UNALIGNED = "alignment/training.phases.0.steps=1"  # one step is as good as none
NO_TASKS = "pretraining/training.phases.0.steps=1"
# A stage and what it overrides: pretraining whole, in part and not at all; the tasks that table 4
# leaves out one by one; and the transformer without what is ours.
VARIANTS = {
    WITHOUT: (UNALIGNED, NO_TASKS),
    FULL: (),
    ALIGNED: (NO_TASKS,),
    "without TLM": ("pretraining/model.tasks.tlm=0.0",),
    "without CLTR": ("pretraining/model.tasks.cltr=0.0",),
    "without CMTR": ("pretraining/model.tasks.cmtr=0.0",),
    UNTOLD: ("alignment/model.stream.likeness=false", NO_TASKS),
    UNREAD: ("alignment/model.stream.sentence=false", NO_TASKS),
}
MAIN = (WITHOUT, FULL, ALIGNED)
OURS = (UNTOLD, UNREAD)
# CLMR on the captions that the reranker is fine-tuned on; see paper_2.py.
FIRST = (
    "model.text.words={kind = 'learned'}",
    "data.languages={en = 1.0, de = 1.0, fr = 0.3, cs = 0.3, zh = 0.5}",
    "training.phases.0.steps=2000",
)


def settings(seeds: int) -> list[Setting]:
    """All runs: the rows that the page is about first; those the paper lacks last, and once."""
    tasks = [name for name in VARIANTS if name not in (*MAIN, *OURS)]
    return [
        Setting("reranked", name, seed, VARIANTS[name])
        for names, runs in ((MAIN, seeds), (tasks, seeds), (OURS, min(seeds, 1)))
        for seed in range(runs)
        for name in names
    ]


EXPERIMENT = Rerankings(
    name="paper-1",
    first=(RECIPES / "paper-2.toml", FIRST),
    stages={
        "alignment": RECIPES / "paper-1-alignment.toml",
        "pretraining": RECIPES / "paper-1-pretraining.toml",
        "tuning": RECIPES / "paper-1.toml",
    },
    languages={name: LANGUAGES if name in MAIN else ABLATED_LANGUAGES for name in VARIANTS},
)


if __name__ == "__main__":
    main(EXPERIMENT, settings, write_page)

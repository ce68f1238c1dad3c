"""Writes `docs/results/paper-3.md` from the ledger of `paper_3.py` and what lies beside it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from ledger import Ledger, Logged, over_runs
from page_parts import every_run, missing
from polyglance.evaluation.seeds import plus_minus

LANGUAGES = ("en", "fr", "de", "cs")
ALL = "+".join(LANGUAGES)
TRAINED_ON = ("en", "en+fr", "en+fr+de", ALL)
POINTED = (("MUSE-style", "en"), ("MUSE-style", ALL))  # rows whose heat maps are measured
KEPT = Path("runs/kept/paper-3")  # the checkpoint of MUSE-style, all languages, seed 0
# Portaz et al. 2019: rows of tables 1 and 2 (COCO, English, R@1 of caption and of image retrieval).
ENGLISH = [
    ("word2vec", "en", 63.48, 51.87),
    ("word2vec", ALL, None, None),
    ("fastText", "en", 66.08, 54.12),
    ("fastText", ALL, None, None),
    ("BiVec en–fr", "en", 65.58, 55.57),
    ("BiVec en–fr", "en+fr", 67.78, 56.09),
    ("BiVec en–de", "en", None, None),
    ("BiVec en–de", "en+de", None, None),
    ("MUSE-style", "en", 63.10, 51.81),
    ("MUSE-style", "en+fr", 63.88, 52.25),
    ("MUSE-style", "en+fr+de", 62.40, 51.17),
    ("MUSE-style", ALL, 63.28, 50.44),
    *(("BiVec, joined", trained, None, None) for trained in TRAINED_ON),
]
# Table 3 (Multi30K, R@10 of image retrieval, MUSE): trained on → en, fr, de, cs, all.
TABLE_3 = {
    "en": (56.60, 46.05, 44.18, 38.75, 46.40),
    "en+fr": (50.93, 43.69, 41.61, 34.02, 42.43),
    "en+fr+de": (54.63, 46.94, 45.07, 38.26, 46.22),
    ALL: (55.32, 49.30, 46.84, 46.06, 49.38),
}
# Table 4 (Multi30K, R@10 of image retrieval, BiVec): pair, trained on → English, the other.
TABLE_4 = {
    ("BiVec en–fr", "en"): (53.35, 26.13),
    ("BiVec en–fr", "en+fr"): (59.76, 55.22),
    ("BiVec en–de", "en"): (53.35, 22.96),
    ("BiVec en–de", "en+de"): (61.44, 43.59),
}
TARGET = 0.6  # zero-shot R@10 of text→image, of what supervision gives
R10 = 5  # of text→image, among a run's six recalls


def write_page(ledger: Ledger, page: Path, wanted: int) -> None:
    """The whole page; rows whose runs are missing say so.

    Args:
        ledger: of the finished runs.
        page: to write.
        wanted: how many runs there are to be.
    """
    parts = [
        _introduction(ledger, wanted),
        *_vectors(page.with_name("paper-3-vectors.json")),
        *_english(ledger),
        *_languages(ledger),
        *_pairs(ledger),
        *_zero_shot(ledger),
        *_claims(ledger),
        *every_run(
            ledger,
            table="vectors",
            row="trained on",
            measure="R@10 text→image",
            value=_ten_of,
        ),
    ]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {page}")


def _introduction(ledger: Ledger, wanted: int) -> str:
    runs = list(ledger)
    if not runs:
        return "# Paper 3: image search using multilingual texts\n\nNothing run yet.\n"
    recipe = runs[0].recipe
    training, phase = recipe["training"], recipe["training"]["phases"][0]
    return f"""# Paper 3: image search using multilingual texts, rerun on Flickr8k

*Written by `python recipes/paper_3.py --write-only` from the logged runs in `paper-3.jsonl`; not
edited by hand.* {missing(ledger, wanted)}

Portaz et al. (2019) read captions with simple recurrent units over word vectors that languages
share, so that a model trained on one language understands another. We rerun their tables at a size
that two processors can train. What differs, and makes absolute numbers incomparable:

| | paper | here |
|---|---|---|
| pictures | COCO in English, 113,287, and Multi30K, 29,000 | Flickr8k, 6,000 |
| measured on | test pictures | 1,000 validation pictures, which also chose the best step |
| captions a picture | 5 en (COCO), 1 each (Multi30K) | 5 en, de; 1 fr, cs (934 pictures) |
| word vectors | pretrained on Wikipedia, and on parallel corpora | trained on 22,007 captions of \
Multi30K and their translations, none of a picture here |
| network | ResNet-152, tuned in a second phase | ResNet-50, frozen |
| views of a training picture | crops | {recipe["data"]["views"]}: itself and two crops |
| joint space | 2,400 | {recipe["model"]["dimension"]} |
| loss | maximum of hinges | annealed from the sum to the maximum (η = .991), margin .2 |
| steps | two days of four GPUs | {phase["steps"]:,} of {training["batch_size"]} pairs |

The same for all rows: features, batches, optimiser, four SRU layers, WELDON pooling with 15 maxima
and 15 minima of 49 cells. Vectors never move. However many languages a run trains on, it takes the
same number of pairs, drawn from all of them alike.

Numbers are means over seeds ± half of the 95 % interval (Student's t: few seeds give wide
intervals). A gallery is always all 1,000 pictures. Ties count against the model.
"""


def _vectors(path: Path) -> list[str]:
    lines = ["## The word vectors", ""]
    if not path.exists():
        return [*lines, "Not made (`python recipes/paper_3_vectors.py FOLDER`).", ""]
    lines += [
        "How often the nearest English words (of all that have a vector, by CSLS) of a word hold a "
        "translation of it, by freedict's dictionaries; on the tenth of their words that "
        "MUSE-style alignment did not learn from. Percent, with 95 % intervals. *Words*: measured "
        "on.",
        "",
        "| space | language | words | P@1 | P@5 | P@10 |",
        "|---|---|---|---|---|---|",
    ]
    for row in json.loads(path.read_text(encoding="utf-8")):
        found = row["csls"]
        cells = [_share(found["precision"][k]) for k in ("1", "5", "10")]
        lines.append(
            f"| {row['space']} | {row['language']} | {found['words']:,} | {' | '.join(cells)} |"
        )
    return [*lines, ""]


def _share(share: dict[str, float]) -> str:
    return f"{share['percent']:.1f} ({share['low']:.1f}–{share['high']:.1f})"


def _english(ledger: Ledger) -> list[str]:
    lines = [
        "## English, by embedding and languages of training",
        "",
        "The paper's tables 1 and 2, whose numbers are on COCO.",
        "",
        "| vectors | trained on | seeds | i→t R@1 | R@5 | R@10 | t→i R@1 | R@5 | R@10 | "
        "paper i→t R@1 | paper t→i R@1 |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for space, trained, to_text, to_image in ENGLISH:
        runs = ledger.of(space, trained)
        paper = " | ".join("" if value is None else f"{value:.2f}" for value in (to_text, to_image))
        cells = _recalls(runs, "en")
        lines.append(f"| {space} | {trained} | {len(runs)} | {' | '.join(cells)} | {paper} |")
    return [*lines, ""]


def _recalls(runs: Sequence[Logged], tag: str) -> list[str]:
    if not runs:
        return ["not run"] * 6
    return [plus_minus(column) for column in zip(*(r.recalls(tag) for r in runs), strict=True)]


def _languages(ledger: Ledger) -> list[str]:
    lines = [
        "## Image retrieval in four languages",
        "",
        "R@10 of text→image, the paper's table 3. *Slanted*: the model has never seen a caption in "
        "that language.",
        "",
        "| vectors | trained on | seeds | en | fr | de | cs | mean | paper: en | fr | de | cs | "
        "all |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for space in ("MUSE-style", "BiVec, joined"):
        for trained in TRAINED_ON:
            runs = ledger.of(space, trained)
            cells = [_ten(runs, tag, trained) for tag in LANGUAGES]
            means = [statistics.fmean(_ten_of(run, tag) for tag in LANGUAGES) for run in runs]
            mean = plus_minus(means) if means else "not run"
            paper = [f"{x:.2f}" for x in TABLE_3[trained]] if space == "MUSE-style" else [""] * 5
            lines.append(
                f"| {space} | {trained} | {len(runs)} | {' | '.join(cells)} | {mean} | "
                f"{' | '.join(paper)} |"
            )
    return [*lines, ""]


def _ten(runs: Sequence[Logged], tag: str, trained: str) -> str:
    if not runs:
        return "not run"
    told = plus_minus([_ten_of(run, tag) for run in runs])
    return told if tag in trained.split("+") else f"*{told}*"


def _pairs(ledger: Ledger) -> list[str]:
    lines = [
        "## Two languages trained together (BiVec)",
        "",
        "R@10 of text→image, the paper's table 4. *Slanted*: never seen.",
        "",
        "| vectors | trained on | seeds | en | the other | paper: en | the other |",
        "|---|---|---|---|---|---|---|",
    ]
    for (space, trained), paper in TABLE_4.items():
        runs = ledger.of(space, trained)
        cells = [_ten(runs, tag, trained) for tag in ("en", space[-2:])]
        told = " | ".join(f"{value:.2f}" for value in paper)
        lines.append(f"| {space} | {trained} | {len(runs)} | {' | '.join(cells)} | {told} |")
    return [*lines, ""]


def _zero_shot(ledger: Ledger) -> list[str]:
    lines = [
        "## A language that was never seen",
        "",
        "R@10 of text→image of a model trained on English captions alone, as a share of that of a "
        f"model trained on the language's own captions (MUSE-style). The target: {TARGET:.0%}.",
        "",
        "| vectors | language | seeds | English captions alone | its own captions | share |",
        "|---|---|---|---|---|---|",
    ]
    rows = [(space, tag) for space in ("MUSE-style", "BiVec, joined") for tag in LANGUAGES[1:]]
    rows += [("BiVec en–fr", "fr"), ("BiVec en–de", "de")]
    for space, tag in rows:
        without, supervised = ledger.of(space, "en"), ledger.of("MUSE-style", tag)
        if not (without and supervised):
            lines.append(f"| {space} | {tag} | 0 | {' | '.join(['not run'] * 3)} |")
            continue
        both = [[_ten_of(run, tag) for run in runs] for runs in (without, supervised)]
        share = statistics.fmean(both[0]) / statistics.fmean(both[1])
        told = "met" if share >= TARGET else "not met"
        cells = " | ".join(plus_minus(values) for values in both)
        lines.append(f"| {space} | {tag} | {len(without)} | {cells} | {share:.0%}, {told} |")
    return [*lines, ""]


def _claims(ledger: Ledger) -> list[str]:
    """What the paper says of its tables, and whether it holds here."""
    lines = [
        "## Do the paper's claims hold?",
        "",
        "Differences of English R@10, text→image, over paired seeds, with 95 % intervals.",
        "",
        "| claim of the paper | here |",
        "|---|---|",
    ]
    claims = [
        ("French improves English with BiVec", ("BiVec en–fr", "en+fr"), ("BiVec en–fr", "en")),
        ("German improves English with BiVec", ("BiVec en–de", "en+de"), ("BiVec en–de", "en")),
        ("three languages more cost English little", ("MUSE-style", ALL), ("MUSE-style", "en")),
        ("fastText beats word2vec", ("fastText", "en"), ("word2vec", "en")),
        ("aligning costs fastText", ("MUSE-style", "en"), ("fastText", "en")),
    ]
    for told, first, second in claims:
        found = over_runs(ledger.of(*first), ledger.of(*second), lambda run: _ten_of(run, "en"))
        names = " − ".join(f"{space} {trained}" for space, trained in (first, second))
        lines.append(f"| {told} | {names}: {_difference(found)} |")
    return [*lines, ""]


def _difference(found: tuple[float, float] | None) -> str:
    if found is None:
        return "not run"
    mean, half = found
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


def _ten_of(run: Logged, tag: str) -> float:
    return run.recalls(tag)[R10]

"""Writes `docs/results/paper-3.md` from the ledger of `paper_3.py` and what lies beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ledger import Ledger, Logged
from page_parts import every_run, missing
from paper_3_findings import (
    ALL,
    LANGUAGES,
    LONGER,
    SHARED,
    claims,
    mean_ten_of,
    mosaics,
    slanted,
    ten_of,
    zero_shot,
)
from polyglance.evaluation.seeds import plus_minus
from polyglance.systems.config import WeldonPoolingConfig

TRAINED_ON = ("en", "en+fr", "en+fr+de", ALL)
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
# Table 4 (Multi30K, R@10 of image retrieval, BiVec): pair, trained on → English, the other, both.
TABLE_4 = {
    ("BiVec en–fr", "en"): (53.35, 26.13, 39.74),
    ("BiVec en–fr", "en+fr"): (59.76, 55.22, 57.50),
    ("BiVec en–de", "en"): (53.35, 22.96, 34.57),
    ("BiVec en–de", "en+de"): (61.44, 43.59, 52.51),
}
TWO_LANGUAGES = [
    (f"BiVec en–{tag}", trained)
    for tag in ("fr", "de")
    for trained in ("en", f"en+{tag}", f"en{LONGER}", f"en+{tag}{LONGER}")
]
SPACES = ("word2vec", "fastText", *SHARED)  # of all four languages
IMAGES = "images/paper-3-heat-maps.webp"  # beside the folder of the page
STAMPS = (
    "animals-birds-pigeon",
    "animals-mammals-dogs-dog",
    "animals-mammals-equines-horse",
    "vehicles-auto-sportscar2",
)


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
        *zero_shot(ledger),
        *mosaics(ledger, page.with_name("paper-3-mini.json")),
        *_heat_maps(page.parent.parent / IMAGES),
        *claims(ledger),
        *every_run(
            ledger,
            table="vectors",
            row="trained on",
            measure="R@10 text→image",
            value=ten_of,
        ),
    ]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {page}")


def _introduction(ledger: Ledger, wanted: int) -> str:
    recipes = [run.recipe for run in ledger]
    if not recipes:
        return "# Paper 3: image search using multilingual texts\n\nNothing run yet.\n"
    views = _numbers(recipe["data"].get("views", 1) for recipe in recipes)
    dimension = _numbers(recipe["model"]["dimension"] for recipe in recipes)
    steps = _numbers(recipe["training"]["phases"][0]["steps"] for recipe in recipes)
    pairs = _numbers(map(_pairs_a_step, recipes))
    layers = _numbers(recipe["model"]["text"]["unit"]["layers"] for recipe in recipes)
    pooling = WeldonPoolingConfig.model_validate(recipes[0]["model"]["pooling"])
    return f"""# Paper 3: image search using multilingual texts, rerun on Flickr8k

*Written by `python recipes/paper_3.py --write-only` from the logged runs in `paper-3.jsonl`; not
edited by hand.*{missing(ledger, wanted)}

Portaz et al. (2019) read captions with simple recurrent units over word vectors that languages
share, so that a model trained on one language understands another. We rerun their tables at a size
that two processors can train. What differs, and makes absolute numbers incomparable:

| | paper | here |
|---|---|---|
| pictures | COCO in English, 113,287, and Multi30K, 29,000 | Flickr8k, 6,000 in English, 5,528 \
in the other languages |
| measured on | test pictures | 1,000 validation pictures, which also chose the best step |
| captions a picture | 5 en (COCO), 1 each (Multi30K) | 5 en, de; 1 fr, cs (de, fr, cs: 934 of the \
validation pictures) |
| word vectors | pretrained on Wikipedia, and on parallel corpora | trained on 22,007 captions of \
Multi30K and their translations, none of a picture here |
| network | ResNet-152, tuned in a second phase | ResNet-50, frozen |
| views of a training picture | crops | {views}: itself, and crops |
| joint space | 2,400 | {dimension} |
| loss | maximum of hinges | annealed from the sum to the maximum (η = .991), margin .2 |
| steps | two days of four GPUs | {steps} of {pairs} pairs |

The same for all rows: features, batches, optimiser, {layers} SRU layers, WELDON pooling with
{pooling.maxima} maxima and {pooling.minima} minima of 49 cells. Vectors never move. However many
languages a run trains on, it takes the same number of pairs, drawn from all of them alike; French
or Czech alone, which have one caption a picture, give fewer.

Numbers are means over seeds ± half of the 95 % interval (Student's t: few seeds give wide
intervals). A gallery is always all 1,000 pictures. Ties count against the model.
"""


def _numbers(of_runs: Iterable[int]) -> str:
    """What the recipes say; several numbers where they differ."""
    return " or ".join(f"{number:,}" for number in sorted(set(of_runs)))


def _pairs_a_step(recipe: dict[str, Any]) -> int:
    captions: int = recipe["data"].get("captions_per_picture", 1)
    pictures: int = recipe["training"]["batch_size"]
    return pictures * captions


def _vectors(path: Path) -> list[str]:
    lines = ["## The word vectors", ""]
    if not path.exists():
        return [*lines, "Not made (`python recipes/paper_3_vectors.py FOLDER`).", ""]
    lines += [
        "How often the nearest English words (of all that have a vector, by CSLS) of a word hold a "
        "translation of it, by freedict's dictionaries; on about a tenth of their words, the same "
        "in all spaces, which MUSE-style alignment did not learn from. Percent, with 95 % "
        "intervals. *Words*: measured on.",
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
        "R@10 of text→image, the paper's table 3, whose vectors are MUSE's. *Slanted*: the model "
        "has never seen a caption in that language. word2vec and fastText are trained a language "
        "at a time and share no space: they say what is to be had without one, by English alone "
        "and by all languages, and what lies between has been left out to save runs.",
        "",
        "| vectors | trained on | seeds | en | fr | de | cs | mean | paper: en | fr | de | cs | "
        "all |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for space in SPACES:
        for trained in TRAINED_ON if space in SHARED else (TRAINED_ON[0], ALL):
            runs = ledger.of(space, trained)
            cells = [_ten(runs, tag, trained) for tag in LANGUAGES]
            paper = [f"{x:.2f}" for x in TABLE_3[trained]] if space == "MUSE-style" else [""] * 5
            lines.append(
                f"| {space} | {trained} | {len(runs)} | {' | '.join(cells)} | "
                f"{_mean_ten(runs, LANGUAGES)} | {' | '.join(paper)} |"
            )
    return [*lines, ""]


def _mean_ten(runs: Sequence[Logged], tags: Sequence[str]) -> str:
    return plus_minus([mean_ten_of(run, tags) for run in runs])


def _ten(runs: Sequence[Logged], tag: str, trained: str) -> str:
    if not runs:
        return "not run"
    return slanted(plus_minus([ten_of(run, tag) for run in runs]), tag, trained)


def _pairs(ledger: Ledger) -> list[str]:
    lines = [
        "## Two languages trained together (BiVec)",
        "",
        "R@10 of text→image, the paper's table 4. *Slanted*: never seen. *Both*: the mean of the "
        "two languages, as the paper's values over both are too, but for the 34.57, beside a mean "
        "of 38.16.",
        "",
        "| vectors | trained on | seeds | en | the other | both | paper: en | the other | both |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for space, trained in TWO_LANGUAGES:
        runs, tags = ledger.of(space, trained), ("en", space[-2:])
        cells = [*(_ten(runs, tag, trained) for tag in tags), _mean_ten(runs, tags)]
        cells += [f"{value:.2f}" for value in TABLE_4.get((space, trained), ())] or [""] * 3
        lines.append(f"| {space} | {trained} | {len(runs)} | {' | '.join(cells)} |")
    return [*lines, ""]


def _heat_maps(picture: Path) -> list[str]:
    """The paper's figure 5, if it has been drawn."""
    files = " \\\n    ".join(f"$STAMPS/{name}.png" for name in STAMPS)
    return [
        "## One word in four languages over one picture",
        "",
        "As the paper's figure 5: where a model with MUSE-style vectors, trained on all four "
        "languages (seed 0), sees a word in English, French, German and Czech. The pictures are "
        "stamps of Tux Paint on white, unlike any photo that it was trained on; the words are in "
        "captions of all four languages.",
        "",
        f"![A word a row, a language a column](../{IMAGES})"
        if picture.exists()
        else "Not drawn yet.",
        "",
        "```console",
        "$ polyglance download stamps && STAMPS=~/.cache/polyglance/samples/stamps/images",
        f"$ python docs/heat_maps.py {files} \\",
        f"    --words docs/heat_maps_paper_3.json --model {KEPT} --to docs/{IMAGES}",
        "```",
        "",
    ]

"""Writes `docs/results/paper-2.md` from the ledger of `paper_2.py` and what lies beside it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger import Ledger, Logged, difference
from page_parts import every_run, missing
from paper_2_findings import (
    ON_TEXT,
    co_training_orders,
    narrow_attention,
    orders,
    standing_still,
    verdict,
)
from polyglance.evaluation.seeds import plus_minus

LANGUAGES = ("en", "de", "fr", "zh", "pt", "ar", "cs")
MEAN_OF = ("en", "de", "fr", "zh", "pt", "ar")
NAMES = {"en": "English", "de": "German", "zh": "Chinese"}
SYSTEMS = ("VSE++", "SCAN t2i", "CLMR", "LIWE", "LIWE + vectors")
# Wehrmann et al. 2019, tables 2 (Flickr30k, English) and 3 (Multi30k, German): sums of six recalls,
# those of table 3 added up anew, since the printed ones leave out R@1 of text→image.
PAPER = {
    "en": {
        "VSE++": 419.7,
        "SCAN t2i": 446.2,
        "CLMR": 453.2,
        "LIWE": 458.1,
        "LIWE + vectors": 474.3,
    },
    "de": {"VSE++": 377.2, "SCAN t2i": 375.3, "CLMR": 391.8, "LIWE": 434.3},
}
# Table 4 (Multi30k, English pictures' captions with English–German text), R@1 of image→text and of
# text→image in both languages, as the authors' published code tells them.
CO_TRAINED = {
    "CLMR": (59.9, 43.9, 50.4, 34.6),
    "LIWE": (64.4, 47.5, 53.0, 36.7),
    "frozen words": (62.0, 42.7, 50.9, 33.2),  # of multilingual BERT there
}
# The official VSE++ code on the same pictures, English, mean-pooled ResNet-50, 16 of its epochs.
OFFICIAL_VSEPP, OFFICIAL_STEPS = 283.9, 3750
ABLATION_STEPS = 500
NON_LOCAL = {
    "paper": ("paper (equation 1)", 66.4, 47.5),
    "residual": ("γ-residual (the authors' code)", None, None),
    "linear": ("linear", 60.7, 44.7),
    "without-reduction": ("without reduction", 56.3, 41.7),
    "none": ("none", 61.8, 44.6),
    "unit regions": ("none, regions of unit length before their mean", None, None),
}


def write_page(ledger: Ledger, page: Path, wanted: int) -> None:
    """The whole page; rows whose runs are missing say so.

    Args:
        ledger: of the finished runs.
        page: to write.
        wanted: how many runs there are to be.
    """
    parts = [
        _introduction(ledger, wanted),
        *(line for tag in ("en", "de", "zh") for line in _single(ledger, tag)),
        *orders(ledger),
        *_unknown(page.with_name("paper-2-unknown.json")),
        *_longer(ledger),
        *_co_training(ledger),
        *_all_languages(ledger),
        *_losses(ledger),
        *_non_local(ledger),
        *_sizes(page.with_name("paper-2-sizes.json")),
        *_times(page.with_name("paper-2-times.json")),
        *_speed(page.with_name("paper-2-speed.json")),
        *every_run(ledger, table="table", row="row", measure="rsum", value=Logged.rsum),
    ]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {page}")


def _introduction(ledger: Ledger, wanted: int) -> str:
    recipes = [run.recipe for run in ledger.of("single-en", "CLMR")]
    if not recipes:
        return "# Paper 2: language-agnostic embeddings, rerun on Flickr8k\n\nNothing run yet.\n"
    recipe = recipes[0]
    training, phase = recipe["training"], recipe["training"]["phases"][0]
    pairs = training["batch_size"]
    views, dropout = recipe["data"]["views"], recipe["model"]["image_dropout"]
    return f"""# Paper 2: language-agnostic embeddings, rerun on Flickr8k

*Written by `python recipes/paper_2.py --write-only` from the logged runs in `paper-2.jsonl`; not
edited by hand.*{missing(ledger, wanted)}

Wehrmann et al. (ICCV 2019) make word vectors of characters (LIWE), so that a language more costs
next to nothing, and compare with learned word vectors (CLMR), VSE++ and SCAN. We rerun their tables
at a size that two processors can train. What differs, and makes absolute numbers incomparable:

| | paper | here |
|---|---|---|
| pictures | Flickr30k, 29,000 for training | Flickr8k, 6,000 for training |
| measured on | 1,000 test pictures | 1,000 validation pictures, which also chose the best step |
| captions a picture | 5 | en, zh, pt, de 5; ar 3; fr, cs 1 (de, fr, cs: 934 of the pictures) |
| views of a training picture | 1 | {views}: itself and two crops |
| regions | 36 boxes of a Visual Genome detector | 7 × 7 cells of an ImageNet ResNet-50 |
| joint space | 1,024 | {recipe["model"]["dimension"]} |
| steps | 34,000 of 128 pairs (30 epochs) | {phase["steps"]:,} of {pairs} pairs |
| optimiser | Adamax 1e-3, warm-up, steps | AdamW {phase["learning_rate"]:g}, warm-up, cosine |

The same for all rows, unless a table says otherwise: features, batches, optimiser, the annealed
loss (η = .991, margin .2), a dropout of {dropout:g} on both sides (VSE++: on texts alone),
a BiGRU (VSE++: one direction). Layers over characters alone (LIWE) learn best at half the rate and
without dropout behind them, and get that; *LIWE + vectors* has the rate and the dropout of the
others. All text sides are learned from scratch on these captions, except *vectors* and *frozen
words*, where each word goes by itself through a frozen multilingual sentence encoder, in the place
of GloVe and of multilingual BERT, which are not at hand.

Numbers are means over seeds ± half of the 95 % interval (Student's t: few seeds give wide
intervals). i→t and t→i: R@1, R@5, R@10 in percent; rsum: all six. A gallery is always all 1,000
pictures. Ties count against the model.
"""


def _single(ledger: Ledger, tag: str) -> list[str]:
    lines = [
        f"## {NAMES[tag]} alone",
        "",
        "| system | seeds | i→t R@1 | R@5 | R@10 | t→i R@1 | R@5 | R@10 | rsum | paper's rsum |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in SYSTEMS:
        runs = ledger.of(f"single-{tag}", name)
        paper = PAPER.get(tag, {}).get(name)
        told = "" if paper is None else f"{paper:.1f}"
        lines.append(f"| {name} | {len(runs)} | {_metrics(runs, tag)} | {told} |")
    return [*lines, ""]


def _metrics(runs: Sequence[Logged], tag: str) -> str:
    """Six recalls and their sum, as cells."""
    if not runs:
        return " | ".join(["not run"] * 7)
    columns = zip(*(run.recalls(tag) for run in runs), strict=True)
    cells = [plus_minus(column) for column in columns]
    return " | ".join([*cells, plus_minus([run.rsum(tag) for run in runs])])


def _unknown(path: Path) -> list[str]:
    """What characters could be good for."""
    if not path.exists():
        return []
    lines = [
        "What characters can do that word vectors cannot is to read words that the training "
        "captions have less than four times. Their share in the validation captions, in percent "
        "(Chinese goes by single characters here, which are hardly ever new):",
        "",
        "| language | words without a vector | captions with one of them | words of more than 26 "
        "letters, which LIWE cuts |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['language']} | {row['words']:.1f} | {row['captions']:.1f} | {row['longer']:.2f} |"
        for row in _read(path)
    ]
    return [*lines, ""]


def _longer(ledger: Ledger) -> list[str]:
    lines = [
        "## Longer",
        "",
        "English, for more steps. The official VSE++ code on mean-pooled features of the same "
        "ResNet-50 (one view, max of hinges) comes to "
        f"{OFFICIAL_VSEPP} in {OFFICIAL_STEPS:,} steps of 128 pairs.",
        "",
        "| system | seeds | steps | i→t R@1 | R@5 | R@10 | t→i R@1 | R@5 | R@10 | rsum |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in _rows(ledger, "longer"):
        runs = ledger.of("longer", name)
        steps = runs[0].curve[-1][0]
        lines.append(f"| {name} | {len(runs)} | {steps:,} | {_metrics(runs, 'en')} |")
    return [*lines, ""]


def _rows(ledger: Ledger, table: str) -> list[str]:
    """Names of the rows of a table, in the order of the first seed's runs."""
    return list(dict.fromkeys(run.name for run in ledger.of(table)))


def _co_training(ledger: Ledger) -> list[str]:
    lines = [
        "## English with German",
        "",
        "*Text*: 22,007 sentences of Multi30K and their translations, none of which describes a "
        "picture here, by equation 8; a picture then only ever meets English captions. *Captions*: "
        "German captions of the pictures themselves.",
        "",
        "| trained on | seeds | en i→t R@1 | en t→i R@1 | en rsum | de i→t R@1 | de t→i R@1 | "
        "de rsum | paper: en i→t | en t→i | de i→t | de t→i |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows = [
        ("LIWE: en captions", ledger.of("single-en", "LIWE")),
        ("LIWE: de captions", ledger.of("single-de", "LIWE")),
        *(
            (name, ledger.of("co-training", name))
            for name in _rows(ledger, "co-training")
            if not name.endswith("all captions")
        ),
    ]
    for name, runs in rows:
        cells = [cell for tag in ("en", "de") for cell in _short(runs, tag)]
        system, _, data = name.partition(": ")
        paper = CO_TRAINED.get(system, ()) if data == ON_TEXT else ()
        cells += [f"{value:.1f}" for value in paper] or [""] * 4
        lines.append(f"| {name} | {len(runs)} | {' | '.join(cells)} |")
    return [*lines, "", *co_training_orders(ledger)]


def _short(runs: Sequence[Logged], tag: str) -> list[str]:
    runs = [run for run in runs if tag in run.languages]
    if not runs:
        return ["", "", ""]
    recalls = [run.recalls(tag) for run in runs]
    return [
        plus_minus([row[0] for row in recalls]),
        plus_minus([row[3] for row in recalls]),
        plus_minus([run.rsum(tag) for run in runs]),
    ]


def _all_languages(ledger: Ledger) -> list[str]:
    lines = [
        "## All seven languages in one model",
        "",
        "rsum a language, after 2,000 steps of 128 pictures with seven captions each, drawn from "
        "all languages alike. French and Czech have one caption a picture, so image→text has one "
        "right answer and not five.",
        "",
        f"| trained on | seeds | {' | '.join(LANGUAGES)} | mean of the first six | worst |",
        f"|---|---|{'---|' * (len(LANGUAGES) + 2)}",
    ]
    for name in _rows(ledger, "co-training"):
        runs = [run for run in ledger.of("co-training", name) if len(run.languages) == 7]
        if runs:
            cells = [plus_minus([run.rsum(tag) for run in runs]) for tag in LANGUAGES]
            means = [statistics.fmean(run.rsum(tag) for tag in MEAN_OF) for run in runs]
            worst = min(LANGUAGES, key=lambda tag: statistics.fmean(r.rsum(tag) for r in runs))
            lines.append(
                f"| {name} | {len(runs)} | {' | '.join(cells)} | {plus_minus(means)} | {worst} |"
            )
    lines.append("")
    together, alone = ledger.of("co-training", "LIWE: all captions"), ledger.of("single-en", "LIWE")
    longer = ledger.of("longer", "LIWE")
    if together and alone:
        found, as_long = (difference(together, runs, "en") for runs in (alone, longer))
        czech, french = (
            statistics.fmean(run.rsum(tag) for run in together) for tag in ("cs", "fr")
        )
        lines += [
            f"LIWE on all languages against LIWE on English alone, in English: {verdict(found)} "
            f"({together[0].pairs:,} pairs against {alone[0].pairs:,}). Against twice the steps of "
            "English alone, where English has as many pairs as among the seven: "
            f"{verdict(as_long)}. Czech reaches {100 * czech / french:.0f} % of French.",
            "",
        ]
    return lines


def _losses(ledger: Ledger) -> list[str]:
    lines = [
        "## Sum, maximum, and from the one to the other",
        "",
        f"English, {ABLATION_STEPS} steps. The paper: the sum of hinges is worse than the annealed "
        "loss, and the maximum diverges. Where all scores are equal, the maximum is 2·B·α = 51.2; "
        "*early* is the first measurement.",
        "",
        "| model, loss | seeds | rsum early | at the best step | loss at step 50 | at the last |",
        "|---|---|---|---|---|---|",
    ]
    for name in sorted(_rows(ledger, "losses")):
        runs = ledger.of("losses", name)
        early = plus_minus([run.curve[0][1]["en"] for run in runs])
        first = plus_minus([run.losses[0][1] for run in runs])
        best = plus_minus([run.rsum("en") for run in runs])
        last = plus_minus([run.losses[-1][1] for run in runs])
        lines.append(f"| {name} | {len(runs)} | {early} | {best} | {first} | {last} |")
    return [*lines, "", *standing_still(ledger)]


def _non_local(ledger: Ledger) -> list[str]:
    lines = [
        "## The non-local block",
        "",
        f"CLMR, English, {ABLATION_STEPS} steps; the paper's Table 6 has LIWE, which learns more "
        "slowly.",
        "",
        "*Early*: rsum at the first measurement. *Alike*: the mean cosine of two regions of one "
        "picture behind the projection; at 1 the block has made them all the same. *Width*: the "
        "entropy of a region's attention, 0 where it looks at one region and 1 where it looks at "
        "all of them alike.",
        "",
        "| block | paper i→t R@1 | paper t→i R@1 | seeds | i→t R@1 | R@5 | R@10 | t→i R@1 | R@5 | "
        "R@10 | rsum | early | alike | width | parameters |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for form, (told, to_text, to_image) in NON_LOCAL.items():
        here = ("losses", "CLMR, annealed") if form == "none" else ("non-local", form)
        runs = ledger.of(*here)
        paper = " | ".join("" if value is None else f"{value}" for value in (to_text, to_image))
        if not runs:
            lines.append(f"| {told} | {paper} | 0 | {' | '.join(['not run'] * 11)} |")
            continue
        early = plus_minus([run.curve[0][1]["en"] for run in runs])
        size = f"{runs[0].parameters['image'] / 1e6:.2f} M"
        looks = [_mean_look(runs, name) for name in ("alike", "width")]
        lines.append(
            f"| {told} | {paper} | {len(runs)} | {_metrics(runs, 'en')} | {early} | "
            f"{' | '.join(looks)} | {size} |"
        )
    return [*lines, "", *narrow_attention(ledger)]


def _mean_look(runs: Sequence[Logged], name: str) -> str:
    values = [run.regions[name] for run in runs if name in run.regions]
    return f"{statistics.fmean(values):.2f}" if values else ""


def _sizes(path: Path) -> list[str]:
    lines = ["## What a language more costs", ""]
    if not path.exists():
        return [*lines, "Not run (`python recipes/paper_2_sizes.py`).", ""]
    lines += [
        "Parameters of the text embedding, counted in the models that are built from the training "
        "captions of Flickr8k: every parameter that learns, normalisation included. Word vectors "
        "have 300 dimensions, for words that occur four times or more.",
        "",
        "| languages | words | word vectors (CLMR) | characters | LIWE (384, 448, 300) | "
        "LIWE (256, 256) | LIWE (128, 256) |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in _read(path):
        cells = [f"{row[key]:,}" for key in ("words", "learned", "characters", "official")]
        cells += [f"{row[key]:,}" for key in ("256-256", "128-256")]
        lines.append(f"| {', '.join(row['languages'])} | {' | '.join(cells)} |")
    return [*lines, ""]


def _times(path: Path) -> list[str]:
    lines = ["## Time to encode and to score", ""]
    if not path.exists():
        return [*lines, "Not run (`python benchmarks/paper_2_times.py`).", ""]
    rows = _read(path)
    lines += [
        f"1,000 pictures (from stored ResNet-50 cells) and 5,000 English captions, at the paper's "
        f"1,024 dimensions, on {rows[0]['threads']} processors; medians of {rows[0]['rounds']} "
        "rounds in turns, seconds; without a non-local block unless it is named. The paper, "
        "on its machine: CLMR 3.1 to encode and 0.15 to score on the CPU, LIWE 5.11 and 0.14, SCAN "
        "10 and 180 on a GPU.",
        "",
        "| system | pictures | captions | all 5,000,000 scores | scores against CLMR's |",
        "|---|---|---|---|---|",
    ]
    base = next(row["score"] for row in rows if row["system"] == "CLMR")
    for row in rows:
        cells = [f"{row[key]:.2f}" for key in ("pictures", "captions", "score")]
        lines.append(f"| {row['system']} | {' | '.join(cells)} | {row['score'] / base:.0f} × |")
    return [*lines, ""]


def _speed(path: Path) -> list[str]:
    lines = ["## Speed beside plain ways", ""]
    if not path.exists():
        return [*lines, "Not run (`python benchmarks/paper_2_speed.py`).", ""]
    rows = _read(path)
    lines += [
        f"In one run, in turns, medians, on {rows[0]['threads']} processors. *The published code's "
        "way*: the same model in float32, a packed GRU over a table of all words, features in "
        "memory; written anew from its description. SCAN: text→image, mean, at the paper's 1,024 "
        "dimensions with 49 regions, batches of 128.",
        "",
        "| what | against | ours | that | ratio | peak of memory |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours, plain = (f"{row[key]:,.4g} {row['unit']}" for key in ("ours", "plain"))
        memory = f"{row['memory']:.0f} MB" if "memory" in row else ""
        lines.append(
            f"| {row['what']} | {row['beside']} | {ours} | {plain} | {row['ratio']:.1f} × | "
            f"{memory} |"
        )
    return [*lines, ""]


def _read(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found

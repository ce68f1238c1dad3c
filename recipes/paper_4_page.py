"""Writes `docs/results/paper-4.md` from the ledger of `paper_4.py` and what lies beside it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ledger import DIRECTIONS, RECALLS, Ledger, Logged
from page_parts import every_run, missing
from paper_4_findings import (
    CL2CM,
    DISTILLED,
    ENGLISH,
    HUMAN,
    MAIN,
    NRCCR,
    PLAIN,
    SENTENCES,
    against_english,
    claims,
    noise,
    parts,
    recovered,
    rsums,
    trust,
)
from polyglance.evaluation.seeds import over_seeds, plus_minus
from polyglance.systems.config import CL2CMConfig

KEPT = Path("runs/kept/paper-4")  # checkpoints of `paper_4.EXPERIMENT.kept`
TRANSLATED = "translate-test"
# Row of the main table → what it learns from.
ROWS = {
    PLAIN: "English captions and their machine translations, all as captions of the picture",
    DISTILLED: "English captions; translations from their sources (squared distance)",
    NRCCR: "the same pairs as plain, through a noise filter, against an adversary",
    CL2CM: "the same pairs as plain, with a teacher between the languages; our interpretation",
    ENGLISH: "English captions, in the frozen words of the other rows; Chinese is zero-shot",
    SENTENCES: "English captions, by the frozen sentence encoder; Chinese is zero-shot",
    TRANSLATED: f"as *{ENGLISH}*, asked in machine translations of the Chinese captions",
    HUMAN: "English and Chinese captions of people, as plain: the ceiling",
}
NEAR = 0.05  # of the plain encoder's time, within which another is as fast


def write_page(ledger: Ledger, page: Path, wanted: int) -> None:
    """The whole page; rows whose runs are missing say so.

    Args:
        ledger: of the finished runs.
        page: to write.
        wanted: how many runs there are to be.
    """
    sections = [
        _introduction(ledger, wanted),
        *_chinese(ledger, _translated(page.parent)),
        *recovered(ledger),
        *claims(ledger),
        *noise(ledger),
        *trust(ledger),
        *parts(ledger),
        *_sizes(ledger),
        *_times(page.with_name("paper-4-times.json")),
        *every_run(ledger, table="table", row="row", measure="rsum", value=Logged.rsum),
    ]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(sections) + "\n", encoding="utf-8")
    print(f"wrote {page}")


def _introduction(ledger: Ledger, wanted: int) -> str:
    title = "# Paper 4: Chinese from machine translations, by a teacher between the languages"
    recipes = [run.recipe for run in ledger.of(MAIN, CL2CM)]
    if not recipes:
        return f"{title}\n\nNothing run yet.\n"
    recipe = recipes[0]
    training, phase = recipe["training"], recipe["training"]["phases"][0]
    config = CL2CMConfig.model_validate(recipe["model"])
    return f"""{title}

*Written by `python recipes/paper_4.py --write-only` from the logged runs in `paper-4.jsonl`; not
edited by hand.*{missing(ledger, wanted)}

Wang et al. (CL2CM, AAAI 2024) learn a language in which nobody has described pictures from machine
translations of English captions: a network between the languages teaches the one between pictures
and texts. Of the paper we know the abstract, and neither its losses nor its weights nor its tables.
**What is called CL2CM here is our interpretation**, and no number of this page is to be compared
with the paper's.

**The setting.** Flickr8k's 6,000 training photos have five English captions each and what two
engines made of each in Chinese. Measured on 1,000 validation photos by five captions each that
people wrote in Chinese, and five in English; a gallery is always all 1,000. The same photos chose
the best step, measured every {training["evaluate_every"]}, by both languages; *{ENGLISH}* and
*{SENTENCES}*, which learn no Chinese, by English.

**The same for all rows**: ResNet-50, frozen, 7 × 7 cells of {recipe["data"]["views"]} views of a
photo; a BiGRU over words that go, each by itself, through a frozen multilingual sentence encoder
(Chinese by characters; *{SENTENCES}* has whole sentences through it instead, and a linear layer);
{config.dimension} dimensions; {phase["steps"]:,} steps of {training["batch_size"]} photos, each
with one English caption and one Chinese, where there is one; AdamW {phase["learning_rate"]:g},
warm-up, cosine; InfoNCE between pictures and texts. Runs of one seed see the same photos with the
same English captions.

**CL2CM** as we read it: InfoNCE of pictures with captions (weight {config.source_weight:g}) and
with translations ({config.target_weight:g}); of the teacher, another BiGRU like the student's,
InfoNCE of captions with translations ({config.sentence_weight:g}) and the transport of their words
({config.word_weight:g}; ε = {config.epsilon:g}, {config.iterations} iterations of Sinkhorn's
algorithm); from the teacher to the student relational distillation ({config.distillation_weight:g};
τ = {config.temperature:g}).

**NRCCR** (Wang et al., ACM MM 2022), on which it builds, has its published terms and weights, over
InfoNCE as all rows, and its smooth L1 distance summed over dimensions and not averaged; with the
triplets of its own it is under *What the parts are worth*. The term for back-translations is left
out, and so is the fusion with scores of translated queries that its published numbers have: both
take a translator from Chinese.

Numbers are means over seeds ± half of the 95 % interval (Student's t: few seeds give wide
intervals). i→t and t→i: R@1, R@5, R@10 in percent; rsum: all six. Ties count against the model.
"""


def _chinese(ledger: Ledger, translated: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "## Chinese, as people write it",
        "",
        f"*Against English alone*: English rsum − that of *{ENGLISH}*, which has the same text "
        "encoder, over paired seeds, with a 95 % interval: whether learning Chinese hurts English.",
        "",
        "| system | learns from | seeds | zh i→t R@1 | R@5 | R@10 | t→i R@1 | R@5 | R@10 | "
        "zh rsum | en rsum | against English alone |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, source in ROWS.items():
        runs = ledger.of(MAIN, name)
        if name == TRANSLATED:
            cells = _asked_in_english(translated)
        else:
            cells = [*_recalls([run.languages["zh"] for run in runs]), rsums(runs, "en")]
            cells.append("" if name == ENGLISH else against_english(ledger, name))
        seeds = len(translated) if name == TRANSLATED else len(runs)
        lines.append(f"| {name} | {source} | {seeds} | {' | '.join(cells)} |")
    return [*lines, "", *_how_to_translate(translated)]


def _recalls(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Six recalls and their sum, as cells."""
    if not metrics:
        return ["not run"] * 7
    columns = [[each[way][name] for each in metrics] for way in DIRECTIONS for name in RECALLS]
    return [plus_minus(column) for column in [*columns, [each["rsum"] for each in metrics]]]


def _translated(folder: Path) -> list[Mapping[str, Any]]:
    """What translated queries came to, a seed each, where somebody had a translator."""
    paths = sorted(folder.glob("paper-4-translate-test-*.json"))
    return [json.loads(path.read_text(encoding="utf-8"))["languages"]["en"] for path in paths]


def _asked_in_english(translated: Sequence[Mapping[str, Any]]) -> list[str]:
    cells = _recalls(translated) if translated else ["absent: no translator", *[""] * 6]
    return [*cells, "", ""]


def _how_to_translate(translated: Sequence[Mapping[str, Any]]) -> list[str]:
    told = (
        "*translate-test* was measured so:"
        if translated
        else "*translate-test* is absent: no model that translates Chinese into English was at "
        "hand. Whoever has one, in a folder or from the hub, fills the row:"
    )
    return [
        told,
        "",
        "```console",
        "$ polyglance data translate $POLYGLANCE_FLICKR8K/val.jsonl --model opus-mt-zh-en \\",
        "    --source zh --target en --replace --output $POLYGLANCE_FLICKR8K/val-zh-in-en.jsonl",
        "$ for seed in 0 1 2; do",
        f"    polyglance evaluate {KEPT}/english-$seed $POLYGLANCE_FLICKR8K/val-zh-in-en.jsonl \\",
        "      --json docs/results/paper-4-translate-test-$seed.json",
        "  done",
        "$ python recipes/paper_4.py --write-only",
        "```",
        "",
    ]


def _sizes(ledger: Ledger) -> list[str]:
    lines = [
        "## What it costs once it is trained",
        "",
        "Learned parameters of the saved models, beside the frozen ResNet-50 and sentence encoder, "
        "which all have. Training on one thread of a machine with other work, in seconds, medians "
        "over seeds: that is where a teacher costs.",
        "",
        "| system | image side | text side | together | as plain | training |",
        "|---|---|---|---|---|---|",
    ]
    plain = _parameters(ledger, PLAIN)
    for name in ROWS:
        found = _parameters(ledger, name)
        if found is not None:
            cells = [f"{found[part]:,}" for part in ("image", "text")]
            same = "" if plain is None else "yes" if found == plain else "no"
            cells += [f"{sum(found.values()):,}", same]
            seconds = statistics.median(run.seconds for run in ledger.of(MAIN, name))
            lines.append(f"| {name} | {' | '.join(cells)} | {seconds:.0f} |")
        elif name != TRANSLATED:
            lines.append(f"| {name} | {' | '.join(['not run'] * 5)} |")
    return [*lines, "", *_same_size(plain, _parameters(ledger, CL2CM))]


def _parameters(ledger: Ledger, name: str) -> dict[str, int] | None:
    runs = ledger.of(MAIN, name)
    return runs[0].parameters if runs else None


def _same_size(plain: dict[str, int] | None, taught: dict[str, int] | None) -> list[str]:
    """Half of the target that the teacher is to cost nothing at test time."""
    if plain is None or taught is None:
        return []
    word = "met" if plain == taught else "not met"
    return [f"Target: CL2CM has the parameters of the plain dual encoder: **{word}**.", ""]


def _times(path: Path) -> list[str]:
    if not path.exists():
        return ["Time to encode: not run (`python benchmarks/paper_4_times.py`).", ""]
    rows = {row["system"]: row for row in json.loads(path.read_text(encoding="utf-8"))}
    plain, taught = rows["plain"], rows["cl2cm"]
    lines = [
        f"Time to encode {plain['captions']:,} Chinese captions of the validation photos with two "
        f"of these models (seed 0), in turns, on {plain['threads']} processors; "
        f"{len(plain['seconds'])} rounds, of each the median of six turns; each with a model just "
        "loaded, which remembers no words.",
        "",
        "| system | median of seconds | captions a second |",
        "|---|---|---|",
    ]
    for name, row in ((PLAIN, plain), (CL2CM, taught)):
        median = statistics.median(row["seconds"])
        lines.append(f"| {name} | {median:.2f} | {row['captions'] / median:,.0f} |")
    return [*lines, "", _same_speed(plain["seconds"], taught["seconds"]), ""]


def _same_speed(plain: Sequence[float], taught: Sequence[float]) -> str:
    """The other half of the target, by the ratio of each round."""
    mean, half = over_seeds([one / other for one, other in zip(taught, plain, strict=True)])
    low, high = mean - half, mean + half
    if low >= 1 - NEAR and high <= 1 + NEAR:
        word = "met"
    else:
        word = "not met" if low > 1 else "met, it is faster" if high < 1 else "not told apart"
    return (
        f"CL2CM takes {mean:.3f} [{low:.3f}, {high:.3f}] of plain's time, by rounds, with a 95 % "
        f"interval. Target: the speed of the plain dual encoder, within {100 * NEAR:.0f} %: "
        f"**{word}**."
    )

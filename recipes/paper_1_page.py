"""Writes `docs/results/paper-1.md` and its curves from the ledger of `paper_1.py`."""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ledger import DIRECTIONS, RECALLS, Ledger, over_runs
from page_parts import missing
from polyglance.evaluation.seeds import plus_minus
from reranked import TOP, Reranked

LANGUAGES = ("en", "de", "fr", "cs", "zh")
NAMES = {"en": "English", "de": "German", "fr": "French", "cs": "Czech", "zh": "Chinese"}
WITHOUT, ALIGNED, FULL = "without pretraining", "aligned alone", "pretrained"
UNTOLD, UNREAD = "aligned alone, no likeness", "aligned alone, no sentence"
# Fei et al. 2021, table 4: mean R@1 of both directions on Multi30K, English and German.
TABLE_4 = {
    FULL: (72.0, 62.4),
    "without TLM": (71.9, 60.9),
    "without CLTR": (71.9, 61.1),
    "without CMTR": (71.1, 61.5),
}
TARGET = 15.0  # percent that reranking is to lift the mean R@1 by, relatively
TASKS = {
    "mlm": "MLM, captions with pictures",
    "text_mlm": "MLM, text",
    "tlm": "TLM",
    "mrc": "MRC",
    "cmtr": "CMTR",
    "cltr": "CLTR",
}
Metrics = dict[str, Any]


def write_page(ledger: Ledger, page: Path, wanted: int) -> None:
    """The whole page and its figure; rows whose runs are missing say so.

    Args:
        ledger: of the finished runs.
        page: to write.
        wanted: how many runs there are to be.
    """
    figure = page.with_name("paper-1-curves.svg")
    parts = [
        _introduction(ledger, wanted),
        *(line for tag in LANGUAGES for line in _language(ledger, tag)),
        *_targets(ledger),
        *_ablation(ledger),
        *_curves(ledger, figure),
        *_cost(ledger),
        *_every_run(ledger),
    ]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {page}")


def _introduction(ledger: Ledger, wanted: int) -> str:
    runs = ledger.of("reranked")
    if not runs:
        return "# Paper 1: cross-lingual cross-modal pretraining\n\nNothing run yet.\n"
    told = next((run for run in runs if run.name == FULL), runs[0])  # others are cut short
    first, alignment, pretraining, tuning = (
        told.recipe[part] for part in ("first", "alignment", "pretraining", "tuning")
    )
    trunk = alignment["model"]["stream"]["trunk"]
    cells = alignment["model"]["cells_per_side"]
    return f"""# Paper 1: cross-lingual cross-modal pretraining, rerun on Flickr8k

*Written by `python recipes/paper_1.py --write-only` from the logged runs in `paper-1.jsonl`; not
edited by hand.*{missing(ledger, wanted)}

Fei et al. (NAACL 2021) pretrain one transformer over captions and regions on five tasks, from
captioned pictures, parallel and monolingual text, and fine-tune it to score pairs. We rerun their
ablation at a size that two processors can train. What differs, and makes absolute numbers
incomparable:

| | paper | here |
|---|---|---|
| transformer | multilingual BERT, 12 layers of 768 | {trunk["layers"]} layers of {trunk["width"]} \
from scratch; tokens start from a frozen sentence encoder's vectors, and are told its vector \
of the whole text |
| regions | 100 boxes of a Visual Genome detector | {cells} × {cells} cells of a ResNet-50 |
| soft labels | 1,600 classes of the detector | 1,000 classes of ImageNet, cell by cell |
| captioned pictures | 3.7 million, English | 6,000, in five languages |
| parallel text | 12 million sentences, en–de, en–ja | 22,007, en–de–fr–cs |
| monolingual text | 20 million sentences, en, de, ja | 220,070, en, de |
| pretraining | 50 epochs of 16 GPUs | {_steps(pretraining)} steps |
| fine-tuned on | Multi30K, one language at a time | 6,000 pictures in five languages at once, \
{_steps(tuning)} steps of {tuning["training"]["batch_size"]} pictures |
| loss of fine-tuning | maximum of hinges over all pairs of the batch | cross-entropy over those \
that alignment finds hard |
| scored | all pairs | the best {TOP} of a first stage |

**Aligned first.** A transformer that starts from nothing does not find out from so few pairs that
it is to compare words with regions: each pair costs it a pass. Means of what enters it learn that
from all pairs of large batches, without a pass. So they are aligned first \
({_steps(alignment)} steps of {alignment["training"]["batch_size"]}),
and kept so by the same loss beside the tasks and beside the fine-tuning; and each place of the
sequence is told how alike both sides are there (`likeness`). This is ours, and part of pretraining
here: *{WITHOUT}* has neither alignment nor tasks, *{ALIGNED}* no tasks. All rows
have the likeness and the vector of the whole text, which is ours too, but those that say so.

The first stage is CLMR (paper 2) on the same captions, {_steps(first)} steps, one a seed.
*Lifted*: by how much the mean of R@1 over both directions grows, relatively. *Ceiling*: the first
stage's R@{TOP}, which reranking cannot exceed. *Both scores*: the reranker's + a weight · the first
stage's; of nine weights each half of the pictures has the one that is best for the queries of the
other half, all languages together.

Numbers are means over seeds ± half of the 95 % interval (Student's t). 1,000 validation pictures;
de, fr and cs have captions for 934 of them, fr and cs one each. Ties count against the model.
"""


def _steps(recipe: Metrics) -> str:
    return f"{recipe['training']['phases'][0]['steps']:,}"


def _language(ledger: Ledger, tag: str) -> list[str]:
    lines = [
        f"## {NAMES[tag]}",
        "",
        "| | seeds | i→t R@1 | R@5 | R@10 | t→i R@1 | R@5 | R@10 | mean R@1 | lifted |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in (WITHOUT, ALIGNED, FULL):
        runs = ledger.of("reranked", name)
        lines += [
            *(
                [_row("first stage alone", runs, lambda run: run.first[tag])]
                if name == WITHOUT
                else []
            ),
            _row(f"reranked, {name}", runs, lambda run: run.alone[tag], tag),
            _row(f"reranked, {name}, both scores", runs, lambda run: run.languages[tag], tag),
        ]
    runs = ledger.of("reranked", WITHOUT)
    ceilings = [run.report["reranking"]["ceiling"][tag] for run in runs]
    if ceilings:
        told = [plus_minus([ceiling[way] for ceiling in ceilings]) for way in DIRECTIONS]
        lines += ["", f"Ceiling: i→t {told[0]}, t→i {told[1]}."]
    return [*lines, ""]


def _row(
    name: str,
    runs: Sequence[Reranked],
    of: Callable[[Reranked], Metrics],
    lifted_from: str | None = None,
) -> str:
    if not runs:
        return f"| {name} | 0 |" + " not run |" * 8
    recalls = [
        plus_minus([of(run)[way][recall] for run in runs])
        for way in DIRECTIONS
        for recall in RECALLS
    ]
    lift = ""
    if lifted_from is not None:
        lift = _percent([_lift(of(run), run.first[lifted_from]) for run in runs])
    mean = plus_minus([mean_r1(of(run)) for run in runs])
    return f"| {name} | {len(runs)} | {' | '.join(recalls)} | {mean} | {lift} |"


def mean_r1(metrics: Metrics) -> float:
    """Of both directions."""
    return statistics.fmean(metrics[way]["R@1"] for way in DIRECTIONS)


def _alone(tag: str) -> Callable[[Reranked], float]:
    """Mean R@1 in a language by the reranker's scores alone."""
    return lambda run: mean_r1(run.alone[tag])


def _by_both(tag: str) -> Callable[[Reranked], float]:
    """Mean R@1 in a language by both scores."""
    return lambda run: mean_r1(run.languages[tag])


def _lift(reranked: Metrics, first: Metrics) -> float:
    """Percent, relatively."""
    return 100 * (mean_r1(reranked) / mean_r1(first) - 1)


def _percent(values: Sequence[float]) -> str:
    return f"{plus_minus(values)} %"


def _targets(ledger: Ledger) -> list[str]:
    lines = ["## What reranking and pretraining are worth", ""]
    full = ledger.of("reranked", FULL)
    for tag in ("en", "de"):
        if not full:
            lines.append(f"- {NAMES[tag]}: not run.")
            continue
        lifts = [_lift(run.languages[tag], run.first[tag]) for run in full]
        verdict = "met" if statistics.fmean(lifts) >= TARGET else "not met"
        lines.append(
            f"- {NAMES[tag]}: reranking the best {TOP} lifts the mean R@1 by {_percent(lifts)} "
            f"(target {TARGET:.0f} %, {verdict})."
        )
    lines += [
        "",
        "What pretraining adds to the mean R@1, over paired seeds with its 95 % interval: all of "
        f"it, from *{WITHOUT}*; and the five tasks of the paper, from *{ALIGNED}*.",
        "",
        "| | all, reranker alone | both scores | five tasks, reranker alone | both scores |",
        "|---|---|---|---|---|",
    ]
    for tag in LANGUAGES:
        cells = [
            _difference(over_runs(full, ledger.of("reranked", less), of(tag)))
            for less in (WITHOUT, ALIGNED)
            for of in (_alone, _by_both)
        ]
        lines.append(f"| {NAMES[tag]} | {' | '.join(cells)} |")
    return [*lines, ""]


def _difference(found: tuple[float, float] | None) -> str:
    if found is None:
        return "(too few seeds)"
    mean, half = found
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


def _ablation(ledger: Ledger) -> list[str]:
    lines = [
        "## Leaving out a task",
        "",
        "Mean R@1 of both directions, by the reranker's scores alone, and the difference from all "
        "tasks over paired seeds with its 95 % interval. The paper's table 4 is on Multi30K, all "
        "pairs scored.",
        "",
        "| | seeds | en | − all tasks | de | − all tasks | paper en | paper de |",
        "|---|---|---|---|---|---|---|---|",
    ]
    full = ledger.of("reranked", FULL)
    for name in (*TABLE_4, ALIGNED, UNTOLD, UNREAD, WITHOUT):
        runs = ledger.of("reranked", name)
        cells = []
        for tag in ("en", "de"):
            cells.append(plus_minus([mean_r1(run.alone[tag]) for run in runs]))
            found = over_runs(runs, full, _alone(tag))
            cells.append("" if name == FULL else _difference(found))
        paper = [f"{value:.1f}" for value in TABLE_4[name]] if name in TABLE_4 else ["", ""]
        lines.append(f"| {name} | {len(runs)} | {' | '.join([*cells, *paper])} |")
    return [*lines, ""]


def _curves(ledger: Ledger, figure: Path) -> list[str]:
    lines = ["## Pretraining", ""]
    runs = ledger.of("reranked", FULL)
    if not runs:
        return [*lines, "Not run.", ""]
    figure.write_text(_drawn(runs[0].curves), encoding="utf-8")
    lines += [
        "Loss of a training batch by task (cross-entropy a token; MRC: Kullback–Leibler divergence "
        f"a region), seed {runs[0].seed}.",
        "",
        f"![loss by task]({figure.name})",
        "",
        "| task | at step | loss | at step | loss |",
        "|---|---|---|---|---|",
    ]
    for task, name in TASKS.items():
        curve = runs[0].curves[task]
        (start, high), (end, low) = curve[0], curve[-1]
        lines.append(f"| {name} | {start} | {high:.2f} | {end} | {low:.2f} |")
    return [*lines, ""]


def _drawn(curves: dict[str, list[tuple[int, float]]]) -> str:
    """One line a task, by step; SVG."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for task, name in TASKS.items():
        steps, losses = zip(*curves[task], strict=True)
        axes.plot(steps, losses, label=name, linewidth=1.2)
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    written = io.StringIO()
    with rc_context({"svg.hashsalt": "paper-1"}):  # the same figure is the same file
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


def _cost(ledger: Ledger) -> list[str]:
    lines = ["## What it costs", ""]
    runs = [run for run in ledger if len(run.languages) == len(LANGUAGES)]
    if not runs:
        return [*lines, "Not run.", ""]
    passes = statistics.median(run.report["reranking"]["passes"] for run in runs)
    seconds = statistics.median(run.seconds["scoring"] for run in runs)
    return [
        *lines,
        f"Reranking the best {TOP} in five languages, both directions: {passes:,.0f} passes of the "
        f"transformer, {seconds:,.0f} s on one thread, both models' encoding included. All pairs "
        f"would be {_all_pairs(runs[0]):,}.",
        "",
    ]


def _all_pairs(run: Reranked) -> int:
    return sum(
        metrics["text_to_image"]["queries"] * run.report["images"] for metrics in run.first.values()
    )


def _every_run(ledger: Ledger) -> list[str]:
    lines = [
        "## Every run",
        "",
        "Two runs at a time, one thread each, on a machine with other work.",
        "",
        "| run | seed | weights | mean R@1 alone | both scores | training, s | scoring, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in ledger:
        alone, both = (
            ", ".join(f"{tag} {mean_r1(metrics):.1f}" for tag, metrics in found.items())
            for found in (run.alone, run.languages)
        )
        stages = (took for part, took in run.seconds.items() if part not in {"first", "scoring"})
        weights = ", ".join(f"{weight:g}" for weight in run.weights)
        lines.append(
            f"| {run.name} | {run.seed} | {weights} | {alone} | {both} | {sum(stages):.0f} "
            f"| {run.seconds['scoring']:.0f} |"
        )
    return lines

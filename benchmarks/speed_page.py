"""The page of what ``speed.py`` measured, ``docs/results/speed.md``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

Found = Mapping[str, Any]

MILLIONS = ("a million", "five million")
SIZES = (10_000_000, 100_000_000)  # that costs are computed for

HEAD = """# How fast it is

*Written by `python benchmarks/speed.py` from what it measured, in `speed.json`; not edited by
hand.*

Each figure that other machines can be held to is a ratio to something plain that ran beside it.

| | measured | goal | |
|---|---|---|---|
"""


def page(found: Mapping[str, Any]) -> str:
    """The whole page; parts that were not measured say so."""
    sections = [_section(title, found.get(part), tell) for title, (part, tell) in SECTIONS.items()]
    return HEAD + "\n".join(_goals(found)) + "\n\n" + "\n\n".join([*sections, _costs(found)]) + "\n"


def _section(title: str, part: Found | None, tell: Callable[[Found], str]) -> str:
    if part is None:
        return f"## {title}\n\nNot measured."
    return f"## {title}\n\n{_where(part)}\n\n{tell(part['found'])}"


def _goals(found: Mapping[str, Any]) -> list[str]:
    def of(part: str) -> Found | None:
        return found[part]["found"] if part in found else None

    indexing, ranking = of("indexing"), of("ranking")
    first, million = of("first answer"), of("a million")
    worst = None if million is None else min(million["recall"].values())
    return [
        _goal(
            "indexing, of the bare forward pass of its tower",
            indexing and f"{100 * indexing['index_by_split']:.0f} %",
            "≥ 95 %",
            indexing and indexing["index_by_split"] >= 0.95,
        ),
        _goal(
            "ranking 5,000 × 25,000 both ways, times the bare matrix product",
            ranking and f"{ranking['ratio']:.2f}, {ranking['peak_mb']} MB",
            "≤ 1.3, < 1,000 MB",
            ranking and ranking["ratio"] <= 1.3 and ranking["peak_mb"] < 1000,
        ),
        _goal(
            "first answer over 10,000 pictures, from nothing running",
            first and f"{first['median_s']:.2f} s",
            "< 1.5 s",
            first and first["median_s"] < 1.5,
        ),
        _goal(
            "a million pictures: median search; recall@10 in the worst language",
            million and f"{million['p50_ms']:.1f} ms; {worst:.3f}",
            "< 10 ms; ≥ 0.99",
            million and million["p50_ms"] < 10 and worst is not None and worst >= 0.99,
        ),
    ]


def _goal(name: str, measured: object, goal: str, met: object) -> str:
    if not measured:
        return f"| {name} | not measured | {goal} | |"
    return f"| {name} | {measured} | {goal} | {'met' if met else 'not met'} |"


def _indexing(found: Found) -> str:
    rows = zip(found["split"], found["batch_a_core"], found["index"], strict=True)
    return "\n".join(
        [
            f"`mini` over {found['images']} photos: scanning, reading, digesting, decoding, "
            "encoding and writing, against encoding one decoded batch again and again, in the two "
            "ways that there are: one batch split over the cores, as torch does by itself, and a "
            "batch a core, as indexing does. In turns.\n",
            "| round | bare, split, images/s | bare, a batch a core | indexing |",
            "|---|---|---|---|",
            *(f"| {number} | {_cells(row)} |" for number, row in enumerate(rows, start=1)),
            f"\nMedian ratios: {found['index_by_split']:.2f} of the split one, "
            f"{found['index_by_batch_a_core']:.2f} of a batch a core.",
        ]
    )


def _cluster(found: Found) -> str:
    rows = [
        f"| {each['workers']} | {each['threads']:.1f} | {each['cluster']:.1f} "
        f"| {each['loaded']:.1f} | {each['loading_s']:.1f} |"
        for each in sorted(found["rounds"], key=lambda each: each["workers"])
    ]
    ratios = ", ".join(f"{r:.2f} with {n}" for n, r in found["cluster_by_threads"].items())
    return "\n".join(
        [
            f"`mini` over {found['images']} photos, by threads of one process and by as many "
            "workers of a Ray cluster on the same machine, in turns. *Loaded*: without the seconds "
            "in which workers load the model, once a run.\n",
            "| workers | threads, images/s | cluster | cluster, loaded | loading, s |",
            "|---|---|---|---|---|",
            *rows,
            f"\nMedian ratios, cluster by threads: {ratios}.",
        ]
    )


def _ranking(found: Found) -> str:
    return (
        "5,000 pictures × 25,000 captions of 512 dimensions, clustered as real ones are; all ranks "
        f"in both directions take {found['ranks_s']:.2f} s, the matrix product alone "
        f"{found['product_s']:.2f} s: {found['ratio']:.2f} times. The process held "
        f"{found['peak_mb']} MB at most, Python and torch included; the scores alone would be 500."
    )


def _first_answer(found: Found) -> str:
    return (
        f"`polyglance search` in {found['pictures']:,} pictures, a process each time, whose files "
        f"the system has in memory: {found['median_s']:.2f} s, between {found['fastest_s']:.2f} "
        f"and {found['slowest_s']:.2f}."
    )


def _serving(found: Found) -> str:
    memory = found["memory_mb"]
    return "\n".join(
        [
            f"`polyglance serve` with {found['pictures']:,} photos, asked by {found['clients']} "
            f"clients on the same machine for {found['seconds']:.0f} s, each as fast as it is "
            "answered: four fifths by captions in all languages, a tenth by photos, a tenth for "
            f"thumbnails. {found['requests_per_second']:.1f} requests a second; "
            f"{found['texts_a_batch']:.1f} texts went through the encoder at a time; the process "
            f"held {memory['before']:,} MB before and {memory['after']:,} after.\n",
            "| | answered | median, ms | 95 %, ms | turned away | errors |",
            "|---|---|---|---|---|---|",
            *(
                f"| {name} | {kind['answered']:,} | {_ms(kind['p50_ms'])} | {_ms(kind['p95_ms'])} "
                f"| {kind['turned_away']:,} | {kind['errors']:,} |"
                for name, kind in found["kinds"].items()
            ),
        ]
    )


def _ms(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds:.0f}"


def _writing(found: Found) -> str:
    held = found["held_mb"]
    return "\n".join(
        [
            f"{found['rows']:,} embeddings, resampled as below, are written {found['commit']:,} "
            "at a time. The most that the process holds while a collection grows to so many rows, "
            f"in MB beyond the {found['before_mb']:,} that it held before:\n",
            f"| rows | {' | '.join(f'{int(up_to):,}' for up_to in held)} |",
            "|---" * (len(held) + 1) + "|",
            f"| MB | {' | '.join(f'{most:,}' for most in held.values())} |\n",
            f"Tidying up and building the index included, it held {found['peak_mb']:,} MB at most.",
        ]
    )


def _millions(found: Found) -> str:
    exact = (
        ""
        if found["exact_ms"] is None
        else (f"; comparing all of them in memory takes {found['exact_ms']:.0f} ms")
    )
    stages = {"built": found, "changed": found["changed"], "refreshed": found["refreshed"]}
    languages = list(found["recall"])
    return "\n".join(
        [
            f"{found['rows']:,} embeddings of {found['dimension']} dimensions, resampled from "
            "those of real photos: each moved by the difference between another photo and the one "
            f"most like it (median cosine {found['nearest_cosine']:.2f}). {found['queries']} "
            "captions in all languages, through the model, one after another.\n",
            f"- A search takes {found['p50_ms']:.1f} ms (95 %: {found['p95_ms']:.1f}), with the "
            f"encoding of its text {found['whole_p50_ms']:.1f} "
            f"({found['whole_p95_ms']:.1f}){exact}.",
            f"- Searching takes {_beyond_the_model(found['searching_mb'])}; the collection "
            f"{found['disk_mb']:,} MB on the disk.",
            f"- Writing took {found['writing_s']:.0f} s, tidying and the index "
            f"{found['indexing_s']:.0f} s.",
            f"- A hundredth more and another gone: {found['changing_s']:.1f} s, and "
            f"{found['refreshing_s']:.1f} s to bring the index up to date.\n",
            "Recall@10 of exact search by language; *changed*: before the index is up to date.\n",
            f"| | {' | '.join(languages)} | median, ms | 95 %, ms |",
            "|---" * (len(languages) + 3) + "|",
            *(
                f"| {stage} | {_recalls(each, languages)} | {each['p50_ms']:.1f} "
                f"| {each['p95_ms']:.1f} |"
                for stage, each in stages.items()
            ),
        ]
    )


def _costs(found: Mapping[str, Any]) -> str:
    """What sizes that were not measured would cost: nothing but the constants above, scaled."""
    title = "## What more would cost"
    needed = ("cluster", *MILLIONS)
    if any(part not in found for part in needed):
        return f"{title}\n\nNot computed: its constants were not measured."
    cluster, small, large = (found[part]["found"] for part in needed)
    rate = median(each["loaded"] for each in cluster["rounds"] if each["workers"] == 1)
    columns = [_cost(size, rate, small, large) for size in SIZES]
    return "\n".join(
        [
            f"{title}\n",
            "**Computed, not measured**, from the constants above: pictures a second of one "
            f"worker, which has a core ({rate:.1f}); all else on the line through the two "
            "collections of millions. Longer lines than those were drawn on may bend.\n",
            f"| pictures | {' | '.join(f'{size:,}' for size in SIZES)} |",
            "|---" * (len(SIZES) + 1) + "|",
            *(
                f"| {name} | {' | '.join(column[name] for column in columns)} |"
                for name in columns[0]
            ),
        ]
    )


def _cost(size: int, rate: float, small: Found, large: Found) -> dict[str, str]:
    def line(key: str) -> float:
        slope = (large[key] - small[key]) / (large["rows"] - small["rows"])
        return float(small[key] + slope * (size - small["rows"]))

    hours = size / rate / 3600
    return {
        "embedding, core hours": f"{hours:,.0f}",
        "embedding on 64 cores, days": f"{hours / 64 / 24:.1f}",
        "writing, hours": f"{line('writing_s') / 3600:.1f}",
        "tidying and the index, hours": f"{line('indexing_s') / 3600:.1f}",
        "on the disk, GB": f"{line('disk_mb') / 1e3:,.0f}",
        "memory of searching, GB": f"{line('searching_mb') / 1e3:.1f}",
        "median search, ms": f"{line('p50_ms'):.0f}",
    }


def _beyond_the_model(megabytes: float) -> str:
    return f"{megabytes} MB beyond the model" if megabytes else "no more than loading the model did"


def _recalls(found: Found, languages: Sequence[str]) -> str:
    return " | ".join(f"{found['recall'][tag]:.3f}" for tag in languages)


def _where(part: Found) -> str:
    return (
        f"{part['day']}, {part['cores']} cores of {part['processor']}, load average "
        f"{part['load']} before."
    )


def _cells(values: Sequence[float]) -> str:
    return " | ".join(f"{value:.1f}" for value in values)


SECTIONS: Mapping[str, tuple[str, Callable[[Found], str]]] = {
    "Indexing": ("indexing", _indexing),
    "Indexing on a cluster": ("cluster", _cluster),
    "Ranking": ("ranking", _ranking),
    "First answer": ("first answer", _first_answer),
    "A server under load": ("serving", _serving),
    "Memory of writing": ("writing", _writing),
    "A million pictures": ("a million", _millions),
    "Five million pictures": ("five million", _millions),
}
PARTS = tuple(part for part, _ in SECTIONS.values())

"""A report as a table, for the terminal and for Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyglance.evaluation.metrics import RECALLS
from polyglance.evaluation.pointing import CHANCE, Pointed, Pointing
from polyglance.evaluation.results import (
    BothDirections,
    Direction,
    LanguageResult,
    Report,
    Reranking,
)

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def report_table(report: Report, *, intervals: bool = True) -> Table:
    """Recalls of every language, the mean, and the worst language.

    Args:
        report: what was measured.
        intervals: write them below the numbers, where the terminal is wide enough.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("\nlanguage", no_wrap=True)
    table.add_column("captions ×\npictures", justify="right", no_wrap=True)
    for way in ("text→image", "image→text"):
        for place, name in enumerate(RECALLS):
            table.add_column(f"{way if place == 0 else ''}\n{name}", justify="right", no_wrap=True)
    table.add_column("\nrsum", justify="right", no_wrap=True)
    rows = [
        (tag, f"{captions_each(result)} × {result.images:,}", result.scores)
        for tag, result in report.languages.items()
    ]
    for tag, captions, scores in [*rows, ("mean", "", report.mean)]:
        # With several languages the worst one catches the eye.
        worst = tag == report.worst and len(report.languages) > 1
        style = "yellow" if worst else "bold" if tag == "mean" else ""
        cells = [Text(tag + ("\nworst" if worst else ""), style), Text(captions)]
        for direction in (scores.text_to_image, scores.image_to_text):
            cells += [_cell(_recall(direction, name), style, intervals) for name in RECALLS]
        cells.append(_cell(_sum(scores), style, intervals))
        table.add_row(*cells, end_section=tag == rows[-1][0])
    return table


def summary_lines(report: Report) -> list[str]:
    """What the table's numbers are: gallery, folds, intervals, worst language, caveats."""
    lines = [
        f"{report.images:,} pictures, model {report.model or 'unnamed'}",
        gallery_line(report),
    ]
    if report.folds > 1:
        lines.append(f"mean of {report.folds} folds of consecutive pictures, measured apart")
    if report.draws:
        lines.append(
            f"95 % intervals: {report.draws:,} bootstrap draws of pictures, each with all its "
            f"captions, seed {report.seed}"
        )
    worst = report.languages[report.worst].scores
    lines.append(
        f"worst language: {report.worst}, mean recall {worst.mean_recall:.1f} "
        f"(mean over {len(report.languages)} languages: {report.mean.mean_recall:.1f})"
    )
    if variance := report.rank_variance:
        lines.append(
            f"mean rank variance across languages: text→image {variance.text_to_image:,.1f}, "
            f"image→text {variance.image_to_text:,.1f} ({variance.images:,} pictures)"
        )
    if report.reranking is not None:
        lines += reranking_lines(report.reranking)
    if report.pointing is not None:
        lines += pointing_lines(report.pointing)
    return lines


def reranking_lines(reranking: Reranking) -> list[str]:
    """What was reranked by whom, the first stage's recall, which is the ceiling, and its R@1."""
    top, mean, first = reranking.top, reranking.mean_ceiling, reranking.first
    weighed = f" + {reranking.weight:g} · that of the first stage" if reranking.weight else ""
    each = ", ".join(
        f"{tag} {_short(ceiling.text_to_image)} / {_short(ceiling.image_to_text)}"
        for tag, ceiling in reranking.ceilings.items()
    )
    ways = (first.mean.text_to_image.metrics, first.mean.image_to_text.metrics)
    return [
        f"reranked: of every query the best {top:,} by {first.model or 'the first stage'}, ordered "
        f"by the score of {reranking.model}{weighed}; {reranking.passes:,} passes",
        f"ceiling, the first stage's R@{top}: text→image {_short(mean.text_to_image)}, "
        f"image→text {_short(mean.image_to_text)}, mean over languages",
        f"the same by language, text→image / image→text: {each}",
        f"first stage alone, mean over languages: R@1 text→image {ways[0].recall_at_1:.1f}, "
        f"image→text {ways[1].recall_at_1:.1f}; rsum {first.mean.rsum:.1f}; worst language "
        f"{first.worst}, mean recall {first.languages[first.worst].scores.mean_recall:.1f}",
    ]


def pointing_lines(pointing: Pointing) -> list[str]:
    """How often the maximum of a heat map lay in the right quarter of a mosaic."""

    def share(found: Pointed) -> str:
        pair = found.interval
        number = f"{found.hits:.1f} %"
        return f"{number} ({_short(pair.low)}–{_short(pair.high)})" if pair else number

    each = ", ".join(f"{tag} {share(found)}" for tag, found in pointing.languages.items())
    return [
        f"{pointing.mosaics:,} mosaics of four pictures, {pointing.side} × {pointing.side} pixels: "
        f"the heat map's maximum lies in the picture that a caption belongs to in "
        f"{share(pointing.mean)} of questions, mean over languages; chance {CHANCE:.0f} %",
        f"the same by language: {each}",
    ]


def gallery_line(report: Report) -> str:
    """Which pictures and captions each query is ranked against."""
    return (
        f"text→image gallery: {gallery_sizes(report, 'text_to_image')} pictures "
        f"({'all' if report.gallery == 'all' else 'captioned in the language'}); "
        f"image→text gallery: the captions of the language, "
        f"{gallery_sizes(report, 'image_to_text')}"
    )


def skipped_line(report: Report) -> str:
    """How many pictures were left out."""
    count = len(report.skipped)
    pictures = "1 picture" if count == 1 else f"{count:,} pictures"
    return f"{pictures} could not be read and took no part"


def gallery_sizes(report: Report, way: str) -> str:
    """One size, or the smallest and the largest over languages."""
    sizes = [getattr(result.scores, way).gallery for result in report.languages.values()]
    low, high = min(sizes), max(sizes)
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"


def captions_each(result: LanguageResult) -> str:
    """``5``, or the mean with the fewest and the most, ``4.7 (1–5)``."""
    if result.fewest == result.most:
        return str(result.fewest)
    return f"{result.captions_per_image:.1f} ({result.fewest}–{result.most})"


def text_to_text_table(report: Report) -> Table | None:
    """R@1 of translations, source languages down and target languages across."""
    from rich.table import Table

    if not report.text_to_text:
        return None
    tags = list(report.text_to_text)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("text→text R@1")
    for tag in tags:
        table.add_column(tag, justify="right")
    for source in tags:
        row = report.text_to_text[source]
        cells = [f"{row[target].recalls['R@1']:.1f}" if target in row else "–" for target in tags]
        table.add_row(source, *cells)
    return table


def markdown_table(report: Report) -> str:
    """The languages, the mean and the worst language as a Markdown table, with intervals."""
    head = ["language", "captions an image", "images"]
    head += [f"{way} {name}" for way in ("text→image", "image→text") for name in RECALLS]
    rows = [[*head, "rsum"], ["---"] + ["---:"] * len(head)]
    for tag, result in report.languages.items():
        name = f"**{tag} (worst)**" if tag == report.worst and len(report.languages) > 1 else tag
        rows.append([name, captions_each(result), f"{result.images:,}", *_cells(result.scores)])
    rows.append(["**mean**", "", "", *_cells(report.mean)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(scores: BothDirections) -> list[str]:
    pairs = [
        _recall(way, name)
        for way in (scores.text_to_image, scores.image_to_text)
        for name in RECALLS
    ]
    return [number + (f" ({pair})" if pair else "") for number, pair in [*pairs, _sum(scores)]]


def _recall(way: Direction, name: str) -> tuple[str, str]:
    """A recall and its interval, as text."""
    pair = way.intervals.get(name)
    number = f"{way.metrics.as_dict()[name]:.1f}"
    return number, f"{_short(pair.low)}–{_short(pair.high)}" if pair else ""


def _sum(scores: BothDirections) -> tuple[str, str]:
    pair = scores.rsum_interval
    return f"{scores.rsum:.1f}", f"{pair.low:.0f}–{pair.high:.0f}" if pair else ""


def _short(percent: float) -> str:
    """One digit after the point, but ``100``."""
    return f"{percent:.1f}".replace("100.0", "100")


def _cell(pair: tuple[str, str], style: str, intervals: bool) -> Text:
    from rich.text import Text

    number, interval = pair
    return Text.assemble(
        (number, style), (f"\n{interval}" if intervals and interval else "", "dim")
    )

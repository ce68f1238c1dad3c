"""Two evaluations side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyglance.errors import ConfigError
from polyglance.evaluation.metrics import RECALLS
from polyglance.evaluation.results import BothDirections, Report

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def comparison_table(
    before: Report, after: Report, *, titles: tuple[str, str] = ("before", "after")
) -> Table:
    """Text→image recalls and rsum of both, language by language, and what changed.

    Args:
        before: a report.
        after: another on the same pictures.
        titles: what to call them.

    Raises:
        ConfigError: the reports share no language, or differ in what they measured.
    """
    from rich.table import Table
    from rich.text import Text

    languages = _common(before, after)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("\nlanguage")
    for heading in titles:
        for place, name in enumerate((*RECALLS, "rsum")):
            table.add_column(f"{heading if place == 0 else ''}\n{name}", justify="right")
    for place, name in enumerate(("R@10", "rsum")):
        table.add_column(f"{'change' if place == 0 else ''}\n{name}", justify="right")
    for tag in languages:
        one, other = before.languages[tag].scores, after.languages[tag].scores
        worst = tag == after.worst and len(languages) > 1
        title = Text(f"{tag} (worst)" if worst else tag, style="yellow" if worst else "")
        table.add_row(title, *_row(one, other), end_section=tag == languages[-1])
    table.add_row(Text("mean", style="bold"), *_row(before.mean, after.mean))
    return table


def comparison_lines(
    before: Report, after: Report, *, titles: tuple[str, str] = ("before", "after")
) -> list[str]:
    """The worst language of each, and what the table's numbers are."""
    _common(before, after)
    sizes = {f"{result.scores.text_to_image.gallery:,.0f}" for result in after.languages.values()}
    lines = [f"text→image recalls in percent among {' or '.join(sorted(sizes))} pictures"]
    for title, report in zip(titles, (before, after), strict=True):
        worst = report.languages[report.worst].scores
        lines.append(
            f"worst language {title}: {report.worst}, text→image R@10 "
            f"{worst.text_to_image.metrics.recall_at_10:.1f}, rsum {worst.rsum:.1f}"
        )
    return lines


def _common(before: Report, after: Report) -> list[str]:
    languages = [tag for tag in after.languages if tag in before.languages]
    if not languages:
        raise ConfigError("the two reports share no language, so they cannot be compared")
    same = (before.images, before.gallery, before.folds)
    if same != (after.images, after.gallery, after.folds) or set(before.languages) != set(
        after.languages
    ):
        raise ConfigError(
            "the two reports measured different pictures, languages, galleries or folds, so their "
            "numbers cannot be compared; evaluate both models in the same way"
        )
    return languages


def _row(one: BothDirections, other: BothDirections) -> list[Text]:
    from rich.text import Text

    cells = [
        Text(f"{value:.1f}")
        for scores in (one, other)
        for value in (*_recalls(scores), scores.rsum)
    ]
    gains = (_recalls(other)[-1] - _recalls(one)[-1], other.rsum - one.rsum)
    return cells + [
        Text(f"{gain:+.1f}", style="green" if gain > 0 else "red" if gain < 0 else "")
        for gain in gains
    ]


def _recalls(scores: BothDirections) -> list[float]:
    values = scores.text_to_image.metrics.as_dict()
    return [values[name] for name in RECALLS]

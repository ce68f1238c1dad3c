"""Recalls that were written down: by a training run in its report, or on a model's card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyglance.data.language import is_language_tag
from polyglance.listing.entry import Measured, Recall
from polyglance.systems.checkpoint import CARD
from polyglance.training.folder import MODEL, REPORT

FIRST_COLUMN = "text→image R@1"
WORST = " (worst)"


def written_down(folder: Path) -> Measured | None:
    """What a model's run or its card says; ``None`` where nobody measured, or it cannot be read.

    Args:
        folder: of a checkpoint.
    """
    report = folder.parent / REPORT  # beside the model that the same run left
    if folder.name == MODEL and (recalls := _of_report(report)):
        return Measured(report, recalls)
    card = folder / CARD
    recalls = dict(_of_card(card))
    return Measured(card, recalls) if recalls else None


def _of_report(path: Path) -> dict[str, Recall]:
    try:
        languages = json.loads(path.read_text("utf-8"))["languages"]
        return {
            tag: Recall(*(float(result["text_to_image"][f"R@{k}"]) for k in (1, 5, 10)))
            for tag, result in languages.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _of_card(path: Path) -> Iterator[tuple[str, Recall]]:
    """The rows of the card's table, in which R@5 and R@10 stand right of R@1."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return
    column = None
    for line in lines:
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if FIRST_COLUMN in cells:
            column = cells.index(FIRST_COLUMN)
        elif column is not None and (found := _row(cells, column)) is not None:
            yield found


def _row(cells: Sequence[str], column: int) -> tuple[str, Recall] | None:
    """A language's row; ``None`` for rules, means and whatever else follows."""
    tag = cells[0].strip("*").removesuffix(WORST)
    try:
        recall = Recall(*(float(cell.split()[0]) for cell in cells[column : column + 3]))
    except (ValueError, IndexError, TypeError):
        return None
    return (tag, recall) if is_language_tag(tag) else None

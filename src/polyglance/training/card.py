"""The card of a trained model: what it was made from, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polyglance.evaluation.results import Direction, Report
    from polyglance.training.recipe import Recipe


def model_card(recipe: Recipe, languages: Sequence[str], report: Report | None) -> str:
    """Markdown; ``report`` is the measurement on the validation pictures, if there were any."""
    lines = [
        f"# {recipe.name}",
        "",
        f"Trained with `polyglance train` on `{recipe.data.train.name}`"
        f" in {', '.join(languages)}; seed {recipe.training.seed}.",
        "",
    ]
    if (translated := recipe.data.translated) is not None and not translated.human:
        noise = " with simulated noise" if translated.noise else ""
        lines += [
            f"Nobody's captions in {translated.target} were trained on: machines translated "
            f"({', '.join(translated.engines)}){noise}.",
            "",
        ]
    if recipe.data.zero_shot:
        lines += [f"Never trained on: {', '.join(recipe.data.zero_shot)}.", ""]
    if report is None:
        return "\n".join([*lines, "Nothing was measured: the recipe names no validation set.", ""])
    lines += [
        f"Measured on `{recipe.data.validation.name if recipe.data.validation else ''}`: "
        f"{report.images} pictures in the gallery. These pictures chose the best step, so the "
        "numbers flatter a little. 95 % intervals in brackets, over pictures.",
        "",
        "| language | captions a picture | text→image R@1 | R@5 | R@10 | image→text R@1 | R@5 | "
        "R@10 | rsum |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for tag, result in report.languages.items():
        cells = [
            tag,
            f"{result.captions_per_image:.1f}",
            *_recalls(result.scores.text_to_image),
            *_recalls(result.scores.image_to_text),
            f"{result.scores.rsum:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        f"Mean recall {report.mean.mean_recall:.2f}; worst language {report.worst}.",
        "",
    ]
    return "\n".join(lines)


def _recalls(direction: Direction) -> list[str]:
    values = direction.metrics.as_dict()
    cells = []
    for name in ("R@1", "R@5", "R@10"):
        interval = direction.intervals.get(name)
        around = f" [{interval[0]:.1f}, {interval[1]:.1f}]" if interval else ""
        cells.append(f"{values[name]:.1f}{around}")
    return cells

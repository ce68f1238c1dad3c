"""Write the table of ``mini`` in the README from a report.

``polyglance evaluate mini "$POLYGLANCE_FLICKR8K/val.jsonl" --json runs/mini-val.json`` makes the
report; ``python docs/readme_numbers.py runs/mini-val.json`` writes the table.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from polyglance.evaluation.results import LanguageResult, Report

README = Path(__file__).parents[1] / "README.md"
PLACE = re.compile(r"(<!-- numbers -->\n).*?(<!-- /numbers -->)", re.DOTALL)


def table(report: Report) -> str:
    """Text→image recalls, a language a row, best first, and the mean."""
    lines = [
        "| text→image, % | R@1 | R@5 | R@10 (95 % interval) | captions a photo |",
        "|---|---:|---:|---:|---:|",
    ]
    ordered = sorted(report.languages.items(), key=lambda item: -_recall_at_10(item[1]))
    for tag, result in ordered:
        direction = result.scores.text_to_image
        found, interval = direction.metrics, direction.intervals["R@10"]
        name = f"{tag} (worst)" if tag == report.worst else tag
        lines.append(
            f"| {name} | {found.recall_at_1:.1f} | {found.recall_at_5:.1f} "
            f"| {found.recall_at_10:.1f} ({interval.low:.1f}–{interval.high:.1f}) "
            f"| {result.captions / result.images:.0f} |"
        )
    mean = report.mean.text_to_image.metrics
    lines.append(
        f"| **mean** | {mean.recall_at_1:.1f} | {mean.recall_at_5:.1f} "
        f"| {mean.recall_at_10:.1f} | |"
    )
    return "\n".join(lines) + "\n"


def _recall_at_10(result: LanguageResult) -> float:
    return result.scores.text_to_image.metrics.recall_at_10


def main() -> None:
    """Replace what stands between the two marks."""
    report = Report.load(Path(sys.argv[1]))
    text = README.read_text("utf-8")
    README.write_text(PLACE.sub(lambda match: match[1] + table(report) + match[2], text), "utf-8")


if __name__ == "__main__":
    main()

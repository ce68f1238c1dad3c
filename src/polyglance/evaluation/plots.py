"""Plots of a report, as SVG."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from polyglance.evaluation.metrics import RECALLS
from polyglance.evaluation.results import CURVE, BothDirections, Direction, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WAYS: tuple[tuple[str, Callable[[BothDirections], Direction]], ...] = (
    ("text → image", lambda scores: scores.text_to_image),
    ("image → text", lambda scores: scores.image_to_text),
)
SHADES = ("#1d4e79", "#4a86b8", "#a9cbe6")  # R@1, R@5, R@10: dark where the test is hardest
WARM = ("#8a3b12", "#c96f3b", "#edbd9c")  # the same for the worst language
INK, FAINT = "#333333", "#d9d9d9"
ROOM_FOR_A_NUMBER = 4.5  # percent points of a bar


def recall_bars(report: Report) -> str:
    """R@1, R@5 and R@10 of every language as nested bars with 95 % intervals; SVG."""
    languages = sorted(report.languages, key=lambda tag: report.languages[tag].scores.rsum)
    figure, panels = _panels(height=1.1 + 0.42 * len(languages), share_rows=True)
    for axes, (title, way) in zip(panels, WAYS, strict=True):
        for row, tag in enumerate(languages):
            direction = way(report.languages[tag].scores)
            worst = tag == report.worst and len(languages) > 1
            _nested_bars(axes, row, direction, WARM if worst else SHADES)
        axes.set_title(title, loc="left", fontsize=11, color=INK)
        axes.set_xlim(0, 100)
        axes.set_xlabel("recall, %")
        axes.set_yticks(range(len(languages)), languages)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
    for label in panels[0].get_yticklabels():
        if label.get_text() == report.worst and len(languages) > 1:
            label.set(color=WARM[0], fontweight="bold")
    _legend(figure)
    return _svg(figure)


def recall_curves(report: Report) -> str:
    """R@K against K for every language; SVG."""
    from matplotlib import colormaps

    figure, panels = _panels(height=3.6, share_rows=True)
    palette = colormaps["tab20" if len(report.languages) > 10 else "tab10"]
    for axes, (title, way) in zip(panels, WAYS, strict=True):
        for number, (tag, result) in enumerate(report.languages.items()):
            worst = tag == report.worst and len(report.languages) > 1
            axes.plot(
                CURVE,
                way(result.scores).curve,
                label=f"{tag} (worst)" if worst else tag,
                color=WARM[1] if worst else palette(number % palette.N),
                linestyle="--" if worst else "-",
                linewidth=2.2 if worst else 1.4,
                marker="o",
                markersize=2.5,
            )
        axes.set_title(title, loc="left", fontsize=11, color=INK)
        axes.set_xscale("log")
        axes.set_xticks(CURVE, [str(k) for k in CURVE])
        axes.minorticks_off()
        axes.set_ylim(0, 100)
        axes.set_xlabel("K")
        axes.grid(color=FAINT, linewidth=0.6)
    panels[0].set_ylabel("recall at K, %")
    handles, labels = panels[0].get_legend_handles_labels()
    columns = min(len(labels), 9)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return _svg(figure)


def _nested_bars(axes: Axes, row: int, direction: Direction, shades: tuple[str, ...]) -> None:
    values = direction.metrics.as_dict()
    # The widest bar first, so that the shorter ones lie on it.
    for name, shade in zip(reversed(RECALLS), reversed(shades), strict=True):
        axes.barh(row, values[name], height=0.62, color=shade, zorder=2)
    end_of_last = 0.0
    for name in RECALLS:
        if values[name] - end_of_last >= ROOM_FOR_A_NUMBER:
            axes.text(
                values[name] - 0.8,
                row,
                f"{values[name]:.0f}",
                ha="right",
                va="center_baseline",
                fontsize=7,
                color=INK if name == "R@10" else "white",
                zorder=4,
            )
        end_of_last = values[name]
        if pair := direction.intervals.get(name):
            axes.plot(pair, (row + 0.38, row + 0.38), color=INK, linewidth=1.1, zorder=3)


def _panels(*, height: float, share_rows: bool) -> tuple[Figure, list[Axes]]:
    """Two panels side by side on a figure of its own: no window, no global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, height), layout="constrained")
    panels = list(figure.subplots(1, 2, sharey=share_rows))
    for axes in panels:
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(FAINT)
        axes.tick_params(colors=INK, labelsize=9)
        axes.set_axisbelow(True)
    return figure, panels


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Patch | Line2D] = [
        Patch(color=shade, label=name) for name, shade in zip(RECALLS, SHADES, strict=True)
    ]
    handles.append(Line2D([], [], color=INK, linewidth=1.1, label="95 % interval"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)


def _svg(figure: Figure) -> str:
    import matplotlib

    buffer = io.StringIO()
    # Text stays text, in the reader's own sans-serif; the salt makes equal plots equal files.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "polyglance"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()

"""A report as one page that needs nothing else: HTML with its plots inside, or Markdown."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from pathlib import Path

from polyglance.data.files import replaced_when_complete
from polyglance.errors import ConfigError
from polyglance.evaluation.metrics import NAMES
from polyglance.evaluation.results import BothDirections, Direction, Report
from polyglance.evaluation.tables import captions_each, markdown_table, skipped_line, summary_lines

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #333; max-width: 1020px;
       margin: 2.5rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
.what { color: #666; margin-top: 0; word-break: break-all; }
.cards { display: flex; gap: 1rem; flex-wrap: wrap; margin: 1.4rem 0; }
.card { border: 1px solid #ddd; border-radius: 8px; padding: .7rem 1.1rem; min-width: 8.5rem; }
.card b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.card.worst { border-color: #c96f3b; background: #fdf4ee; }
.card.worst b { color: #8a3b12; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .86rem; }
th, td { padding: .3rem .55rem; text-align: right; border-bottom: 1px solid #e6e6e6; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; color: #555; vertical-align: bottom; }
td small { display: block; color: #888; font-size: .72rem; white-space: nowrap; }
tr.worst td { background: #fdf4ee; } tr.mean td { font-weight: 600; border-top: 2px solid #bbb; }
tr.mean td small { font-weight: 400; }
img { width: 100%; } .note { background: #fff8e1; border-left: 4px solid #e0a800;
      padding: .4rem .9rem; } ul { padding-left: 1.2rem; }
"""


def write_report(report: Report, path: Path) -> None:
    """Write the page, whole or not at all.

    Args:
        report: what was measured.
        path: ``.html`` or ``.md``.

    Raises:
        ConfigError: another suffix.
    """
    writers = {".html": html_page, ".md": markdown_page}
    if path.suffix not in writers:
        raise ConfigError(f"{path}: a report's name ends in .html or .md")
    text = writers[path.suffix](report)
    with replaced_when_complete(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def markdown_page(report: Report) -> str:
    """Table, what its numbers are, warnings."""
    lines = [f"- {line}" for line in summary_lines(report)]
    if report.skipped:
        lines.append(f"- {skipped_line(report)}")
    lines += [f"- **Warning:** {warning}" for warning in report.warnings]
    title = f"# {report.model or 'Model'} on {report.manifest or 'embeddings'}"
    return f"{title}\n\n{markdown_table(report)}\n" + "\n".join(lines) + "\n"


def html_page(report: Report) -> str:
    """The whole page; plots are SVG inside it, nothing is loaded from anywhere."""
    from polyglance.evaluation.plots import recall_bars, recall_curves

    title = escape(f"{report.model or 'Model'}: retrieval by language")
    parts = [
        f"<h1>{title}</h1>",
        f'<p class="what">{escape(report.manifest)} · model {escape(report.fingerprint[:16])}</p>',
        *(f'<p class="note">{escape(warning)}</p>' for warning in report.warnings),
        _cards(report),
        "<h2>Recall by language</h2>",
        _image(recall_bars(report), "recall at 1, 5 and 10 by language"),
        _list(summary_lines(report)),
        "<h2>All metrics</h2>",
        _metrics_table(report, "text_to_image", "Text → image: each caption looks for its picture"),
        _metrics_table(
            report, "image_to_text", "Image → text: each picture looks for any of its captions"
        ),
        "<h2>Recall at K</h2>",
        _image(recall_curves(report), "recall at K by language"),
        _translations(report),
        _skipped(report),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def _cards(report: Report) -> str:
    worst = report.languages[report.worst].scores
    languages = len(report.languages)
    cards = [
        ("", f"{report.mean.mean_recall:.1f}", f"mean recall, {languages} languages"),
        ("", f"{report.mean.text_to_image.metrics.recall_at_10:.1f}", "text → image R@10, mean"),
        ("", f"{report.images:,}", "pictures"),
    ]
    if languages > 1:
        text = f"worst language, mean recall {worst.mean_recall:.1f}"
        cards.insert(1, (" worst", escape(report.worst), text))
    return '<div class="cards">' + "".join(
        f'<div class="card{kind}"><b>{number}</b>{text}</div>' for kind, number, text in cards
    ) + "</div>"  # fmt: skip


def _metrics_table(report: Report, way: str, caption: str) -> str:
    head = ["language", "captions<br>an image", "queries", "gallery", *NAMES]
    rows = []
    for tag, result in report.languages.items():
        direction: Direction = getattr(result.scores, way)
        sizes = [captions_each(result), f"{direction.queries:,}", f"{direction.gallery:,.0f}"]
        worst = tag == report.worst and len(report.languages) > 1
        rows.append(_row("worst" if worst else "", [escape(tag), *sizes], direction))
    mean: BothDirections = report.mean
    rows.append(_row("mean", ["mean", "", "", ""], getattr(mean, way)))
    cells = "".join(f"<th>{cell}</th>" for cell in head)
    return (
        f'<p><b>{escape(caption)}</b></p><div class="wide"><table>'
        f"<tr>{cells}</tr>{''.join(rows)}</table></div>"
    )


def _row(kind: str, names: list[str], direction: Direction) -> str:
    cells = [f"<td>{name}</td>" for name in names]
    for name, value in direction.metrics.as_dict().items():
        digits = 3 if name in ("MRR", "nDCG@10") else 1
        pair = direction.intervals.get(name)
        small = f"<small>{pair.low:.{digits}f}–{pair.high:.{digits}f}</small>" if pair else ""
        cells.append(f"<td>{value:.{digits}f}{small}</td>")
    return f'<tr class="{kind}">{"".join(cells)}</tr>'


def _translations(report: Report) -> str:
    if not report.text_to_text:
        return ""
    tags = list(report.text_to_text)
    rows = ["<tr><th>from \\ to</th>" + "".join(f"<th>{escape(t)}</th>" for t in tags) + "</tr>"]
    for source in tags:
        found = report.text_to_text[source]
        cells = [
            f"{found[target].recalls['R@1']:.1f}" if target in found else "–" for target in tags
        ]
        rows.append(f"<tr><td>{escape(source)}</td>{''.join(f'<td>{c}</td>' for c in cells)}</tr>")
    return (
        "<h2>Text → text: a sentence looks for its translation, R@1</h2>"
        f'<div class="wide"><table>{"".join(rows)}</table></div>'
    )


def _skipped(report: Report) -> str:
    if not report.skipped:
        return ""
    lines = [f"{picture.path}: {picture.reason}" for picture in report.skipped]
    return f"<h2>{skipped_line(report)}</h2>" + _list(lines)


def _list(lines: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _image(svg: str, text: str) -> str:
    data = b64encode(svg.encode()).decode()
    return f'<img alt="{escape(text)}" src="data:image/svg+xml;base64,{data}">'

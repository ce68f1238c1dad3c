"""A picture of results: one row a query, the best hits beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

THUMBNAIL = 120
MARGIN = 12
LABEL_WIDTH = 330
PAPER, INK, FAINT = (255, 255, 255), (28, 32, 36), (120, 126, 134)
# Font files that cover scripts which the default font lacks, where the system has them.
WIDE_FONTS = re.compile(r"notosans|unifont|wqy|droidsansfallback|hiragino|meiryo", re.IGNORECASE)
PLAIN_STYLE = re.compile(r"regular|(?<!bold)(?<!italic)\.\w+$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A query and what it found.

    Attributes:
        query: as it was asked.
        language: its BCP-47 tag.
        meaning: the query in English, for those who cannot read it.
        hits: (path of the picture, score), best first.
    """

    query: str
    language: str
    meaning: str
    hits: Sequence[tuple[Path, float]]


def write_contact_sheet(rows: Sequence[SheetRow], output: Path) -> None:
    """Write ``rows`` as one PNG.

    Raises:
        ValueError: there are no rows.
    """
    from PIL import Image, ImageDraw

    if not rows:
        raise ValueError("a contact sheet needs at least one query")
    columns = max(len(row.hits) for row in rows)
    row_height = THUMBNAIL + 2 * MARGIN + 14
    width = LABEL_WIDTH + columns * (THUMBNAIL + MARGIN) + MARGIN
    sheet = Image.new("RGB", (width, len(rows) * row_height + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, row in enumerate(rows):
        _draw_row(sheet, draw, row, top=MARGIN + index * row_height)
    output.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(output)


def _draw_row(sheet: Image.Image, draw: ImageDraw.ImageDraw, row: SheetRow, *, top: int) -> None:
    from polyglance.data.decode import open_picture

    font = font_for(row.query, 22)
    shown = row.query if font is not None else row.meaning
    lines = [(shown, font or font_for("a", 22), INK)]
    below = f"{row.language} · {row.meaning}" if shown != row.meaning else row.language
    lines.append((below, font_for("a", 15), FAINT))
    for line, (text, face, colour) in enumerate(lines):
        draw.text((MARGIN, top + THUMBNAIL // 2 - 28 + 32 * line), text, font=face, fill=colour)
    for column, (path, score) in enumerate(row.hits):
        picture = open_picture(path, target_size=THUMBNAIL)
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        left = LABEL_WIDTH + column * (THUMBNAIL + MARGIN)
        offset = (THUMBNAIL - picture.width) // 2, (THUMBNAIL - picture.height) // 2
        sheet.paste(picture, (left + offset[0], top + offset[1]))
        draw.text((left, top + THUMBNAIL + 2), f"{score:.2f}", font=font_for("0", 12), fill=FAINT)


def font_for(text: str, size: int) -> ImageFont.FreeTypeFont | None:
    """A font of this machine that has a glyph for every character of ``text``, or ``None``."""
    from PIL import ImageFont

    needed = {ord(character) for character in text if not character.isspace()}
    for path in _candidates():
        if needed <= _coverage(path):
            return ImageFont.truetype(path, size)
    return None


@cache
def _candidates() -> tuple[str, ...]:
    from matplotlib import font_manager

    default = font_manager.findfont("DejaVu Sans")
    system = sorted(font_manager.findSystemFonts())  # a fresh look, where fontManager has a cache
    names = {path: Path(path).name for path in system}
    wide = [path for path in system if WIDE_FONTS.search(names[path])]
    return (default, *(path for path in wide if PLAIN_STYLE.search(names[path])))


@cache
def _coverage(path: str) -> frozenset[int]:
    from fontTools.ttLib import TTFont

    with TTFont(path, fontNumber=0, lazy=True) as font:
        return frozenset(font.getBestCmap() or {})

"""Draw a word's heat maps over a picture in several languages, as figure 5 of Portaz et al. does.

    python docs/heat_maps.py PICTURE... --words WORDS [--model mini] [--to OUT.webp]

WORDS is a JSON file: a list of rows, each an object from language tags to one word in them. Several
pictures are put beside one another in one, two in a row: so the maps of the documentation are made
of sample pictures that may be shown to everybody:

    cd ~/.cache/polyglance/samples/stamps/images
    python …/docs/heat_maps.py animals-mammals-cats-lion.png vehicles-auto-sportscar2.png \
        food-pizza.png animals-birds-pigeon.png --words …/docs/heat_maps.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageDraw, ImageOps

from polyglance import Retriever
from polyglance.data.decode import open_picture
from polyglance.search.contact_sheet import font_for

SIDE, MARGIN, LABEL = 200, 10, 30
PAPER, INK = "white", "#1c1a22"


def main(
    pictures: Annotated[list[Path], typer.Argument(help="One, or several to be joined.")],
    words: Annotated[Path, typer.Option(help="JSON: rows of words by language.")],
    model: Annotated[str, typer.Option(help="A name or a checkpoint's folder.")] = "mini",
    to: Annotated[Path, typer.Option(help="WebP file.")] = Path("docs/images/heat-maps.webp"),
) -> None:
    """Write one picture: a row for each word, a column for each language."""
    rows: list[dict[str, str]] = json.loads(words.read_text("utf-8"))
    picture = _joined([open_picture(path) for path in pictures])
    picture.thumbnail((2 * SIDE, 2 * SIDE))
    retriever = Retriever.load(model)
    columns = max(map(len, rows))
    step = SIDE + MARGIN, SIDE + LABEL + MARGIN
    sheet = Image.new("RGB", (columns * step[0] + MARGIN, len(rows) * step[1] + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, by_language in enumerate(rows):
        for column, (language, word) in enumerate(by_language.items()):
            found = retriever.explain(picture, word, language=language)
            shown = found.overlay(picture)
            shown.thumbnail((SIDE, SIDE))
            left, top = MARGIN + column * step[0], MARGIN + row * step[1]
            sheet.paste(shown, (left, top))
            label = f"{word} · {language}"
            draw.text((left, top + SIDE + 4), label, font=font_for(label, 16), fill=INK)
            print(f"{language}  {word}: {found.peak}, score {found.score:.2f}")
    to.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(to, "WEBP", quality=85, method=6)


def _joined(pictures: list[Image.Image]) -> Image.Image:
    """Several pictures as one, on white, two in a row."""
    if len(pictures) == 1:
        return pictures[0]
    rows = -(-len(pictures) // 2)
    joined = Image.new("RGB", (2 * 2 * SIDE, rows * 2 * SIDE), PAPER)
    for place, picture in enumerate(pictures):
        shown = picture.crop(ImageOps.invert(picture).getbbox())  # without a white border
        shown = ImageOps.contain(shown, (2 * SIDE - 2 * MARGIN, 2 * SIDE - 2 * MARGIN))
        left = place % 2 * 2 * SIDE + SIDE - shown.width // 2
        top = place // 2 * 2 * SIDE + SIDE - shown.height // 2
        joined.paste(shown, (left, top))
    return joined


if __name__ == "__main__":
    typer.run(main)

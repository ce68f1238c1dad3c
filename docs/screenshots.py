"""Take the pictures of the web page that the documentation shows.

    python docs/screenshots.py COLLECTION [--to docs/images]

COLLECTION is one of sample pictures that may be shown to everybody, such as the one that
``make demo`` leaves. Needs playwright, Chromium, and fonts for the scripts that are shown
(Debian: ``apt-get install chromium fonts-noto-cjk``).
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from polyglance.search.opening import open_searcher
from polyglance.serve.app import create_app
from support.browser import chromium, launched, served

LIGHT: dict[str, Any] = {"color_scheme": "light", "locale": "en-GB"}
DARK: dict[str, Any] = {"color_scheme": "dark", "locale": "en-GB"}
TELEPHONE = {"viewport": {"width": 390, "height": 760}, "has_touch": True}

SHOTS: list[tuple[str, str, tuple[str, ...], dict[str, Any]]] = [
    ("start-light", "/", (), LIGHT),
    ("search-german-light", "/?q=ein+Tier+im+Wasser&language=de", (), LIGHT),
    ("search-japanese-dark", "/?q=果物&language=ja", (), {**DARK, "locale": "ja"}),
    ("search-arabic-dark", "/?q=وجه+مبتسم&language=ar", (), DARK),
    ("similar-light", "/?q=fruit&language=en&text=rouge@fr,0.5", (".tile .like",), LIGHT),
    ("why-light", "/?q=ein+Vogel&language=de", (".tile .picture", "dialog #explain"), LIGHT),
    ("telephone-dark", "/?q=un+bateau&language=fr", (), {**DARK, **TELEPHONE, "locale": "fr"}),
]

# What a click brings.
SETTLED = {
    ".tile .like": ".part img",
    ".tile .picture": "dialog[open] .seen",
    "dialog #explain": "dialog .heat",
}


def main(
    collection: Annotated[Path, typer.Argument(help="Made by 'polyglance index'.")],
    to: Annotated[Path, typer.Option(help="Folder for the WebP files.")] = Path("docs/images"),
) -> None:
    """Serve the collection, visit the pages, and write a picture of each."""
    executable = chromium()
    if executable is None:
        raise SystemExit("no chromium here (Debian: apt-get install chromium)")
    to.mkdir(parents=True, exist_ok=True)
    searcher = open_searcher(collection)
    app = create_app(searcher.collection, searcher.encoder)
    with served(app) as address, launched(executable) as browser:
        for name, path, clicks, options in SHOTS:
            _shoot(browser, address + path, clicks, to / f"{name}.webp", options)


def _shoot(
    browser: Any, url: str, clicks: tuple[str, ...], output: Path, options: dict[str, Any]
) -> None:
    context = browser.new_context(**{"viewport": {"width": 1100, "height": 700}, **options})
    page = context.new_page()
    page.goto(url)
    for click in clicks:
        page.locator(click).first.click()
        page.locator(SETTLED[click]).first.wait_for()
    page.wait_for_load_state("networkidle")
    screen = Image.open(BytesIO(page.screenshot()))
    screen.convert("RGB").save(output, "WEBP", quality=85, method=6)
    context.close()


if __name__ == "__main__":
    typer.run(main)

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

from polyglance.cli.search import open_searcher
from polyglance.serve.app import create_app
from support.browser import chromium, launched, served

SHOTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("start-light", "/", "", {"color_scheme": "light"}),
    ("search-german-light", "/?q=ein+Tier+im+Wasser&language=de", "", {"color_scheme": "light"}),
    ("search-japanese-dark", "/?q=果物&language=ja", "", {"color_scheme": "dark"}),
    ("search-arabic-dark", "/?q=وجه+مبتسم&language=ar", "", {"color_scheme": "dark"}),
    ("similar-light", "/?q=fruit&language=en", ".tile .like", {"color_scheme": "light"}),
    ("why-light", "/?q=ein+Vogel&language=de", ".tile .why", {"color_scheme": "light"}),
    (
        "telephone-dark",
        "/?q=un+bateau&language=fr",
        "",
        {"color_scheme": "dark", "viewport": {"width": 390, "height": 760}, "has_touch": True},
    ),
]

SETTLED = {".tile .like": ".asked", ".tile .why": ".why.shown"}  # what a click brings


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
        for name, path, click, options in SHOTS:
            _shoot(browser, address + path, click, to / f"{name}.webp", options)


def _shoot(browser: Any, url: str, click: str, output: Path, options: dict[str, Any]) -> None:
    context = browser.new_context(**{"viewport": {"width": 1100, "height": 700}, **options})
    page = context.new_page()
    page.goto(url)
    if click:
        page.locator(click).first.dispatch_event("click")  # links show where the mouse is
        page.locator(SETTLED[click]).wait_for()
    page.wait_for_load_state("networkidle")
    screen = Image.open(BytesIO(page.screenshot()))
    screen.convert("RGB").save(output, "WEBP", quality=85, method=6)
    context.close()


if __name__ == "__main__":
    typer.run(main)

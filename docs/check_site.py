"""Check the built site: every link within it leads somewhere, and nothing is loaded from elsewhere.

    python docs/check_site.py docs/_build/html

Sphinx has checked the links that the pages' sources make; this reads what came out, the theme's
navigation and the generated references among it. Links to other sites are not followed: they are
what a reader may click, and need a network.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """What a page links to, loads, and can be linked to by.

    Attributes:
        links: addresses of links, and of what the page loads.
        loaded: addresses of what it loads by itself.
        anchors: names of its places.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if address := given.get(LOADED.get(tag, "")):
            self.loaded.append(address)
        if address := given.get("href" if tag == "a" else LOADED.get(tag, "")):
            self.links.append(address)


def problems(site: Path) -> Iterator[str]:
    """What is wrong, a line each."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        shown = path.relative_to(site)
        yield from (
            f"{shown}: loads {it} from elsewhere" for it in page.loaded if urlsplit(it).netloc
        )
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{shown}: {link} leads nowhere"
            elif not _has_place(pages.get(target), unquote(parts.fragment)):
                yield f"{shown}: {link} leads to no place on that page"


def _has_place(page: Page | None, name: str) -> bool:
    return page is None or not name or name in page.anchors


def main() -> None:
    """Print the problems; exit code 1 if there are any."""
    site = Path(sys.argv[1]).resolve()
    found = list(problems(site))
    print(*found, sep="\n" if found else "")
    count = sum(1 for _ in site.rglob("*.html"))
    print(f"{count} pages, {len(found)} problems")
    raise SystemExit(bool(found) or not count)


if __name__ == "__main__":
    main()

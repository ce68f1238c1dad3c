"""What the pages of documentation show: fenced blocks, the commands in them, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
]
RUN = "run"
_MARK = re.compile(r"<!-- (run|not run: .+) -->")
_ENDS = {"&&", "||", "|", ";", "&"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, and what the comment above it says of running it."""

    page: Path
    line: int
    language: str
    text: str
    mark: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def tokens(page: Path) -> Sequence[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))


def blocks(page: Path) -> Iterator[Block]:
    before: Token | None = None
    for token in tokens(page):
        if token.type == "fence":
            found = _MARK.fullmatch(before.content.strip()) if before else None
            line = token.map[0] + 1 if token.map else 0
            mark = found[1] if found else None
            yield Block(page, line, token.info.strip(), token.content, mark)
        before = token if token.type == "html_block" else None


def lines(block: Block) -> Iterator[str]:
    """What is typed in a console: the lines behind a prompt, those that go on joined."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            yield line.removeprefix("$ ")


def commands(line: str) -> Iterator[list[str]]:
    """The arguments of every ``polyglance`` that a line calls."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&")
    lexer.whitespace_split = True
    words = list(lexer)
    for place, word in enumerate(words):
        is_program = word == "polyglance" and (place == 0 or words[place - 1] in {*_ENDS, "-m"})
        if is_program or word.endswith("/bin/polyglance"):
            rest = words[place + 1 :]
            end = next((at for at, each in enumerate(rest) if each in _ENDS), len(rest))
            yield rest[:end]


def inline(page: Path) -> Iterator[Token]:
    for token in tokens(page):
        yield from token.children or ()


def spoken_of(page: Path) -> Iterator[str]:
    """Commands within sentences, without the word ``polyglance``."""
    for token in inline(page):
        if token.type == "code_inline" and token.content.startswith("polyglance "):
            yield token.content.removeprefix("polyglance ")


def links(page: Path) -> Iterator[str]:
    """Where a page's links and pictures lead within the repository."""
    for token in inline(page):
        target = token.attrGet("href") or token.attrGet("src")
        if target and "://" not in str(target):
            yield str(target)


@cache
def anchors(page: Path) -> set[str]:
    """The names of a page's headings in addresses."""
    found = tokens(page)
    headings = [found[at + 1] for at, token in enumerate(found) if token.type == "heading_open"]
    return {
        re.sub(r"[^\w\- ]", "", _plain(heading).lower()).replace(" ", "-") for heading in headings
    }


def _plain(heading: Token) -> str:
    return "".join(child.content for child in heading.children or ())

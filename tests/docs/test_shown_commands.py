"""Whatever the pages show is there: verbs, options, names to import, and where links lead."""

from __future__ import annotations

import ast
import importlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from docs.pages import PAGES, ROOT, Block, anchors, blocks, commands, lines, links, spoken_of
from polyglance.cli.main import app

BLOCKS = [block for page in PAGES for block in blocks(page)]
PROGRAM = get_command(app)
ABBREVIATED = ("…", "...", "[", "VERB")


def of_language(language: str) -> Any:
    found = [block for block in BLOCKS if block.language == language]
    assert found
    return pytest.mark.parametrize("block", found, ids=str)


def by_page() -> Any:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def check(arguments: list[str], *, whole: bool) -> None:
    """Raise where the program would not understand the arguments.

    With ``whole`` they are parsed as if they were typed; else only the names of verbs and options
    are looked up.
    """
    command: Any = PROGRAM
    rest = list(arguments)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        command = command.commands[rest.pop(0)]
    known = {name for it in command.params for name in (*it.opts, *it.secondary_opts)} | {"--help"}
    used = {word.split("=")[0] for word in rest if word.startswith("--")}
    assert used <= known, f"{command.name} has no {', '.join(sorted(used - known))}"
    if whole:
        command.make_context(command.name, rest)


@of_language("console")
def test_commands_are_understood(block: Block) -> None:
    for line in lines(block):
        for arguments in commands(line):
            abbreviated = any(mark in word for word in arguments for mark in ABBREVIATED)
            check(arguments, whole=not abbreviated and "--help" not in arguments)


@by_page()
def test_commands_within_sentences_are_understood(page: Path) -> None:
    for told in spoken_of(page):
        words = told.split()
        if not words[0].startswith(ABBREVIATED):
            check(words, whole=False)


@of_language("python")
def test_python_is_python_and_its_names_exist(block: Block) -> None:
    for statement in ast.walk(ast.parse(block.text)):
        if isinstance(statement, ast.ImportFrom) and statement.module:
            module = importlib.import_module(statement.module)
            assert all(hasattr(module, alias.name) for alias in statement.names)


@of_language("toml")
def test_toml_is_toml(block: Block) -> None:
    tomllib.loads(block.text)


@by_page()
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


@pytest.mark.parametrize(
    "stale",
    [
        ["find", "x"],
        ["collection", "information", "c"],
        ["search", "x", "-c", "c", "--best", "3"],
        ["search", "x"],
        ["serve", "-c", "c", "--port", "high"],
    ],
)
def test_a_stale_command_is_noticed(stale: list[str]) -> None:
    with pytest.raises(Exception, match=r"find|information|--best|[Mm]issing|integer"):
        check(stale, whole=True)

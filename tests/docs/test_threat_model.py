"""Every claim of the threat model names a test, and the test is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from docs.pages import ROOT

PAGE = ROOT / "docs" / "explanation" / "threat-model.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
TESTS = NAMED.findall(PAGE.read_text("utf-8"))


@cache
def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "name"), TESTS, ids=[name for _, name in TESTS])
def test_it_is_there(file: str, name: str) -> None:
    assert name in functions(ROOT / file)


def test_every_claim_names_one() -> None:
    tables = PAGE.read_text("utf-8").split("## Files that are read")[1]
    claims = [line for line in tables.splitlines() if line.startswith("| ")]
    rows = [line for line in claims if line != "| claim | test |"]
    assert len(rows) > 30
    assert [line for line in rows if not NAMED.search(line)] == []

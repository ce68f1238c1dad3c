"""The reference of recipes has every table that a recipe may have, with every key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from docs.pages import ROOT

PAGE = ROOT / "docs" / "reference" / "recipes.md"
MARK = re.compile(r"<!-- tables of ([\w.]+) -->")
NOT_TRAINED = "polyglance.systems.config.hub"


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "extensions"))
    return import_module("recipe_reference")


@pytest.fixture
def written(reference: Any) -> dict[str, str]:
    """Each table's part of the page, by the name of its class in lower case."""
    page = MARK.sub(lambda mark: reference.tables_of(mark[1]), PAGE.read_text("utf-8"))
    parts = re.split(r"^\((\w+)\)=\n", page, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rows(part: str) -> Iterator[list[str]]:
    for line in part.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_table_and_key_is_there(reference: Any, written: dict[str, str]) -> None:
    tables = {
        name: it
        for name, it in reference.recipe_tables().items()
        if it.config.__module__ != NOT_TRAINED
    }
    assert written.keys() == {name.lower() for name in tables}
    assert {"DataConfig", "PhaseConfig", "CosineSchedule", "CL2CMConfig", "GRUConfig"} <= {*tables}
    for name, it in tables.items():
        keys = {row[0].strip("`") for row in rows(written[name.lower()])}
        assert keys == it.config.model_fields.keys() - {"kind", "system"}, name


def test_a_row_has_type_default_and_what_it_is_for(written: dict[str, str]) -> None:
    data = {row[0]: row[1:] for row in rows(written["dataconfig"])}
    assert data["`train`"][:2] == ["path", "required"]
    assert data["`workers`"] == ["integer, > 0", "`2`", "threads that decode pictures."]
    assert data["`languages`"][:2] == ["table of number, > 0", ""]
    clmr = {row[0]: row[1:] for row in rows(written["clmrconfig"])}
    assert clmr["`text_loss`"][1] == '`{ kind = "annealed_hinges", eta = 0.91 }`'
    assert clmr["`non_local`"][0].startswith("`paper` or `residual` or")
    assert "[`detector`](#detectorconfig)" in clmr["`backbone`"][0]
    assert '### `system = "clmr"`' in written["clmrconfig"]
    assert "### `[[training.phases]]`" in written["phaseconfig"]


def test_every_key_says_what_it_is_for(written: dict[str, str]) -> None:
    built_in = "miniconfig"  # made by a script of its own, and not by recipes
    untold = [
        (name, row[0])
        for name, part in written.items()
        for row in rows(part)
        if name != built_in and not row[-1]
    ]
    assert not untold

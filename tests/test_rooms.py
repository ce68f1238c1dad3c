"""Imports point one way, as the architecture says: a room never imports from one above it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import polyglance

SOURCE = Path(polyglance.__file__).parent
# Above all that follows; those in one line never import from one another.
ROOMS = (
    {"__init__", "__main__"},  # the public face, whose names are imported when they are used
    {"cli"},
    {"demo"},
    {"serve", "listing"},
    {"search"},
    {"onnx", "training", "reranker"},
    {"evaluation", "retriever"},
    {"systems"},
    {"pretraining", "matching", "losses", "vectors"},
    {"single_stream"},
    {"vision", "text"},
    {"weights"},
    {"data"},
    {"heads", "unit"},
    {"errors", "features", "memory", "precision", "processors", "progress", "slices"},
)
HEIGHT = {room: -number for number, line in enumerate(ROOMS) for room in line}


def room_of(file: Path) -> str:
    parts = file.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else file.stem


def imported(tree: ast.AST) -> Iterator[str]:
    """Rooms that are imported when the program runs, wherever in a file."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "polyglance":
            yield from (each.name.lower() for each in node.names if not each.name.startswith("_"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("polyglance."):
            yield str(node.module).split(".")[1]
        yield from imported(node)


FILES = sorted(SOURCE.rglob("*.py"))


def test_every_room_has_its_place() -> None:
    assert {room_of(file) for file in FILES} == set(HEIGHT)


@pytest.mark.parametrize("room", sorted(HEIGHT))
def test_imports_point_down(room: str) -> None:
    wrong = {
        f"{file.relative_to(SOURCE)} imports {other}"
        for file in FILES
        if room_of(file) == room
        for other in imported(ast.parse(file.read_text("utf-8")))
        if other != room and HEIGHT[other] >= HEIGHT[room]
    }
    assert not wrong

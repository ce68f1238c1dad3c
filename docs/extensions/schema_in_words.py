"""JSON Schemas, and tables of what they describe, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Json = dict[str, Any]


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    """The lines of a table and an empty one; none where there are no rows."""
    body = [_row(row) for row in rows]
    return [_row(head), _row(tuple("---" for _ in head)), *body, ""] if body else []


def _row(cells: tuple[str, ...]) -> str:
    inside = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(inside)} |"


def type_in_words(schema: Json, link: Callable[[str], str]) -> str:
    """A type in a few words; ``link`` makes Markdown of the name of a type of ours."""
    if "$ref" in schema:
        return link(schema["$ref"].rsplit("/", 1)[1])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(type_in_words(each, link) for each in choices)
    if schema.get("type") == "array":
        items = schema.get("items", {})
        return f"list of {type_in_words(items, link)}" if items else "list"
    if isinstance(values := schema.get("additionalProperties"), dict):
        return f"table of {type_in_words(values, link)}"
    if options := schema.get("enum") or [schema[key] for key in ("const",) if key in schema]:
        return " or ".join(f"`{each}`" for each in options)
    kind: str = schema.get("format") or schema.get("type", "any")
    limits = _limits(schema)
    return f"{kind}, {limits}" if limits else kind


_LIMITS: Mapping[str, str] = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
    "maxLength": "characters ≤",
}


def _limits(schema: Json) -> str:
    return ", ".join(f"{sign} {schema[key]}" for key, sign in _LIMITS.items() if key in schema)

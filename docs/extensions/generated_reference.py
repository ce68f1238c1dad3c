"""References that the program writes of itself at build time, so that they are never stale.

A page says where: the comment ``<!-- command line -->`` becomes every verb with its options, read
from the Typer app, ``<!-- HTTP API -->`` every address, read from FastAPI's OpenAPI schema, and
``<!-- tables of MODULE -->`` every table of a recipe that a module of ours reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from recipe_reference import tables_of
from schema_in_words import Json, table, type_in_words

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def command_line() -> str:
    """Markdown of all verbs, from headings of the second level down."""
    import typer
    from typer.cli import get_docs_for_click

    from polyglance.cli.main import app

    command = typer.main.get_command(app)
    return get_docs_for_click(
        obj=command, ctx=typer.Context(command), indent=1, name="polyglance", title="All verbs"
    )


def http_api() -> str:
    """Markdown of all addresses and of the objects that they take and give."""
    schema = openapi()
    objects = schema["components"]["schemas"]
    addresses = [
        _address(method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    own = [_object(name, it) for name, it in objects.items() if "Validation" not in name]
    return "\n".join(["## Addresses", *addresses, "## Objects", *own])


def openapi() -> Json:
    """The schema that a server has under ``/api/v1/openapi.json``, of the API's routes alone."""
    from fastapi import FastAPI

    from polyglance.serve.api import make_api

    nothing: Any = None  # routes are described without being called: they need no collection
    described = FastAPI()
    described.include_router(make_api(nothing, nothing, nothing))
    return described.openapi()


def _address(method: str, path: str, operation: Json) -> str:
    lines = [f"### `{method.upper()} {path}`", "", operation.get("description", ""), ""]
    parameters = operation.get("parameters", [])
    lines += table(
        ("parameter", "in", "type", "default", ""),
        (
            (
                f"`{it['name']}`",
                it["in"],
                _type(it["schema"]),
                "required" if it.get("required") else _default(it["schema"]),
                it.get("description") or it["schema"].get("description", ""),
            )
            for it in parameters
        ),
    )
    for content, body in operation.get("requestBody", {}).get("content", {}).items():
        lines += [f"Body: {_type(body['schema'])}, as `{content}`.", ""]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return "\n".join([*lines, f"Answer: {_type(answer)}.", ""])


def _object(name: str, described: Json) -> str:
    lines = [f"### {name}", "", described.get("description", ""), ""]
    required = described.get("required", [])
    lines += table(
        ("field", "type", "default", ""),
        (
            (
                f"`{field}`",
                _type(it),
                "required" if field in required else _default(it),
                it.get("description", ""),
            )
            for field, it in described.get("properties", {}).items()
        ),
    )
    return "\n".join(lines)


def _default(schema: Json) -> str:
    return f"`{schema['default']}`" if schema.get("default") is not None else ""


def _type(schema: Json) -> str:
    """A type in a few words, with a link where it is an object of ours."""
    return type_in_words(schema, lambda name: f"[{name}](#{name.lower().replace('_', '-')})")


GENERATED: Mapping[str, Callable[[], str]] = {
    "<!-- command line -->": command_line,
    "<!-- HTTP API -->": http_api,
}
_TABLES = re.compile(r"<!-- tables of ([\w.]+) -->")


def _fill_in(_app: Sphinx, _page: str, source: list[str]) -> None:
    for mark, write in GENERATED.items():
        if mark in source[0]:
            source[0] = source[0].replace(mark, write())
    source[0] = _TABLES.sub(lambda mark: tables_of(mark[1]), source[0])


def _always_read(*_: object) -> list[str]:
    """The pages above change with the program, also where their files do not."""
    return ["reference/api", "reference/cli", "reference/recipes"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Fill pages in as they are read."""
    app.connect("source-read", _fill_in)
    app.connect("env-get-outdated", _always_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

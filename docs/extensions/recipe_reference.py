"""Every table of a recipe with its keys, as Markdown, read from the classes that read recipes."""

from __future__ import annotations

import inspect
import json
import re
from functools import cache
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from schema_in_words import Json, table, type_in_words

KINDS = ("system", "kind")
"""Keys that say which of several tables it is."""
_ATTRIBUTE = re.compile(r"^    (\w+): (.+(?:\n        .+)*)", re.MULTILINE)


class Table(NamedTuple):
    """A table that a recipe may have.

    Attributes:
        config: the class that reads it.
        path: the first place where it may stand.
    """

    config: type[BaseModel]
    path: str

    @property
    def kind(self) -> str | None:
        """What ``kind`` or ``system`` has to say for it."""
        fields = self.config.model_fields
        return next((fields[key].default for key in KINDS if key in fields), None)

    @property
    def title(self) -> str:
        """How it begins."""
        if self.kind is None:
            return f"[{self.path}]" if self.path else "recipe.toml"
        [key] = [key for key in KINDS if key in self.config.model_fields]
        return f'{key} = "{self.kind}"'


@cache
def recipe_tables() -> dict[str, Table]:
    """All tables by the names of their classes, each behind the one that it may lie in."""
    from polyglance.systems.config import SystemConfig
    from polyglance.training.recipe import Recipe

    found: dict[str, Table] = {}

    def walk(annotation: Any, path: str) -> None:
        if not (inspect.isclass(annotation) and issubclass(annotation, BaseModel)):
            inner = f"[{path}]" if get_origin(annotation) is tuple else path  # several: [[…]]
            for each in get_args(annotation):
                walk(each, inner)
        elif annotation.__name__ not in found:
            found[annotation.__name__] = Table(annotation, path)
            for key, field in annotation.model_fields.items():
                walk(field.annotation, f"{path}.{key}" if path else key)

    walk(Recipe, "")
    walk(SystemConfig, "model")
    return found


def tables_of(module: str) -> str:
    """Markdown of those that a module reads, from headings of the third level down."""
    own = [it for it in recipe_tables().values() if it.config.__module__ == module]
    return "\n".join(line for it in own for line in _lines(it))


def _lines(it: Table) -> list[str]:
    fields, schema = it.config.model_fields, it.config.model_json_schema()["properties"]
    text, told = _docstring(it.config)
    return [
        f"({it.config.__name__.lower()})=",
        f"### `{it.title}`",
        "",
        text,
        "",
        *table(
            ("key", "type", "default", ""),
            (
                (
                    f"`{key}`",
                    type_in_words(_without_null(schema[key]), _link),
                    "required" if field.is_required() else _default(field),
                    told.get(key, ""),
                )
                for key, field in fields.items()
                if key not in KINDS
            ),
        ),
    ]


def _link(name: str) -> str:
    it = recipe_tables()[name]
    return f"[`{it.kind or it.title}`](#{name.lower()})"


def _without_null(schema: Json) -> Json:
    """TOML has none: such a key is left out."""
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return {**schema, "anyOf": choices} if choices else schema


def _docstring(config: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """What a class says of itself, and it and its bases, under ``Attributes``, of its keys."""
    told = {}
    for base in reversed(config.__mro__):
        docstring = re.sub(r":\w+:`~?([\w.]+)`", r"`\1`", inspect.cleandoc(base.__doc__ or ""))
        text, _, attributes = docstring.partition("\n\nAttributes:\n")
        told |= {key: " ".join(it.split()) for key, it in _ATTRIBUTE.findall(attributes)}
    return text, told


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    return "" if value is None else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    """A value as a recipe has it; of a table what differs from its own defaults."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        value = {key: it for key, it in value if key in KINDS or it != fields[key].default}
    if isinstance(value, dict):
        pairs = ", ".join(f"{key} = {_toml(it)}" for key, it in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)

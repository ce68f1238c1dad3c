"""Parts of a query as options and addresses write them: ``at night@0.5``, ``bei Nacht@de,0.5``."""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_WEIGHTED = re.compile(rf"(.*)@({_NUMBER})", re.DOTALL)
_SPOKEN = re.compile(rf"(.*)@([A-Za-z]{{2,3}}(?:-[A-Za-z0-9]{{1,8}})*)(?:,({_NUMBER}))?", re.DOTALL)


class Written(NamedTuple):
    """A part taken apart; ``language`` and ``weight`` are ``None`` where none is written."""

    content: str
    language: str | None
    weight: float | None


def read_text(value: str) -> Written:
    """``bei Nacht@de,0.5`` → (``bei Nacht``, ``de``, 0.5)."""
    if matched := _WEIGHTED.fullmatch(value):
        return Written(matched[1], None, float(matched[2]))
    if matched := _SPOKEN.fullmatch(value):
        return Written(matched[1], matched[2], None if matched[3] is None else float(matched[3]))
    return Written(value, None, None)


def read_picture(value: str) -> Written:
    """``lake.jpg@2`` → (``lake.jpg``, ``None``, 2.0)."""
    matched = _WEIGHTED.fullmatch(value)
    return Written(matched[1], None, float(matched[2])) if matched else Written(value, None, None)


def write(part: Written) -> str:
    """The shortest form that is read as this part again."""
    number = None if part.weight is None else f"{part.weight:.6f}".rstrip("0").rstrip(".")
    plain = part.weight in {None, 1.0} and part.language is None
    if plain and read_text(part.content) == Written(part.content, None, None):
        return part.content
    if part.language is None:
        return f"{part.content}@{number or 1}"
    after = "" if part.weight in {None, 1.0} else f",{number}"
    return f"{part.content}@{part.language}{after}"

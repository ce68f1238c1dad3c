"""Draws an SVG as a PNG. Run as a program, see :mod:`polyglance.data.outside.convert`.

resvg knows no network and runs no scripts, but would read pictures that a drawing names by their
path. So drawings that refer to anything outside themselves are refused before it sees them.
"""

from __future__ import annotations

import re
import struct
from xml.parsers import expat

from polyglance.data.outside.child import Refused, run

SIDE = 1024  # pixels: the longer side of what is drawn, whatever size a drawing gives itself
PROBE = 16  # pixels: the width of a first drawing, which tells whether it is tall
MEMORY = 2 << 30

_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""")
_URL = re.compile(r"""url\(\s*["']?\s*([^"')]*)""", re.IGNORECASE)


def draw(data: bytes) -> bytes:
    """An SVG as a PNG with transparent background.

    Raises:
        Refused: it is malformed, has no size, or refers to something outside itself.
    """
    from resvg_py import svg_to_bytes

    text = decoded(data)
    check(text)
    try:
        width, height = _size(svg_to_bytes(svg_string=text, width=PROBE))
        if height > width:
            return bytes(svg_to_bytes(svg_string=text, height=SIDE))
        return bytes(svg_to_bytes(svg_string=text, width=SIDE))
    except ValueError as error:
        raise Refused(f"cannot be drawn: {error}") from None


def decoded(data: bytes) -> str:
    """The text, in the encoding that it declares; UTF-8 where it declares none.

    Raises:
        Refused: it is not in that encoding.
    """
    declared = _DECLARED.match(data)
    encoding = declared[1].decode() if declared else "utf-8-sig"
    try:
        return data.decode("utf-8-sig" if encoding.lower() == "utf-8" else encoding)
    except (LookupError, UnicodeError):
        raise Refused(f"its text is not {encoding.removesuffix('-sig')}") from None


def check(text: str) -> None:
    """Look at every element; links to follow (``a``) are none that is drawn.

    Raises:
        Refused: it is not well-formed, or refers to something outside itself.
    """
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = _check_element
    parser.EntityDeclHandler = _check_entity
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise Refused(f"not well-formed: {error}") from None


def _check_element(name: str, attributes: dict[str, str]) -> None:
    is_link = _local(name) == "a"
    for attribute, value in attributes.items():
        if _local(attribute) == "href" and not is_link:
            _check_target(value)
        for target in _URL.findall(value):
            _check_target(target)


def _check_entity(
    name: str,
    _is_parameter: bool,
    _value: str | None,
    _base: str | None,
    system: str | None,
    *_: object,
) -> None:
    if system is not None:
        raise Refused(f"it refers to something outside: the entity {name}")


def _check_target(target: str) -> None:
    place = target.strip()
    if place and not place.startswith("#") and not place.lower().startswith("data:"):
        raise Refused(f"it refers to something outside: {place[:80]}")


def _local(name: str) -> str:
    """A name without its namespace's prefix."""
    return name.rpartition(":")[2].lower()


def _size(png: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", png[16:24])
    return width, height


if __name__ == "__main__":
    run(draw, memory=MEMORY)

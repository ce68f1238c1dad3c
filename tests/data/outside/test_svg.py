"""Drawings: drawn as they should be, without a look at anything else, and never for ever."""

from __future__ import annotations

import base64
import gzip
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from polyglance.data.decode import PictureFacts, open_picture, picture_facts
from polyglance.data.outside import convert
from polyglance.data.outside.child import Refused
from polyglance.data.outside.svg import check, decoded, draw
from polyglance.errors import PictureError
from polyglance.search.indexer import index
from support.colours import ColourEncoder, picture

OPEN = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
RED = '<rect width="{0}" height="{1}" fill="#dc1e1e"/>'
Colour = tuple[int, ...]


def svg(inside: str, *, width: float = 60, height: float = 40) -> bytes:
    return f'{OPEN} width="{width}" height="{height}">{inside}</svg>'.encode()


def colours(png: bytes) -> set[Colour]:
    pixels = np.asarray(Image.open(BytesIO(png)).convert("RGBA"))
    return {tuple(map(int, each)) for each in pixels.reshape(-1, 4)[::97]}


def test_a_drawing_is_a_picture_on_white(tmp_path: Path) -> None:
    path = tmp_path / "half.svg"
    path.write_bytes(svg(RED.format(30, 40)))
    drawn = open_picture(path)
    assert (drawn.mode, drawn.size) == ("RGB", (1024, 683))
    assert drawn.getpixel((100, 300)) == (220, 30, 30)
    assert drawn.getpixel((900, 300)) == (255, 255, 255)
    assert picture_facts(path) == PictureFacts(1024, 683, None, None)


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(60, 40, (1024, 683)), (40, 60, (683, 1024)), (24, 24, (1024, 1024)), (9e6, 3e6, (1024, 342))],
)
def test_whatever_its_size_the_longer_side_is_the_same(
    width: float, height: float, size: tuple[int, int]
) -> None:
    made = Image.open(BytesIO(draw(svg("", width=width, height=height))))
    assert made.size == size


def test_without_a_size_its_view_box_counts() -> None:
    drawing = f'{OPEN} viewBox="0 0 300 100"><rect width="300" height="100"/></svg>'.encode()
    assert Image.open(BytesIO(draw(drawing))).size == (1024, 342)


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-8-sig"])
def test_texts_are_read_in_their_encoding(encoding: str) -> None:
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    text = f'<?xml version="1.0" encoding="{declared}"?>{OPEN} width="9" height="9"><!-- ž -->'
    text = text.replace("ž", "ü") + "</svg>"
    assert "ü" in decoded(text.encode(encoding))
    assert draw(text.encode(encoding)).startswith(b"\x89PNG")


def test_words_are_drawn() -> None:
    drawing = svg('<text x="2" y="30" font-size="28" font-family="sans-serif">Hund</text>')
    assert len(colours(draw(drawing))) > 1


def test_what_it_brings_along_is_drawn() -> None:
    file = BytesIO()
    Image.new("RGB", (4, 4), (30, 60, 220)).save(file, "PNG")
    inline = base64.b64encode(file.getvalue()).decode()
    drawing = svg(f'<image width="60" height="40" href="data:image/png;base64,{inline}"/>')
    assert (30, 60, 220, 255) in colours(draw(drawing))
    gradient = (
        '<linearGradient id="g"><stop stop-color="#1eb43c"/></linearGradient>'
        '<rect id="r" width="60" height="40" style="fill:url( #g )"/><use xlink:href="#r"/>'
        '<a href="https://example.org/"><rect width="1" height="1"/></a>'
    )
    assert (30, 180, 60, 255) in colours(draw(svg(gradient)))


OUTSIDE = {
    "a picture by its path": '<image href="{0}" width="60" height="40"/>',
    "with a prefix": '<image xlink:href="{0}" width="60" height="40"/>',
    "relative": '<image href="red.png" width="60" height="40"/>',
    "on the web": '<image href="https://example.org/a.png" width="60" height="40"/>',
    "as a file": '<image href=" file://{0}" width="60" height="40"/>',
    "in a filter": '<filter id="f"><feImage href="{0}"/></filter><rect filter="url(#f)"/>',
    "another drawing": '<use href="other.svg#x"/>',
    "in an attribute": "<rect fill=\"url('{0}')\"/>",
    "in a style": '<rect style="mask: URL(https://example.org/m.svg)"/>',
    "a script": '<script href="https://example.org/a.js"/>',
}


@pytest.mark.parametrize("inside", OUTSIDE.values(), ids=OUTSIDE)
def test_what_refers_to_something_outside_is_refused(inside: str, tmp_path: Path) -> None:
    red = picture(tmp_path / "red.png", "red")
    with pytest.raises(Refused, match="refers to something outside"):
        draw(svg(inside.format(red)))


def test_entities_from_outside_are_refused() -> None:
    for entity in ('SYSTEM "file:///etc/hostname"', 'PUBLIC "x" "https://example.org/x"'):
        text = f"<!DOCTYPE svg [<!ENTITY x {entity}>]>{OPEN}><text>&x;</text></svg>"
        with pytest.raises(Refused, match="the entity x"):
            check(text)
    declared = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "https://example.org/svg11.dtd">'
    check(f"{declared}{OPEN}/>")  # as many programs write it; nobody reads that


def test_a_drawing_within_a_drawing_sees_nothing_outside_either(tmp_path: Path) -> None:
    red = picture(tmp_path / "red.png", "red")
    inner = svg(f'<image href="{red}" width="60" height="40"/>')
    for packed in (inner, gzip.compress(inner)):
        inline = base64.b64encode(packed).decode()
        outer = svg(f'<image width="60" height="40" href="data:image/svg+xml;base64,{inline}"/>')
        assert (220, 30, 30, 255) not in colours(draw(outer))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><rect", "not well-formed"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='0' height='9'/>", "cannot be drawn"),
        (b"<?xml version='1.0' encoding='klingon'?><svg/>", "its text is not klingon"),
        (b"<svg>\xff</svg>", "its text is not utf-8"),
        (b"<html><svg></svg></html>", "cannot be drawn"),
    ],
)
def test_what_cannot_be_drawn_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=f"^a drawing .SVG.: {reason}"):
        open_picture(data)


LAUGHS = "".join(f'<!ENTITY x{i} "{f"&x{i - 1};" * 10}">' for i in range(1, 10))
HOSTILE = {
    "endless": '<filter id="f"><feTurbulence baseFrequency=".1" numOctaves="99999"/></filter>'
    '<rect width="60" height="40" filter="url(#f)"/>',
    "endless uses": "".join(
        f'<g id="g{i}">{f"""<use href="#g{i - 1}"/>""" * 10}</g>' for i in range(1, 12)
    )
    + '<rect id="g0" width="1" height="1"/>',
    "deep": "<g>" * 200_000 + "</g>" * 200_000,
}


@pytest.mark.parametrize("inside", HOSTILE.values(), ids=HOSTILE)
def test_hostile_drawings_end(inside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "SECONDS", 5.0)
    with pytest.raises(PictureError, match=r"a drawing \(SVG\)"):
        open_picture(svg(inside))


def test_hostile_documents_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "SECONDS", 5.0)
    laughs = f'<!DOCTYPE svg [<!ENTITY x0 "ha">{LAUGHS}]>{OPEN}><text>&x9;</text></svg>'
    tall = f'{OPEN} width="1" height="1e9"><rect width="1" height="1e9"/></svg>'
    for document in (laughs, tall):
        with pytest.raises(PictureError, match=r"a drawing \(SVG\)"):
            open_picture(document.encode())


def test_indexing_skips_what_it_must_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "SECONDS", 5.0)
    photos = tmp_path / "photos"
    picture(photos / "a.png", "green")
    (photos / "good.svg").write_bytes(svg(RED.format(60, 40)))
    (photos / "outside.svg").write_bytes(svg('<image href="/etc/hostname"/>'))
    (photos / "hang.svg").write_bytes(svg(HOSTILE["endless"]))
    (photos / "cut.svg").write_bytes(svg(RED)[:-9])
    summary = index(photos, tmp_path / "collection", encoder=ColourEncoder())
    assert summary.indexed == 2
    reasons = dict(summary.skipped)
    assert list(reasons) == ["cut.svg", "hang.svg", "outside.svg"]
    assert "not well-formed" in reasons["cut.svg"]
    assert "more than 5 s" in reasons["hang.svg"]
    assert "refers to something outside: /etc/hostname" in reasons["outside.svg"]


def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "find_spec", lambda name: None)
    for read in (open_picture, picture_facts):
        with pytest.raises(PictureError, match=r"a drawing \(SVG\); install.*polyglance\[svg\]"):
            read(svg(""))

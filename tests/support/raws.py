"""RAW photos as small as they come: a DNG with a mosaic of 64 × 48, and perhaps a JPEG preview."""

from __future__ import annotations

import struct
from io import BytesIO

from PIL import Image

WIDTH, HEIGHT = 64, 48
ASCII, BYTE, SHORT, LONG, RATIONAL, SRATIONAL = 2, 1, 3, 4, 5, 10
_FORMATS = {BYTE: "B", SHORT: "H", LONG: "I"}

Tag = tuple[int, int, object]


def dng(preview: Image.Image | None, *, orientation: int = 1, date: str | None = None) -> bytes:
    """A DNG whose sensor saw green light alone.

    Args:
        preview: kept as JPEG in the first directory, as cameras do it.
        orientation: as in EXIF.
        date: as in EXIF.
    """
    mosaic = struct.pack("<" + "H" * WIDTH * HEIGHT, *_green())
    sensor: list[Tag] = [
        (254, LONG, 0),
        (256, LONG, WIDTH),
        (257, LONG, HEIGHT),
        (258, SHORT, 16),
        (259, SHORT, 1),
        (262, SHORT, 32803),
        (273, LONG, "data"),
        (277, SHORT, 1),
        (278, LONG, HEIGHT),
        (279, LONG, len(mosaic)),
        (33421, SHORT, (2, 2)),
        (33422, BYTE, (0, 1, 1, 2)),
        (50714, SHORT, 0),
        (50717, SHORT, 65535),
    ]
    camera: list[Tag] = [
        (271, ASCII, "Tiny"),
        (272, ASCII, "Tiny One"),
        (274, SHORT, orientation),
        (50706, BYTE, (1, 4, 0, 0)),
        (50708, ASCII, "Tiny One"),
        (50721, SRATIONAL, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)),
        (50728, RATIONAL, (1, 1, 1, 1, 1, 1)),
    ]
    if date is not None:
        camera.append((306, ASCII, date))
    if preview is None:
        return _file([(*sensor, *camera)], [mosaic])
    file = BytesIO()
    preview.save(file, "JPEG", quality=95)
    jpeg = file.getvalue()
    first: list[Tag] = [
        (254, LONG, 1),
        (256, LONG, preview.width),
        (257, LONG, preview.height),
        (258, SHORT, (8, 8, 8)),
        (259, SHORT, 7),
        (262, SHORT, 6),
        (273, LONG, "data"),
        (277, SHORT, 3),
        (278, LONG, preview.height),
        (279, LONG, len(jpeg)),
        (330, LONG, "next"),
    ]
    return _file([(*first, *camera), sensor], [jpeg, mosaic])


def _green() -> list[int]:
    """Of a mosaic RGGB: bright where the filter is green."""
    return [40_000 if (x + y) % 2 else 0 for y in range(HEIGHT) for x in range(WIDTH)]


def _file(directories: list[object], data: list[bytes]) -> bytes:
    """A little-endian TIFF: header, then each directory with what it points to behind it."""
    content = struct.pack("<2sHI", b"II", 42, 8)
    for tags, block in zip(directories, data, strict=True):
        content += _directory(sorted(tags), block, at=len(content))  # type: ignore[call-overload]
    return content


def _directory(tags: list[Tag], block: bytes, *, at: int) -> bytes:
    values = {number: _packed(kind, value) for number, kind, value in tags}
    behind = at + 2 + 12 * len(tags) + 4
    extra = b""
    for value in values.values():
        extra += value + b"\0" * (len(value) % 2) if len(value) > 4 else b""
    data_at = behind + len(extra)
    entries, used = b"", behind
    for number, kind, value in tags:
        packed = values[number]
        if value == "data":
            packed = struct.pack("<I", data_at)
        elif value == "next":
            packed = struct.pack("<I", data_at + len(block) + len(block) % 2)
        count = (
            len(packed) // {ASCII: 1, BYTE: 1, SHORT: 2, LONG: 4, RATIONAL: 8, SRATIONAL: 8}[kind]
        )
        entries += struct.pack("<HHI", number, kind, count)
        if len(packed) > 4:
            entries += struct.pack("<I", used)
            used += len(packed) + len(packed) % 2
        else:
            entries += packed.ljust(4, b"\0")
    end = block + b"\0" * (len(block) % 2)
    return struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + extra + end


def _packed(kind: int, value: object) -> bytes:
    if value in ("data", "next"):
        return bytes(4)
    if kind == ASCII:
        return str(value).encode() + b"\0"
    numbers = value if isinstance(value, tuple) else (value,)
    letter = {RATIONAL: "I", SRATIONAL: "i"}.get(kind) or _FORMATS[kind]
    return struct.pack(f"<{len(numbers)}{letter}", *numbers)

"""Telling by its content whether a file is one of the formats that are converted outside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO

HEAD = 4096  # bytes; before an SVG's root there may be comments and declarations

_SVG_ROOT = re.compile(rb"<(?:\w+:)?svg[\s/>]")
_RAW_MAGIC = (
    b"IIRO",
    b"IIRS",
    b"MMOR",
    b"IIU\0",
    b"FUJIFILMCCD-RAW",
    b"FOVb",
)  # ORF, RW2, RAF, X3F
_TIFF_MAGIC = (b"II*\0", b"MM\0*")

# Tags of TIFF that tell a camera's sensor data from a picture, and their values.
_SUBFILE, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SUB_IFDS, _DNG_VERSION = (
    254,
    259,
    262,
    271,
    330,
    50706,
)
_SENSOR = {32803, 34892}  # a mosaic of colours, linear raw
_CAMERAS = {32767, 32769, 34713, 65000, 65535}  # compressions of Sony, Epson, Nikon, Kodak, Pentax


@dataclass(frozen=True, slots=True)
class Format:
    """A format, and who converts it.

    Attributes:
        library: the module that has to be installed.
        program: the module that is run.
        what: such a file, for messages.
    """

    library: str
    program: str
    what: str


SVG = Format("resvg_py", "polyglance.data.outside.svg", "a drawing (SVG)")
RAW = Format("rawpy", "polyglance.data.outside.raw", "a RAW photo")


def format_of(file: IO[bytes]) -> Format | None:
    """The format of a file that stands at its start, and is left there; ``None`` for others."""
    head = file.read(HEAD)
    file.seek(0)
    if head.startswith(_TIFF_MAGIC):
        return RAW if head[8:10] == b"CR" or _holds_sensor_data(file) else None
    if head.startswith(_RAW_MAGIC) or head[4:12] == b"ftypcrx ":
        return RAW
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return SVG if text.startswith(b"<") and _SVG_ROOT.search(text) else None


def _holds_sensor_data(file: IO[bytes]) -> bool:
    """Whether a TIFF is a camera's: its first directory then describes the sensor, or a preview."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    try:
        directory = ImageFileDirectory_v2(file.read(8))
        file.seek(directory.next)
        directory.load(file)
        tags = dict(directory)
    except Exception:  # a damaged one is left to Pillow, which says what is wrong
        return False
    finally:
        file.seek(0)
    if _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) in _SENSOR:
        return True
    is_preview = tags.get(_SUBFILE) == 1 and _SUB_IFDS in tags and _MAKE in tags
    return is_preview or tags.get(_COMPRESSION) in _CAMERAS

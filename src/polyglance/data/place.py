"""Where on Earth a picture was taken, as its EXIF block says; what makes no sense is no place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_LATITUDE, _LONGITUDE = (1, 2), (3, 4)  # the tags of EXIF that hold a letter, and the angle
_SIGNS = {"N": 1, "S": -1, "E": 1, "W": -1}


class Place(NamedTuple):
    """A point on Earth, in the datum that the camera used, which is WGS 84 nearly always.

    Attributes:
        latitude: in degrees, −90 to 90, above zero in the north.
        longitude: in degrees, −180 to 180, above zero in the east.
    """

    latitude: float
    longitude: float

    def __str__(self) -> str:
        """As maps take it: ``50.087500, 14.421300``, to a tenth of a metre."""
        return f"{self.latitude:.6f}, {self.longitude:.6f}"


def place_of(gps: Mapping[int, Any]) -> Place | None:
    """The place in the GPS tags of an EXIF block (EXIF 2.32, section 4.6.6).

    There is none where a tag is missing, no number, or out of range, and none at 0° 0′, in the
    ocean, which is what devices write that do not know where they are.

    Args:
        gps: number of a tag → its value.
    """
    latitude, longitude = _angle(gps, _LATITUDE, "NS", 90), _angle(gps, _LONGITUDE, "EW", 180)
    if latitude is None or longitude is None or latitude == longitude == 0:
        return None
    return Place(latitude, longitude)


def _angle(gps: Mapping[int, Any], tags: tuple[int, int], letters: str, most: int) -> float | None:
    """Degrees, minutes and seconds as degrees, signed; NaN passes no comparison."""
    letter, parts = (gps.get(tag) for tag in tags)
    if isinstance(letter, bytes):
        letter = letter.decode("latin-1")
    letter = str(letter).strip("\0 ").upper()
    try:
        degrees, minutes, seconds = map(float, parts if isinstance(parts, tuple) else ())
    except (TypeError, ValueError, ArithmeticError):
        return None
    angle = degrees + minutes / 60 + seconds / 3600
    is_angle = min(degrees, minutes, seconds) >= 0 and max(minutes, seconds) <= 60 and angle <= most
    return _SIGNS[letter] * angle if is_angle and letter in tuple(letters) else None

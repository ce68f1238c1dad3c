"""Near a place: what a user writes, and the condition on the columns of a collection.

The distance is the great circle's on a sphere, by the haversine formula, which is exact over poles
and the 180th meridian and for points that are metres apart. The Earth's flattening makes it wrong
by up to 0.6 %, less than the place of a photo usually is.
"""

from __future__ import annotations

import re
from math import cos, radians, sin
from typing import NamedTuple

from polyglance.errors import QueryError

EARTH = 6_371_008.8  # metres, the mean radius (IUGG)
DECIMALS = 7  # of a degree, a centimetre
LEAST_METRES, MOST_KILOMETRES = 1, 20_000

_NUMBER = r"([-+]?[0-9]{1,6}(?:\.[0-9]{0,15})?)"
_WRITTEN = re.compile(rf"{_NUMBER}\s*,\s*{_NUMBER}\s*,\s*{_NUMBER}\s*(km|m)", re.ASCII)
_METRES = {"m": 1.0, "km": 1000.0}


class Near(NamedTuple):
    """A circle on Earth.

    Attributes:
        latitude: of its middle, in degrees, above zero in the north.
        longitude: likewise, above zero in the east.
        metres: its radius.
    """

    latitude: float
    longitude: float
    metres: float

    @classmethod
    def read(cls, text: str) -> Near:
        """``50.0875,14.4213,5km``, or ``…,800m``; spaces change nothing.

        Raises:
            QueryError: it is not written so, or a number is out of range.
        """
        matched = _WRITTEN.fullmatch(text.strip())
        if matched is None:
            raise QueryError(
                "near: {text!r} is no place; use latitude, longitude and radius, like "
                "50.0875,14.4213,5km or 50.0875,14.4213,800m",
                text=text,
            )
        latitude, longitude, radius = (round(float(matched[i]), DECIMALS) for i in (1, 2, 3))
        metres = round(radius * _METRES[matched[4]], DECIMALS)
        if abs(latitude) > 90 or abs(longitude) > 180:
            raise QueryError(
                "near: {text!r} is nowhere; latitudes are between -90 and 90, longitudes between "
                "-180 and 180",
                text=text,
            )
        if not LEAST_METRES <= metres <= MOST_KILOMETRES * 1000:
            raise QueryError(
                "near: the radius is between {least} m and {most} km",
                least=LEAST_METRES,
                most=MOST_KILOMETRES,
            )
        return cls(latitude, longitude, metres)

    def __str__(self) -> str:
        """As :meth:`read` takes it."""
        return f"{_plain(self.latitude)},{_plain(self.longitude)},{self.radius.replace(' ', '')}"

    @property
    def radius(self) -> str:
        """``5 km``, or below one ``800 m``."""
        if self.metres < 1000:
            return f"{_plain(self.metres)} m"
        return f"{_plain(self.metres / 1000)} km"

    @property
    def middle(self) -> str:
        """``50.0875, 14.4213``."""
        return f"{_plain(self.latitude)}, {_plain(self.longitude)}"

    @property
    def condition(self) -> str:
        """For LanceDB, over ``latitude`` and ``longitude``; false where these are null."""
        north = f"power(sin(radians(latitude - ({self.latitude!r})) / 2), 2)"
        east = f"power(sin(radians(longitude - ({self.longitude!r})) / 2), 2)"
        both = f"cos(radians(latitude)) * {cos(radians(self.latitude))!r}"
        return f"({north} + {both} * {east} <= {sin(self.metres / 2 / EARTH) ** 2!r})"


def _plain(number: float) -> str:
    """Without an exponent, and no longer than it has to be."""
    return f"{number:.{DECIMALS}f}".rstrip("0").rstrip(".")

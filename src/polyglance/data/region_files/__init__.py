"""Files in which region features are published; each reader yields :class:`Regions`.

To add one: a module with a function of type `RegionReader`, a line in `REGION_READERS`, and a test
against a tiny file in the published format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from polyglance.data.region_files.bottom_up import read_bottom_up
from polyglance.data.region_files.frames import read_bigfile, read_npy
from polyglance.data.region_files.uniter import read_uniter
from polyglance.data.regions import Regions

__all__ = ["REGION_READERS", "RegionReader"]

RegionReader = Callable[[Path], Iterator[Regions]]
"""Reads one source. Raises `ManifestError` for anything malformed."""

REGION_READERS: dict[str, RegionReader] = {
    "bigfile": read_bigfile,
    "bottom-up": read_bottom_up,
    "npy": read_npy,
    "uniter": read_uniter,
}

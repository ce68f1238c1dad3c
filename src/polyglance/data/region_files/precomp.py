"""``_precomp`` folders, the layout that VSE++, SCAN and LAVSE train from.

For each split: ``{split}_ims.npy``, (rows, regions, channels) or (rows, channels);
``{split}_caps.txt`` and ``{split}_caps.{language}.txt``, a caption a line in the order of the
pictures; ``{split}_ids.txt``, a picture's name a line. The features have a row a picture, or a row
a caption with each picture's row repeated. How many captions a picture has is said nowhere: it is
the number of lines over the number of pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.readers.common import checked_caption, checked_language, read_text_lines
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record
from polyglance.data.regions import Regions
from polyglance.errors import ManifestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS = {"dev": "val"}
"""What the layout calls a split → what we call it."""
_MOST_REPEATS = 32
_GROUPS_COMPARED = 64


@dataclass(frozen=True, slots=True)
class PrecompSplit:
    """One split of a folder.

    Attributes:
        name: of the split; ``dev`` has become ``val``.
        path: of the features.
        features: (pictures · repeats, regions, channels) or (pictures · repeats, channels),
            memory-mapped.
        repeats: rows that each picture has.
        ids: (pictures,) names.
        captions: BCP-47 tag → captions, equally many for each picture.
    """

    name: str
    path: Path
    features: NDArray[Any]
    repeats: int
    ids: Sequence[str]
    captions: Mapping[str, Sequence[str]]

    def records(self) -> Iterator[Record]:
        """A record a picture; its id is also the key of its features."""
        for place, name in enumerate(self.ids):
            captions = {}
            for tag, lines in self.captions.items():
                each = len(lines) // len(self.ids)
                captions[tag] = tuple(lines[place * each : (place + 1) * each])
            yield Record(id=name, captions=captions, split=self.name, features=name)

    def regions(self) -> Iterator[Regions]:
        """The features of each picture.

        Raises:
            ManifestError: rows that should repeat a picture differ.
        """
        for place, name in enumerate(self.ids):
            first = place * self.repeats
            rows = self.features[first : first + self.repeats]  # (repeats, …)
            if self.repeats > 1 and not (rows == rows[:1]).all():
                raise ManifestError(
                    f"{self.path}: rows come {self.repeats} times each at the start of the file, "
                    f"but rows {first} to {first + self.repeats - 1} differ"
                )
            yield Regions(image_id=name, features=rows[0])


def read_precomp(folder: Path, options: ReaderOptions) -> list[PrecompSplit]:
    """Read the splits of a folder; features stay on disk until they are asked for.

    Args:
        folder: with ``{split}_ims.npy`` and the rest.
        options: ``languages``: those to keep, the first being that of ``{split}_caps.txt``; when
            empty, all, with ``en`` for that file; ``rename``: languages in file names.

    Raises:
        ManifestError: naming the file, where files are missing or do not fit together.
    """
    splits = [path.name.removesuffix("_ims.npy") for path in sorted(folder.glob("*_ims.npy"))]
    if not splits:
        raise ManifestError(f"{folder}: no such files as train_ims.npy are in this folder")
    return [_read_split(folder, split, options) for split in splits]


def _read_split(folder: Path, split: str, options: ReaderOptions) -> PrecompSplit:
    path = folder / f"{split}_ims.npy"
    features = _open_array(path)
    captions = _captions(folder, split, options)
    repeats = _repeats(features)
    pictures = len(features) // repeats
    for tag, (source, lines) in captions.items():
        if not lines or len(lines) % pictures:
            raise ManifestError(
                f"{source}: {len(lines)} captions ({tag}) for the {pictures} pictures of {path}; "
                "every picture must have equally many, one a line"
            )
    return PrecompSplit(
        name=SPLITS.get(split, split),
        path=path,
        features=features,
        repeats=repeats,
        ids=_ids(folder, split, rows=len(features), repeats=repeats),
        captions={tag: lines for tag, (_, lines) in captions.items()},
    )


def _open_array(path: Path) -> NDArray[Any]:
    import numpy as np

    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ManifestError(f"{path}: not an array of plain numbers: {error}") from None
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.kind != "f":
        raise ManifestError(
            f"{path}: {array.dtype} {array.shape}; floating point (rows, regions, channels) or "
            "(rows, channels) is needed"
        )
    return array


def _repeats(features: NDArray[Any]) -> int:
    """How often each picture's row stands in the file.

    Two files of the same picture may begin a dataset by chance, so groups all over the file must
    repeat like the first.
    """
    import numpy as np

    rows = len(features)
    run = 1
    while run < min(rows, _MOST_REPEATS) and np.array_equal(features[run], features[0]):
        run += 1
    if run == 1 or rows % run:
        return 1
    groups = np.linspace(0, rows // run - 1, min(rows // run, _GROUPS_COMPARED)).astype(int)
    repeated = all(
        np.array_equal(features[group * run], features[group * run + run - 1]) for group in groups
    )
    return run if repeated else 1


def _captions(
    folder: Path, split: str, options: ReaderOptions
) -> dict[str, tuple[Path, list[str]]]:
    """Tag → file and captions."""
    found: dict[str, tuple[Path, list[str]]] = {}
    pattern = re.compile(rf"{re.escape(split)}_caps\.(.+)\.txt")
    for path in sorted(folder.glob(f"{split}_caps.*.txt")):
        if match := pattern.fullmatch(path.name):
            tag = checked_language(options.rename.get(match[1], match[1]), str(path))
            found[tag] = path, _lines(path)
    plain = folder / f"{split}_caps.txt"
    if plain.exists():
        lines = _lines(plain)
        # a folder for several codes has one language under both names
        if lines not in [others for _, others in found.values()]:
            tag = checked_language((options.languages or ("en",))[0], "--language")
            found.setdefault(tag, (plain, lines))
    if options.languages:
        found = {tag: entry for tag, entry in found.items() if tag in options.languages}
    if not found:
        raise ManifestError(f"{folder}: no captions such as {plain.name} in the languages wanted")
    return found


def _lines(path: Path) -> list[str]:
    return [
        checked_caption(line, f"{path}, line {number}")
        for number, line in enumerate(read_text_lines(path), start=1)
    ]


def _ids(folder: Path, split: str, *, rows: int, repeats: int) -> list[str]:
    """Names of the pictures: those of the file, which has a line a picture or a row; or numbers."""
    path, pictures = folder / f"{split}_ids.txt", rows // repeats
    if not path.exists():
        return [f"{SPLITS.get(split, split)}-{place}" for place in range(pictures)]
    lines = [line.strip() for line in read_text_lines(path)]
    if len(lines) == rows:
        lines = lines[::repeats]
    if len(lines) != pictures:
        raise ManifestError(f"{path}: {len(lines)} ids for {pictures} pictures")
    if "" in lines or len(set(lines)) != pictures:
        raise ManifestError(f"{path}: ids are empty or not unique; delete the file to go without")
    return lines

"""What the readers share: text and JSON with exact errors, and gathering captions by picture."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from polyglance.data.language import is_language_tag, is_machine_translated
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record
from polyglance.data.text import normalise_text
from polyglance.errors import ManifestError

_T = TypeVar("_T")
_KINDS = {str: "a string", int: "a whole number", list: "a list", dict: "an object"}


def read_text_lines(path: Path) -> list[str]:
    r"""Read a UTF-8 text file, gzipped where its name ends in ``.gz``.

    Lines end at ``\n`` or ``\r\n`` alone: captions may hold other characters that Python counts
    as line ends, and two files of parallel sentences must keep in step.

    Raises:
        ManifestError: naming the file, and the line where the text is not UTF-8.
    """
    data = _read_bytes(path)
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()  # the last line ends in a line end, as it should
    return [_decode(line, path, number) for number, line in enumerate(lines, start=1)]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        ManifestError: naming the file, and line and column where the syntax is wrong.
    """
    try:
        value = json.loads(_read_bytes(path).decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ManifestError(f"{path}, {where}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ManifestError(f"{path}: a JSON object is needed at the top")
    return value


def member(value: Mapping[str, Any], key: str, kind: type[_T], where: str) -> _T:
    """Take ``value[key]``, which must be of one kind.

    Args:
        value: a JSON object.
        key: the key that the format demands.
        kind: ``str``, ``int``, ``list`` or ``dict``.
        where: file and place of ``value``, for the message; the key is joined with a full stop,
            or directly where ``where`` ends in a space.

    Raises:
        ManifestError: where the key is missing or its value of another kind.
    """
    place = f"{where}{key}" if where.endswith(" ") else f"{where}.{key}"
    if key not in value:
        raise ManifestError(f"{place}: missing")
    found = value[key]
    if not isinstance(found, kind) or isinstance(found, bool):
        raise ManifestError(f"{place}: {_KINDS[kind]} is needed")
    return found


def objects(values: Sequence[Any], where: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each object of a JSON list with its place.

    Raises:
        ManifestError: where an item is no object.
    """
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            raise ManifestError(f"{where}[{index}]: an object is needed")
        yield value, f"{where}[{index}]"


def checked_caption(text: object, where: str) -> str:
    """Strip and normalise one caption.

    Raises:
        ManifestError: where it is no string or has no letters.
    """
    if not isinstance(text, str):
        raise ManifestError(f"{where}: a caption is a string")
    caption = normalise_text(text.strip())
    if not caption:
        raise ManifestError(f"{where}: an empty caption")
    return caption


def checked_language(tag: str, where: str) -> str:
    """Return ``tag`` if it is shaped like a BCP-47 tag.

    Raises:
        ManifestError: with the remedy, where it is not.
    """
    if not is_language_tag(tag):
        raise ManifestError(
            f"{where}: {tag!r} is not a language tag such as 'en' or 'zh-Hant'; "
            f"say what it means with --rename {tag}=TAG"
        )
    return tag


def picture_below(images: Path, name: str, where: str) -> Path:
    """Join a picture's name from a file with the folder of pictures, which it may not leave.

    Raises:
        ManifestError: for an empty or absolute name, or one with ``..``.
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ManifestError(f"{where}: {name!r} is not a path below the folder of pictures")
    return images / path


def images_folder(sources: Sequence[Path], options: ReaderOptions) -> Path:
    """The folder that holds the pictures, absolute; beside the first source unless it is told."""
    first = sources[0]
    beside = first if first.is_dir() else first.parent
    return (options.images or beside).resolve()


def coco_picture(images: Path, name: str, where: str) -> Path:
    """A COCO picture, either right in ``images`` or in ``train2014``, ``val2014``… below it."""
    path = picture_below(images, name, where)
    parts = name.split("_")  # COCO_train2014_000000000009.jpg
    if len(parts) == 3 and parts[0] == "COCO" and not path.exists():
        nested = images / parts[1] / name
        if nested.exists():
            return nested
    return path


def id_below(folder: Path, picture: Path) -> str:
    """A picture's path below a folder, or the whole of it where it lies elsewhere."""
    below = picture.is_relative_to(folder)
    return (picture.relative_to(folder) if below else picture).as_posix()


def language_of_plain_captions(path: Path, options: ReaderOptions) -> str:
    """The one language that was told, for a file whose name has none.

    Raises:
        ManifestError: there is none, or more than one, or it is no tag.
    """
    if len(options.languages) != 1:
        raise ManifestError(f"{path}: which language is this? Say it once with --language")
    return checked_language(options.languages[0], "--language")


def language_of_each(sources: Sequence[Path], options: ReaderOptions, reader: str) -> list[str]:
    """The language of each source, for formats whose files do not say it.

    Raises:
        ManifestError: where there is neither one language for all nor one for each source.
    """
    languages = list(options.languages)
    if len(languages) == 1:
        languages *= len(sources)
    if len(languages) != len(sources):
        raise ManifestError(
            f"{sources[0]}: {reader} files do not name their language; "
            "say it with --language, once for all files or once for each"
        )
    return [checked_language(tag, "--language") for tag in languages]


class Gathering:
    """Captions from many lines or files, gathered by picture in the order they first appear."""

    def __init__(self) -> None:
        self._pictures: dict[str, tuple[Path, str | None, dict[str, Any]]] = {}
        self._captions: dict[str, dict[str, list[str]]] = {}

    def add_picture(
        self, name: str, image: Path, *, split: str | None, where: str, extra: Mapping[str, Any]
    ) -> None:
        """Add a picture, or meet it again.

        Raises:
            ManifestError: where it comes again with another path or in another split.
        """
        known = self._pictures.setdefault(name, (image, split, dict(extra)))
        self._captions.setdefault(name, {})
        if known[:2] != (image, split):
            raise ManifestError(
                f"{where}: picture {name!r} comes twice, as '{known[0]}' in split {known[1]} "
                f"and as '{image}' in split {split}"
            )

    def add_caption(self, name: str, language: str, caption: str) -> None:
        """Add a caption to a picture that was added before."""
        self._captions[name].setdefault(language, []).append(caption)

    def records(self) -> Iterator[Record]:
        """Yield one record for each picture; captions by a machine apart from those by people."""
        for name, (image, split, extra) in self._pictures.items():
            captions = {tag: tuple(texts) for tag, texts in self._captions[name].items()}
            machine = {tag: texts for tag, texts in captions.items() if is_machine_translated(tag)}
            human = {tag: texts for tag, texts in captions.items() if tag not in machine}
            yield Record(
                id=name,
                image=image,
                captions=human,
                machine_translated=machine,
                split=split,
                extra=extra,
            )


def _read_bytes(path: Path) -> bytes:
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            return file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise ManifestError(f"{path}: a damaged gzip file; fetch it again") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from None


def _decode(line: bytes, path: Path, number: int) -> str:
    try:
        return line.removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{path}, line {number}: not UTF-8 (byte 0x{line[error.start]:02x} at column "
            f"{error.start + 1}); save the file as UTF-8"
        ) from None

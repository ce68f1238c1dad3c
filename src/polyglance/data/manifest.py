"""The native dataset format: one captioned picture a line (JSON Lines) or a row (Parquet).

A line is an object with these keys:

- ``image``: the picture's path relative to the manifest, with ``/`` between folders; or ``video``,
  likewise; or ``features``, the name of a row of a feature store. Paths never leave the manifest's
  folder: absolute paths, ``..`` and URLs are refused; links that lie inside the folder are
  followed. Variables and ``~`` are never expanded.
- ``captions``: language tag → list of captions; ``{}`` for a picture without any.
- optional: ``id`` (unique; the path where absent), ``split``, ``machine_translated`` (tag with the
  engine as suffix → list) and ``parallel`` (tag → sentence, translations of one another).
- any other key is kept in `Record.extra` and written back.

Reading and writing are symmetrical: what `write_manifest` accepts, `read_manifest` gives back, and
what could not be read back is refused when it is written. In Parquet the same keys are columns
(language → captions as a map, or a struct when others made the file), and the unknown keys of a
record are a column ``extra`` with JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from polyglance.data.files import replaced_when_complete
from polyglance.data.manifest_row import FieldError, Row, record_from_row, row_from_record
from polyglance.data.record import Record
from polyglance.errors import ManifestError

MANIFEST_SUFFIXES = (".jsonl", ".parquet")


def read_manifest(path: Path | str) -> list[Record]:
    """Read a manifest whole.

    Args:
        path: a ``.jsonl`` or ``.parquet`` file.

    Returns:
        Its records, in order; never empty.

    Raises:
        ManifestError: naming the file, the line (or row, both from 1) and the field.
    """
    records = list(iterate_manifest(path))
    if not records:
        raise ManifestError(f"{path}: no records; a manifest has one picture a line")
    return records


def iterate_manifest(path: Path | str) -> Iterator[Record]:
    """Read a manifest one record at a time, so that it may be larger than memory.

    Args:
        path: a ``.jsonl`` or ``.parquet`` file.

    Yields:
        The records, in order.

    Raises:
        ManifestError: when the bad line is reached, naming file, line and field.
    """
    path = Path(path)
    if is_json_lines(path):
        rows, unit = _json_rows(path), "line"
    else:
        rows, unit = _parquet_rows(path), "row"
    root = path.parent.resolve()
    places: dict[str, int] = {}
    for place, row in rows:
        try:
            record = record_from_row(row, root)
        except FieldError as error:
            raise ManifestError(f"{path}, {unit} {place}, {error}") from None
        if record.id in places:
            raise ManifestError(
                f"{path}, {unit} {place}, field 'id': {record.id!r} is already the id of "
                f"{unit} {places[record.id]}; ids are unique (the path, where no id is given)"
            )
        places[record.id] = place
        yield record


def write_manifest(records: Iterable[Record], path: Path | str) -> None:
    """Write a manifest, whole or not at all.

    Args:
        records: at least one, with distinct ids; their pictures must lie in the manifest's folder
            or below, for their paths are written relative to it.
        path: a ``.jsonl`` or ``.parquet`` file; an existing one is replaced.

    Raises:
        ManifestError: where a record could not be read back, naming the record and the field.
    """
    path = Path(path)
    write = _write_json_lines if is_json_lines(path) else _write_parquet
    rows = _checked_rows(records, path)
    try:
        with replaced_when_complete(path) as temporary:
            if not write(rows, temporary):
                raise ManifestError(f"{path}: no records to write")
    except OSError as error:
        raise ManifestError(f"{path}: cannot be written: {error.strerror or error}") from None


def is_json_lines(path: Path) -> bool:
    """Tell a manifest in JSON Lines from one in Parquet, by its name alone.

    Raises:
        ManifestError: where the name ends in neither ``.jsonl`` nor ``.parquet``.
    """
    if path.suffix not in MANIFEST_SUFFIXES:
        raise ManifestError(f"{path}: a manifest's name ends in .jsonl or .parquet")
    return path.suffix == ".jsonl"


def _json_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Objects with their line numbers; blank lines and a byte order mark are passed over."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if text.strip():
                    yield number, _json_object(text, f"{path}, line {number}")
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror}") from None


def _json_object(line: bytes, where: str) -> Row:
    try:
        row = json.loads(
            line.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant
        )
        if b"\\u" in line:  # escapes can spell half a character, which no encoder can read
            json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{where}: not UTF-8 (byte 0x{line[error.start]:02x} at column {error.start + 1}); "
            "save the file as UTF-8"
        ) from None
    except UnicodeEncodeError:
        raise ManifestError(f"{where}: an escape \\ud… is half of a surrogate pair") from None
    except json.JSONDecodeError as error:
        raise ManifestError(f"{where}: not JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not JSON: {error}") from None
    if not isinstance(row, dict):
        raise ManifestError(f'{where}: a JSON object is needed, such as {{"image": …}}')
    return row


def _unique_keys(pairs: list[tuple[str, Any]]) -> Row:
    """Two captions keys in a line would otherwise lose the first without a word."""
    row = dict(pairs)
    if len(row) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return row


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _parquet_rows(path: Path) -> Iterator[tuple[int, Row]]:
    from polyglance.data.manifest_parquet import parquet_rows  # pyarrow is heavy

    return parquet_rows(path)


def _write_parquet(rows: Iterable[Row], path: Path) -> int:
    from polyglance.data.manifest_parquet import write_parquet_rows

    return write_parquet_rows(rows, path)


def _checked_rows(records: Iterable[Record], path: Path) -> Iterator[Row]:
    root = path.parent.resolve()
    seen: set[str] = set()
    for record in records:
        try:
            row = row_from_record(record, root)
            json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8")
        except FieldError as error:
            raise ManifestError(f"{path}, record {record.id!r}, {error}") from None
        except (TypeError, ValueError) as error:  # such as a file name that is not Unicode
            raise ManifestError(f"{path}, record {record.id!r}: not JSON: {error}") from None
        if record.id in seen:
            raise ManifestError(f"{path}, record {record.id!r}: two records have this id")
        seen.add(record.id)
        yield row


def _write_json_lines(rows: Iterable[Row], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count

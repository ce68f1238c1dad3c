"""Manifests as Parquet files: rows in and out, a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.manifest_row import FIELDS, Row
from polyglance.errors import ManifestError

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_PER_BATCH = 4096
_MAPS = ("captions", "machine_translated", "parallel")


def parquet_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield each row with its number, from 1, as JSON Lines would have held it.

    Args:
        path: a Parquet file.

    Raises:
        ManifestError: where the file is no Parquet or a row cannot be understood.
    """
    import pyarrow as pa
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS_PER_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield number, _row_of_parquet(row, f"{path}, row {number}")
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: not a readable Parquet file: {error}") from None


def write_parquet_rows(rows: Iterable[Row], path: Path) -> int:
    """Write rows to a Parquet file.

    Args:
        rows: as `polyglance.data.manifest_row.row_from_record` makes them.
        path: the file to write.

    Returns:
        The number of rows.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema, count = _schema(), 0
    iterator = iter(rows)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := [_parquet_of_row(row) for row in islice(iterator, _ROWS_PER_BATCH)]:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def _schema() -> pa.Schema:
    import pyarrow as pa

    text = pa.string()
    captions = pa.map_(text, pa.list_(text))
    types = dict.fromkeys(FIELDS, text)
    types |= {"captions": captions, "machine_translated": captions}
    types |= {"parallel": pa.map_(text, text), "extra": text}
    return pa.schema(list(types.items()))


def _parquet_of_row(row: Row) -> Row:
    extra = {key: value for key, value in row.items() if key not in FIELDS}
    columns = {key: row.get(key) for key in FIELDS}
    return {**columns, "extra": json.dumps(extra, ensure_ascii=False) if extra else None}


def _row_of_parquet(columns: Row, where: str) -> Row:
    row = dict(columns)
    extra = row.pop("extra", None)
    for key in _MAPS:
        if isinstance(row.get(key), list):  # Arrow gives a map as a list of pairs
            row[key] = _dict_of_pairs(row[key], f"{where}, field '{key}'")
    row = {key: value for key, value in row.items() if value is not None}
    return row | _extra_keys(extra, where)


def _dict_of_pairs(pairs: list[Any], where: str) -> Row:
    if not all(isinstance(pair, tuple) for pair in pairs):
        raise ManifestError(f"{where}: a map of language → captions is needed, not a list")
    languages = dict(pairs)
    if len(languages) != len(pairs):
        raise ManifestError(f"{where}: a language stands twice")
    return languages


def _extra_keys(text: Any, where: str) -> Row:
    if text is None:
        return {}
    try:
        extra = json.loads(text)
    except (TypeError, ValueError):
        extra = None
    if not isinstance(extra, dict) or any(key in FIELDS for key in extra):
        raise ManifestError(f"{where}, field 'extra': JSON text of an object with other keys")
    return extra

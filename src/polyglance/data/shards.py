"""Shards of a dataset, brought here as plain archives, which pictures are read from in place.

Large datasets lie in archives (WebDataset) or in Parquet files with the pictures inside (Hugging
Face), on a disk or on an S3-compatible store. Each shard becomes one archive: what is an archive
already is copied, of a Parquet file every row becomes a sample. A shard appears whole or not at
all, and one that is there is not made again, so that what was interrupted goes on.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from polyglance.data.files import replaced_when_complete
from polyglance.data.tar_members import ARCHIVE_SUFFIX
from polyglance.errors import ManifestError

if TYPE_CHECKING:
    import pyarrow as pa

SCHEME = "s3://"
PARQUET_SUFFIX = ".parquet"
ROWS_AT_ONCE = 64  # some tens of megabytes of pictures
SIGNATURES = {  # the first bytes of a file → what its name ends in
    b"\xff\xd8\xff": "jpg",
    b"\x89PNG": "png",
    b"GIF8": "gif",
    b"RIFF": "webp",
    b"II*\x00": "tif",
    b"MM\x00*": "tif",
}


class Store(Protocol):
    """A part of a bucket; see :class:`polyglance.search.store.Store`."""

    def files(self) -> dict[str, int]:
        """Name → size of every file."""

    def fetch(self, name: str, path: Path) -> None:
        """Write the content of a file to ``path``."""


class ListedOnce:
    """A store that is asked once for its files: a large one takes its time to list them."""

    def __init__(self, store: Store) -> None:
        self.fetch = store.fetch
        self.files = cache(store.files)


@dataclass(slots=True)
class Fetched:
    """What was brought.

    Attributes:
        archives: new ones.
        kept: how many were there before.
        samples: in those made of Parquet files.
        empty: rows of them without a picture, which were left out.
    """

    archives: list[Path] = field(default_factory=list)
    kept: int = 0
    samples: int = 0
    empty: int = 0


class Shard(NamedTuple):
    """A file of a dataset.

    Attributes:
        place: the store that it is on; ``None`` if it is on this machine.
        name: below the store's prefix, or its path.
        address: whole.
    """

    place: Store | None
    name: str
    address: str

    @property
    def is_parquet(self) -> bool:
        """Whether it has to be made an archive of."""
        return self.name.lower().endswith(PARQUET_SUFFIX)

    @property
    def archive_name(self) -> str:
        """What the archive is called."""
        return PurePosixPath(self.name).stem + ARCHIVE_SUFFIX


def fetch_shards(
    shards: Sequence[Shard],
    folder: Path,
    *,
    picture: str | None = None,
    captions: Mapping[str, str] | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Fetched:
    """Bring shards into a folder as archives.

    Args:
        shards: of :func:`find_shards`.
        folder: where the archives go.
        picture: column of the Parquet files with the pictures; by default the only one that has
            pictures.
        captions: language tag → column with a caption in it, or a list of some.
        advance: told of every shard that is done.

    Raises:
        ManifestError: one cannot be read, or lacks a column.
        CollectionError: the store cannot be reached, or refuses.
    """
    wanted = captions or {}
    folder.mkdir(parents=True, exist_ok=True)
    done = Fetched()
    for shard in shards:
        target = folder / shard.archive_name
        if target.exists():
            done.kept += 1
        else:
            with _here(shard, folder) as local, replaced_when_complete(target) as archive:
                if shard.is_parquet:
                    _archive_rows(_Rows(local, shard, picture, wanted), archive, done)
                else:
                    shutil.copyfile(local, archive)
            done.archives.append(target)
        advance(1)
    return done


def find_shards(sources: Sequence[str], open_store: Callable[[str], Store]) -> Iterator[Shard]:
    """All shards, in the order of the sources and of their names.

    Args:
        sources: files ``.tar`` or ``.parquet``, folders of such, or likewise ``s3://BUCKET/PATH``.
        open_store: from ``s3://BUCKET/PATH`` to what is there.

    Raises:
        ManifestError: a source has no shards, or two would become one archive.
        CollectionError: the store cannot be reached, or refuses.
    """
    seen: dict[str, Shard] = {}
    for source in sources:
        found = list(
            _on_store(source, open_store) if source.startswith(SCHEME) else _on_disk(Path(source))
        )
        if not found:
            raise ManifestError(
                f"{source}: no archive ({ARCHIVE_SUFFIX}) or Parquet file is there"
                + (", and no picture" if source.startswith(SCHEME) else "")
            )
        for shard in found:
            other = seen.setdefault(shard.archive_name, shard)
            if other is not shard:
                raise ManifestError(f"{other.address} and {shard.address} would become one archive")
            yield shard


def _on_store(address: str, open_store: Callable[[str], Store]) -> Iterator[Shard]:
    folder, _, name = address.rpartition("/")
    if is_shard(name):
        yield Shard(open_store(folder), name, address)
        return
    store = open_store(address)
    for name in sorted(filter(is_shard, store.files())):
        yield Shard(store, name, f"{address.rstrip('/')}/{name}")


def _on_disk(path: Path) -> Iterator[Shard]:
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else []
    for file in files:
        if is_shard(file.name):
            yield Shard(None, str(file), str(file))


def is_shard(name: str) -> bool:
    """Whether a name is an archive's or a Parquet file's."""
    hidden = PurePosixPath(name).name.startswith(".")
    return name.lower().endswith((ARCHIVE_SUFFIX, PARQUET_SUFFIX)) and not hidden


@contextmanager
def _here(shard: Shard, folder: Path) -> Iterator[Path]:
    """A shard as a file on this machine, which goes again if it had to be fetched."""
    if shard.place is None:
        yield Path(shard.name)
        return
    fetched = folder / f".{shard.archive_name}.fetched"
    try:
        try:
            shard.place.fetch(shard.name, fetched)
        except FileNotFoundError:
            raise ManifestError(f"{shard.address}: no such file") from None
        yield fetched
    finally:
        fetched.unlink(missing_ok=True)


class _Sample(NamedTuple):
    """A row's picture, and its captions by language tag."""

    picture: bytes
    captions: dict[str, list[str]]


class _Rows:
    """The rows of a Parquet file.

    Raises:
        ManifestError: it cannot be read, or lacks a column.
    """

    def __init__(
        self, path: Path, shard: Shard, picture: str | None, captions: Mapping[str, str]
    ) -> None:
        self._path = path
        self._address = shard.address
        self._captions = captions
        with self._opened() as file:
            schema = file.schema_arrow
            self.rows: int = file.metadata.num_rows
        self._picture = picture or self._only_picture(schema)
        columns = (self._picture, *captions.values())
        if lost := [name for name in columns if name not in schema.names]:
            raise ManifestError(
                f"{self._address} has no column {lost[0]!r}; there are {', '.join(schema.names)}"
            )

    def __iter__(self) -> Iterator[_Sample | None]:
        """Every row; ``None`` for one without a picture."""
        columns = [self._picture, *self._captions.values()]
        with self._opened() as file:
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=columns):
                for row in batch.to_pylist():
                    content = row[self._picture]
                    if isinstance(content, dict):
                        content = content.get("bytes")
                    texts = {tag: _texts(row[name]) for tag, name in self._captions.items()}
                    yield _Sample(content, texts) if isinstance(content, bytes) else None

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self._path) as file:
                yield file
        except OSError as error:
            reason = error.strerror or error
            raise ManifestError(f"{self._address}: cannot be read: {reason}") from None
        except pa.ArrowException as error:
            raise ManifestError(f"{self._address}: not a readable Parquet file: {error}") from None

    def _only_picture(self, schema: pa.Schema) -> str:
        found = [each.name for each in schema if _holds_bytes(each.type)]
        if len(found) == 1:
            return str(found[0])
        if not found:
            raise ManifestError(f"{self._address} has no column with pictures inside")
        raise ManifestError(
            f"{self._address} has several columns that may hold pictures: {', '.join(found)}; "
            "name one"
        )


def _holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column may hold pictures: bytes, or a struct of them and a path."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _texts(value: object) -> list[str]:
    given = value if isinstance(value, list) else [value]
    return [text for text in given if isinstance(text, str) and text.strip()]


def _archive_rows(rows: _Rows, archive: Path, done: Fetched) -> None:
    """Write every row as a sample: its picture, and its captions as JSON."""
    digits = len(str(rows.rows))
    with tarfile.open(archive, "w") as opened:
        for number, sample in enumerate(rows):
            kind = None if sample is None else _kind(sample.picture)
            if sample is None or kind is None:
                done.empty += 1
                continue
            key = f"{number:0{digits}}"
            _add(opened, f"{key}.{kind}", sample.picture)
            if sample.captions:
                told = json.dumps({"captions": sample.captions}, ensure_ascii=False)
                _add(opened, f"{key}.json", told.encode())
            done.samples += 1


def _kind(content: bytes) -> str | None:
    """What a picture's name ends in; ``None`` where it is none that is known."""
    for signature, kind in SIGNATURES.items():
        if content.startswith(signature):
            return kind
    return "avif" if content[4:12] == b"ftypavif" else None


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))

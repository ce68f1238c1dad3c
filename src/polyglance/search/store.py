"""A place on an S3-compatible store: files read, written and listed below a prefix of a bucket.

Credentials and region come from where AWS's tools take them: environment, configuration files, the
machine's role; the endpoint of a store other than AWS's from the environment. What a store or a
library says of an error may quote a key or a signature, so it is told in our own words, never
passed on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from polyglance.errors import CollectionError

SCHEME = "s3://"
# A store that needs no region still has one signed.
ANY_REGION = "us-east-1"
SECONDS_OF_RETRIES = "20"
SECONDS_WITHOUT_ANSWER = 30
CHUNK = 8 << 20

# A file's name or address, of which letters and digits say nothing of what went wrong.
ADDRESS = re.compile(r"[^\s<>]*/[^\s<>]*")
# How words begin that libraries have for it, without case and underscores → what is wrong, and the
# remedy.
TROUBLES = {
    ("nosuchbucket",): "there is no such bucket: check its name, AWS_REGION and AWS_ENDPOINT_URL",
    (
        "accessdenied",
        "forbidden",
        "403",
        "invalidaccesskeyid",
        "signaturedoesnotmatch",
        "expiredtoken",
        "unauthorized",
        "credential",
    ): "the store refuses us: check the credentials in the environment, and their rights",
    (
        "networkconnection",
        "connect",
        "dns",
        "resolve",
        "timed out",
        "timeout",
        "sending request",
    ): "the store cannot be reached: check the network, and AWS_ENDPOINT_URL",
}


@dataclass(frozen=True, slots=True)
class Store:
    """A part of a bucket.

    Attributes:
        bucket: its name.
        prefix: of the keys, with no slash at its ends; empty for the whole bucket.
    """

    bucket: str
    prefix: str

    @classmethod
    def of(cls, address: str) -> Store:
        """The place at ``s3://BUCKET/PATH``.

        Raises:
            CollectionError: bucket or path are missing.
        """
        if not (store := cls.anywhere(address)).prefix:
            raise CollectionError(
                "a collection on a store is at s3://BUCKET/PATH, such as s3://archive/photos; "
                "credentials come from the environment"
            )
        return store

    @classmethod
    def anywhere(cls, address: str) -> Store:
        """The place at ``s3://BUCKET/PATH``, or a whole bucket.

        Raises:
            CollectionError: it is no such address.
        """
        bucket, _, prefix = address.removeprefix(SCHEME).partition("/")
        parts = [part for part in prefix.split("/") if part]
        is_odd = {".", ".."} & set(parts) or set("@:?#") & set(bucket)
        if not address.startswith(SCHEME) or not bucket or is_odd:
            raise CollectionError(
                "a place on a store is s3://BUCKET/PATH, such as s3://archive/photos; "
                "credentials come from the environment"
            )
        return cls(bucket, "/".join(parts))

    def __str__(self) -> str:
        return SCHEME + self._key("").rstrip("/")

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: it is not there.
            CollectionError: there is no bucket, no right to read, or no network.
        """
        with self.reaching():
            try:
                with self._files.open_input_stream(self._key(name)) as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                self._require_bucket()
                raise

    def fetch(self, name: str, path: Path) -> None:
        """Write the content of a file to ``path``, a part at a time.

        Raises:
            FileNotFoundError: it is not there.
            CollectionError: there is no bucket, no right to read, or no network.
            OSError: ``path`` cannot be written.
        """
        with path.open("wb") as file:
            for chunk in self._chunks(name):
                file.write(chunk)

    def files(self) -> dict[str, int]:
        """The name of every file below the prefix, and its size in bytes.

        Raises:
            CollectionError: there is no bucket, no right to list, or no network.
        """
        from pyarrow.fs import FileSelector, FileType

        with self.reaching():
            self._require_bucket()
            selected = FileSelector(self._key(""), recursive=True, allow_not_found=True)
            listed = self._files.get_file_info(selected)
        start = len(self._key(""))
        return {each.path[start:]: each.size for each in listed if each.type is FileType.File}

    def write(self, name: str, content: bytes | Path) -> None:
        """Put a file there, or another in its place; it is there whole or not at all.

        Raises:
            CollectionError: there is no bucket, no right to write, or no network.
        """
        with self.reaching(), self._files.open_output_stream(self._key(name)) as stream:
            if isinstance(content, bytes):
                stream.write(content)
                return
            with content.open("rb") as file:
                while chunk := file.read(CHUNK):
                    stream.write(chunk)

    def delete(self, name: str) -> None:
        """Take a file away, if it is there.

        Raises:
            CollectionError: there is no right to, or no network.
        """
        with self.reaching():
            try:
                self._files.delete_file(self._key(name))
            except FileNotFoundError:
                return

    def options(self) -> dict[str, str]:
        """What LanceDB has to know beside what it finds in the environment by itself."""
        options = {"client_retry_timeout": SECONDS_OF_RETRIES}
        if endpoint := _endpoint():
            options["aws_endpoint"] = endpoint
            options["allow_http"] = str(endpoint.startswith("http://")).lower()
        if region := _region():
            options["aws_region"] = region
        return options

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Tell what goes wrong with the store as a :class:`CollectionError`."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            told = trouble_of(error) or "it cannot be read or written"
            raise CollectionError(f"{self}: {told}") from None

    def _chunks(self, name: str) -> Iterator[bytes]:
        with self.reaching(), self._files.open_input_stream(self._key(name)) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    def _key(self, name: str) -> str:
        folder = f"{self.bucket}/{self.prefix}" if self.prefix else self.bucket
        return f"{folder}/{name}"

    def _require_bucket(self) -> None:
        from pyarrow.fs import FileType

        if self._files.get_file_info(self.bucket).type is FileType.NotFound:
            raise OSError("NoSuchBucket")

    @property
    def _files(self) -> Any:
        return _file_system(_endpoint(), _region())


def trouble_of(error: Exception) -> str | None:
    """What is wrong with a store, and the remedy; ``None`` where it is something else."""
    said = ADDRESS.sub("", str(error)).lower().replace("_", "")
    for names, told in TROUBLES.items():
        if re.search(rf"\b({'|'.join(names)})", said):
            return told
    return None


@cache
def _file_system(endpoint: str | None, region: str | None) -> Any:
    """Arrow's, with its connections, which are kept."""
    from pyarrow.fs import S3FileSystem

    # A small file is one request, and not the three of an upload in parts.
    return S3FileSystem(
        endpoint_override=endpoint,
        region=region,
        request_timeout=SECONDS_WITHOUT_ANSWER,
        allow_delayed_open=True,
    )


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def _region() -> str | None:
    given = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return given or (ANY_REGION if _endpoint() else None)

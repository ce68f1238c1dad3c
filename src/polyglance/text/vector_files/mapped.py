"""A binary file as bytes that are read when they are looked at."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyglance.errors import ConfigError


class MappedFile:
    """A place in a file of little-endian numbers; whoever reads moves it on.

    Args:
        path: any file that is not empty.

    Raises:
        ConfigError: it cannot be opened, or holds nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = 0
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise unreadable(path, error) from None
        except ValueError:  # what mmap says to a file without bytes
            raise ConfigError(f"word vectors {path}: the file holds none") from None

    def __len__(self) -> int:
        """Bytes of the whole file."""
        return len(self._bytes)

    def numbers(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The next numbers of a layout.

        Raises:
            ConfigError: the file ends before.
        """
        self._expect(layout.size)
        found = layout.unpack_from(self._bytes, self.place)
        self.place += layout.size
        return found

    def until(self, mark: bytes) -> bytes:
        """The next bytes, as far as a mark, which is passed over.

        Raises:
            ConfigError: no mark follows.
        """
        end = self._bytes.find(mark, self.place)
        if end < 0:
            raise self._short()
        found = self._bytes[self.place : end]
        self.place = end + len(mark)
        return found

    def floats(self, count: int) -> NDArray[np.float32]:
        """The next numbers of 32 bits, not copied and so not aligned.

        Raises:
            ConfigError: the file ends before.
        """
        self._expect(4 * count)
        found = np.frombuffer(self._bytes, "<f4", count, self.place)
        self.place += 4 * count
        return found

    def _expect(self, size: int) -> None:
        if size < 0 or self.place + size > len(self._bytes):
            raise self._short()

    def _short(self) -> ConfigError:
        return ConfigError(
            f"word vectors {self.path}: the file ends too early or is damaged; fetch it again"
        )


def unreadable(path: Path, error: OSError) -> ConfigError:
    """What is said of a file that cannot be opened."""
    return ConfigError(f"word vectors {path}: {error.strerror}; name the file")

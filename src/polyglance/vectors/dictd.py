"""Dictionaries of the DICT protocol, such as FreeDict's in Debian's packages ``dict-freedict-*``.

The layout is that of dictd (RFC 2229's server; its manual page *dictfmt*): ``NAME.index`` has a
line for each entry, the headword, a tab, the entry's place in ``NAME.dict``, a tab, its length,
both as digits in base 64. ``NAME.dict.dz`` is the same, compressed so that gzip reads it.

An index has its headwords without capitals and punctuation, so the entry's own first line is what
counts. FreeDict writes entries so::

    chien /ʃjɛ̃/ <n, masc>
    1. dog, hound
          "mon chien"  - my dog
       Synonym: {cabot}

     see: {chienne}
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from polyglance.errors import ConfigError

SUFFIXES = (".index", ".dict", ".dict.dz")

_DIGITS = {
    digit: value
    for value, digit in enumerate(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    )
}
_ABOUT_ITSELF = ("00database", "00-database")  # what dictd tells of the dictionary
_AFTER_HEADWORD = re.compile(r"\s+[/<\[(].*")  # pronunciation, grammar, field, other forms
_REMARK = re.compile(r"<[^>]*>|\[[^\]]*\]|\([^)]*\)|\{[^}]*\}")
_NUMBER = re.compile(r"^\s?\d+\.\s")
_ASIDE = re.compile(r"^\s{3,}|^\s*see:")  # examples, notes, synonyms; references


def read_dictd(path: Path) -> Iterator[tuple[str, str]]:
    """Headwords of one word with each of their translations, one after the other.

    Args:
        path: any one of a dictionary's files; the others lie beside it.

    Yields:
        A word and a translation, as they are written; a translation may be several words.

    Raises:
        ConfigError: a file is absent or damaged.
    """
    index, data = _files(path)
    try:
        content = gzip.decompress(data.read_bytes()) if data.suffix == ".dz" else data.read_bytes()
        lines = index.read_text(encoding="utf-8").splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"dictionary {path}: {reason}; install the dictionary again") from None
    for number, line in enumerate(lines, start=1):
        headword, start, length = _place(line, f"{index}:{number}")
        if " " in headword.strip() or headword.startswith(_ABOUT_ITSELF):
            continue
        entry = content[start : start + length].decode("utf-8", "replace")
        yield from _translations(entry)


def _files(path: Path) -> tuple[Path, Path]:
    suffix = next(
        suffix for suffix in (".dict.dz", ".dict", ".index") if str(path).endswith(suffix)
    )
    stem = str(path).removesuffix(suffix)
    index, packed, plain = Path(f"{stem}.index"), Path(f"{stem}.dict.dz"), Path(f"{stem}.dict")
    data = packed if packed.is_file() else plain
    for needed in (index, data):
        if not needed.is_file():
            raise ConfigError(f"dictionary {path}: {needed.name} is not beside it; put it there")
    return index, data


def _place(line: str, where: str) -> tuple[str, int, int]:
    """The headword, where its entry begins, and how many bytes it has."""
    try:
        headword, start, length = line.split("\t")[:3]
        return headword, _number(start), _number(length)
    except (ValueError, KeyError):
        raise ConfigError(
            f"{where}: a headword and two numbers were expected, with tabs between; install the "
            "dictionary again"
        ) from None


def _number(digits: str) -> int:
    value = 0
    for digit in digits:
        value = 64 * value + _DIGITS[digit]
    return value


def _translations(entry: str) -> Iterator[tuple[str, str]]:
    first, *lines = entry.splitlines() or [""]
    headword = _AFTER_HEADWORD.sub("", first.strip())
    if len(headword.split()) != 1:  # the index leaves punctuation out, and spaces with it
        return
    for line in lines:
        if _ASIDE.match(line):
            continue
        for translation in _REMARK.sub("", _NUMBER.sub("", line)).split(","):
            if translation.strip():
                yield headword, translation.strip()

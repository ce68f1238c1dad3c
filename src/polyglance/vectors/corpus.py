"""Plain texts, a sentence a line, as lists of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from polyglance.errors import ConfigError
from polyglance.text.segment import Segmenter


def read_sentences(paths: Sequence[Path], *, language: str = "und") -> list[list[str]]:
    """The words of every line, by the rule that models segment captions by; empty lines left out.

    Args:
        paths: UTF-8.
        language: BCP-47 tag of all of them.

    Raises:
        ConfigError: a file is absent, not UTF-8, or all of them are empty.
    """
    sentences = [words for path in paths for words in _read(path, language) if words]
    if not sentences:
        raise ConfigError(f"{', '.join(map(str, paths))}: no sentences to train on")
    return sentences


def read_parallel(
    source: Path, target: Path, *, languages: tuple[str, str] = ("und", "und")
) -> list[tuple[list[str], list[str]]]:
    """Lines that translate each other, by number.

    Empty lines stay, so that a file of word alignments still fits.

    Raises:
        ConfigError: a file is absent or not UTF-8, or they have not equally many lines.
    """
    first, second = (
        list(_read(path, tag)) for path, tag in zip((source, target), languages, strict=True)
    )
    if len(first) != len(second):
        raise ConfigError(
            f"{source} has {len(first)} lines, {target} {len(second)}; parallel texts have a "
            "sentence and its translation in the same line"
        )
    if not any(first) or not any(second):
        raise ConfigError(f"{source}, {target}: no sentences to train on")
    return list(zip(first, second, strict=True))


def _read(path: Path, language: str) -> Iterator[list[str]]:
    segmenter = Segmenter()
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield segmenter.words(line, language)
    except OSError as error:
        raise ConfigError(f"text {path}: {error.strerror}; name the file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"text {path}: not UTF-8 ({error.reason}); convert it") from None

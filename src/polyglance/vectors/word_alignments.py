"""Which words of a sentence and of its translation translate each other: files, and by position."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from polyglance.errors import ConfigError

Pairs = Sequence[tuple[list[str], list[str]]]


def read_alignments(path: Path, pairs: Pairs) -> list[Tensor]:
    """Read a line a sentence pair: ``0-0 1-2``, or the same as bivec has it, ``0 0 1 2``.

    ``i-j`` is the format of Pharaoh, GIZA++'s symmetrisation and fast_align: word i of the source
    and word j of the target, both from 0.

    Args:
        path: as many lines as there are pairs; a line may be empty.
        pairs: the sentences, segmented as they were for the aligner.

    Returns:
        (links, 2) int64 for each pair.

    Raises:
        ConfigError: the file is absent, has another number of lines, a line that is no alignment,
            or names a word that the sentence does not have; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"alignments {path}: {error.strerror}; name the file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"alignments {path}: not UTF-8 ({error.reason})") from None
    if len(lines) != len(pairs):
        raise ConfigError(
            f"alignments {path}: {len(lines)} lines for {len(pairs)} sentence pairs; align these "
            "texts, empty lines included"
        )
    return [
        _links(line, pair, f"alignments {path}:{number}")
        for number, (line, pair) in enumerate(zip(lines, pairs, strict=True), start=1)
    ]


def monotonic_alignments(pairs: Pairs) -> list[Tensor]:
    """Align by position, where nothing better is known.

    Luong et al. (2015) let word i of m source words translate word [i · n / m] of n. So that no
    word of the longer sentence goes without, each target word j is linked to [j · m / n], too.

    Returns:
        (links, 2) int64 for each pair, ascending.
    """
    return [_monotonic(len(source), len(target)) for source, target in pairs]


def _monotonic(source: int, target: int) -> Tensor:
    if not (source and target):
        return torch.zeros(0, 2, dtype=torch.int64)
    forth = {(i, i * target // source) for i in range(source)}
    back = {(j * source // target, j) for j in range(target)}
    return torch.tensor(sorted(forth | back))


def _links(line: str, pair: tuple[list[str], list[str]], where: str) -> Tensor:
    fields = line.replace("-", " ").split()
    if len(fields) % 2 or not all(map(str.isdecimal, fields)):
        raise ConfigError(
            f"{where}: pairs of word numbers were expected, 0-0 1-2 … or 0 0 1 2 …: {line[:60]!r}"
        )
    links = torch.tensor([int(field) for field in fields], dtype=torch.int64).reshape(-1, 2)
    if (links >= torch.tensor([len(words) for words in pair])).any():
        raise ConfigError(
            f"{where}: names a word beyond sentences of {len(pair[0])} and {len(pair[1])} words; "
            "the aligner must be given the words as they are segmented here"
        )
    return links

"""Sentences and their translations, with no pictures: reading them, and drawing them each step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.batch import TextPairs
from polyglance.data.readers.common import read_text_lines
from polyglance.data.sampler import caption_identity, even_steps
from polyglance.data.text import normalise_text
from polyglance.errors import ConfigError, ManifestError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

Translations = Mapping[str, str]  # BCP-47 tag → one sentence; all of them say the same


def read_aligned(files: Mapping[str, Path]) -> list[Translations]:
    """Read text files that say the same line by line, one a language.

    A language whose line is empty is missing from that line's sentences.

    Args:
        files: BCP-47 tag → UTF-8 text, gzipped where the name ends in ``.gz``.

    Raises:
        ManifestError: a file is missing or not UTF-8, or two of them differ in length.
    """
    lines = {tag: read_text_lines(path) for tag, path in files.items()}
    first = next(iter(files))
    for tag, path in files.items():
        if len(lines[tag]) != len(lines[first]):
            raise ManifestError(
                f"{path} has {len(lines[tag])} lines, {files[first]} has {len(lines[first])}; "
                "line n of each has to say the same, so bring back the lines that are missing"
            )
    return [
        {tag: text for tag, line in zip(lines, row, strict=True) if (text := _sentence(line))}
        for row in zip(*lines.values(), strict=True)
    ]


class ParallelSampler:
    """Draws sentences and their translations, as a pure function of (seed, step).

    Every sentence comes once before one comes again, in an order of its own each time; like the
    epochs of :class:`~polyglance.data.sampler.CaptionSampler`, such rounds are cut into steps
    whose sizes differ by one at most.

    Args:
        sentences: translations of one another; those that lack the pivot language or every other
            one are left out.
        pivot: BCP-47 tag of the language that all others are compared with.
        batch_size: sentences a step, each in all of its languages.
        seed: of every draw.
        rank: of this process.
        world_size: number of processes; each gets its own share of every step's sentences.

    Attributes:
        languages: all of them, the pivot first.

    Raises:
        ConfigError: no sentence of the pivot language has a translation.
    """

    def __init__(
        self,
        sentences: Sequence[Translations],
        *,
        pivot: str,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._sentences = [row for row in sentences if pivot in row and len(row) > 1]
        if not self._sentences:
            present = ", ".join(sorted({tag for row in sentences for tag in row})) or "none"
            raise ConfigError(
                f"no sentence in {pivot!r} has a translation; languages of the parallel text: "
                f"{present}; name its files, or set data.parallel.pivot"
            )
        others = sorted({tag for row in self._sentences for tag in row if tag != pivot})
        self.languages = (pivot, *others)
        self._seed, self._rank, self._world_size = seed, rank, world_size
        self._bounds = even_steps(len(self._sentences), batch_size, world_size=world_size)
        self._steps = len(self._bounds) - 1  # of a round
        self._digest = _digest(seed, batch_size, pivot, self._sentences)
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def texts(self) -> Iterator[tuple[str, str]]:
        """Language and text of every sentence, for a vocabulary."""
        for row in self._sentences:
            yield from row.items()

    def batch(self, step: int) -> tuple[TextPairs, ...]:
        """The sentences of a step, counted from the beginning of training.

        Returns:
            One entry for each language that has a translation among them, with this rank's share
            of its sentences, which may be none.
        """
        turn, place = divmod(step, self._steps)
        start, stop = self._bounds[place : place + 2]
        drawn = [self._sentences[row] for row in self._order_of(turn)[start:stop].tolist()]
        pivot, *others = self.languages
        found = {tag: [n for n, row in enumerate(drawn) if tag in row] for tag in others}
        return tuple(
            self._share(_pairs([drawn[n] for n in numbers], pivot, tag), numbers)
            for tag, numbers in found.items()
            if numbers
        )

    def _share(self, pairs: TextPairs, numbers: Sequence[int]) -> TextPairs:
        """This rank's; ``numbers`` are those of the sentences in the step."""
        if self._world_size == 1:
            return pairs
        own = (row for row, n in enumerate(numbers) if n % self._world_size == self._rank)
        return pairs.rows(list(own))

    def state_dict(self) -> dict[str, Any]:
        """A digest of sentences and settings; where to go on is the number of steps taken."""
        return {"digest": self._digest}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Check that a run can go on with these sentences.

        Raises:
            ConfigError: the sentences or the settings are not those of the saved state.
        """
        if state["digest"] != self._digest:
            raise ConfigError(
                "the parallel text or its settings have changed since the checkpoint was written "
                f"(digest {state['digest']}, now {self._digest}); restore them or start in a new "
                "folder"
            )

    def _order_of(self, turn: int) -> NDArray[np.int64]:
        import numpy as np

        if self._order is None or self._order[0] != turn:
            order = np.random.default_rng([self._seed, turn]).permutation(len(self._sentences))
            self._order = (turn, order)
        return self._order[1]


def _pairs(rows: Sequence[Translations], pivot: str, language: str) -> TextPairs:
    pivots = [row[pivot] for row in rows]
    translations = [row[language] for row in rows]
    return TextPairs(
        pivots=pivots,
        translations=translations,
        pivot_language=pivot,
        language=language,
        pivot_ids=_identities(pivots),
        translation_ids=_identities(translations),
    )


def _identities(texts: Sequence[str]) -> Tensor:
    """(texts,) numbers, equal for texts that say the very same."""
    import torch

    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(caption_identity(t), len(numbers)) for t in texts])


def _sentence(line: str) -> str:
    return normalise_text(line.strip())


def _digest(seed: int, batch_size: int, pivot: str, sentences: Sequence[Translations]) -> str:
    digest = hashlib.sha256(repr((seed, batch_size, pivot)).encode())
    for row in sentences:
        digest.update(repr(sorted(row.items())).encode())
    return digest.hexdigest()[:16]

"""Sentences that stand alone, with neither pictures nor translations: reading and drawing them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.batch import Sentences
from polyglance.data.readers.common import read_text_lines
from polyglance.data.sampler import even_steps
from polyglance.data.text import normalise_text
from polyglance.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read_sentences(files: Mapping[str, Sequence[Path]]) -> dict[str, list[str]]:
    """Read text files of one sentence a line; empty lines are passed over.

    Args:
        files: BCP-47 tag → UTF-8 texts, gzipped where the name ends in ``.gz``.

    Raises:
        ManifestError: a file is missing or not UTF-8.
    """
    return {
        tag: [
            normalise_text(sentence)
            for path in paths
            for line in read_text_lines(path)
            if (sentence := line.strip())
        ]
        for tag, paths in files.items()
    }


class MonolingualSampler:
    """Draws sentences of several languages, as a pure function of (seed, step).

    Each language is gone through in an order of its own, every sentence once before one comes
    again, and in another order the next time. A *round* has as many sentences as there are; each
    language has its share of it, and the round is shuffled and cut into steps whose sizes differ by
    one at most. A language with more than its proportion comes several times in a round.

    Args:
        sentences: BCP-47 tag → sentences.
        batch_size: sentences a step, all languages together.
        weights: tag → share of the sentences drawn, not necessarily summing to 1; languages left
            out are not drawn. ``None``: in proportion to their sizes.
        seed: of every draw.
        rank: of this process.
        world_size: number of processes; each gets its own share of every step's sentences.

    Attributes:
        languages: those that are drawn, by the alphabet.

    Raises:
        ConfigError: a weight names a language that is not there, or a language has no sentence.
    """

    def __init__(
        self,
        sentences: Mapping[str, Sequence[str]],
        *,
        batch_size: int,
        weights: Mapping[str, float] | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if weights is None:
            weights = {tag: len(some) for tag, some in sentences.items()}
        for tag in sorted({*weights, *sentences}):
            if not sentences.get(tag):
                raise ConfigError(
                    f"the monolingual text has no sentence in {tag!r}; name its files under "
                    "data.monolingual.train, or leave the language out"
                )
        self.languages = tuple(sorted(weights))
        self._sentences = {tag: sentences[tag] for tag in self.languages}
        self._shares = _shares(self._sentences, weights)  # of a round
        self._seed, self._rank, self._world_size = seed, rank, world_size
        count = sum(self._shares.values())
        self._bounds = even_steps(count, batch_size, world_size=world_size)
        self._steps = len(self._bounds) - 1  # of a round
        self._digest = _digest(seed, batch_size, self._shares, self._sentences)
        self._round: tuple[int, NDArray[np.int64]] | None = None

    def texts(self) -> Iterator[tuple[str, str]]:
        """Language and text of every sentence that may be drawn, for a vocabulary."""
        for language, sentences in self._sentences.items():
            yield from ((language, sentence) for sentence in sentences)

    def batch(self, step: int) -> Sentences:
        """The sentences of a step, counted from the beginning of training."""
        turn, place = divmod(step, self._steps)
        start, stop = self._bounds[place : place + 2]
        share = slice(start + self._rank, stop, self._world_size)
        drawn = self._round_of(turn)[share].tolist()  # pairs of language and sentence
        tags = [self.languages[language] for language, _ in drawn]
        return Sentences(
            texts=[self._sentences[tag][row] for tag, (_, row) in zip(tags, drawn, strict=True)],
            languages=tags,
        )

    def state_dict(self) -> dict[str, Any]:
        """A digest of sentences and settings; where to go on is the number of steps taken."""
        return {"digest": self._digest}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Check that a run can go on with these sentences.

        Raises:
            ConfigError: the sentences or the settings are not those of the saved state.
        """
        if state.get("digest") != self._digest:
            raise ConfigError(
                "the monolingual text or its settings have changed since the checkpoint was "
                f"written (digest {state.get('digest')}, now {self._digest}); restore them or "
                "start in a new folder"
            )

    def _round_of(self, turn: int) -> NDArray[np.int64]:
        """(sentences of a round, 2): the number of each one's language, and its row there."""
        import numpy as np

        if self._round is None or self._round[0] != turn:
            drawn = [
                np.stack([np.full(len(rows), language), rows], axis=1)  # (share, 2)
                for language, rows in enumerate(self._rows(tag, turn) for tag in self.languages)
            ]
            mixed = np.random.default_rng([self._seed, 0, turn]).permutation(np.concatenate(drawn))
            self._round = (turn, mixed)
        return self._round[1]

    def _rows(self, tag: str, turn: int) -> NDArray[np.int64]:
        """(share,) the rows of a language that come in a round, before they are shuffled."""
        import numpy as np

        size, share = len(self._sentences[tag]), self._shares[tag]
        first, last = turn * share, (turn + 1) * share  # places in its endless sequence of passes
        passes = range(first // size, -(-last // size))
        number = 1 + self.languages.index(tag)  # 0 is the shuffle's
        orders = [
            np.random.default_rng([self._seed, number, one]).permutation(size) for one in passes
        ]
        skipped = passes.start * size
        return np.concatenate(orders)[first - skipped : last - skipped]


def _shares(sentences: Mapping[str, Sequence[str]], weights: Mapping[str, float]) -> dict[str, int]:
    """How many sentences of each language a round has; one at least."""
    count, total = sum(map(len, sentences.values())), sum(weights.values())
    return {tag: max(1, round(count * weights[tag] / total)) for tag in sentences}


def _digest(
    seed: int, batch_size: int, shares: Mapping[str, int], sentences: Mapping[str, Sequence[str]]
) -> str:
    digest = hashlib.sha256(repr((seed, batch_size, sorted(shares.items()))).encode())
    for tag in sorted(sentences):
        for sentence in sentences[tag]:
            digest.update(f"{tag}\n{sentence}\n".encode())
    return digest.hexdigest()[:16]

"""Our own word alignment, for parallel text that comes without: IBM's model 1, both ways."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from polyglance.vectors.bitext import Side, Vocabulary
from polyglance.vectors.word_alignments import Pairs

ROUNDS = 5
TENSION = 4.0


def align_words(pairs: Pairs, *, rounds: int = ROUNDS, tension: float = TENSION) -> list[Tensor]:
    """Find which words translate each other by how often they stand in sentences that do.

    In model 1 (Brown et al., Computational Linguistics 1993, section 4.1) each target word f is
    the translation of one source word e of its sentence, by t(f | e), which expectation
    maximisation finds. Where in the sentence does not matter to model 1; here a word i of m prefers
    to translate one near j = i · n / m, by exp(−tension · |i/m − j/n|) (Dyer et al., NAACL 2013,
    section 2, with the tension fixed). Each word of either side is linked to its likeliest one of
    the other. Links that both directions find alone would be surer; but BiVec learns more from all
    of them.

    Deviation from both: there is no empty word; whatever translates nothing is linked as well.

    Time and memory grow with the sum of m · n, 60 bytes each; for millions of sentences use
    fast_align and :func:`~polyglance.vectors.word_alignments.read_alignments`.

    Args:
        pairs: the words of sentences and of their translations.
        rounds: of expectation maximisation.
        tension: 0 is model 1 itself.

    Returns:
        (links, 2) int64 for each pair, ascending.
    """
    cells = _Cells.of(pairs)
    near = torch.exp(-tension * cells.distance)
    forth = _likeliest(cells.entry, cells.entries[:, 0], cells.target, near, rounds=rounds)
    back = _likeliest(cells.entry, cells.entries[:, 1], cells.source, near, rounds=rounds)
    likely = forth | back  # (cells,)
    links = torch.stack([cells.source_place, cells.target_place], dim=1)[likely]  # (links, 2)
    counts = torch.bincount(cells.pair[likely], minlength=len(pairs))
    return list(links.tensor_split(counts.cumsum(0)[:-1]))


class _Cells(NamedTuple):
    """Every word of a sentence beside every word of its translation: all that could be links.

    Attributes:
        pair: (cells,) the sentence pair.
        source: (cells,) the token, counted through all sentences.
        target: (cells,)
        source_place: (cells,) the same, counted from the sentence's beginning.
        target_place: (cells,)
        distance: (cells,) float32, |i/m − j/n|.
        entry: (cells,) row of ``entries``.
        entries: (distinct pairs of words, 2), the words.
    """

    pair: Tensor
    source: Tensor
    target: Tensor
    source_place: Tensor
    target_place: Tensor
    distance: Tensor
    entry: Tensor
    entries: Tensor

    @classmethod
    def of(cls, pairs: Pairs) -> _Cells:
        sides = [_side([pair[side] for pair in pairs]) for side in (0, 1)]
        lengths = torch.stack([side.lengths() for side in sides])  # (2, pairs)
        sizes = lengths.prod(dim=0)  # (pairs,)
        pair = torch.arange(len(pairs)).repeat_interleave(sizes)  # (cells,)
        cell = torch.arange(len(pair)) - (sizes.cumsum(0) - sizes)[pair]  # within its pair
        i, j = cell // lengths[1, pair], cell % lengths[1, pair]
        source, target = (
            side.start[pair] + place for side, place in zip(sides, (i, j), strict=True)
        )
        words = torch.stack([sides[0].ids[source], sides[1].ids[target]], dim=1)  # (cells, 2)
        second = int(sides[1].ids.max()) + 1 if len(sides[1].ids) else 1
        keys, entry = torch.unique(words[:, 0] * second + words[:, 1], return_inverse=True)
        return cls(
            pair=pair,
            source=source,
            target=target,
            source_place=i,
            target_place=j,
            distance=(i / lengths[0, pair] - j / lengths[1, pair]).abs(),
            entry=entry,
            entries=torch.stack([keys // second, keys % second], dim=1),
        )


def _side(sentences: list[list[str]]) -> Side:
    return Side.of(sentences, Vocabulary.of(sentences, min_count=1).words)


def _likeliest(entry: Tensor, given: Tensor, token: Tensor, near: Tensor, *, rounds: int) -> Tensor:
    """Fit t(f | e) and let each word f choose its e.

    Args:
        entry: (cells,) which (e, f) each is.
        given: (entries,) the e of each.
        token: (cells,) the occurrence of f.
        near: (cells,) the prior, not normalised.
        rounds: of expectation maximisation.

    Returns:
        (cells,) bool: e is the likeliest one to be translated by this f.
    """
    table = torch.ones(len(given))  # t(f | e), the same for all to begin with
    for _ in range(rounds):
        belief = _normalised(table[entry] * near, token)  # (cells,)
        counts = torch.zeros_like(table).index_add_(0, entry, belief)  # (entries,)
        table = _normalised(counts, given)
    belief = table[entry] * near
    best = torch.zeros(_groups(token)).scatter_reduce_(0, token, belief, "amax")
    return belief == best[token]


def _normalised(values: Tensor, group: Tensor) -> Tensor:
    """Divide by the sum of the group."""
    sums = torch.zeros(_groups(group)).index_add_(0, group, values)
    return values / sums[group]


def _groups(group: Tensor) -> int:
    return int(group.max()) + 1 if len(group) else 0

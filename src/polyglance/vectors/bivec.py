"""Word vectors of two languages in one space, from sentences and their translations (BiVec)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from polyglance.errors import ConfigError
from polyglance.vectors.bitext import Bitext, Side, Vocabulary
from polyglance.vectors.skip_gram import SkipGram
from polyglance.vectors.space import BilingualSpace, WordSpace
from polyglance.vectors.word_alignments import Pairs, monotonic_alignments

BATCH = 32  # sentence pairs of a step
ALIKE = 50  # batches whose sentences are sorted by length, so that they need little padding
DRAWN = 4  # negatives drawn of a sentence and language, for each that a prediction asks for
LEAST = 1e-4  # of the learning rate, at the end


def train_bivec(
    pairs: Pairs,
    *,
    dimension: int = 300,
    window: int = 5,
    negatives: int = 5,
    epochs: int = 10,
    min_count: int = 2,
    subsample: float = 1e-3,
    learning_rate: float = 0.1,
    alignments: Sequence[Tensor] | None = None,
    bilingual_weight: float = 1.0,
    seed: int = 0,
    after_epoch: Callable[[], None] | None = None,
) -> BilingualSpace:
    """Let each word predict its neighbours, and those of the words that translate it.

    Luong, Pham and Manning ("Bilingual word representations with monolingual quality in mind",
    2015): skip-gram from source to source, source to target, target to source and target to target
    at once. With N(i) the words around i, and j a word of the translation that i is aligned with,
    i predicts N(i) with weight 1, and N(j) with weight β, in both directions. As in word2vec, N
    reaches a number of words drawn from 1 to ``window``, frequent words are left out at random
    before, negatives come by their count to the power 3/4, and the learning rate falls linearly.

    Deviation: steps are of a batch (see :class:`~polyglance.vectors.skip_gram.SkipGram`), with a
    higher learning rate than word2vec's 0.025, which is too slow for small texts.

    Args:
        pairs: the words of sentences and of their translations.
        dimension: of a vector; Portaz et al. (2019) have 300.
        window: words to each side, at most.
        negatives: against each prediction, from its language.
        epochs: how often the text is read.
        min_count: rarer words get no vector, and no place in a window.
        subsample: a word of a larger share of the text than this is left out at times.
        learning_rate: at the beginning.
        alignments: (links, 2) for each pair, which words translate each other, from
            :func:`~polyglance.vectors.word_alignments.read_alignments` or
            :func:`~polyglance.vectors.ibm1.align_words`; by position where absent.
        bilingual_weight: β.
        seed: of all that is drawn; the same seed gives the same vectors.
        after_epoch: called after each.

    Returns:
        The input vectors of both languages' words, the most frequent first.

    Raises:
        ConfigError: no word of a language is frequent enough, or the alignments do not fit the
            sentences.
    """
    vocabularies = [_vocabulary(pairs, side, min_count) for side in (0, 1)]
    bitext = _bitext(pairs, alignments, vocabularies)
    generator = torch.Generator().manual_seed(seed)
    split = len(vocabularies[0].words)  # rows of the target's words come behind the source's
    total = split + len(vocabularies[1].words)
    model = SkipGram(words=total, dimension=dimension, generator=generator)
    kept = [_kept_share(vocabulary.counts, subsample) for vocabulary in vocabularies]
    noises = [_Noise(vocabulary.counts) for vocabulary in vocabularies]
    steps, step = epochs * -(-len(pairs) // BATCH), 0
    for _ in range(epochs):
        text = _thinned(bitext, kept, generator)
        for chosen in _batches(text, generator):
            source, source_there = text.source.padded(chosen)
            target, target_there = text.target.padded(chosen)
            near = [_near(there, window, generator) for there in (source_there, target_there)]
            predicted = who_predicts_whom(near, text.linked(chosen), weight=bilingual_weight)
            drawn = [noise.draw(len(chosen), DRAWN * negatives, generator) for noise in noises]
            model.step(
                torch.cat([source, target + split], dim=1),  # (batch, m + n)
                predicted,
                torch.cat([drawn[0], drawn[1] + split], dim=1),  # (batch, 2 · drawn)
                _against(predicted, source.shape[1], drawn=drawn[0].shape[1]) / DRAWN,
                learning_rate=learning_rate * max(1 - step / steps, LEAST),
            )
            step += 1
        if after_epoch is not None:
            after_epoch()
    return BilingualSpace(
        WordSpace(vocabularies[0].words, model.inputs[:split].clone()),
        WordSpace(vocabularies[1].words, model.inputs[split:].clone()),
    )


def who_predicts_whom(near: Sequence[Tensor], linked: Tensor, *, weight: float) -> Tensor:
    """Put all four directions in one matrix, the source's words before the target's.

    ::

        [   N_s     β A N_t ]
        [ β Aᵀ N_s    N_t   ]

    Args:
        near: N_s (batch, m, m) and N_t (batch, n, n), 1 where the column's word is a neighbour.
        linked: A (batch, m, n), 1 where words translate each other.
        weight: β.

    Returns:
        (batch, m + n, m + n).
    """
    source, target = near
    forth = torch.bmm(linked, target)  # (batch, m, n)
    back = torch.bmm(linked.transpose(1, 2), source)  # (batch, n, m)
    above = torch.cat([source, weight * forth], dim=2)  # (batch, m, m + n)
    below = torch.cat([weight * back, target], dim=2)  # (batch, n, m + n)
    return torch.cat([above, below], dim=1)


class _Noise:
    """Draws words by their count to the power 3/4."""

    def __init__(self, counts: Tensor) -> None:
        self._up_to = counts.double().pow(0.75).cumsum(0)  # (words,)

    def draw(self, rows: int, columns: int, generator: torch.Generator) -> Tensor:
        """(rows, columns) int64."""
        drawn = torch.rand(rows, columns, dtype=torch.float64, generator=generator)
        return torch.searchsorted(self._up_to, drawn * self._up_to[-1], right=True)


def _against(predicted: Tensor, split: int, *, drawn: int) -> Tensor:
    """How often each word predicts either language, for each of its negatives.

    Args:
        predicted: (batch, m + n, m + n).
        split: m.
        drawn: negatives of a language.

    Returns:
        (batch, m + n, 2 · drawn).
    """
    languages = predicted.tensor_split([split], dim=2)
    sums = torch.stack([each.sum(dim=2) for each in languages], dim=2)  # (batch, m + n, 2)
    return sums.repeat_interleave(drawn, dim=2)


def _near(there: Tensor, window: int, generator: torch.Generator) -> Tensor:
    """Which words are neighbours of which, as far as each one's window, drawn anew, reaches.

    Args:
        there: (batch, words) bool, false at padding.
        window: the furthest.
        generator: draws.

    Returns:
        (batch, words, words) float32; no word is a neighbour of its own.
    """
    reach = torch.randint(1, window + 1, there.shape, generator=generator)  # (batch, words)
    place = torch.arange(there.shape[1])
    apart = (place - place[:, None]).abs()  # (words, words)
    within = (apart > 0) & (apart <= reach[:, :, None])  # (batch, words, words)
    return (within & there[:, :, None] & there[:, None, :]).float()


def _kept_share(counts: Tensor, subsample: float) -> Tensor:
    """(words,) how often an occurrence is kept, by word2vec's code: √(t/f) + t/f for a share f."""
    rarity = subsample * counts.sum() / counts
    return (rarity.sqrt() + rarity).clamp_max(1.0)


def _thinned(bitext: Bitext, kept: Sequence[Tensor], generator: torch.Generator) -> Bitext:
    """Leave frequent words out at random."""
    source, target = (
        torch.rand(len(side.ids), generator=generator) < share[side.ids]
        for side, share in zip((bitext.source, bitext.target), kept, strict=True)
    )
    return bitext.only(source, target)


def _batches(text: Bitext, generator: torch.Generator) -> Iterator[Tensor]:
    """All sentence pairs in random order, beside others of about their length."""
    lengths = text.source.lengths() + text.target.lengths()  # (pairs,)
    order = torch.randperm(len(lengths), generator=generator)
    for first in range(0, len(order), ALIKE * BATCH):
        some = order[first : first + ALIKE * BATCH]
        some = some[lengths[some].argsort(stable=True)]
        starts = torch.arange(0, len(some), BATCH)
        for start in starts[torch.randperm(len(starts), generator=generator)].tolist():
            yield some[start : start + BATCH]


def _vocabulary(pairs: Pairs, side: int, min_count: int) -> Vocabulary:
    vocabulary = Vocabulary.of((pair[side] for pair in pairs), min_count=min_count)
    if not vocabulary.words:
        raise ConfigError(
            f"no word of the {('source', 'target')[side]} language occurs {min_count} times; give "
            "more text or a lower min_count"
        )
    return vocabulary


def _bitext(
    pairs: Pairs, alignments: Sequence[Tensor] | None, vocabularies: Sequence[Vocabulary]
) -> Bitext:
    """As numbers, without the words that are too rare."""
    if alignments is None:
        alignments = monotonic_alignments(pairs)
    if len(alignments) != len(pairs):
        raise ConfigError(
            f"{len(alignments)} alignments for {len(pairs)} sentence pairs; one for each is needed"
        )
    source, target = (
        Side.of([pair[side] for pair in pairs], vocabularies[side].words) for side in (0, 1)
    )
    pair = torch.arange(len(pairs)).repeat_interleave(
        torch.tensor([len(links) for links in alignments])
    )  # (links,)
    links = torch.cat(list(alignments))  # (links, 2)
    lengths = torch.stack([source.lengths(), target.lengths()], dim=1)[pair]  # (links, 2)
    wrong = ((links < 0) | (links >= lengths)).any(dim=1)
    if wrong.any():
        raise ConfigError(
            f"sentence pair {int(pair[wrong][0]) + 1}: its alignment names a word that is not "
            "there; align the words as they are segmented here"
        )
    links = links + torch.stack([source.start, target.start], dim=1)[pair]
    order = links[:, 0].argsort(stable=True)
    return Bitext(source, target, links[order]).only(source.ids >= 0, target.ids >= 0)

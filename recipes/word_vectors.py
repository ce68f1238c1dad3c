"""Word vectors where none can be downloaded: counted and factorised from sentences.

LIWE + GloVe (Wehrmann et al. 2019) starts from pretrained vectors. Without a place to fetch them
from we make a stand-in that has read text and no picture: the positive pointwise mutual information
of words that stand near each other, factorised (Levy, Goldberg and Dagan, "Improving distributional
similarity with lessons learned from word embeddings", TACL 2015: near words weigh more, contexts
smoothed by the power .75, singular values to the power ½). They find no kind of vectors better than
the others everywhere once such details are equal; this kind takes half a minute for 110,000
sentences, and no library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

WINDOW, MIN_COUNT, LARGEST = 5, 3, 8000
SMOOTHING = 0.75


def count_vectors(
    sentences: Sequence[str], path: Path, *, dimension: int = 300, seed: int = 0
) -> None:
    """Write the vectors of sentences in one language to ``path`` (.vec); done already is done.

    Args:
        sentences: of one language, none of which describes a picture to be tested on.
        path: of the file; a word a line, the most frequent first.
        dimension: of a vector; less where there are fewer words.
        seed: of the factorisation.
    """
    import torch
    from torch.nn.functional import normalize

    from polyglance.text.segment import Segmenter

    if path.exists():
        return
    segmenter = Segmenter()
    texts = [segmenter.words(sentence) for sentence in sentences]
    counts = Counter(word for text in texts for word in text)
    words = [word for word, count in counts.most_common(LARGEST) if count >= MIN_COUNT]
    information = _information(_near_each_other(texts, words))
    torch.manual_seed(seed)
    rank = min(dimension, len(words))
    left, values, _ = torch.svd_lowrank(information, q=rank, niter=4)
    vectors = normalize(left * values.sqrt(), dim=1)  # (words, dimension)
    lines = [f"{len(words)} {rank}", *_lines(words, vectors)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"counted: {len(words)} word vectors of {rank} in {path.name}")


def _near_each_other(texts: Sequence[Sequence[str]], words: Sequence[str]) -> Tensor:
    """(words, words) how often each pair stands at most ``WINDOW`` apart, near ones counted more.

    Rare words leave a gap, so that those beside them do not move closer together.
    """
    import torch

    numbers = {word: number for number, word in enumerate(words)}
    gap = [-1] * WINDOW  # between sentences too
    ids = torch.tensor([n for text in texts for n in [numbers.get(w, -1) for w in text] + gap])
    found = torch.zeros(len(words) * len(words))
    for distance in range(1, WINDOW + 1):
        first, second = ids[:-distance], ids[distance:]
        both = (first >= 0) & (second >= 0)
        pairs = first[both] * len(words) + second[both]
        weight = (WINDOW + 1 - distance) / WINDOW
        found.index_add_(0, pairs, torch.full(pairs.shape, weight))
    counted = found.reshape(len(words), len(words))
    return counted + counted.T


def _information(counts: Tensor) -> Tensor:
    """Positive pointwise mutual information, log P(word, context) / P(word) P_.75(context)."""
    word = counts.sum(dim=1, keepdim=True)  # (words, 1)
    context = counts.sum(dim=0, keepdim=True) ** SMOOTHING  # (1, words)
    expected = word * (context / context.sum())
    return (counts / expected.clamp(min=1e-9)).log_().nan_to_num_(nan=0, neginf=0).clamp_(min=0)


def _lines(words: Sequence[str], vectors: Tensor) -> Iterator[str]:
    for word, row in zip(words, vectors.tolist(), strict=True):
        yield word + " " + " ".join(f"{number:.5f}" for number in row)

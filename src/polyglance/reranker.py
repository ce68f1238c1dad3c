"""A second, slower look: a model that compares pair by pair orders what another one has found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyglance.retriever import Hit, Retriever

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from polyglance.features import Features
    from polyglance.retriever import Picture

PAIRS_AT_ONCE = 1024
"""Pairs between two signs of progress; a system cuts them further as its memory asks."""


class Reranker:
    """A trained system that compares texts with the few pictures that are worth it.

    Models that see picture and text together, such as Fei et al. (NAACL 2021) and SCAN, judge
    better than two vectors can, and need a comparison for every pair: no index can hold them. So a
    faster model finds candidates, and this one puts them in order. Any model can rerank; one that
    compares embeddings gains nothing by it that searching with it would not.

    Example:
        >>> reranker = Reranker.load("runs/paper-1/model")
        >>> reranker.rerank("ein Hund im Schnee", ["a.jpg", "b.jpg"], language="de")
        [Hit(row=1, score=2.1), Hit(row=0, score=-0.3)]

    The pictures' side can be encoded once and kept: :meth:`encode_images` gives what
    :meth:`rerank` and :meth:`score` take.

    Attributes:
        encoder: the model with its reading of pictures and texts.
    """

    def __init__(self, encoder: Retriever) -> None:
        self.encoder = encoder

    @classmethod
    def load(cls, path_or_name: str | Path) -> Reranker:
        """Load a built-in model by name, or a checkpoint by its folder. Never uses the network.

        Raises:
            ModelError: there is no such model, or its checkpoint is damaged.
            WeightsError: a pretrained tower that it needs has not been fetched yet.
        """
        return cls(Retriever.load(path_or_name))

    def encode_images(
        self, images: Sequence[Picture], *, batch_size: int = 32, show_progress: bool = False
    ) -> Features:
        """Pictures, by path or as PIL images, as far as they can be encoded without a text.

        Raises:
            PictureError: a picture cannot be read; the message names it.
            ValueError: there is no picture.
        """
        return self.encoder.image_features(
            images, batch_size=batch_size, show_progress=show_progress
        )

    def encode_texts(
        self, texts: Sequence[str], *, language: str | Sequence[str] | None = None
    ) -> Features:
        """Texts as far as they can be encoded without a picture.

        Args:
            texts: in any language of the model's.
            language: one BCP-47 tag for all, one for each, or ``None`` where it is not known.

        Raises:
            ValueError: ``language`` has another length than ``texts``, or there is no text.
        """
        return self.encoder.text_features(texts, language=language)

    def score(self, images: Features, texts: Features) -> NDArray[np.float32]:
        """(images, texts): every picture with every text, higher is more alike."""
        import torch

        every = torch.cartesian_prod(torch.arange(len(images)), torch.arange(len(texts)))
        scores = self.score_pairs(images, texts, every.view(-1, 2))
        return scores.view(len(images), len(texts)).numpy()

    def score_pairs(
        self, images: Features, texts: Features, pairs: Tensor, *, show_progress: bool = False
    ) -> Tensor:
        """Scores of chosen pairs, in bfloat16 where that is fast, those of like texts together.

        Args:
            images: of :meth:`encode_images`.
            texts: of :meth:`encode_texts`.
            pairs: (pairs, 2) int64, a row of ``images`` and one of ``texts`` each.
            show_progress: on standard error.

        Returns:
            (pairs,) float32.
        """
        import torch

        from polyglance.precision import inference_precision
        from polyglance.progress import track

        scores = torch.empty(len(pairs))
        by_length = _by_length(texts, pairs[:, 1])
        with (
            torch.inference_mode(),
            inference_precision(images.embedding.device.type),
            track("pairs", len(pairs), show=show_progress) as advance,
        ):
            for some in torch.split(by_length, PAIRS_AT_ONCE):
                scores[some] = self.encoder.system.score_pairs(images, texts, pairs[some]).cpu()
                advance(len(some))
        return scores

    def rerank(
        self,
        query: str,
        candidates: Sequence[Picture] | Features,
        *,
        language: str | None = None,
        first: Sequence[float] | None = None,
        weight: float = 0.0,
    ) -> list[Hit]:
        """All candidates, best first.

        Args:
            query: words, in any language of the model's.
            candidates: pictures, by path or as PIL images; or what :meth:`encode_images` made.
            language: BCP-47 tag of the words, or ``None`` where it is not known.
            first: (candidates,) scores of the model that found them.
            weight: of these: candidates are ordered by the score here + weight · ``first``.

        Returns:
            Rows of the candidates, each with the sum that it was ordered by; of equal sums the
            earlier candidate first.

        Raises:
            PictureError: a picture cannot be read; the message names it.
            ValueError: there is not one ``first`` for each candidate, or a weight without any.
        """
        import numpy as np

        from polyglance.features import Features

        if weight and first is None:
            raise ValueError(f"a weight of {weight} needs the first scores that it weighs")
        if first is not None and len(first) != len(candidates):
            raise ValueError(f"{len(candidates)} candidates but {len(first)} first scores")
        if not len(candidates):
            return []
        images = candidates if isinstance(candidates, Features) else self.encode_images(candidates)
        scores = self.score(images, self.encode_texts([query], language=language))[:, 0]
        if first is not None:
            scores = scores + weight * np.asarray(first, dtype=np.float32)
        best = np.argsort(-scores, kind="stable")
        return [Hit(int(row), float(scores[row])) for row in best]


def _by_length(texts: Features, asked: Tensor) -> Tensor:
    """(pairs,) rows of texts → an order of the pairs: short texts first, equal texts together."""
    import torch

    order = asked.argsort(stable=True)
    if texts.mask is None:
        return order
    lengths = texts.mask.sum(dim=1).to(torch.int64)  # (texts,)
    return order[lengths[asked[order]].argsort(stable=True)]

"""Stacked cross attention: every part of one side looks for itself in the other (SCAN)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from polyglance.features import Features
from polyglance.matching.base import Matching
from polyglance.precision import full_precision
from polyglance.unit import unit_rows

Direction = Literal["text-to-image", "image-to-text"]
Pooling = Literal["lse", "mean"]

# λ and Λ of the authors, on Flickr30k; on COCO they take Λ = 20 where regions ask.
SCALES: dict[Direction, tuple[float, float]] = {
    "text-to-image": (9.0, 6.0),
    "image-to-text": (4.0, 5.0),
}
# Squares no larger than these are lengths of nothing; they keep gradients finite.
NOTHING, LEAST = 1e-16, 1e-30
# e^2λ must be a float32, and e^−2λ must be more than nothing.
LARGEST_SCALE = 30.0
# Products compared at once: their passes stay in a core's cache.
BLOCK = 2**18
# Where more of all pairs are reached, one product with all is faster than many with a few.
MANY = 0.25
# Where more of a block's images are reached, all of them are compared again.
MOST = 0.75


class StackedCrossAttention(Matching):
    """SCAN's comparison of regions and words (Lee et al., ECCV 2018, section 3.1).

    One side asks and the other is its context: words ask regions (``text-to-image``), or regions
    ask words (``image-to-text``). For the query parts q and context parts c of one pair::

        a_qc = LeakyReLU.1(⟨q, c⟩)                  ā_qc = a_qc / ‖a_·c‖
        q̃ = Σ_c softmax_c(λ ā_qc) c                 r_q = cos(q, q̃)
        s = 1/Λ log Σ_q exp(Λ r_q)  (``lse``)       or the mean of r_q  (``mean``)

    The leak is that of the authors' code; equation 1 has none. The context that q finds, q̃, is
    never formed: with weights w and the Gram matrix G of the context, ⟨q, q̃⟩ = Σ_c w_c ⟨q, c⟩ and
    ‖q̃‖² = wᵀ G w. A cosine does not notice how long q̃ is, so the softmax needs no denominator.

    Words are laid end to end and padded regions weigh nothing, so that a score does not depend on
    what stands beside it in the batch. Products of parts follow autocast, the rest is computed in
    float32 or better. Parts are given unit length here, whatever length they come with.

    Args:
        direction: who asks.
        pooling: of the similarities r.
        inverse_temperature: λ; ``None``: the authors' 9 for text-to-image, 4 for image-to-text.
        lse_scale: Λ; ``None``: the authors' 6 for text-to-image, 5 (on COCO 20) for image-to-text.

    Raises:
        ValueError: a scale is not positive, or so large that exponentials overflow.
    """

    def __init__(
        self,
        *,
        direction: Direction = "text-to-image",
        pooling: Pooling = "mean",
        inverse_temperature: float | None = None,
        lse_scale: float | None = None,
    ) -> None:
        super().__init__()
        given = inverse_temperature, lse_scale
        scales = [
            usual if scale is None else scale
            for scale, usual in zip(given, SCALES[direction], strict=True)
        ]
        for scale in scales:
            if not 0 < scale <= LARGEST_SCALE:
                raise ValueError(f"a scale of {scale} is not above 0 and up to {LARGEST_SCALE}")
        self.comparison = _Comparison(direction, pooling, *scales)

    def forward(self, images: Features, texts: Features) -> Tensor:
        """Tokens (images, regions, dim) and (texts, words, dim) → (images, texts) scores.

        Raises:
            ValueError: a side comes without tokens, or with an image or a text of no part.
        """
        regions, region_mask = _parts(images, "image")
        words, word_mask = _parts(texts, "text")
        lengths = word_mask.sum(dim=1)  # (texts,)
        order = lengths.argsort(stable=True)  # texts of equal length become neighbours
        packed = words[order][word_mask[order]]  # (all words, dim)
        device = packed.device.type
        autocast = torch.is_autocast_enabled(device)
        products = torch.get_autocast_dtype(device) if autocast else packed.dtype
        with full_precision(packed):
            scores: Tensor = _AllPairs.apply(  # type: ignore[no-untyped-call]
                packed,
                regions,
                None if region_mask.all() else region_mask.to(regions.dtype),
                lengths[order].tolist(),
                self.comparison,
                products,
            )  # (texts by length, images)
        return scores[order.argsort()].T

    def floats_per_pair(self, images: Features, texts: Features) -> int:
        """The products of all parts, in both precisions."""
        if images.tokens is None or texts.tokens is None:
            return 1
        return 2 * images.tokens.shape[1] * texts.tokens.shape[1]


def _parts(features: Features, what: str) -> tuple[Tensor, Tensor]:
    """Unit tokens, zero at padding (batch, length, dim), and their mask (batch, length)."""
    tokens, mask = features.tokens, features.mask
    if tokens is None:
        raise ValueError(f"stacked cross attention compares parts, and no {what} comes with any")
    if mask is None:
        mask = tokens.new_ones(tokens.shape[:2], dtype=torch.bool)
    if not mask.any(dim=1).all():
        raise ValueError(f"one {what} has no part that could be compared")
    tokens = unit_rows(tokens)
    return tokens if mask.all() else tokens * mask[..., None], mask


@dataclass(frozen=True, slots=True)
class _Comparison:
    """From products of parts to scores, for texts of one length; see the module's equations."""

    direction: Direction
    pooling: Pooling
    inverse_temperature: float
    lse_scale: float

    @property
    def texts_ask(self) -> bool:
        return self.direction == "text-to-image"

    def __call__(self, products: Tensor, gram: Tensor, mask: Tensor | None) -> Tensor:
        """(texts, words, images, regions), the context's Gram matrices, (images, regions) or none.

        Returns:
            (texts, images).
        """
        asking, context = (1, 3) if self.texts_ask else (3, 1)
        found = functional.leaky_relu(products, 0.1)
        norm = found.square().sum(dim=asking, keepdim=True).add(NOTHING).rsqrt()
        weights = (found * (norm * self.inverse_temperature)).exp()
        if mask is not None and self.texts_ask:
            weights = weights * mask
        along = (weights * products).sum(dim=context)  # (texts, words, images) or (t, i, regions)
        squares = (weights * self._through(weights, gram)).sum(dim=context)
        similarity = along * squares.clamp_min(LEAST).rsqrt()
        if self.texts_ask:
            return self._pool(similarity.mT, None)  # (texts, images, words)
        return self._pool(similarity, mask)  # (texts, images, regions)

    def _through(self, weights: Tensor, gram: Tensor) -> Tensor:
        """G w, in the shape of ``weights``."""
        if not self.texts_ask:
            return (gram @ weights.flatten(2)).view_as(weights)
        by_image = weights.flatten(0, 1).transpose(0, 1)  # (images, texts · words, regions)
        return (by_image @ gram).transpose(0, 1).reshape(weights.shape)

    def _pool(self, similarity: Tensor, mask: Tensor | None) -> Tensor:
        """(…, query parts) → (…)."""
        if self.pooling == "lse":
            powers = (self.lse_scale * similarity).exp()
            total = powers.sum(dim=-1) if mask is None else (powers * mask).sum(dim=-1)
            return total.log() / self.lse_scale
        if mask is None:
            return similarity.mean(dim=-1)
        return (similarity * mask).sum(dim=-1) / mask.sum(dim=-1)


class _Block(NamedTuple):
    """Texts of one length beside some images.

    Attributes:
        texts: rows of the scores.
        words: rows of the products.
        length: words of each text.
        images: columns of both.
    """

    texts: slice
    words: slice
    length: int
    images: slice

    def by_text(self, products: Tensor) -> Tensor:
        """(words, images, regions) → (texts, words each, images, regions)."""
        return products.view(-1, self.length, *products.shape[1:])


def _blocks(lengths: list[int], images: int, regions: int) -> Iterator[_Block]:
    """Cut all pairs into blocks of about ``BLOCK`` products; ``lengths`` ascend."""
    text, word = 0, 0
    while text < len(lengths):
        length = lengths[text]
        alike = lengths.count(length)
        columns = max(min(images, BLOCK // (length * regions)), 1)
        rows = max(min(alike, BLOCK // (length * regions * columns)), 1)
        for first in range(0, alike, rows):
            count = min(rows, alike - first)
            texts = slice(text + first, text + first + count)
            words = slice(word + first * length, word + (first + count) * length)
            for left in range(0, images, columns):
                yield _Block(texts, words, length, slice(left, min(left + columns, images)))
        text, word = text + alike, word + alike * length


class _AllPairs(torch.autograd.Function):
    """A comparison of all pairs, block by block, that remembers only what it was given.

    The gradient compares again, and only the pairs whose scores it reaches: a loss of the hardest
    negatives reaches a few in a hundred.
    """

    @staticmethod
    def forward(
        ctx: Any,
        words: Tensor,
        regions: Tensor,
        mask: Tensor | None,
        lengths: list[int],
        comparison: _Comparison,
        products_in: torch.dtype,
    ) -> Tensor:
        """(all words, dim), (images, regions, dim) → (texts, images)."""
        low = _Sides(words.to(products_in), regions.to(products_in))
        products = functional.linear(low.words, low.regions.flatten(0, 1))
        products = products.view(-1, *regions.shape[:2])  # (all words, images, regions)
        gram = regions @ regions.mT if comparison.texts_ask else None
        scores = words.new_empty(len(lengths), len(regions))
        for block in _blocks(lengths, *regions.shape[:2]):
            scores[block.texts, block.images] = comparison(
                block.by_text(products[block.words, block.images]).to(words.dtype),
                _gram_of_words(words, block) if gram is None else gram[block.images],
                None if mask is None else mask[block.images],
            )
        ctx.save_for_backward(words, regions, mask, *low, products, gram)
        ctx.lengths, ctx.comparison = lengths, comparison
        return scores

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """(texts, images) → gradients of the words and of the regions."""
        words, regions, mask, low_words, low_regions, products, gram = ctx.saved_tensors
        reached = gradient != 0  # (texts, images)
        on_words, on_products = torch.zeros_like(words), torch.zeros_like(products)
        on_gram = None if gram is None else torch.zeros_like(gram)
        for block in _blocks(ctx.lengths, *regions.shape[:2]):
            images = _reached_images(reached, block)
            if images is None:
                continue
            one, other = _gradients(
                ctx.comparison,
                block.by_text(products[block.words][:, images]).to(words.dtype),
                _gram_of_words(words, block) if gram is None else gram[images],
                None if mask is None else mask[images],
                gradient[block.texts][:, images],
            )
            rows = one.flatten(0, 1).to(products.dtype)  # (block's words, images, regions)
            on_products[block.words, images] = rows
            on_words[block.words] += rows.flatten(1) @ low_regions[images].flatten(0, 1)
            if on_gram is None:
                _add_through_gram(
                    block.by_text(on_words[block.words]), other, block.by_text(words[block.words])
                )
            else:
                on_gram[images] += other
        on_regions = _on_regions(on_products, low_words, _of_words(reached, ctx.lengths))
        on_regions = on_regions.to(regions.dtype)
        if on_gram is not None:
            _add_through_gram(on_regions, on_gram, regions)
        return on_words, on_regions, None, None, None, None


class _Sides(NamedTuple):
    """(all words, dim) and (images, regions, dim)."""

    words: Tensor
    regions: Tensor


def _reached_images(reached: Tensor, block: _Block) -> slice | Tensor | None:
    """Those of a block that any of its texts reaches: rows, all where most are, or none."""
    there = reached[block.texts, block.images].any(dim=0)  # (block's images,)
    count = int(there.sum())
    if count > MOST * len(there):
        return block.images  # to gather the few would take longer than to compare them all
    return there.nonzero().squeeze(1) + block.images.start if count else None


def _gram_of_words(words: Tensor, block: _Block) -> Tensor:
    """(texts, words each, words each) of a block's texts."""
    texts = block.by_text(words[block.words])  # (texts, words each, dim)
    return texts @ texts.mT


def _add_through_gram(on_parts: Tensor, on_gram: Tensor, parts: Tensor) -> None:
    """Add what gradients of x xᵀ (some, length, length) mean for x (some, length, dim)."""
    on_parts.baddbmm_(on_gram + on_gram.mT, parts)


def _of_words(of_texts: Tensor, lengths: list[int]) -> Tensor:
    """(texts, images) → (all words, images)."""
    repeats = torch.tensor(lengths, dtype=torch.int64, device=of_texts.device)  # of no text, too
    return of_texts.repeat_interleave(repeats, dim=0)


def _on_regions(on_products: Tensor, words: Tensor, reached: Tensor) -> Tensor:
    """Σ over words of an image's gradient times the word, over those that reach the image.

    Args:
        on_products: (all words, images, regions).
        words: (all words, dim).
        reached: (all words, images).

    Returns:
        (images, regions, dim).
    """
    if reached.float().mean() > MANY:
        return torch.einsum("wir,wd->ird", on_products, words)
    found = []
    for image, there in enumerate(reached.T):
        rows = there.nonzero().squeeze(1)  # (words,)
        found.append(on_products[rows, image].T @ words[rows])  # (regions, dim)
    return torch.stack(found)


def _gradients(
    comparison: _Comparison, products: Tensor, gram: Tensor, mask: Tensor | None, on_scores: Tensor
) -> tuple[Tensor, ...]:
    """Compare once more, and return the gradients of the products and of the Gram matrices."""
    inputs = products.detach().requires_grad_(), gram.detach().requires_grad_()
    with torch.enable_grad():
        scores = comparison(*inputs, mask)
    return torch.autograd.grad(scores, inputs, on_scores)

"""Cosines told to each place, against a loop over places."""

from __future__ import annotations

import torch
from tests.single_stream.tiny_stream import (
    LANGUAGES,
    TEXTS,
    WIDTH,
    embedded,
    tiny_regions,
    tiny_stream,
)
from torch import Tensor

from polyglance.single_stream.likeness import Likeness, text_mean
from polyglance.single_stream.visual_embedding import EmbeddedRegions


def sides() -> tuple[Tensor, Tensor, EmbeddedRegions]:
    torch.manual_seed(0)
    stream = tiny_stream()
    texts, mask = embedded(stream, TEXTS, LANGUAGES)
    images = stream.embed_regions(tiny_regions())
    return texts.detach().requires_grad_(), mask, images


def loop(
    likeness: Likeness, texts: Tensor, mask: Tensor, images: EmbeddedRegions
) -> tuple[Tensor, Tensor]:
    def cosine(one: Tensor, other: Tensor) -> Tensor:
        return one @ other / (one.norm() * other.norm())

    overall, word, best, region = likeness.hints
    of_texts = torch.zeros_like(texts)
    of_regions = torch.zeros_like(images.vectors)
    for n in range(len(texts)):
        words = [texts[n, i] for i in range(texts.shape[1]) if mask[n, i]]
        regions = [images.vectors[n, j] for j in range(images.mask.shape[1]) if images.mask[n, j]]
        mean = sum(words) / len(words)
        for i, one in enumerate(words):
            of_texts[n, i] = (
                cosine(mean, images.whole[n]) * overall
                + cosine(one, images.whole[n]) * word
                + max(cosine(one, other) for other in regions) * best
            )
        for j, one in enumerate(regions):
            of_regions[n, j] = max(cosine(one, other) for other in words) * region
    return of_texts, of_regions


def test_values_and_gradients_are_those_of_a_loop() -> None:
    texts, mask, images = sides()
    likeness = Likeness(width=WIDTH)
    found = likeness(texts, mask, images)
    wanted = loop(likeness, texts, mask, images)
    there = (mask, images.mask)
    torch.manual_seed(1)
    weights = [
        torch.randn_like(each) * on[..., None] for each, on in zip(wanted, there, strict=True)
    ]
    for mine, theirs, on in zip(found, wanted, there, strict=True):
        torch.testing.assert_close(mine[on], theirs[on])

    def gradients(told: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        total = sum((each * weight).sum() for each, weight in zip(told, weights, strict=True))
        return torch.autograd.grad(total, [texts, likeness.hints], retain_graph=True)

    for mine, theirs in zip(gradients(found), gradients(wanted), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_stream_adds_it_before_the_transformer() -> None:
    texts, mask, images = sides()
    torch.manual_seed(2)
    plain = tiny_stream()
    told = tiny_stream(likeness=Likeness(width=WIDTH))
    told.load_state_dict(plain.state_dict(), strict=False)
    assert told.likeness is not None
    of_texts, of_regions = told.likeness(texts, mask, images)
    by_hand = plain(
        texts + of_texts,
        mask,
        EmbeddedRegions(images.vectors + of_regions, images.whole, images.mask),
    )
    found = told(texts, mask, images)
    torch.testing.assert_close(found.first, by_hand.first)
    torch.testing.assert_close(found.regions, by_hand.regions)
    assert (found.first != plain(texts, mask, images).first).any()
    torch.testing.assert_close(told(texts, mask).first, plain(texts, mask).first)  # no picture


def test_padding_is_like_nothing() -> None:
    texts, mask, images = sides()
    likeness = Likeness(width=WIDTH)
    of_texts, of_regions = likeness(texts, mask, images)
    with torch.no_grad():
        texts[~mask] = 100 * torch.randn_like(texts[~mask])
        images.vectors[~images.mask] = 100 * torch.randn_like(images.vectors[~images.mask])
    again = likeness(texts, mask, images)
    torch.testing.assert_close(again[0][mask], of_texts[mask])
    torch.testing.assert_close(again[1][images.mask], of_regions[images.mask])


def test_a_mean_is_over_what_is_there() -> None:
    texts = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True, False]])
    assert text_mean(texts, mask).tolist() == [[2.0, 3.0]]

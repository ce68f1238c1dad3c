"""Regions and whole pictures, against a loop over regions."""

from __future__ import annotations

import pytest
import torch
from tests.single_stream.tiny_stream import CHANNELS, tiny_regions
from torch import Tensor

from polyglance.single_stream.geometry import BoxEncoding
from polyglance.single_stream.visual_embedding import VisualEmbedding
from polyglance.vision.described_regions import DescribedRegions

WIDTH = 8


def visual(*, scale: float = 1.0, dropout: float = 0.0) -> VisualEmbedding:
    torch.manual_seed(0)
    embedding = VisualEmbedding(
        channels=CHANNELS,
        width=WIDTH,
        geometry=BoxEncoding(frequencies=2),
        dropout=dropout,
        scale=scale,
    )
    embedding.hidden.data.normal_()
    embedding.region_norm.bias.data.normal_()
    embedding.whole_norm.weight.data.normal_()
    return embedding


def loop(
    embedding: VisualEmbedding, regions: DescribedRegions, hidden: Tensor | None
) -> tuple[Tensor, Tensor]:
    def one(box: Tensor, feature: Tensor, norm: torch.nn.Module) -> Tensor:
        both = torch.cat([embedding.geometry(box), feature])
        return norm(torch.relu(embedding.projection(both)))

    vectors, wholes = [], []
    for picture in range(len(regions)):
        shown = []
        for region in range(regions.mask.shape[1]):
            feature = regions.features[picture, region]
            if hidden is not None and hidden[picture, region]:
                feature = embedding.hidden
            elif regions.mask[picture, region]:
                shown.append(feature)
            vectors.append(one(regions.boxes[picture, region], feature, embedding.region_norm))
        mean = sum(shown) / len(shown) if shown else torch.zeros(CHANNELS)
        wholes.append(one(torch.tensor([0.0, 0.0, 1.0, 1.0]), mean, embedding.whole_norm))
    return torch.stack(vectors).view(*regions.mask.shape, WIDTH), torch.stack(wholes)


@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients_are_those_of_a_loop(masked: bool) -> None:
    embedding, regions = visual(), tiny_regions()
    hidden = torch.zeros_like(regions.mask)
    hidden[0, 1] = hidden[1, 0] = hidden[2, 2:] = True  # the second picture shows nothing more
    given = hidden if masked else None
    found = embedding(regions, hidden=given)
    vectors, whole = loop(embedding, regions, given)
    torch.testing.assert_close(found.vectors, vectors)
    torch.testing.assert_close(found.whole, whole)
    assert torch.equal(found.mask, regions.mask)

    torch.manual_seed(1)
    on_vectors, on_whole = torch.randn_like(vectors), torch.randn_like(whole)
    parameters = [p for name, p in embedding.named_parameters() if masked or name != "hidden"]
    one = torch.autograd.grad(
        (found.vectors * on_vectors).sum() + (found.whole * on_whole).sum(), parameters
    )
    other = torch.autograd.grad((vectors * on_vectors).sum() + (whole * on_whole).sum(), parameters)
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_hidden_features_leave_no_trace() -> None:
    embedding, regions = visual(), tiny_regions()
    hidden = torch.zeros_like(regions.mask)
    hidden[0, 1] = True
    changed = regions.features.clone()
    changed[0, 1] = 7.0
    other = DescribedRegions(changed, regions.boxes, regions.probabilities, regions.mask)
    one, two = embedding(regions, hidden=hidden), embedding(other, hidden=hidden)
    assert torch.equal(one.vectors, two.vectors)
    assert torch.equal(one.whole, two.whole)
    assert not torch.equal(embedding(other).whole, embedding(regions).whole)


def test_at_zero_a_picture_says_nothing_but_learns() -> None:
    embedding, regions = visual(scale=0.0), tiny_regions()
    torch.nn.init.zeros_(embedding.region_norm.bias)
    found = embedding(regions)
    assert not found.vectors.any()
    (found.vectors * torch.randn_like(found.vectors)).sum().backward()
    assert embedding.region_norm.weight.grad is not None
    assert embedding.region_norm.weight.grad.any()


def test_padding_of_regions_changes_nothing() -> None:
    embedding = visual()
    regions = tiny_regions((3, 1, 2, 2))
    fewer = DescribedRegions(
        regions.features[:, :3], regions.boxes[:, :3], None, regions.mask[:, :3]
    )
    torch.testing.assert_close(embedding(fewer).whole, embedding(regions).whole)
    rows = embedding(regions).rows(torch.tensor([2, 0]))
    assert len(rows) == 2
    torch.testing.assert_close(rows.whole[1], embedding(regions).whole[0])


def test_dropout_is_for_training() -> None:
    embedding, regions = visual(dropout=0.5), tiny_regions()
    assert not torch.equal(embedding(regions).vectors, embedding(regions).vectors)
    embedding.eval()
    assert torch.equal(embedding(regions).vectors, embedding(regions).vectors)

from __future__ import annotations

import pytest
import torch

from polyglance.heads import ProjectionHead
from polyglance.vision.backbone_reader import PICTURES_PER_THREAD
from polyglance.vision.image_encoder import PooledImageEncoder
from polyglance.vision.pooling import AttentionPooling, GridPooling, MeanPooling
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.resnet import ResNet
from polyglance.vision.weldon import WeldonPooling

PIXELS = torch.randint(
    0, 256, (3, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def encoder(pooling: GridPooling | None) -> PooledImageEncoder:
    torch.manual_seed(0)
    backbone = ResNet(
        depths=(1, 1),
        width=4,
        classes=None,
        std=(60, 60, 60),
        preprocessing=Preprocessing(size=64),
    )
    head = ProjectionHead(input_dimension=backbone.channels, dimension=8)
    return PooledImageEncoder(backbone=backbone, pooling=pooling, head=head)


POOLINGS = [None, MeanPooling(), AttentionPooling(channels=32, heads=4)]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_cached_features_give_what_pixels_give(pooling: GridPooling | None) -> None:
    image_encoder = encoder(pooling).eval()
    assert image_encoder.dimension == 8
    assert image_encoder.keeps == ("pooled" if pooling is None else "regions")
    cached = image_encoder.backbone_features(PIXELS)
    assert cached.shape == ((3, 32) if pooling is None else (3, 64, 32))
    embedding = image_encoder(PIXELS).embedding
    torch.testing.assert_close(embedding, image_encoder(cached).embedding)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3))
    half = image_encoder(cached.half()).embedding  # as a feature store keeps them
    torch.testing.assert_close(half, embedding, rtol=0, atol=5e-3)


def test_a_frozen_backbone_stays_frozen_through_training() -> None:
    image_encoder = encoder(MeanPooling())
    assert not image_encoder.is_frozen
    image_encoder.backbone.requires_grad_(False)
    image_encoder.train()
    assert image_encoder.is_frozen
    assert not image_encoder.backbone.training
    assert image_encoder.head.training
    image_encoder(PIXELS).embedding.sum().backward()
    assert all(parameter.grad is None for parameter in image_encoder.backbone.parameters())
    assert all(parameter.grad is not None for parameter in image_encoder.head.parameters())


def test_a_backbone_that_learns_gets_gradients_from_pixels() -> None:
    image_encoder = encoder(AttentionPooling(channels=32, heads=4)).train()
    assert image_encoder.backbone.training
    weights = torch.randn(8, generator=torch.Generator().manual_seed(1))
    (image_encoder(PIXELS).embedding @ weights).sum().backward()
    for name, parameter in image_encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("batch", [0, 1, PICTURES_PER_THREAD, 2 * PICTURES_PER_THREAD + 3])
def test_a_frozen_backbone_takes_few_at_a_time(
    pooling: GridPooling | None, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_encoder = encoder(pooling).eval()
    pixels = PIXELS[torch.arange(batch) % 3]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    whole = image_encoder.backbone_features(pixels)
    image_encoder.backbone.requires_grad_(False)
    sizes: list[int] = []
    image_encoder.backbone.register_forward_hook(lambda *call: sizes.append(len(call[-1].grid)))
    torch.testing.assert_close(image_encoder.backbone_features(pixels), whole, rtol=1e-4, atol=1e-5)
    assert sum(sizes) == batch
    assert max(sizes) <= PICTURES_PER_THREAD


@pytest.mark.parametrize(
    "pooling",
    [
        MeanPooling(),
        AttentionPooling(channels=32, heads=4),
        WeldonPooling(channels=32, output_channels=32, maxima=2, minima=2),
    ],
)
def test_regions_of_zeros_are_no_part_of_a_picture(pooling: GridPooling) -> None:
    torch.manual_seed(0)
    for parameter in pooling.parameters():
        torch.nn.init.normal_(parameter)
    image_encoder = encoder(pooling)
    counts = (3, 6, 1, 3)
    pictures = [torch.randn(count, 32) for count in counts]
    padded = torch.zeros(len(counts), 6, 32)
    for row, regions in zip(padded, pictures, strict=True):
        row[: len(regions)] = regions
    alone = torch.cat([image_encoder(regions[None]).embedding for regions in pictures])
    torch.testing.assert_close(image_encoder(padded).embedding, alone)
    padded.requires_grad_()
    image_encoder(padded).embedding[:, 0].sum().backward()
    assert padded.grad is not None
    assert [int(row.any(1).sum()) for row in padded.grad] == list(counts)
    assert image_encoder(torch.zeros(2, 6, 32)).embedding.isfinite().all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_picture_may_be_one_vector(pooling: GridPooling | None) -> None:
    image_encoder = encoder(pooling)
    vectors = torch.randn(3, 32)
    together = image_encoder(vectors).embedding
    torch.testing.assert_close(together, image_encoder(vectors[:, None]).embedding)

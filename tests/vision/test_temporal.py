"""Frames become one vector: padding takes part in nothing, and order matters only to layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from polyglance.errors import ModelError
from polyglance.heads import ProjectionHead
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.resnet import ResNet
from polyglance.vision.temporal import FramesEncoder, TemporalPooling

CHANNELS, FRAMES = 8, 5


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def frames_and_mask(lengths: tuple[int, ...] = (5, 3, 1)) -> tuple[Tensor, Tensor]:
    frames = torch.randn(len(lengths), FRAMES, CHANNELS)
    mask = torch.arange(FRAMES) < torch.tensor(lengths)[:, None]
    return frames * mask[..., None], mask


def pooling(layers: int, **options: object) -> TemporalPooling:
    return TemporalPooling(channels=CHANNELS, frames=FRAMES, layers=layers, heads=2, **options)


def test_without_layers_it_is_the_mean_of_the_frames_that_are_there() -> None:
    frames, mask = frames_and_mask()
    pooled = pooling(0)(frames, mask)
    for row, length in enumerate((5, 3, 1)):
        assert_close(pooled[row], sum(frames[row, :length]) / length)
    assert not list(pooling(0).parameters())


def test_a_layer_is_attention_perceptron_and_mean_over_the_frames_that_are_there() -> None:
    """Against loops over heads and frames, values and gradients."""
    module = pooling(1, dropout=0.0).double()
    frames, mask = (t.double() if t.is_floating_point() else t for t in frames_and_mask((4, 2)))
    frames.requires_grad_()
    pooled = module(frames, mask)
    expected = torch.stack([naive(module, frames[row, :n]) for row, n in enumerate((4, 2))])
    assert_close(pooled, expected)
    weights = torch.randn_like(pooled)
    (gradient,) = torch.autograd.grad((pooled * weights).sum(), frames)
    (wanted,) = torch.autograd.grad((expected * weights).sum(), frames)
    assert_close(gradient, wanted)
    assert not gradient[1, 2:].any()


def naive(module: TemporalPooling, frames: Tensor) -> Tensor:
    """(frames, channels) of one video without padding → (channels,)."""
    layer = module.layers[0]
    x = torch.stack([module.norm(f + p) for f, p in zip(frames, module.positions, strict=False)])
    attention = layer.self_attn
    q, k, v = (x @ attention.in_proj_weight.T + attention.in_proj_bias).split(CHANNELS, dim=1)
    size, attended = CHANNELS // 2, []
    for i in range(len(x)):
        parts = []
        for head in (slice(0, size), slice(size, None)):
            scores = torch.stack([q[i, head] @ k[j, head] for j in range(len(x))]) / size**0.5
            shares = scores.softmax(0)
            parts.append(sum(shares[j] * v[j, head] for j in range(len(x))))
        attended.append(attention.out_proj(torch.cat(parts)))
    x = layer.norm1(x + torch.stack(attended))
    inner = torch.nn.functional.gelu(layer.linear1(x))
    x = layer.norm2(x + layer.linear2(inner))
    return x.mean(0)


@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("training", [False, True])
def test_padding_takes_part_in_nothing(layers: int, training: bool) -> None:
    module = pooling(layers, dropout=0.0).train(training)
    frames, mask = frames_and_mask()
    noisy = torch.where(mask[..., None], frames, torch.randn_like(frames))
    with torch.set_grad_enabled(training):
        assert_close(module(noisy, mask), module(frames, mask))
        alone = module(frames[1:2, :3], mask[1:2, :3])
        assert_close(alone[0], module(frames, mask)[1], atol=1e-6, rtol=1e-5)


def test_nothing_at_all_is_still_a_number() -> None:
    frames, mask = torch.zeros(2, FRAMES, CHANNELS), torch.zeros(2, FRAMES, dtype=torch.bool)
    for layers in (0, 1):
        module = pooling(layers)
        assert module(frames, mask).isfinite().all()
        assert module.eval()(frames, mask).isfinite().all()


def test_layers_see_the_order_and_the_mean_does_not() -> None:
    frames, mask = frames_and_mask((5, 5))
    turned = frames.flip(1)
    assert_close(pooling(0)(turned, mask), pooling(0)(frames, mask))
    module = pooling(1).eval()
    module.positions.data.normal_()
    assert not torch.allclose(module(turned, mask), module(frames, mask), atol=1e-3)


def test_another_width_needs_heads_that_divide_it() -> None:
    module = pooling(1, width=12)
    assert module.channels == 12
    assert module(*frames_and_mask()).shape == (3, 12)
    with pytest.raises(ValueError, match="2 heads do not divide a width of 7"):
        pooling(1, width=7)


def encoder(layers: int = 1) -> FramesEncoder:
    small = Preprocessing(size=32)
    backbone = ResNet(depths=(1, 2), width=4, classes=3, std=(60, 60, 60), preprocessing=small)
    backbone.eval().requires_grad_(requires_grad=False)
    temporal = TemporalPooling(
        channels=backbone.channels, frames=FRAMES, layers=layers, heads=2, dropout=0.0
    )
    head = ProjectionHead(input_dimension=temporal.channels, dimension=6)
    return FramesEncoder(backbone=backbone, temporal=temporal, head=head, frames=FRAMES)


def clips(lengths: tuple[int, ...]) -> Tensor:
    pixels = torch.randint(1, 256, (len(lengths), FRAMES, 3, 32, 32), dtype=torch.uint8)
    there = torch.arange(FRAMES) < torch.tensor(lengths)[:, None]
    return pixels * there[..., None, None, None]


def test_black_frames_are_padding_in_pixels_and_in_kept_features() -> None:
    module = encoder()
    pixels = clips((5, 2))
    kept = module.backbone_features(pixels)
    assert kept.shape == (2, FRAMES, module.backbone.channels)
    assert not kept[1, 2:].any()
    assert_close(kept[1, 1], module.backbone(pixels[1:, 1]).pooled[0])
    whole = module(pixels).embedding
    assert_close(module(kept).embedding, whole)
    assert_close(whole.norm(dim=1), torch.ones(2))
    assert_close(module(pixels[1:, :2]).embedding[0], whole[1], atol=1e-6, rtol=1e-5)


def test_a_picture_is_a_video_of_one_frame() -> None:
    module = encoder()
    pixels = clips((1, 1, 1))
    as_pictures = module(pixels[:, 0]).embedding
    assert_close(as_pictures, module(pixels).embedding, atol=1e-6, rtol=1e-5)
    assert_close(module(module.backbone(pixels[:, 0]).pooled).embedding, as_pictures)


def test_a_video_that_is_black_throughout_has_one_frame() -> None:
    module = encoder()
    black = torch.zeros(2, FRAMES, 3, 32, 32, dtype=torch.uint8)
    kept = module.backbone_features(black)
    assert kept[:, 0].any()
    assert not kept[:, 1:].any()
    assert module(black).embedding.isfinite().all()


def test_what_learns_is_behind_the_backbone() -> None:
    module = encoder()
    module(clips((5, 2))).embedding[:, 0].sum().backward()
    assert all(p.grad is not None for p in module.learned().parameters())
    assert all(p.grad is None for p in module.backbone.parameters())


def test_it_says_that_it_sees_frames_as_wholes() -> None:
    module = encoder()
    assert not module.localises
    assert module.preprocessing.frames == FRAMES
    assert module.preprocessing.size == module.backbone.preprocessing.size
    with pytest.raises(ModelError, match="made for videos"):
        module.cells(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))

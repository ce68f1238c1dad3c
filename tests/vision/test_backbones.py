"""The contract of `vision.base.Backbone`, for every kind of it, small and random."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from polyglance.errors import ModelError
from polyglance.vision.base import Backbone
from polyglance.vision.efficientnet_lite import (
    EfficientNetLite,
    SamePadConv2d,
    Stage,
    scaled_stages,
)
from polyglance.vision.inference import fast_dtype, freeze
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.resnet import ResNet
from polyglance.vision.transformers_backbone import TransformersBackbone

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def resnet(size: int) -> Backbone:
    return ResNet(
        depths=(1, 2), width=4, classes=3, std=(60, 60, 60), preprocessing=Preprocessing(size=size)
    )


def efficientnet_lite(size: int) -> Backbone:
    stages = (Stage(1, 3, 1, 1, 8), Stage(2, 3, 2, 2, 8), Stage(2, 5, 2, 2, 16))
    return EfficientNetLite(
        stages=stages, head=24, classes=3, preprocessing=Preprocessing(size=size)
    )


def hugging_face_resnet(size: int) -> Backbone:
    from transformers import ResNetConfig

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
    return TransformersBackbone.from_config(config, preprocessing=Preprocessing(size=size))


def vit(size: int) -> Backbone:
    from transformers import ViTConfig

    config = ViTConfig(**SMALL, intermediate_size=32, image_size=size, patch_size=8)
    return TransformersBackbone.from_config(config)


BUILDERS = (resnet, efficientnet_lite, hugging_face_resnet, vit)
Builder = Callable[[int], Backbone]


def pixels(size: int, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, generator=generator)


def built(build: Builder, size: int = 64) -> Backbone:
    torch.manual_seed(0)
    return build(size)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("size", [64, 80])
def test_shapes_are_as_announced(build: Builder, size: int) -> None:
    backbone = built(build, size).eval()
    features = backbone(pixels(size))
    assert features.grid.shape == (2, backbone.channels, *backbone.grid_size)
    assert features.pooled.shape == (2, backbone.channels)
    assert features.grid.dtype == features.pooled.dtype == torch.float32


@pytest.mark.parametrize("build", BUILDERS)
def test_a_picture_does_not_depend_on_its_batch(build: Builder) -> None:
    backbone = built(build).eval()
    together = backbone(pixels(64, 4))
    alone = backbone(pixels(64, 4)[2:3])
    torch.testing.assert_close(together.grid[2:3], alone.grid, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.pooled[2:3], alone.pooled, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", BUILDERS)
def test_the_same_pixels_give_the_same_features(build: Builder) -> None:
    first, second = (built(build).eval()(pixels(64)).pooled for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("build", BUILDERS)
def test_every_channel_of_colour_counts(build: Builder) -> None:
    backbone = built(build).eval()
    gray = torch.full((1, 3, 64, 64), 90, dtype=torch.uint8)
    base = backbone(gray).grid
    for channel in range(3):
        tinted = gray.clone()
        tinted[:, channel] = 200
        change = (backbone(tinted).grid - base).abs().max()
        assert change > 1e-6 * base.abs().max() > 0


@pytest.mark.parametrize("build", BUILDERS)
def test_gradients_reach_every_parameter_but_the_classifier(build: Builder) -> None:
    backbone = built(build).train()
    features = backbone(pixels(64))
    (features.grid.square().sum() + features.pooled.square().sum()).backward()
    for name, parameter in backbone.named_parameters():
        if not name.startswith("classifier"):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0 or name.endswith("key.bias"), name


@pytest.mark.parametrize("build", BUILDERS)
def test_frozen_it_is_fast_and_close(build: Builder) -> None:
    backbone = built(build).eval()
    exact = backbone(pixels(64))
    frozen = freeze(backbone, dtype=torch.bfloat16)
    assert frozen is backbone
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    rounded = frozen(pixels(64))
    assert rounded.pooled.dtype == torch.float32
    cosine = torch.cosine_similarity(rounded.pooled, exact.pooled)
    assert cosine.min() > 0.999


def test_frozen_it_takes_the_fast_dtype() -> None:
    backbone = freeze(built(resnet))
    assert {parameter.dtype for parameter in backbone.parameters()} == {fast_dtype()}


@pytest.mark.parametrize("build", [resnet, efficientnet_lite])
def test_classification_is_linear_in_the_pooled_vector(build: Builder) -> None:
    backbone = built(build).eval()
    pooled = torch.randn(5, backbone.channels)
    assert isinstance(backbone, ResNet | EfficientNetLite)
    assert backbone.classifier is not None
    torch.testing.assert_close(backbone.classify(pooled), backbone.classifier(pooled))


def test_without_a_classifier_the_message_says_so() -> None:
    with pytest.raises(ModelError, match="ResNet has no classifier"):
        ResNet(depths=(1,), width=4, classes=None).classify(torch.zeros(1, 16))
    with pytest.raises(ModelError, match="TransformersBackbone has no classifier"):
        built(vit).classify(torch.zeros(1, 16))


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [7, 8, 9, 10])
def test_same_padding_puts_what_is_odd_right_and_below(kernel: int, stride: int, size: int) -> None:
    convolution = SamePadConv2d(1, 1, kernel, stride=stride)
    torch.nn.init.ones_(convolution.weight)
    torch.nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    side = -(-size // stride)
    total = max((side - 1) * stride + kernel - size, 0)
    before = total // 2
    inputs = torch.arange(size * size, dtype=torch.float32).view(1, 1, size, size)
    expected = torch.zeros(side, side)
    for row in range(side):
        for column in range(side):
            for i in range(row * stride - before, row * stride - before + kernel):
                for j in range(column * stride - before, column * stride - before + kernel):
                    if 0 <= i < size and 0 <= j < size:
                        expected[row, column] += inputs[0, 0, i, j]
    torch.testing.assert_close(convolution(inputs)[0, 0], expected)


def test_compound_scaling_of_the_published_sizes() -> None:
    lite2 = scaled_stages(width=1.1, depth=1.2)
    assert [stage.outputs for stage in lite2] == [16, 24, 48, 88, 120, 208, 352]
    assert [stage.repeats for stage in lite2] == [1, 3, 3, 4, 4, 5, 1]


def test_resnet50_has_as_many_parameters_as_published() -> None:
    with torch.device("meta"):
        tower = ResNet()
    weights = sum(p.numel() for name, p in tower.named_parameters() if name.endswith("weight"))
    assert weights + 1000 == 25_557_032 - 2 * 26_560  # less scale and shift of normalisation
    assert tower.channels == 2048
    assert tower.grid_size == (7, 7)

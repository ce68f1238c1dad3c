from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from polyglance.errors import ModelError
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.processor_config import parse_processor
from polyglance.vision.transformers_backbone import TransformersBackbone

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
WIDE = {**SMALL, "intermediate_size": 32}
PROCESSOR = {
    "do_normalize": True,
    "image_mean": [0.5, 0.25, 0.75],
    "image_std": [0.5, 0.5, 0.5],
    "size": {"height": 32, "width": 32},
}
PIXELS = torch.randint(
    0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def clip() -> transformers.CLIPConfig:
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return transformers.CLIPConfig(
        vision_config=transformers.CLIPVisionConfig(**WIDE).to_dict(),
        text_config=transformers.CLIPTextConfig(**text, intermediate_size=32).to_dict(),
    )


CONFIGS = {
    "vit": lambda: transformers.ViTConfig(**WIDE),
    "deit": lambda: transformers.DeiTConfig(**WIDE),
    "clip vision": lambda: transformers.CLIPVisionConfig(**WIDE),
    "clip": clip,
    "siglip vision": lambda: transformers.SiglipVisionConfig(**WIDE),
    "dinov2": lambda: transformers.Dinov2Config(**SMALL),
    "dinov2 registers": lambda: transformers.Dinov2WithRegistersConfig(
        **SMALL, num_register_tokens=5
    ),
    "convnext": lambda: transformers.ConvNextConfig(
        num_stages=2, hidden_sizes=[8, 16], depths=[1, 1]
    ),
    "swin": lambda: transformers.SwinConfig(
        image_size=32, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("size", [32, 64])
def test_a_grid_from_every_family(name: str, size: int) -> None:
    backbone = TransformersBackbone.from_config(
        CONFIGS[name](), preprocessing=Preprocessing(size=size)
    ).eval()
    features = backbone(torch.zeros(2, 3, size, size, dtype=torch.uint8))
    assert features.grid.shape == (2, backbone.channels, *backbone.grid_size)
    assert features.pooled.shape == (2, backbone.channels)
    assert backbone.grid_size[0] == backbone.grid_size[1] == size // (32 // _cells_at_32(name))


def _cells_at_32(name: str) -> int:
    return {"convnext": 4, "swin": 8}.get(name, 4)


@pytest.mark.parametrize(("name", "extra"), [("vit", 1), ("dinov2 registers", 6), ("deit", 2)])
def test_the_grid_is_the_patches_in_reading_order(name: str, extra: int) -> None:
    backbone = TransformersBackbone.from_config(CONFIGS[name]()).eval()
    seen: list[torch.Tensor] = []
    backbone.model.register_forward_hook(lambda *call: seen.append(call[-1].last_hidden_state))
    grid = backbone(PIXELS).grid
    for row in range(4):
        for column in range(4):
            expected = seen[0][:, extra + 4 * row + column]
            torch.testing.assert_close(grid[:, :, row, column], expected)


def test_without_a_pooler_the_class_token_is_taken() -> None:
    backbone = TransformersBackbone.from_config(CONFIGS["vit"](), use_pooler=False).eval()
    hidden = []
    backbone.model.register_forward_hook(lambda *call: hidden.append(call[-1].last_hidden_state))
    torch.testing.assert_close(backbone(PIXELS).pooled, hidden[0][:, 0])


def test_a_dictionary_of_a_configuration_builds_the_same() -> None:
    config = transformers.ViTConfig(**WIDE).to_dict()
    backbone = TransformersBackbone.from_config(config)
    assert backbone.model.config.to_dict() == config
    with pytest.raises(ModelError, match="not a configuration"):
        TransformersBackbone.from_config({"hidden_size": 3})


def save(config: Any, folder: Path) -> Any:
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(config)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return model.eval()


def test_a_saved_folder_gives_the_model_own_features(tmp_path: Path) -> None:
    model = save(CONFIGS["vit"](), tmp_path)
    backbone = TransformersBackbone.from_pretrained(tmp_path)
    means, deviations = (
        torch.tensor(PROCESSOR[key]).view(3, 1, 1) for key in ("image_mean", "image_std")
    )
    expected = model((PIXELS / 255 - means) / deviations)
    features = backbone(PIXELS)
    torch.testing.assert_close(features.pooled, expected.pooler_output, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        features.grid.flatten(2).transpose(1, 2),
        expected.last_hidden_state[:, 1:],
        rtol=1e-4,
        atol=1e-5,
    )
    assert not backbone.training
    assert backbone.preprocessing == Preprocessing(size=32, fit="squash")


def test_of_a_dual_encoder_the_vision_tower_is_taken(tmp_path: Path) -> None:
    model = save(clip(), tmp_path)
    backbone = TransformersBackbone.from_pretrained(tmp_path)
    names = {name for name, _ in backbone.named_parameters()}
    assert len(names) == len(list(model.vision_model.parameters()))
    assert not any("text" in name for name in names)


def test_a_pooler_that_was_never_trained_is_not_used(tmp_path: Path) -> None:
    transformers.ViTForImageClassification(CONFIGS["vit"]()).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    assert not TransformersBackbone.from_pretrained(tmp_path).use_pooler


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere.*image_mean"):
        TransformersBackbone.from_pretrained(tmp_path / "nowhere")
    save(CONFIGS["vit"](), tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=r"no preprocessor_config\.json"):
        TransformersBackbone.from_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no vision model could be loaded"):
        TransformersBackbone.from_pretrained(tmp_path)


def test_a_text_model_is_refused() -> None:
    config = transformers.DistilBertConfig(dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    with pytest.raises(ModelError, match="DistilBertModel does not turn pixels into a grid"):
        TransformersBackbone.from_config(config)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": 224},
            Preprocessing(size=224, fit="crop", crop_fraction=0.875),
        ),
        (
            {"size": 224, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}},
            Preprocessing(size=224, fit="crop"),
        ),
        ({"size": {"height": 384, "width": 384}}, Preprocessing(size=384, fit="squash")),
        (
            {"size": {"shortest_edge": 224}, "crop_pct": 0.875},
            Preprocessing(size=224, fit="crop", crop_fraction=0.875),
        ),
        ({}, None),
    ],
)
def test_geometry_of_published_processors(
    config: dict[str, Any], expected: Preprocessing | None
) -> None:
    assert parse_processor(config).preprocessing == expected


def test_colours_are_in_bytes() -> None:
    colours = parse_processor(PROCESSOR).colours
    assert colours is not None
    assert colours.mean == pytest.approx((127.5, 63.75, 191.25))
    assert colours.std == pytest.approx((127.5, 127.5, 127.5))
    assert parse_processor({"do_normalize": False}).colours is None

"""Dual encoders of transformers, in the files of the hub: as transformers has them, and safely."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.systems import tiny_hub

from polyglance import Retriever
from polyglance.errors import ConfigError, ModelError, PolyglanceError
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import read_config
from polyglance.systems.config import HubDualEncoderConfig
from polyglance.training.recipe import Recipe
from polyglance.training.system import make_system

TEXTS = [
    "a dog",
    "",
    "Ein HUND, im Schnee!",
    "狗",
    "a dog runs over the wide green grass by the sea and on and on until the tokens are at an end",
    "dog " * 200,
]
SIZES = [(40, 30), (30, 41), (17, 90), (16, 16), (9, 7), (301, 200)]


def picture(width: int, height: int) -> Image.Image:
    """Noise, which shows every difference in resizing."""
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


PICTURES = [picture(*size) for size in SIZES]


@pytest.fixture(scope="module", params=tiny_hub.FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hub") / request.param
    tiny_hub.FAMILIES[request.param](made)
    return made


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clip") / "clip"
    tiny_hub.clip(made)
    return made


@pytest.fixture
def damaged(clip_folder: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(clip_folder, tmp_path / "copy"))


def unit(features: Any) -> np.ndarray[Any, Any]:
    rows = torch.nn.functional.normalize(features.pooler_output, dim=-1)
    return np.asarray(rows.detach().numpy())


def test_pixels_are_those_of_the_image_processor(folder: Path) -> None:
    retriever, (_, _, processor) = Retriever.load(folder), tiny_hub.theirs(folder)
    system: Any = retriever.system
    mean, std = (np.reshape(each, (3, 1, 1)) for each in system.colours)
    for image in PICTURES:
        ours = (retriever.preprocessing(image) - mean) / std
        wanted = processor(images=image, return_tensors="np")["pixel_values"][0]
        np.testing.assert_allclose(ours, wanted, atol=1e-5)


def test_image_features_are_those_of_transformers(folder: Path) -> None:
    model, _, processor = tiny_hub.theirs(folder)
    inputs = processor(images=PICTURES, return_tensors="pt")
    wanted = unit(model.get_image_features(pixel_values=inputs["pixel_values"]))
    found = Retriever.load(folder).encode_images(PICTURES, batch_size=4)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert np.ptp(found, axis=0).max() > 0.05  # pictures are told apart


def test_text_features_are_those_of_transformers(folder: Path) -> None:
    model, tokenizer, _ = tiny_hub.theirs(folder)
    siglip = "siglip" in folder.name
    inputs = tokenizer(
        [text.lower() for text in TEXTS] if siglip else TEXTS,
        padding="max_length" if siglip else True,
        truncation=True,
        max_length=tiny_hub.TOKENS,
        return_tensors="pt",
    )
    assert ("attention_mask" in inputs) is not siglip
    wanted = unit(model.get_text_features(**inputs))
    found = Retriever.load(folder).encode_texts(TEXTS, language="de", batch_size=3)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert np.ptp(found, axis=0).max() > 0.05


def test_a_text_does_not_depend_on_its_batch(folder: Path) -> None:
    retriever = Retriever.load(folder)
    together = retriever.encode_texts(TEXTS)
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(retriever.encode_texts([text])[0], together[row], atol=1e-5)


def test_a_saved_one_loads_again_equal(folder: Path, tmp_path: Path) -> None:
    before = Retriever.load(folder)
    before.save(tmp_path / "ours")
    after = Retriever.load(tmp_path / "ours")
    assert after.fingerprint == before.fingerprint
    assert after.dimension == before.dimension
    assert after.preprocessing == before.preprocessing
    np.testing.assert_array_equal(after.encode_images(PICTURES), before.encode_images(PICTURES))
    np.testing.assert_array_equal(after.encode_texts(TEXTS), before.encode_texts(TEXTS))
    described = read_config(tmp_path / "ours")["model"]
    assert described["system"] == "hub-dual-encoder"
    assert str(folder) not in json.dumps(described)


def test_long_texts_keep_their_end_and_case_is_folded(folder: Path) -> None:
    system: Any = Retriever.load(folder).system
    ids = system.prepare_texts(["dog " * 200, "DOG", "dog"], ["und"] * 3)["input_ids"]
    assert ids.shape == (3, tiny_hub.TOKENS)
    if folder.name in ("clip", "siglip", "siglip2"):
        assert torch.equal(ids[1], ids[2])
    short = system.prepare_texts(["dog"], ["und"])["input_ids"]
    assert (short.shape[1] == tiny_hub.TOKENS) is ("siglip" in folder.name)
    end = short[0, torch.argwhere(ids[2] == ids[0, -1])[0, 0]]  # the last of the long one's tokens
    assert end == ids[0, -1]


def test_names_of_special_tokens_are_plain_text(clip_folder: Path) -> None:
    retriever = Retriever.load(clip_folder)
    plain, named = retriever.encode_texts(["a dog", "a <|endoftext|> dog"])
    assert not np.allclose(plain, named, atol=1e-3)
    system: Any = retriever.system
    ids = system.prepare_texts(["<|endoftext|>", ""], ["und"] * 2)["input_ids"]
    assert not torch.equal(ids[0], ids[1])
    assert retriever.encode_texts(["lone \ud83d surrogate"]).shape == (1, 8)


def test_a_name_on_the_hub_is_looked_up_in_the_local_cache(
    clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "0" * 40
    shutil.copytree(clip_folder, tmp_path / "models--ada--tiny" / "snapshots" / commit)
    (tmp_path / "models--ada--tiny" / "refs").mkdir()
    (tmp_path / "models--ada--tiny" / "refs" / "main").write_text(commit)
    retriever = Retriever.load("ada/tiny")
    assert retriever.name == "ada/tiny"  # by which a collection finds it from anywhere
    assert retriever.fingerprint == Retriever.load(clip_folder).fingerprint
    for absent in ("ada/other", "no//name", "tiny"):
        with pytest.raises(ModelError, match=r"no model .* built-in model .*mini.* hub"):
            Retriever.load(absent)


@pytest.mark.parametrize(
    "name", ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"]
)
def test_the_fingerprint_is_over_all_that_counts(
    clip_folder: Path, damaged: Path, name: str
) -> None:
    from polyglance.systems.hub_files import folder_fingerprint

    (damaged / "README.md").write_text("What it can do.")
    assert folder_fingerprint(damaged) == folder_fingerprint(clip_folder)
    with (damaged / name).open("a") as file:
        file.write(" ")
    assert folder_fingerprint(damaged) != folder_fingerprint(clip_folder)


def test_weights_in_parts(clip_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(clip_folder, tmp_path / "parts")
    (tmp_path / "parts" / "model.safetensors").unlink()
    tiny_hub.theirs(clip_folder)[0].save_pretrained(tmp_path / "parts", max_shard_size="20KB")
    whole, parts = Retriever.load(clip_folder), Retriever.load(tmp_path / "parts")
    np.testing.assert_array_equal(parts.encode_texts(TEXTS), whole.encode_texts(TEXTS))
    next((tmp_path / "parts").glob("model-00002-*")).unlink()
    with pytest.raises(ModelError, match=r"lacks model-00002-.*whole"):
        Retriever.load(tmp_path / "parts")


def test_pickles_are_not_read(damaged: Path) -> None:
    torch.save(tiny_hub.theirs(damaged)[0].state_dict(), damaged / "pytorch_model.bin")
    (damaged / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no model\.safetensors, and pickled"):
        Retriever.load(damaged)


def test_missing_weights_are_named(damaged: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(damaged / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, damaged / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks the weights text_projection\.weight"):
        Retriever.load(damaged)
    (damaged / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match=r"cannot be loaded from safetensors"):
        Retriever.load(damaged)


@pytest.mark.parametrize(
    ("model_type", "reason"),
    [
        ("bert", r"'bert' cannot .* supported are CLIP \(clip\), .*SigLIP 2 \(siglip\)"),
        ("siglip2", "NaFlex.* fixed resolution"),
        ("clip_vision_model", "image tower without texts"),
        (7, "type 7 cannot"),
    ],
)
def test_other_types_are_refused(damaged: Path, model_type: object, reason: str) -> None:
    described = json.loads((damaged / "config.json").read_text())
    (damaged / "config.json").write_text(json.dumps({**described, "model_type": model_type}))
    with pytest.raises(ModelError, match=reason):
        Retriever.load(damaged)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"do_center_crop": False}, "no squares"),
        ({"crop_size": {"height": 16, "width": 12}}, "no squares"),
        ({"crop_size": {"height": 24, "width": 24}}, "no squares"),
        ({"do_resize": False}, "no squares"),
        ({"image_processor_type": "LlavaNextImageProcessor"}, "LlavaNext.* not supported"),
        ({"crop_size": {"height": 8, "width": 8}}, "do not belong together"),
    ],
)
def test_other_pictures_are_refused(damaged: Path, changes: dict[str, Any], reason: str) -> None:
    described = json.loads((damaged / "preprocessor_config.json").read_text())
    (damaged / "preprocessor_config.json").write_text(json.dumps({**described, **changes}))
    with pytest.raises(ModelError, match=reason):
        Retriever.load(damaged)


def test_what_is_missing_is_named(damaged: Path) -> None:
    (damaged / "tokenizer.json").unlink()
    (damaged / "tokenizer_config.json").unlink()
    with pytest.raises(ModelError, match="no tokenizer at"):
        Retriever.load(damaged)
    (damaged / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=r"no image processor .*preprocessor_config\.json"):
        Retriever.load(damaged)
    (damaged / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json is damaged"):
        Retriever.load(damaged)


def test_another_models_tokenizer_is_refused(damaged: Path, tmp_path: Path) -> None:
    tiny_hub.chinese_clip(tmp_path / "other")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tmp_path / "other" / name, damaged / name)
    with pytest.raises(ModelError, match=r"end token.* do not belong together"):
        Retriever.load(damaged)


def test_a_long_thin_picture_does_not_fill_the_memory(clip_folder: Path) -> None:
    retriever = Retriever.load(clip_folder)
    pixels = retriever.preprocessing(picture(60_000, 2))
    assert pixels.shape == (3, tiny_hub.SIZE, tiny_hub.SIZE)


def test_a_file_is_read_whole(clip_folder: Path, tmp_path: Path) -> None:
    large = picture(400, 300)
    large.save(tmp_path / "large.jpg", quality=95)
    retriever = Retriever.load(clip_folder)
    with Image.open(tmp_path / "large.jpg") as opened:
        wanted = retriever.encode_images([opened.convert("RGB")])
    found = retriever.encode_images([tmp_path / "large.jpg"])
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_it_is_not_trained(clip_folder: Path, tmp_path: Path) -> None:
    retriever = Retriever.load(clip_folder)
    retriever.save(tmp_path / "ours")
    for folder in (clip_folder, tmp_path / "ours"):
        recipe = Recipe.model_validate(
            {
                "name": "adapted",
                "data": {"train": "train.jsonl"},
                "model": {"checkpoint": str(folder)},
                "training": {"phases": [{"epochs": 1}]},
            }
        )
        with pytest.raises(PolyglanceError, match=r"used as they are.* backbone"):
            make_system(recipe, [])
    system: Any = retriever.system
    with pytest.raises(ModelError, match="used as they are"):
        system.training_step(None)
    assert not system.localises
    assert isinstance(system.config, HubDualEncoderConfig)
    with pytest.raises(ConfigError, match="cannot be trained from a recipe"):
        build_system(system.config)


def test_stored_features_stand_for_pictures(clip_folder: Path) -> None:
    retriever = Retriever.load(clip_folder)
    pixels = np.stack([retriever.preprocessing(image) for image in PICTURES])
    kept = retriever.system.backbone_features(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(
        retriever.encode_pixels(kept), retriever.encode_pixels(pixels), atol=1e-6
    )
    assert len(retriever.system.backbone_fingerprint()) == 64

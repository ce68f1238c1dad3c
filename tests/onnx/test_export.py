"""Exported models: their embeddings are the model's, they are whole, and wrong ones are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.systems import tiny_hub
from torch import nn

import onnx
from polyglance import Retriever
from polyglance.errors import ConfigError, ModelError
from polyglance.onnx.encoder import OnnxEncoder, open_graph
from polyglance.onnx.export import export
from polyglance.onnx.quantise import quantise_images, quantise_texts

TEXTS = ["a dog", "ein Hund im Schnee", "狗 狗", "", "dog " * 40, "</s> dog [CLS]", "  Dog. "]
# SigLIP's tokenizer strips punctuation in Python.
FAST = {name: make for name, make in tiny_hub.FAMILIES.items() if name != "siglip"}


def pictures(folder: Path, count: int) -> list[Path]:
    """Noise of several shapes."""
    folder.mkdir()
    made = []
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (30, 24 + number, 3), np.uint8)
        made.append(folder / f"{number}.png")
        Image.fromarray(noise).save(made[-1])
    return made


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model and its export."""
    here = tmp_path_factory.mktemp("clip")
    tiny_hub.clip(here / "clip")
    export(here / "clip", here / "graphs")
    return here / "clip", here / "graphs"


@pytest.mark.parametrize("make", FAST.values(), ids=FAST)
def test_every_family_agrees_with_its_graphs(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "model")
    shown = pictures(tmp_path / "pictures", 5)
    parity = export(tmp_path / "model", tmp_path / "graphs", pictures=shown)
    assert min(parity) > 1 - 1e-5
    model, graphs = Retriever.load(tmp_path / "model"), OnnxEncoder(tmp_path / "graphs")
    np.testing.assert_allclose(graphs.encode_texts(TEXTS), model.encode_texts(TEXTS), atol=1e-5)
    for count in (1, 3):  # a batch may have any size
        pixels = np.stack([model.preprocessing(Image.open(path)) for path in shown[:count]])
        again = np.stack([graphs.preprocessing(Image.open(path)) for path in shown[:count]])
        np.testing.assert_array_equal(again, pixels)
        np.testing.assert_allclose(
            graphs.encode_pixels(pixels), model.encode_pixels(pixels), atol=1e-5
        )
    assert graphs.fingerprint == model.fingerprint
    assert graphs.dimension == model.dimension


def test_a_text_tower_beside_its_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_hub.clip(tmp_path / "clip")
    tiny_hub.sentence_tower(tmp_path / "text")
    monkeypatch.chdir(tmp_path)
    export("text+clip", tmp_path / "graphs")
    model, graphs = Retriever.load("text+clip"), OnnxEncoder(tmp_path / "graphs")
    np.testing.assert_allclose(graphs.encode_texts(TEXTS), model.encode_texts(TEXTS), atol=1e-5)


def test_mini_reads_real_photos_and_seven_languages(
    mini: Retriever, flickr8k: Path, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (flickr8k / "val.jsonl").open()][:6]
    shown = [flickr8k / row["image"] for row in rows]
    parity = export("mini", tmp_path / "graphs", pictures=shown)
    assert min(parity) > 1 - 1e-5
    graphs = OnnxEncoder(tmp_path / "graphs")
    texts = [captions[0] for row in rows for captions in row["captions"].values()]
    np.testing.assert_allclose(graphs.encode_texts(texts), mini.encode_texts(texts), atol=1e-5)
    pixels = np.stack([graphs.preprocessing(Image.open(path).convert("RGB")) for path in shown])
    cosines = (graphs.encode_pixels(pixels) * mini.encode_pixels(pixels)).sum(1)
    assert cosines.min() > 0.999  # the model itself is rounded to bfloat16 where that is faster
    assert graphs.languages == mini.languages


def test_a_tokenizer_of_python_is_refused(tmp_path: Path) -> None:
    tiny_hub.siglip(tmp_path / "model")
    with pytest.raises(ModelError, match=r"SiglipTokenizer.*fast tokenizer|embeddings differ"):
        export(tmp_path / "model", tmp_path / "graphs")
    assert not (tmp_path / "graphs").exists()


def test_eight_bits_are_another_model(clip: tuple[Path, Path], tmp_path: Path) -> None:
    model, graphs = clip
    shutil.copytree(graphs, tmp_path / "small")  # which is replaced
    parity = export(model, tmp_path / "small", int8=True)
    assert 0.9 < min(parity) < 1
    small = OnnxEncoder(tmp_path / "small")
    assert small.fingerprint != OnnxEncoder(graphs).fingerprint
    assert np.allclose(np.linalg.norm(small.encode_texts(TEXTS), axis=1), 1, atol=1e-3)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), np.uint8)
    pixels[1:] //= 8  # the first one's numbers are larger by far
    together = small.encode_pixels(pixels)
    alone = np.concatenate([small.encode_pixels(each[None]) for each in pixels])
    np.testing.assert_array_equal(together, alone)


def test_weights_beside_a_large_graph_go_into_the_small_one(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)
    given, wanted = "given", "wanted"
    node = onnx.helper.make_node("MatMul", [given, "weights"], [wanted])
    graph = onnx.helper.make_graph(
        [node],
        "large",
        [onnx.helper.make_tensor_value_info(given, onnx.TensorProto.FLOAT, ["n", 64])],
        [onnx.helper.make_tensor_value_info(wanted, onnx.TensorProto.FLOAT, ["n", 32])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    path = tmp_path / "text.onnx"
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)])
    model.ir_version = 10
    beside = f"{path.name}.data"
    onnx.save(model, path, save_as_external_data=True, location=beside, size_threshold=0)
    assert (tmp_path / beside).stat().st_size == weights.nbytes
    quantise_texts(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    rows = np.random.default_rng(1).normal(size=(1, 64)).astype(np.float32)
    [found] = open_graph(path, threads=1).run(None, {given: rows})
    np.testing.assert_allclose(found, rows @ weights, atol=0.5)


def test_other_folders_are_left_alone(clip: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(ConfigError, match="exists and is no export"):
        export(clip[0], tmp_path)
    assert (tmp_path / "letters.txt").read_text() == "dear"


def test_damage_is_told(clip: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(clip[1], tmp_path / "graphs")
    graph = tmp_path / "graphs" / "text.onnx"
    graph.write_bytes(graph.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"text\.onnx cannot be run"):
        OnnxEncoder(tmp_path / "graphs").encode_texts(["a dog"])
    graph.unlink()
    with pytest.raises(ModelError, match=r"lacks text\.onnx"):
        OnnxEncoder(tmp_path / "graphs")


def test_convolutions_need_pictures_for_eight_bits(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3), nn.Flatten()).eval()
    pixels = torch.rand(20, 3, 8, 8)
    torch.onnx.export(
        network,
        (pixels[:2],),
        tmp_path / "image.onnx",
        input_names=["pixels"],
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        external_data=False,
    )
    with pytest.raises(ConfigError, match="at least 16 pictures"):
        quantise_images(tmp_path / "image.onnx", pixels[:3].numpy())
    before = (tmp_path / "image.onnx").stat().st_size
    quantise_images(tmp_path / "image.onnx", pixels.numpy())
    assert (tmp_path / "image.onnx").stat().st_size != before
    found = open_graph(tmp_path / "image.onnx", threads=1).run(None, {"pixels": pixels.numpy()})[0]
    wanted = network(pixels).detach().numpy()
    assert 0 < np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()


def test_an_export_is_not_trained_or_measured(clip: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError, match=r"is an export"):
        Retriever.load(clip[1])

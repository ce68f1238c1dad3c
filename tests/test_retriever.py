"""The public face of a model that compares parts: SCAN, small, from the configuration up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from polyglance import Retriever
from polyglance.data.record import Record
from polyglance.errors import ModelError
from polyglance.evaluation.retriever import evaluate_retriever
from polyglance.search.indexer import index
from polyglance.systems.builders import build_system
from polyglance.systems.config import (
    LearnedWordsConfig,
    RecurrentTextConfig,
    ResNet50Config,
    SCANConfig,
    VSEppConfig,
)
from polyglance.systems.config.matching import OrderConfig
from polyglance.vision import pretrained
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.resnet import ResNet

TEXTS = ["a red wall", "the sea is blue and wide", "grass", "a white cat on a black mat today"]
COLOURS = [(200, 20, 20), (20, 20, 200), (20, 200, 20), (128, 128, 128)]


def small_tower(name: str, *, preprocessing: Preprocessing | None = None) -> ResNet:
    """Stands where the pretrained ResNet-50 would; 32 pixels give two by two cells."""
    torch.manual_seed(0)
    return ResNet(depths=(1, 1), width=4, std=(60, 60, 60), preprocessing=Preprocessing(size=32))


def retriever(monkeypatch: pytest.MonkeyPatch, config: type) -> Retriever:
    monkeypatch.setattr(pretrained, "load_tower", small_tower)
    torch.manual_seed(0)
    text = RecurrentTextConfig(
        words=LearnedWordsConfig(min_frequency=1, dimension=16),
        hidden_size=24,
        bidirectional=config is SCANConfig,
    )
    settings = {"dimension": 24, "backbone": ResNet50Config(size=32), "text": text}
    if config is VSEppConfig:
        settings["matching"] = OrderConfig()
    system = build_system(config(**settings), training_texts={"en": TEXTS})
    return Retriever(system, name="small", fingerprint="f", languages=["en"])


@pytest.fixture(params=[SCANConfig, VSEppConfig], ids=["scan", "order"])
def model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Retriever:
    return retriever(monkeypatch, request.param)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = []
    for number, colour in enumerate(COLOURS):
        pixels = np.random.default_rng(number).integers(0, 50, (40, 40, 3)) + np.array(colour)
        paths.append(tmp_path / "photos" / f"{number}.png")
        paths[-1].parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(paths[-1])
    return paths


def test_a_picture_is_the_same_by_path_and_in_memory(model: Retriever, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 4), np.uint8)
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    Image.fromarray(noise).save(tmp_path / "transparent.png")
    Image.fromarray(noise[..., :3]).save(tmp_path / "turned.png", exif=turned)
    Image.fromarray(noise[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    paths = sorted(tmp_path.glob("*.png"))
    in_memory = model.image_features([Image.open(path) for path in paths])
    by_path = model.image_features(paths)
    torch.testing.assert_close(in_memory.embedding, by_path.embedding)
    assert np.ptp(by_path.embedding.float().numpy(), axis=0).max() > 0.01


def test_scores_are_the_systems_own(model: Retriever, photos: list[Path]) -> None:
    images = model.image_features(photos, batch_size=3)
    texts = model.text_features(TEXTS, language="en", batch_size=2)
    scores = model.score(images, texts)
    assert scores.shape == (4, 4)
    for row, photo in enumerate(photos):
        for column, text in enumerate(TEXTS):
            with torch.no_grad():
                alone = model.system.score(
                    model.image_features([photo]), model.text_features([text], language="en")
                )
            np.testing.assert_allclose(scores[row, column], float(alone), atol=0.01)


def test_evaluation_ranks_by_those_scores(model: Retriever, photos: list[Path]) -> None:
    records = [
        Record(id=str(row), image=photo, captions={"en": (TEXTS[row],)}, parallel={"en": "a"})
        for row, photo in enumerate(photos)
    ]
    report = evaluate_retriever(model, records, batch_size=3, draws=0)
    scores = model.score(model.image_features(photos), model.text_features(TEXTS, language="en"))
    found = 100 * np.mean(scores.argmax(axis=0) == np.arange(4))
    assert report.languages["en"].scores.text_to_image.metrics.recall_at_1 == found
    assert report.text_to_text == {}


def test_embeddings_are_refused_with_a_remedy(
    model: Retriever, photos: list[Path], tmp_path: Path
) -> None:
    for refused in (
        lambda: model.encode_images(photos),
        lambda: model.encode_texts(TEXTS),
        lambda: model.encode_pixels(np.zeros((1, 3, 32, 32), dtype=np.uint8)),
        lambda: index(photos[0].parent, tmp_path / "collection", encoder=model),
    ):
        with pytest.raises(ModelError, match=r"small: .* Retriever\.score"):
            refused()
    assert not (tmp_path / "collection").exists()

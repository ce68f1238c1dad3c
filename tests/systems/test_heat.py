"""Heat maps of whole systems: each cell is scored like a picture of its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from polyglance.errors import ModelError
from polyglance.features import Features
from polyglance.systems.builders import build_system
from polyglance.systems.config import (
    CLMRConfig,
    DetectorConfig,
    DualEncoderConfig,
    LearnedWordsConfig,
    MeanPoolingConfig,
    OrderConfig,
    Part,
    PooledImageConfig,
    RecurrentTextConfig,
    RegionImageConfig,
    ResNet50Config,
    SCANConfig,
    StackedCrossAttentionConfig,
    VSEppConfig,
    WeldonPoolingConfig,
)
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.vision import pretrained
from polyglance.vision.detector import Detections, Detector
from polyglance.vision.localisation import Cells, smooth, strongest
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.resnet import ResNet

TEXTS = ["a dog", "two red cars and a dog", "a boat"]
PIXELS = torch.randint(
    0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
WORDS = RecurrentTextConfig(
    words=LearnedWordsConfig(min_frequency=1, dimension=16), hidden_size=24, bidirectional=False
)


class Halves:
    """Finds two objects in every picture: its left half and its right half."""

    fingerprint = "halves"

    def __call__(self, pixels: Tensor, *, limit: int) -> Detections:
        boxes = torch.tensor([[0, 0, 0.5, 1], [0.5, 0, 1, 1]])[:limit]
        return Detections(boxes=boxes, probabilities=boxes[:, :2], scores=boxes[:, 2])


def small_tower(name: str, *, preprocessing: Preprocessing | None = None) -> ResNet:
    """Stands where the pretrained ResNet-50 would; 64 pixels give eight by eight cells."""
    torch.manual_seed(0)
    return ResNet(depths=(1, 1), width=4, std=(60, 60, 60), preprocessing=Preprocessing(size=32))


@pytest.fixture(autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Detector, "load", Halves)
    monkeypatch.setattr(pretrained, "load_tower", small_tower)


def built(config: type, **settings: Part) -> DualEncoder:
    torch.manual_seed(0)
    system = build_system(
        config(**{"dimension": 24, "text": WORDS, **settings}), training_texts={"en": TEXTS}
    )
    assert isinstance(system, DualEncoder)
    assert system.localises
    return system.eval()


def texts_of(system: DualEncoder) -> Features:
    with torch.no_grad():
        return system.encode_texts(system.prepare_texts(TEXTS, ["en"] * len(TEXTS)))


BOTH = WORDS.model_copy(update={"bidirectional": True})
SYSTEMS = {
    "vsepp": (VSEppConfig, {}),
    "order": (VSEppConfig, {"matching": OrderConfig()}),
    "scan, words ask": (SCANConfig, {"text": BOTH}),
    "scan, regions ask": (
        SCANConfig,
        {"text": BOTH, "matching": StackedCrossAttentionConfig(direction="image-to-text")},
    ),
    "clmr": (CLMRConfig, {}),
    "weldon": (
        DualEncoderConfig,
        {
            "image": PooledImageConfig(
                backbone=ResNet50Config(), pooling=WeldonPoolingConfig(maxima=3, minima=3)
            )
        },
    ),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_map_is_the_score_of_each_cell_alone(name: str) -> None:
    config, settings = SYSTEMS[name]
    system = built(config, **settings)
    texts = texts_of(system)
    heat = system.heat(PIXELS, texts)
    assert heat.shape == (2, 3, 8, 8)
    assert heat.dtype == torch.float32
    assert not heat.requires_grad
    with torch.no_grad():
        cells = system.cells(PIXELS)
        raw = torch.empty(2, 3, 8, 8)
        for picture in range(2):
            for cell in range(64):
                vector = cells.vectors[picture, cell][None]  # (1, dim)
                alone = Features(vector, tokens=vector[:, None])
                for text in range(3):
                    asked = texts.rows(slice(text, text + 1))
                    if name == "weldon":
                        asked = Features(strongest(asked.embedding, 2))  # 7.5 % of 24
                    score = system.score(alone, asked)
                    raw[picture, text, cell // 8, cell % 8] = score
    torch.testing.assert_close(heat, smooth(raw), rtol=1e-4, atol=1e-5)
    assert (heat.flatten(2).std(2) > 1e-7).all()  # it says something


@pytest.mark.parametrize("config", [VSEppConfig, CLMRConfig])
def test_a_map_adds_up_to_the_cosine(config: type, monkeypatch: pytest.MonkeyPatch) -> None:
    system = built(config)
    texts = texts_of(system)
    monkeypatch.setattr("polyglance.systems.base.smooth", lambda maps: maps)
    with torch.no_grad():
        scores = system.score(system.encode_images(PIXELS), texts)
    torch.testing.assert_close(system.heat(PIXELS, texts).mean((2, 3)), scores)


def test_objects_are_painted_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    system = built(
        DualEncoderConfig,
        image=RegionImageConfig(backbone=DetectorConfig(backbone=ResNet50Config(), regions=4)),
    )
    texts = texts_of(system)
    monkeypatch.setattr("polyglance.systems.base.smooth", lambda maps: maps)
    heat = system.heat(PIXELS, texts)
    assert heat.shape == (2, 3, 28, 28)
    with torch.no_grad():
        cells: Cells = system.cells(PIXELS)
        whole, left, right = (
            torch.einsum("nbd,td->bnt", cells.vectors, texts.embedding)[box] for box in range(3)
        )
    torch.testing.assert_close(heat[:, :, 0, 0], (whole + left) / 2)
    torch.testing.assert_close(heat[:, :, 27, 27], (whole + right) / 2)


def test_mean_pooling_and_the_global_mean_give_one_map() -> None:
    ours = built(VSEppConfig)
    other = built(VSEppConfig, pooling=MeanPoolingConfig())
    other.load_state_dict(ours.state_dict())
    torch.testing.assert_close(
        ours.heat(PIXELS, texts_of(ours)), other.heat(PIXELS, texts_of(other))
    )


def test_systems_without_places_say_so() -> None:
    system = built(VSEppConfig)
    system.image.backbone.pools_by_mean = False
    assert not system.localises
    with pytest.raises(ModelError, match="does not say where"):
        system.heat(PIXELS, texts_of(system))

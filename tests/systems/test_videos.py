"""Text → video and video → text through the same verbs as pictures: train, save, load, evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tests.systems.tiny_backbone import TINY

from polyglance import Retriever
from polyglance.data.ahead import decode_video
from polyglance.data.batch import Batch
from polyglance.data.feature_store import FeatureStore
from polyglance.data.manifest import read_manifest
from polyglance.data.views import View
from polyglance.errors import ConfigError
from polyglance.evaluation.retriever import evaluate_retriever
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import save_system
from polyglance.systems.config import (
    DualEncoderConfig,
    FramesImageConfig,
    LearnedWordsConfig,
    PooledImageConfig,
    PrecomputedConfig,
    RecurrentTextConfig,
)
from polyglance.training.recipe import load_recipe
from polyglance.training.run import train
from polyglance.vision.preprocessing import Preprocessing
from support.clips import clip
from support.colours import picture

SCENES = [("red", "blue"), ("green", "white"), ("yellow", "black"), ("purple", "red")]
TEXT = RecurrentTextConfig(words=LearnedWordsConfig(min_frequency=1, dimension=16), hidden_size=16)
RECIPE = """
[data]
train = "{manifest}"
validation = "{manifest}"
features = "{features}"

[model]
system = "dual-encoder"
dimension = 16
image = {{ kind = "frames", frames = 4, heads = 2, dropout = 0.0, backbone = {backbone} }}

[model.text]
kind = "recurrent"
hidden_size = 16
words = {{ kind = "learned", min_frequency = 1, dimension = 16 }}

[training]
batch_size = 4
seed = 1

[[training.phases]]
epochs = {epochs}
frozen = ["image.backbone"]
learning_rate = 5e-3
"""
BACKBONE = (
    '{ kind = "transformers", size = 32, architecture = { model_type = "resnet", '
    "embedding_size = 8, hidden_sizes = [8, 16], depths = [1, 1], "
    'layer_type = "basic" } }'
)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    lines = []
    for first, second in SCENES:
        clip(tmp_path / f"{first}-{second}.mp4", first, second)
        text = f"{first} then {second}"
        lines.append({"video": f"{first}-{second}.mp4", "captions": {"en": [text, f"a {text}"]}})
    path = tmp_path / "videos.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def config(**image: object) -> DualEncoderConfig:
    kind = FramesImageConfig(backbone=TINY, frames=4, heads=2, **image)
    return DualEncoderConfig(dimension=16, image=kind, text=TEXT)


def test_a_model_of_videos_learns_and_finds_them_in_both_directions(
    tmp_path: Path, manifest: Path
) -> None:
    torch.manual_seed(1)
    records = read_manifest(manifest)
    texts = [text for record in records for text in record.captions["en"]]
    system = build_system(config(dropout=0.0), training_texts={"en": texts}).eval()
    pixels = [View(record).decode(system.preprocessing) for record in records]
    kept = system.backbone_features(torch.from_numpy(np.stack(pixels))).detach()
    batch = Batch(kept, torch.arange(4), texts, ["en"] * 8, torch.arange(4).repeat_interleave(2))
    optimizer = torch.optim.Adam(system.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        sum(system.training_step(batch).values()).backward()
        optimizer.step()
    save_system(system, tmp_path / "model", languages=("en",))
    retriever = Retriever.load(tmp_path / "model")
    assert retriever.preprocessing.frames == 4

    scores = evaluate_retriever(retriever, records, draws=0).languages["en"].scores
    assert scores.text_to_image.metrics.recall_at_1 == 100.0
    assert scores.image_to_text.metrics.recall_at_1 == 100.0
    videos = retriever.encode_images([tmp_path / f"{a}-{b}.mp4" for a, b in SCENES])
    asked = retriever.encode_texts([f"{a} then {b}" for a, b in SCENES], language="en")
    assert (asked @ videos.T).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_a_recipe_trains_on_stored_features_of_frames(tmp_path: Path, manifest: Path) -> None:
    path = tmp_path / "recipe.toml"
    stores = tmp_path / "stores"
    path.write_text(RECIPE.format(manifest=manifest, features=stores, backbone=BACKBONE, epochs=2))
    run = train(load_recipe(path), tmp_path / "run", show_progress=False)
    assert run.best_recall is not None
    [folder] = stores.iterdir()
    store = FeatureStore(folder)
    assert store.shape == (4, 16)
    assert len(store) == 4
    assert Retriever.load(tmp_path / "run" / "model").preprocessing.frames == 4


def test_stores_of_frames_are_told_apart_by_their_number() -> None:
    found = set()
    for frames in (1, 4, 8):
        torch.manual_seed(0)
        image = FramesImageConfig(backbone=TINY, frames=frames, heads=2)
        system = build_system(
            DualEncoderConfig(dimension=16, image=image, text=TEXT), training_texts={"en": ["red"]}
        )
        found.add(system.backbone_fingerprint())
    assert len(found) == 3


def test_a_model_of_pictures_sees_the_middle_of_a_video(tmp_path: Path, manifest: Path) -> None:
    torch.manual_seed(0)
    plain = DualEncoderConfig(dimension=16, image=PooledImageConfig(backbone=TINY), text=TEXT)
    save_system(
        build_system(plain, training_texts={"en": ["red blue"]}), tmp_path / "plain", languages=()
    )
    retriever = Retriever.load(tmp_path / "plain")
    path = clip(tmp_path / "three.mp4", "red", "green", "blue")
    green = clip(tmp_path / "green.mp4", "green")
    videos = retriever.encode_images([path, green])
    assert_allclose(videos[0], videos[1], atol=1e-3)
    report = evaluate_retriever(retriever, read_manifest(manifest), draws=0)
    assert report.languages["en"].scores.text_to_image.gallery == 4


def test_pictures_and_videos_go_through_one_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_system(
        build_system(config(), training_texts={"en": ["red"]}), tmp_path / "model", languages=()
    )
    retriever = Retriever.load(tmp_path / "model")
    video, still = clip(tmp_path / "a.mp4", "red"), picture(tmp_path / "a.png", "red")
    assert retriever.encode_images([video, still]).shape == (2, 16)
    alone = retriever.encode_pixels(retriever.preprocessing(_open(still))[np.newaxis])
    assert_allclose(retriever.encode_images([still]), alone, atol=1e-6)


def _open(path: Path) -> object:
    from polyglance.data.decode import open_picture

    return open_picture(path)


def test_a_clip_has_black_places_where_there_is_no_frame(tmp_path: Path) -> None:
    several = Preprocessing(size=16, frames=8)
    pixels = decode_video(clip(tmp_path / "a.mp4", "red", "blue", seconds=0.2), several)
    assert pixels.shape == (8, 3, 16, 16)
    assert [bool(frame.any()) for frame in pixels] == [True] * 4 + [False] * 4
    one = decode_video(tmp_path / "a.mp4", Preprocessing(size=16))
    assert one.shape == (3, 16, 16)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ConfigError, match="3 do not divide a width of 16"):
        build_system(
            config().model_copy(update={"image": FramesImageConfig(backbone=TINY, heads=3)}),
            training_texts={"en": ["red"]},
        )


def test_frames_that_come_as_features_are_read_like_those_of_a_backbone() -> None:
    torch.manual_seed(0)
    image = FramesImageConfig(backbone=PrecomputedConfig(channels=8, regions=6), heads=2)
    plain = DualEncoderConfig(dimension=16, image=image, text=TEXT)
    system = build_system(plain, training_texts={"en": ["red"]}).eval()
    rows = torch.randn(2, 6, 8)
    rows[1, 4:] = 0
    with torch.no_grad():
        whole, cut, half = (
            system.encode_images(each).embedding for each in (rows, rows[1:, :4], rows.half())
        )
    assert_allclose(cut[0], whole[1], atol=1e-6)
    assert_allclose(half, whole, atol=2e-3)

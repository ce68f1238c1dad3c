"""A dual encoder of the smallest parts: it learns, and a checkpoint brings it back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from polyglance import Retriever
from polyglance.data.batch import Batch
from polyglance.errors import ConfigError, ModelError
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import CARD, CONFIG, WEIGHTS, load_checkpoint, save_system
from polyglance.systems.config import (
    AnnealedHingesConfig,
    AttentionPoolingConfig,
    BarlowTwinsConfig,
    DualEncoderConfig,
    InfoNCEConfig,
    LearnedWordsConfig,
    LossConfig,
    MaxOfHingesConfig,
    PooledImageConfig,
    RecurrentTextConfig,
    SigLIPConfig,
    SimCLRConfig,
    SmoothConfig,
    SumOfHingesConfig,
    TextConfig,
    TokenizerConfig,
    TransformersBackboneConfig,
    TransformerTextConfig,
)
from polyglance.systems.fingerprint import Tower, state_fingerprint
from polyglance.vision.inference import freeze

TEXTS = ["a dog", "ein Hund", "a red car", "kočka spí", "两只狗", "a boat", "une tasse", "bir ev"]
LANGUAGES = ["en", "de", "en", "cs", "zh", "en", "fr", "tr"]
LOSSES = [
    SumOfHingesConfig(),
    MaxOfHingesConfig(),
    AnnealedHingesConfig(),
    SimCLRConfig(),
    InfoNCEConfig(),
    SigLIPConfig(),
    BarlowTwinsConfig(),
]
RECURRENT = RecurrentTextConfig(
    words=LearnedWordsConfig(min_frequency=1, dimension=16), hidden_size=32
)
TRANSFORMER = TransformerTextConfig(
    tokenizer=TokenizerConfig(vocabulary_size=300, min_frequency=1),
    layers=1,
    width=32,
    heads=2,
    dropout=0.0,
)


def tiny(
    *, text: TextConfig = RECURRENT, loss: LossConfig = LOSSES[4], pooling: bool = True
) -> DualEncoderConfig:
    backbone = TransformersBackboneConfig(
        architecture={
            "model_type": "resnet",
            "embedding_size": 8,
            "hidden_sizes": [8, 16],
            "depths": [1, 1],
            "layer_type": "basic",
        },
        size=32,
    )
    image = (
        PooledImageConfig(backbone=backbone, pooling=AttentionPoolingConfig(heads=2), hidden=32)
        if pooling
        else PooledImageConfig(backbone=backbone)
    )
    return DualEncoderConfig(dimension=24, image=image, text=text, loss=loss)


def batch(pairs: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(
        images=torch.randint(0, 256, (pairs, 3, 32, 32), generator=generator, dtype=torch.uint8),
        image_ids=torch.arange(pairs),
        texts=TEXTS[:pairs],
        languages=LANGUAGES[:pairs],
        text_image_ids=torch.arange(pairs),
    )


@pytest.mark.parametrize("text", [RECURRENT, TRANSFORMER], ids=lambda text: text.kind)
def test_it_overfits_eight_pairs(text: TextConfig) -> None:
    torch.manual_seed(0)
    system = build_system(tiny(text=text), training_texts={"en": TEXTS})
    optimizer = torch.optim.Adam(system.parameters(), lr=3e-3)
    first = last = 0.0
    for step in range(60):
        loss = torch.stack([*system.training_step(batch()).values()]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = (loss.item() if step == 0 else first), loss.item()
    assert last < first / 4
    system.eval()
    with torch.no_grad():
        images = system.encode_images(batch().images)
        texts = system.encode_texts(system.prepare_texts(TEXTS, LANGUAGES))
        assert system.score(images, texts).argmax(1).tolist() == list(range(8))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.kind)
def test_the_gradient_reaches_every_parameter(loss: LossConfig) -> None:
    torch.manual_seed(0)
    system = build_system(tiny(loss=loss, text=TRANSFORMER), training_texts={"en": TEXTS})
    torch.stack([*system.training_step(batch()).values()]).sum().backward()
    without = [
        name
        for name, parameter in system.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    ]
    assert without == []


def test_a_frozen_backbone_gets_no_gradient_and_trains_from_its_features() -> None:
    torch.manual_seed(0)
    system = build_system(tiny(), training_texts={"en": TEXTS}).eval()
    backbone = system.parts()["image.backbone"]
    backbone.requires_grad_(False)
    pixels = batch().images
    features = system.backbone_features(pixels)
    assert torch.equal(
        system.encode_images(pixels).embedding, system.encode_images(features).embedding
    )
    system.encode_images(pixels).embedding.sum().backward()
    assert all(parameter.grad is None for parameter in backbone.parameters())


@pytest.mark.parametrize("text", [RECURRENT, TRANSFORMER], ids=lambda text: text.kind)
@pytest.mark.parametrize("pooling", [True, False])
def test_a_checkpoint_brings_the_same_embeddings_back(
    tmp_path: Path, text: TextConfig, pooling: bool
) -> None:
    torch.manual_seed(0)
    system = build_system(tiny(text=text, pooling=pooling), training_texts={"en": TEXTS}).eval()
    fingerprint = save_system(system, tmp_path / "model", languages=["en", "de"], card="# A card")
    loaded = load_checkpoint(tmp_path / "model")
    assert loaded.fingerprint == fingerprint
    assert loaded.languages == ("en", "de")
    assert loaded.system.config == system.config
    with torch.no_grad():
        pixels = batch().images
        assert torch.equal(
            loaded.system.encode_images(pixels).embedding, system.encode_images(pixels).embedding
        )
        inputs = system.prepare_texts(TEXTS, LANGUAGES)
        again = loaded.system.prepare_texts(TEXTS, LANGUAGES)
        assert torch.equal(
            loaded.system.encode_texts(again).embedding, system.encode_texts(inputs).embedding
        )


def test_the_fingerprint_follows_weights_and_tokenizer_but_not_the_card(tmp_path: Path) -> None:
    torch.manual_seed(0)
    system = build_system(tiny(), training_texts={"en": TEXTS})
    first = save_system(system, tmp_path / "model")
    assert save_system(system, tmp_path / "model", card="measured") == first
    with torch.no_grad():
        next(system.parameters()).add_(1e-3)
    changed = save_system(system, tmp_path / "model")
    assert changed != first
    other = build_system(tiny(), training_texts={"en": [*TEXTS, "another word"]})
    assert save_system(other, tmp_path / "other") not in {first, changed}


def test_a_tower_is_named_while_unchanged_and_stored_once_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    system = build_system(tiny(), training_texts={"en": TEXTS})
    backbone = system.parts()["image.backbone"]
    system.towers = {"image.backbone": Tower("a-tower", state_fingerprint(backbone))}
    save_system(system, tmp_path / "frozen")
    stored = (tmp_path / "frozen" / WEIGHTS).stat().st_size
    described = json.loads((tmp_path / "frozen" / CONFIG).read_text())
    assert described["towers"]["image.backbone"]["name"] == "a-tower"
    with pytest.raises(ModelError, match="another a-tower"):
        load_checkpoint(tmp_path / "frozen")  # built anew, the backbone has other weights
    with torch.no_grad():
        next(backbone.parameters()).add_(1.0)
    save_system(system, tmp_path / "trained")
    assert json.loads((tmp_path / "trained" / CONFIG).read_text())["towers"] == {}
    assert (tmp_path / "trained" / WEIGHTS).stat().st_size > stored
    load_checkpoint(tmp_path / "trained")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / WEIGHTS).unlink(), "missing"),
        (lambda folder: (folder / CONFIG).write_text("{"), "damaged"),
        (lambda folder: (folder / CONFIG).write_text('{"format": 1}'), "damaged"),
        (lambda folder: (folder / CONFIG).write_text("[]"), "damaged"),
        (lambda folder: (folder / "vocabulary.json").unlink(), "vocabulary"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"\0" * 40), "weights|safetensors"),
    ],
)
def test_a_damaged_checkpoint_is_refused_with_a_reason(
    tmp_path: Path, damage: object, message: str
) -> None:
    save_system(build_system(tiny(), training_texts={"en": TEXTS}), tmp_path / "model", card="x")
    damage(tmp_path / "model")  # type: ignore[operator]
    with pytest.raises(ModelError, match=message):
        load_checkpoint(tmp_path / "model")


def test_a_backbone_rounded_for_speed_is_not_saved_as_the_models_own(tmp_path: Path) -> None:
    system = build_system(tiny(), training_texts={"en": TEXTS})
    save_system(system, tmp_path / "model")
    freeze(system.image.backbone, dtype=torch.bfloat16)
    with pytest.raises(ModelError, match="rounded=False"):
        save_system(system, tmp_path / "model")
    assert load_checkpoint(tmp_path / "model").system is not None  # what was there is there


def test_another_format_is_refused(tmp_path: Path) -> None:
    save_system(build_system(tiny(), training_texts={"en": TEXTS}), tmp_path / "model")
    described = json.loads((tmp_path / "model" / CONFIG).read_text())
    (tmp_path / "model" / CONFIG).write_text(json.dumps(described | {"format": 99}))
    with pytest.raises(ModelError, match="format 99"):
        load_checkpoint(tmp_path / "model")


def test_saving_over_a_checkpoint_leaves_nothing_else_behind(tmp_path: Path) -> None:
    system = build_system(tiny(), training_texts={"en": TEXTS})
    save_system(system, tmp_path / "model", card="x")
    save_system(system, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert not (tmp_path / "model" / CARD).exists()


def test_no_captions_for_a_tokenizer_is_an_error() -> None:
    with pytest.raises(ConfigError, match="captions, and there are none"):
        build_system(tiny())


def test_smooth_is_the_dual_encoder_that_the_paper_describes(tmp_path: Path) -> None:
    config = SmoothConfig(backbone=tiny().image.backbone, text=TRANSFORMER)
    system = build_system(config, training_texts={"en": TEXTS}).eval()
    assert system.dimension == 128
    assert system.config == config
    assert set(system.parts()) == {
        "image.backbone",
        "image.head",
        "text.encoder",
        "text.head",
        "loss",
    }
    save_system(system, tmp_path / "smooth")
    assert load_checkpoint(tmp_path / "smooth").system.config == config


def test_the_retriever_finds_what_its_system_finds(tmp_path: Path) -> None:
    from PIL import Image

    torch.manual_seed(0)
    system = build_system(tiny(), training_texts={"en": TEXTS})
    save_system(system, tmp_path / "model", languages=["en"])
    retriever = Retriever.load(tmp_path / "model")
    assert retriever.name == str((tmp_path / "model").resolve())
    pictures = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    paths = []
    for number, picture in enumerate(pictures):
        paths.append(tmp_path / f"{number}.png")
        picture.save(paths[-1])
    by_path = retriever.encode_images(paths, batch_size=2)
    assert by_path.shape == (3, 24)
    assert by_path == pytest.approx(retriever.encode_images(pictures), abs=1e-6)
    texts = retriever.encode_texts(TEXTS, language=LANGUAGES)
    assert texts[3] == pytest.approx(retriever.encode_texts([TEXTS[3]], language="cs")[0], abs=1e-6)
    best = retriever.rank(texts[0], by_path, top=2)
    scores = retriever.similarity(texts[:1], by_path)[0]
    assert best[0].row == scores.argmax()
    assert best[0].score >= best[1].score
    with pytest.raises(ValueError, match="8 texts but 2 languages"):
        retriever.encode_texts(TEXTS, language=["en", "de"])


def test_an_unknown_model_lists_the_built_in_ones() -> None:
    with pytest.raises(ModelError, match=r"no model 'nothing'.*mini"):
        Retriever.load("nothing")

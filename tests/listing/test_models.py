"""What is told of a model without loading it is what a loaded one says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.systems import tiny_hub
from tests.systems.tiny_backbone import TINY

from polyglance import Retriever
from polyglance.errors import ModelError
from polyglance.listing import speed as speed_module
from polyglance.listing.describe import describe
from polyglance.listing.entry import Entry, Place, Recall, Unusable
from polyglance.listing.places import below, built_in, in_hub_cache
from polyglance.listing.recalls import written_down
from polyglance.listing.speed import measure_speed
from polyglance.onnx.description import Description, Pictures, Sentences
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import save_system
from polyglance.systems.config import (
    DualEncoderConfig,
    PooledImageConfig,
    SCANConfig,
    SmoothConfig,
    TokenizerConfig,
    TransformerTextConfig,
)
from support.colours import ColourEncoder

if TYPE_CHECKING:
    from polyglance.systems.config import SystemConfig

TEXTS = ["a dog", "ein Hund", "a red car", "kočka spí", "a boat", "une tasse", "bir ev"]
READS = TransformerTextConfig(
    tokenizer=TokenizerConfig(vocabulary_size=300, min_frequency=1), layers=1, width=32, heads=2
)
CARD = """# a model

| language | captions a picture | text→image R@1 | R@5 | R@10 | image→text R@1 | R@5 | R@10 | rsum |
|---|---|---|---|---|---|---|---|---|
| de | 5.0 | 1.5 [1.0, 2.0] | 20.5 [19.0, 22.0] | 30.0 | 9 | 9 | 9 | 79 |
| cs | 1.0 | 2.5 | 10.5 | 20.0 | 9 | 9 | 9 | 60 |

Mean recall 12; worst language cs.

| something | else |
|---|---|
| de | 1 |
"""


def described(folder: Path) -> Entry:
    entry = describe(Place(str(folder), folder))
    assert isinstance(entry, Entry), entry
    return entry


def saved(config: SystemConfig, folder: Path, **told: object) -> Path:
    save_system(build_system(config, training_texts={"en": TEXTS}), folder, **told)  # type: ignore[arg-type]
    return folder


@pytest.mark.parametrize("make", tiny_hub.FAMILIES.values(), ids=tiny_hub.FAMILIES)
def test_published_models_and_their_checkpoints(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "published")
    model = Retriever.load(tmp_path / "published")
    model.save(tmp_path / "checkpoint")
    count = sum(tensor.numel() for tensor in model.system.state_dict().values())
    for folder, kind in (("published", "published"), ("checkpoint", "checkpoint")):
        entry = described(tmp_path / folder)
        assert (entry.kind, entry.dimension) == (kind, model.dimension)
        assert entry.weights.parameters == pytest.approx(count, rel=0.01)
        assert entry.weights.uncounted == entry.missing == ()
        files = [path for path in (tmp_path / folder).iterdir() if path.is_file()]
        assert entry.weights.size == sum(path.stat().st_size for path in files)


def test_checkpoints_say_what_they_were_trained_on(tmp_path: Path) -> None:
    image = PooledImageConfig(backbone=TINY)
    config = DualEncoderConfig(dimension=24, image=image, text=READS)
    entry = described(saved(config, tmp_path / "model", languages=["de", "cs"], card=CARD))
    assert (entry.system, entry.languages, entry.dimension) == ("dual-encoder", ("de", "cs"), 24)
    assert entry.measured is not None
    assert entry.measured.source == tmp_path / "model" / "card.md"
    assert entry.measured.recalls == {"de": Recall(1.5, 20.5, 30), "cs": Recall(2.5, 10.5, 20)}
    assert entry.measured.worst == "cs"
    smooth = SmoothConfig(dimension=16, backbone=TINY, text=READS)
    entry = described(saved(smooth, tmp_path / "smooth"))
    assert (entry.dimension, entry.measured) == (16, None)


def test_what_compares_pair_by_pair_has_no_dimension(tmp_path: Path) -> None:
    scan = SCANConfig(dimension=16, backbone=TINY)
    model = Retriever.load(saved(scan, tmp_path / "scan"))
    with pytest.raises(ModelError, match="compares every picture"):
        measure_speed(model)
    assert described(tmp_path / "scan").dimension is None


def test_a_runs_report_goes_before_the_card(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "card.md").write_text(CARD, "utf-8")
    found = {"R@1": 1.0, "R@5": 2.0, "R@10": 3.0}
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"languages": {"ja": {"text_to_image": found}}}))
    measured = written_down(tmp_path / "model")
    assert measured is not None
    assert (measured.source, measured.recalls) == (report, {"ja": Recall(1, 2, 3)})
    report.write_text("{}")
    measured = written_down(tmp_path / "model")
    assert measured is not None
    assert set(measured.recalls) == {"de", "cs"}
    (tmp_path / "model" / "card.md").write_text("# nothing was measured")
    assert written_down(tmp_path / "model") is None
    report.write_text(json.dumps({"languages": {"ja": {"text_to_image": found}}}))
    (tmp_path / "model").rename(tmp_path / "other")  # a report beside which another model lies
    assert written_down(tmp_path / "other") is None


def test_exports(tmp_path: Path) -> None:
    pictures = Pictures(size=224, fit="squash", crop_fraction=1.0)
    told = Description(
        model="mini",
        fingerprint="00",
        precision="int8",
        dimension=1792,
        languages=("de", "cs"),
        pictures=pictures,
        texts=Sentences(encoder="00", buckets=32768),
    )
    (tmp_path / "onnx.json").write_text(told.model_dump_json())
    (tmp_path / "image.onnx").write_bytes(bytes(1000))
    (tmp_path / "text.onnx").write_bytes(bytes(2000))
    [place] = below(tmp_path)
    entry = described(place.folder)
    assert (entry.kind, entry.system, entry.dimension) == ("export", "ONNX, int8", 1792)
    assert entry.languages == ("de", "cs")
    assert entry.weights.uncounted == ("image.onnx", "text.onnx", "sentence-encoder")
    assert entry.weights.size > 3000
    (tmp_path / "text.onnx").unlink()
    broken = describe(place)
    assert isinstance(broken, Unusable)
    assert "lacks text.onnx" in broken.reason


@pytest.mark.towers
def test_the_built_in_model(mini: Retriever) -> None:
    [place] = built_in()
    entry = describe(place)
    assert isinstance(entry, Entry)
    assert (entry.name, entry.kind, entry.missing) == ("mini", "built-in", ())
    assert (entry.languages, entry.dimension) == (mini.languages, mini.dimension)
    counted = sum(tensor.numel() for tensor in mini.system.state_dict().values())
    assert entry.weights.parameters == pytest.approx(counted, rel=0.01)
    assert entry.weights.uncounted == ("sentence-encoder",)
    assert entry.measured is not None
    assert entry.measured.recalls["en"] == Recall(24.5, 52.8, 65.8)
    assert entry.measured.worst == "zh"
    assert len(entry.measured.recalls) == 7


def test_towers_that_are_not_here_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYGLANCE_CACHE", str(tmp_path / "empty"))
    [place] = built_in()
    entry = describe(place)
    assert isinstance(entry, Entry)
    assert set(entry.missing) == set(entry.weights.uncounted) == {"resnet50", "sentence-encoder"}
    assert entry.weights.size < 20e6


def test_models_are_found_below_a_folder(tmp_path: Path) -> None:
    tiny_hub.clip(tmp_path / "b" / "clip")
    for name in ("a/model", ".hidden/model", "b/clip/inside"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text('{"format": 1}')
        save_file({"w": np.zeros(3, np.float32)}, tmp_path / name / "model.safetensors")
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "bert" / "model.safetensors").touch()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "config.json").write_text('{"no": "weights"}')
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert [place.folder for place in below(tmp_path)] == [
        tmp_path / "a" / "model",
        tmp_path / "b" / "clip",
    ]
    assert [place.folder for place in below(tmp_path / "b" / "clip")] == [tmp_path / "b" / "clip"]
    with pytest.raises(ModelError, match="no such folder"):
        below(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("config", "weights", "reason"),
    [
        ("{", None, "is damaged"),
        ("[]", None, "is damaged"),
        ('{"format": 1}', None, "is damaged"),
        ('{"format": 1, "model": {}, "towers": {}, "languages": []}', None, "damaged: KeyError"),
        ('{"format": 9, "model": {}, "towers": {}, "languages": []}', None, "format 9"),
        ('{"format": 1, "model": {"system": "mini"}, "towers": {}, "languages": []}', b"x", "read"),
        (
            '{"format": 1, "model": {"system": "smooth", "dimension": 8}, '
            '"towers": {"b": {"name": "resnet51"}}, "languages": []}',
            None,
            "nothing called 'resnet51'",
        ),
    ],
)
def test_damaged_models_are_told_and_do_no_harm(
    config: str, weights: bytes | None, reason: str, tmp_path: Path
) -> None:
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    if weights is not None:
        (tmp_path / "model.safetensors").write_bytes(weights)
    (tmp_path / "config.json").write_text(config)
    [place] = below(tmp_path)
    found = describe(place)
    assert isinstance(found, Unusable)
    assert reason in found.reason


def test_the_hubs_cache_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def cached(name: str, *, main: bool, config: str | None = None) -> None:
        top, revision = tmp_path / f"models--{name.replace('/', '--')}", "5" * 40
        snapshot = top / "snapshots" / revision
        if config is None:
            tiny_hub.clip(snapshot)
        else:
            snapshot.mkdir(parents=True)
            (snapshot / "config.json").write_text(config)
        if main:
            (top / "refs").mkdir()
            (top / "refs" / "main").write_text(revision)

    cached("someone/clip", main=True)
    cached("someone/other-revision", main=False)
    cached("someone/bert", main=True, config='{"model_type": "bert"}')
    cached("someone/half", main=True, config='{"model_type": "clip"}')
    scan = huggingface_hub.scan_cache_dir
    monkeypatch.setattr(huggingface_hub, "scan_cache_dir", lambda: scan(tmp_path))
    places = in_hub_cache()
    assert [place.name for place in places] == ["someone/clip", "someone/half"]
    whole, half = map(describe, places)
    assert isinstance(whole, Entry)
    assert whole.system == "CLIP"
    assert isinstance(half, Unusable)
    assert "no model.safetensors" in half.reason
    monkeypatch.setattr(huggingface_hub, "scan_cache_dir", lambda: scan(tmp_path / "none"))
    assert in_hub_cache() == []


def test_speed_counts_what_was_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))  # every look at it is a second later
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(speed_module, "SECONDS", 4.0)
    encoder = ColourEncoder()
    speed = measure_speed(encoder)
    # Started, and looked at before each of three rounds and once more after the last.
    assert encoder.pictures_encoded == 16 * 4  # one call that is not timed
    assert speed.pictures == 16 * 3 / 4
    assert speed.texts == len(encoder.texts_seen) / 4 * 3 / 4

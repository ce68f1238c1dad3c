from __future__ import annotations

import copy
import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from polyglance.errors import ModelError, WeightsError
from polyglance.vision.boxes import overlaps
from polyglance.vision.detector import Detector

ANCHORS, SIZE = 60, 16
NAMES = ["cat", "???", "dog"]
RANDOM = np.random.default_rng(0)
PIXELS = torch.from_numpy(RANDOM.integers(0, 256, (3, 12, 20), dtype=np.uint8))


class FakeInterpreter:
    """Answers like LiteRT, with tensors that do not depend on the picture."""

    def __init__(self, *, model_content: bytes, num_threads: int) -> None:
        self.seen: list[NDArray[np.uint8]] = []
        self.tensors: dict[int, NDArray[np.float32]] = {
            3: RANDOM.uniform(0.1, 0.9, (ANCHORS, 4)).astype(np.float32),
            5: RANDOM.uniform(0, 1, (1, ANCHORS, len(NAMES))).astype(np.float32),
            8: RANDOM.normal(0, 0.5, (1, ANCHORS, 4)).astype(np.float32),
        }

    def allocate_tensors(self) -> None: ...

    def invoke(self) -> None: ...

    def get_input_details(self) -> list[dict[str, Any]]:
        return [{"index": 0, "shape": np.array([1, SIZE, SIZE, 3])}]

    def get_tensor_details(self) -> list[dict[str, Any]]:
        quantised = {"index": 4, "shape": np.array([1, ANCHORS, len(NAMES)]), "dtype": np.int8}
        return [quantised] + [
            {"index": index, "shape": np.array(tensor.shape), "dtype": np.float32}
            for index, tensor in self.tensors.items()
        ]

    def get_tensor(self, index: int) -> NDArray[np.float32]:
        return self.tensors[index].copy()

    def set_tensor(self, index: int, value: NDArray[np.uint8]) -> None:
        assert index == 0
        self.seen.append(value)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("ai_edge_litert.interpreter")
    module.Interpreter = FakeInterpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)


def by_hand(interpreter: FakeInterpreter, anchor: int) -> tuple[list[float], list[float]]:
    """Box and named probabilities of one anchor."""
    dy, dx, dh, dw = (float(each) for each in interpreter.tensors[8][0, anchor])
    y, x, height, width = (float(each) for each in interpreter.tensors[3][anchor])
    y, x = y + dy * height, x + dx * width
    height, width = height * math.exp(dh), width * math.exp(dw)
    corners = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    cat, _, dog = interpreter.tensors[5][0, anchor].tolist()
    return [min(max(corner, 0), 1) for corner in corners], [cat, dog]


@pytest.mark.usefixtures("fake")
def test_boxes_and_probabilities_against_a_loop() -> None:
    detector = Detector(model=b"m", class_names=NAMES, minimum_score=0.3)
    interpreter = detector._interpreter
    assert isinstance(interpreter, FakeInterpreter)
    assert detector.class_names == ("cat", "dog")
    every = [by_hand(interpreter, anchor) for anchor in range(ANCHORS)]
    every = sorted((each for each in every if max(each[1]) >= 0.3), key=lambda each: -max(each[1]))
    same = overlaps(torch.tensor([box for box, _ in every])) > 0.5
    kept: list[int] = []
    for candidate in range(len(every)):
        if not any(same[candidate, better] for better in kept):
            kept.append(candidate)
    assert 5 < len(kept) < len(every)
    found = detector(PIXELS, limit=ANCHORS)
    torch.testing.assert_close(found.boxes, torch.tensor([every[index][0] for index in kept]))
    probabilities = torch.tensor([every[index][1] for index in kept])
    torch.testing.assert_close(found.probabilities, probabilities)
    torch.testing.assert_close(found.scores, probabilities.amax(1))
    few = detector(PIXELS, limit=4)
    torch.testing.assert_close(few.boxes, found.boxes[:4])
    assert detector(PIXELS, limit=0).boxes.shape == (0, 4)


@pytest.mark.usefixtures("fake")
def test_the_model_sees_the_picture_in_its_own_size() -> None:
    detector = Detector(model=b"m", class_names=NAMES)
    detector(PIXELS, limit=1)
    square = torch.randint(0, 256, (3, SIZE, SIZE), dtype=torch.uint8)
    detector(square, limit=1)
    stretched, unchanged = detector._interpreter.seen  # type: ignore[attr-defined]
    assert stretched.shape == (1, SIZE, SIZE, 3)
    assert stretched.dtype == np.uint8
    assert abs(stretched.mean() - PIXELS.float().mean().item()) < 4
    assert np.array_equal(unchanged[0], square.permute(1, 2, 0).numpy())


@pytest.mark.usefixtures("fake")
def test_another_model_or_setting_is_another_detector() -> None:
    detector = Detector(model=b"m", class_names=NAMES)
    assert detector.fingerprint == Detector(model=b"m", class_names=NAMES).fingerprint
    assert detector.fingerprint != Detector(model=b"n", class_names=NAMES).fingerprint
    other = Detector(model=b"m", class_names=NAMES, minimum_score=0.2)
    assert detector.fingerprint != other.fingerprint
    assert copy.deepcopy(detector) is detector


@pytest.mark.usefixtures("fake")
def test_a_model_of_another_kind_is_refused() -> None:
    with pytest.raises(ModelError, match="no EfficientDet-Lite"):
        Detector(model=b"m", class_names=[*NAMES, "horse", "cow"])


def test_without_the_library_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ModelError, match=r"pip install 'polyglance\[detector\]'"):
        Detector(model=b"m", class_names=NAMES)


def test_a_damaged_model_is_named() -> None:
    with pytest.raises(ModelError, match=r"damaged .*polyglance download detector"):
        Detector(model=b"no model at all", class_names=NAMES)


def test_absent_weights_name_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGLANCE_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="`polyglance download detector`"):
        Detector.load()


@pytest.mark.towers
@pytest.mark.flickr8k
def test_the_best_boxes_are_those_of_the_models_own_last_step(flickr8k: Path) -> None:
    try:
        detector = Detector.load()
    except WeightsError as error:
        pytest.skip(f"the object detector is absent: {error}")
    records = [json.loads(line) for line in (flickr8k / "val.jsonl").read_text().splitlines()[:8]]
    compared = 0
    for record in records:
        with Image.open(flickr8k / record["image"]) as opened:
            pixels = np.asarray(opened.convert("RGB").resize((448, 448)))
        found = detector(torch.from_numpy(pixels.copy()).permute(2, 0, 1), limit=36)
        interpreter = detector._interpreter
        boxes, classes, scores, _ = (
            interpreter.get_tensor(output["index"])[0] if output["shape"].tolist() != [1] else None
            for output in interpreter.get_output_details()
        )
        sure = scores > 0.5
        for box, number, score in zip(boxes[sure], classes[sure], scores[sure], strict=True):
            wanted = torch.tensor(box[[1, 0, 3, 2]]).clamp(0, 1)
            best = int((found.boxes - wanted).abs().amax(1).argmin())
            torch.testing.assert_close(found.boxes[best], wanted, rtol=0, atol=1e-4)
            assert float(found.scores[best]) == pytest.approx(score)
            assert detector._named[int(found.probabilities[best].argmax())] == int(number)
            compared += 1
    assert compared >= 5

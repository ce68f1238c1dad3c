"""Objects in a picture: boxes, and what may be in them."""

from __future__ import annotations

import hashlib
import json
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from polyglance.errors import ModelError
from polyglance.vision.boxes import suppress

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter
    from numpy.typing import NDArray

CANDIDATES = 300
"""So many of the likeliest boxes are compared with one another."""

OVERLAP = 0.5
"""Boxes that share more than this of their union show the same object."""


class Detections(NamedTuple):
    """Objects of one picture, the likeliest first.

    Attributes:
        boxes: (objects, 4) left, top, right, bottom as shares of the picture's sides.
        probabilities: (objects, classes); each class on its own, rows need not sum to 1.
        scores: (objects,) the largest of the probabilities.
    """

    boxes: Tensor
    probabilities: Tensor
    scores: Tensor


class Detector:
    """EfficientDet-Lite (Tan et al., CVPR 2020) run by LiteRT, on the processor. Thread-safe.

    The model's own last step keeps 25 boxes with one class each. Here its scores of all anchors
    are read instead, so that there may be more boxes, each with the probabilities of all classes;
    suppression does not ask for the class, since a region is to be seen once.

    Args:
        model: content of a ``.tflite`` file.
        class_names: one a class of the model; those called ``???`` are left out.
        minimum_score: what is less likely is no object.

    Attributes:
        class_names: of the columns of ``Detections.probabilities``.
        fingerprint: hex digest over the model and its settings.

    Raises:
        ModelError: LiteRT is not installed, or the model is damaged or no such detector.
    """

    def __init__(
        self, *, model: bytes, class_names: list[str], minimum_score: float = 0.05
    ) -> None:
        from polyglance.weights.detector import UNUSED

        self.minimum_score = minimum_score
        self._named = [index for index, name in enumerate(class_names) if name != UNUSED]
        self.class_names = tuple(class_names[index] for index in self._named)
        settings = f"{minimum_score} {OVERLAP} {CANDIDATES} {self.class_names}".encode()
        self.fingerprint = hashlib.sha256(settings + hashlib.sha256(model).digest()).hexdigest()
        self._interpreter = _open(model)
        self._running = Lock()
        (pixels,) = self._interpreter.get_input_details()
        self._pixels, self._size = int(pixels["index"]), int(pixels["shape"][1])
        self._scores, anchors = self._find((1, None, len(class_names)))
        self._offsets, _ = self._find((1, anchors, 4))
        index, _ = self._find((anchors, 4))
        self._anchors: NDArray[np.float32] = self._interpreter.get_tensor(index)  # y, x, h, w

    @classmethod
    def load(cls, name: str = "detector") -> Self:
        """The detector that ``polyglance download detector`` fetches.

        Raises:
            WeightsError: it has not been fetched.
            ModelError: LiteRT is not installed, or the files are damaged.
        """
        from polyglance.weights.detector import CLASSES, MODEL
        from polyglance.weights.fetch import ensure

        folder = ensure(name)
        names = json.loads((folder / CLASSES).read_text("utf-8"))
        return cls(model=(folder / MODEL).read_bytes(), class_names=names)

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: nothing in it ever changes, and an interpreter cannot be copied."""
        return self

    def __call__(self, pixels: Tensor, *, limit: int) -> Detections:
        """Look for objects.

        Args:
            pixels: (3, height, width) uint8 RGB.
            limit: how many objects at most.
        """
        square = functional.interpolate(
            pixels[None].float(), size=(self._size, self._size), mode="bilinear", antialias=True
        )  # (1, 3, size, size)
        inputs = square.round().clamp(0, 255).byte().permute(0, 2, 3, 1)  # (1, size, size, 3)
        with self._running:
            self._interpreter.set_tensor(self._pixels, inputs.contiguous().cpu().numpy())
            self._interpreter.invoke()
            probabilities = self._interpreter.get_tensor(self._scores)[0]  # (anchors, classes)
            offsets = self._interpreter.get_tensor(self._offsets)[0]  # (anchors, 4)
        probabilities = probabilities[:, self._named]
        scores = probabilities.max(axis=1)  # (anchors,)
        likely = np.argsort(-scores, kind="stable")[:CANDIDATES]
        likely = likely[scores[likely] >= self.minimum_score]
        found = Detections(
            boxes=torch.from_numpy(_decoded(offsets[likely], self._anchors[likely])),
            probabilities=torch.from_numpy(probabilities[likely]),
            scores=torch.from_numpy(scores[likely]),
        )
        kept = suppress(found.boxes, found.scores, threshold=OVERLAP, limit=limit)
        return Detections(*(each[kept] for each in found))

    def _find(self, shape: tuple[int | None, ...]) -> tuple[int, int]:
        """The first tensor of that shape in the model: its index and its second-last axis.

        The scores and offsets of all anchors are the inputs of the model's last step, hence still
        there when it is over.
        """
        for details in self._interpreter.get_tensor_details():
            sides = details["shape"].tolist()
            fits = len(sides) == len(shape) and details["dtype"] == np.float32
            pairs = zip(sides, shape, strict=False)
            if fits and all(wanted in {None, side} for side, wanted in pairs):
                return int(details["index"]), int(sides[-2])
        raise ModelError(f"the detector has no tensor of shape {shape}; it is no EfficientDet-Lite")


def _decoded(offsets: NDArray[np.float32], anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Offsets from anchors → boxes inside the picture.

    Args:
        offsets: (boxes, 4): of the centre, y and x, in sides of the anchor; of the logarithms of
            height and width (Girshick et al., CVPR 2014, appendix C).
        anchors: (boxes, 4): centre y and x, height, width.

    Returns:
        (boxes, 4) left, top, right, bottom.
    """
    centres = offsets[:, :2] * anchors[:, 2:] + anchors[:, :2]
    halves = np.exp(offsets[:, 2:]) * anchors[:, 2:] / 2
    corners = np.concatenate([centres - halves, centres + halves], axis=1)  # y, x, y, x
    boxes: NDArray[np.float32] = corners[:, [1, 0, 3, 2]].clip(0, 1)
    return boxes


def _open(model: bytes) -> Interpreter:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise ModelError(
            "the object detector needs LiteRT; run `pip install 'polyglance[detector]'`"
        ) from None
    try:
        interpreter = Interpreter(model_content=model, num_threads=torch.get_num_threads())
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(
            f"the object detector is damaged ({error}); fetch it again with "
            "`polyglance download detector`"
        ) from None
    return interpreter

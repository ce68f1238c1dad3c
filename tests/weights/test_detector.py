from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from polyglance.errors import WeightsError
from polyglance.weights.detector import CLASSES, MODEL, class_names, convert_detector

from .packages import npm_package


def model(labels: str | None) -> bytes:
    """Bytes of a model with metadata behind them, as TensorFlow Lite writes it."""
    file = io.BytesIO(b"TFL3 the network itself")
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:
        if labels is not None:
            archive.writestr("labelmap.txt", labels)
    return file.getvalue()


def test_the_model_and_its_names_are_written(tmp_path: Path) -> None:
    content = model("cat\n???\ndog\n")
    others = {"assets/efficientdet-lite0.tflite": b"smaller", f"assets/{MODEL}": content}
    package = npm_package(tmp_path / "p.tgz", others)
    convert_detector({"p": package}, tmp_path)
    assert (tmp_path / MODEL).read_bytes() == content
    assert json.loads((tmp_path / CLASSES).read_text()) == ["cat", "???", "dog"]


def test_another_package_is_refused(tmp_path: Path) -> None:
    package = npm_package(tmp_path / "p.tgz", {"assets/other.tflite": model("cat")})
    with pytest.raises(WeightsError, match=f"holds 0 files called {MODEL}"):
        convert_detector({"p": package}, tmp_path)


@pytest.mark.parametrize("content", [b"TFL3 without metadata", model(None)])
def test_a_model_without_names_is_refused(content: bytes) -> None:
    with pytest.raises(WeightsError, match=r"m\.tflite has no labelmap\.txt"):
        class_names(content, where="m.tflite")

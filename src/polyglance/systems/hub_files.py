"""The files of a model of transformers: which there are, what they say, and their fingerprint."""

from __future__ import annotations

import json
from pathlib import Path

from polyglance.errors import ModelError
from polyglance.systems.fingerprint import combined_fingerprint

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
BESIDE_WEIGHTS = (
    CONFIG,
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "spiece.model",
    "tokenizer.model",
    "sentencepiece.bpe.model",
)
"""What else decides which embeddings a model gives."""


def read_model_type(folder: Path) -> object:
    """``model_type`` of a folder's ``config.json``; ``None`` where there is none.

    Raises:
        ModelError: the file is no JSON object.
    """
    path = folder / CONFIG
    try:
        return json.loads(path.read_text("utf-8")).get("model_type")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{path} is damaged: {error!r}") from None


def weight_files(folder: Path) -> list[str]:
    """Names of the files with the weights: one, or an index and the parts that it lists.

    Raises:
        ModelError: there are none in safetensors, or the index is damaged.
    """
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    try:
        listed = json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values()
    except FileNotFoundError:
        raise ModelError(
            f"{folder} has no {WEIGHTS}, and pickled weights are not read; fetch that file, or "
            "save the model anew with save_pretrained"
        ) from None
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelError(f"{folder / INDEX} is damaged: {error!r}") from None
    names = [INDEX, *sorted(set(listed))]
    if lost := [name for name in names if not (folder / name).is_file()]:
        raise ModelError(f"{folder} lacks {', '.join(lost[:3])}; fetch the model's folder whole")
    return names


def folder_fingerprint(folder: Path) -> str:
    """Hex digest over the files that a model is loaded from.

    Over the files and not over what is made of them, so that another version of the library finds
    the same model.
    """
    beside = [name for name in BESIDE_WEIGHTS if (folder / name).is_file()]
    parts: list[str | bytes] = []
    for name in (*beside, *weight_files(folder)):
        parts += [name, (folder / name).read_bytes()]
    return combined_fingerprint(*parts)

"""The folder layout of sentence-transformers: ``modules.json``, and a folder for each module."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

from polyglance.errors import ModelError
from polyglance.systems.config.hub import DenseConfig
from polyglance.systems.fingerprint import combined_fingerprint
from polyglance.systems.hub_files import CONFIG, WEIGHTS, folder_fingerprint

MODULES, SETTINGS = "modules.json", "sentence_bert_config.json"
ACTIVATIONS: dict[str, Literal["identity", "tanh"]] = {"Identity": "identity", "Tanh": "tanh"}


class Module(NamedTuple):
    """One step of a model: its class without the package, and where its files are."""

    kind: str
    folder: Path


class SentenceFolder(NamedTuple):
    """A text tower's folder, understood.

    Attributes:
        transformer: folder of the transformer and its tokenizer.
        pooling: of its states.
        dense: configuration and weights of each linear layer.
        max_length: tokens of a text, where the folder says so.
        lowercase: whether texts are lowered first.
    """

    transformer: Path
    pooling: Literal["mean", "first"]
    dense: tuple[tuple[DenseConfig, Path], ...]
    max_length: int | None
    lowercase: bool


def read_modules(folder: Path) -> list[Module]:
    """The modules of a folder in their order; none where it has no ``modules.json``.

    Raises:
        ModelError: the file is damaged.
    """
    path = folder / MODULES
    if not path.is_file():
        return []
    try:
        return [
            Module(str(each["type"]).rpartition(".")[2], folder / each["path"])
            for each in json.loads(path.read_text("utf-8"))
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {error!r}") from None


def read_sentence_folder(folder: Path) -> SentenceFolder:
    """What a text tower consists of: a transformer, a pooling, perhaps linear layers.

    Raises:
        ModelError: it is no such folder, or has modules of other kinds.
    """
    modules = read_modules(folder)
    kinds = [module.kind for module in modules]
    known = {"Transformer", "Pooling", "Dense", "Normalize"}
    if kinds[:2] != ["Transformer", "Pooling"] or not known.issuperset(kinds):
        raise ModelError(
            f"{folder} is no text tower of sentence-transformers: {MODULES} has "
            f"{', '.join(kinds) or 'nothing'}; Transformer, Pooling and then any of Dense and "
            "Normalize are understood"
        )
    if "Normalize" in kinds[:-1]:
        raise ModelError(f"{folder / MODULES}: Normalize is only understood at the end")
    settings = _read(modules[0].folder / SETTINGS, missing={})
    return SentenceFolder(
        transformer=modules[0].folder,
        pooling=_pooling(modules[1].folder),
        dense=tuple(
            (_dense(module.folder), module.folder / WEIGHTS)
            for module in modules
            if module.kind == "Dense"
        ),
        max_length=settings.get("max_seq_length"),
        lowercase=bool(settings.get("do_lower_case", False)),
    )


def sentence_fingerprint(folder: Path) -> str:
    """Hex digest over all that a text tower is loaded from; see ``folder_fingerprint``."""
    transformer, *others = read_modules(folder)
    files = [folder / MODULES, transformer.folder / SETTINGS]
    files += [module.folder / name for module in others for name in (CONFIG, WEIGHTS)]
    parts: list[str | bytes] = [folder_fingerprint(transformer.folder)]
    for file in files:
        if file.is_file():
            parts += [str(file.relative_to(folder)), file.read_bytes()]
    return combined_fingerprint(*parts)


def _pooling(folder: Path) -> Literal["mean", "first"]:
    config = _read(folder / CONFIG)
    chosen = {
        name for name, on in config.items() if name.startswith("pooling_mode_") and on is True
    }
    mode = config.get("pooling_mode", chosen.pop() if len(chosen) == 1 else None)
    if mode in ("mean", "pooling_mode_mean_tokens"):
        return "mean"
    if mode in ("cls", "pooling_mode_cls_token"):
        return "first"
    raise ModelError(f"{folder / CONFIG}: pooling by {mode or 'several'} is not understood")


def _dense(folder: Path) -> DenseConfig:
    config = _read(folder / CONFIG)
    activation = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    if activation not in ACTIVATIONS:
        raise ModelError(f"{folder / CONFIG}: the activation {activation} is not understood")
    try:
        return DenseConfig(
            inputs=config["in_features"],
            outputs=config["out_features"],
            bias=config.get("bias", True),
            activation=ACTIVATIONS[activation],
        )
    except KeyError as error:
        raise ModelError(f"{folder / CONFIG} is damaged: no {error}") from None


def _read(path: Path, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise ModelError(f"{path} is missing; fetch the model's folder whole") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged: {error!r}") from None
    return content

"""A checkpoint: a folder with a system's weights, configuration, tokenizer and card.

``config.json``        the whole configuration, the languages, and the towers by fingerprint
``model.safetensors``  every weight that is not an unchanged pretrained tower's
``tokenizer.json``     where the text encoder has one, and likewise the architectures of
                       transformers models
``card.md``            what was measured; not part of the fingerprint, since measuring a model
                       does not change it
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.errors import ModelError
from polyglance.systems.fingerprint import (
    Tower,
    combined_fingerprint,
    is_rounded,
    state_fingerprint,
)

if TYPE_CHECKING:
    from torch import Tensor

    from polyglance.systems.base import System
    from polyglance.systems.config import SystemConfig

FORMAT = 1
UNTRAINED = (
    "published dual encoders are used as they are; to train, take the image tower of one as a "
    "backbone (model.image.backbone.kind = 'transformers')"
)
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "card.md"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint: the system, and what is known about it."""

    system: System
    fingerprint: str
    languages: tuple[str, ...]


def save_system(
    system: System,
    folder: Path,
    *,
    languages: Sequence[str] = (),
    card: str | None = None,
) -> str:
    """Write a checkpoint and return its fingerprint; an earlier one there is replaced whole.

    The folder appears complete or not at all: it is written beside its place and renamed. Of a
    system with parts that only train, it holds what is left without them (:meth:`System.for_use`).

    Raises:
        ModelError: weights that the checkpoint has to hold were rounded.
    """
    import torch
    from safetensors.torch import save_file

    system = system.for_use()
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A fresh name for each writer; on the same file system, so that the rename is atomic.
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        kept = {
            prefix: tower
            for prefix, tower in system.towers.items()
            if _unchanged(system, prefix, tower)
        }
        own = _own_state(system, kept)
        if any(tensor.dtype == torch.bfloat16 for tensor in own.values()):
            raise ModelError(
                "this model's backbone was rounded for speed when it was loaded and would stay so; "
                "load it with Retriever.load(…, rounded=False) to save it"
            )
        save_file(own, building / WEIGHTS)
        described = {
            "format": FORMAT,
            "model": system.config.model_dump(mode="json"),
            "languages": list(languages),
            "towers": {prefix: asdict(tower) for prefix, tower in sorted(kept.items())},
        }
        (building / CONFIG).write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n")
        system.save_assets(building)
        if card is not None:
            (building / CARD).write_text(card)
        building.chmod(0o755)  # mkdtemp makes it private
        _replace(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return fingerprint(folder)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Build a checkpoint's system in evaluation mode and fill it with its weights.

    Raises:
        ModelError: the folder is no checkpoint, is incomplete, or its towers are other ones.
        WeightsError: a pretrained tower that it names has not been fetched.
    """
    from pydantic import TypeAdapter, ValidationError

    from polyglance.systems.config import SystemConfig

    folder = Path(folder)
    described = read_config(folder)
    try:
        config = TypeAdapter[Any](SystemConfig).validate_python(described["model"])
    except ValidationError as error:
        raise ModelError(f"{folder / CONFIG}: {error}") from None
    system, kept = _build(config, described["towers"], folder)
    _fill(system, kept, folder)
    system.towers = kept  # the others were changed by training and are stored
    system.eval()
    return Checkpoint(system, fingerprint(folder), tuple(described["languages"]))


@dataclass(frozen=True, slots=True)
class Changed:
    """A checkpoint's system under other settings.

    Attributes:
        system: filled as far as the weights go.
        fresh: names of weights that the checkpoint lacks; they are as initialised.
        unused: names of weights that only the checkpoint has.
    """

    system: System
    fresh: tuple[str, ...]
    unused: tuple[str, ...]


def load_changed(folder: Path, config: SystemConfig) -> Changed:
    """Build a system that differs from a checkpoint's in some settings, to train it further.

    Args:
        folder: of the checkpoint.
        config: its own with changes.

    Raises:
        ModelError: as :func:`load_checkpoint`; or a weight has another size under the changes.
        WeightsError: a pretrained tower that it names has not been fetched.
    """
    folder = Path(folder)
    system, kept = _build(config, read_config(folder)["towers"], folder)
    missing, unused = _load(system, read_weights(folder), folder)
    system.towers = kept
    fresh = [name for name in missing if not name.startswith(_prefixes(kept))]
    return Changed(system, tuple(fresh), tuple(unused))


def read_config(folder: Path) -> dict[str, Any]:
    """A checkpoint's ``config.json``, checked for its format.

    Raises:
        ModelError: the folder is no checkpoint of this program, or of a newer one.
    """
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise ModelError(f"{folder} is no Polyglance checkpoint: {' and '.join(missing)} missing")
    try:
        described: dict[str, Any] = json.loads((folder / CONFIG).read_text())
        if "model_type" in described:
            raise ModelError(f"{folder} is a model of transformers and no checkpoint; {UNTRAINED}")
        version = described["format"]
        described["model"], described["towers"], described["languages"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / CONFIG} is damaged: {error!r}") from None
    if version != FORMAT:
        raise ModelError(
            f"{folder} has checkpoint format {version}, this Polyglance reads {FORMAT}; "
            "install a matching version"
        )
    return described


def fingerprint(folder: Path) -> str:
    """Hex digest over every file of a checkpoint but its card; the towers are in its config."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name != CARD)
    parts: list[str | bytes] = []
    for file in files:
        parts += [file.name, file.read_bytes()]
    return combined_fingerprint(*parts)


def _unchanged(system: System, prefix: str, tower: Tower) -> bool:
    """Whether a tower still is what was fetched; one that holds no weights here always is."""
    try:
        module = system.get_submodule(prefix)
    except AttributeError:
        return True
    return is_rounded(module) or state_fingerprint(module) == tower.fingerprint


def _own_state(system: System, kept: dict[str, Tower]) -> dict[str, Tensor]:
    return {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in system.state_dict().items()
        if not name.startswith(_prefixes(kept))
    }


def _build(
    config: SystemConfig, towers: Mapping[str, Any], folder: Path
) -> tuple[System, dict[str, Tower]]:
    """A system without the checkpoint's weights, and the towers that the checkpoint names."""
    from polyglance.systems.builders import build_system

    system = build_system(config, folder=folder)
    kept = {prefix: Tower(**tower) for prefix, tower in towers.items()}
    for prefix, tower in kept.items():
        here = system.towers.get(prefix)
        if here is None or here.fingerprint != tower.fingerprint:
            raise ModelError(
                f"{folder} was trained on another {tower.name} than the one in the cache "
                f"(wanted {tower.fingerprint[:12]}, found "
                f"{here.fingerprint[:12] if here else 'none'}); fetch it anew with "
                f"`polyglance download {tower.name}`"
            )
    return system, kept


def _prefixes(kept: Mapping[str, Tower]) -> tuple[str, ...]:
    return tuple(f"{prefix}." for prefix in kept)


def _fill(system: System, kept: dict[str, Tower], folder: Path) -> None:
    missing, unexpected = _load(system, read_weights(folder), folder)
    missing = [name for name in missing if not name.startswith(_prefixes(kept))]
    if missing or unexpected:
        raise ModelError(
            f"{folder / WEIGHTS} does not fit its configuration: "
            f"missing {missing[:3]}, unexpected {unexpected[:3]}"
        )


def read_weights(folder: Path) -> dict[str, Tensor]:
    """A checkpoint's own weights by name.

    Raises:
        ModelError: the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ModelError(f"{folder / WEIGHTS} cannot be loaded: {error}") from None


def _load(
    system: System, state: Mapping[str, Tensor], folder: Path
) -> tuple[Sequence[str], Sequence[str]]:
    """Names of weights that only the system has, and that only the file has."""
    try:
        missing, unexpected = system.load_state_dict(state, strict=False)
    except RuntimeError as error:  # of other shapes
        raise ModelError(f"{folder / WEIGHTS} cannot be loaded: {error}") from None
    return missing, unexpected


def _replace(building: Path, folder: Path) -> None:
    for file in building.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
    if not folder.exists():
        building.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(old / "replaced")
    building.rename(folder)
    shutil.rmtree(old)

"""The state of a run in one file, written whole or not at all.

Tensors (model, optimiser, torch's random state) are safetensors; everything else (step, sampler,
the other random states) is JSON in the file's header. Nothing is pickled.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from polyglance.data.files import replaced_when_complete
from polyglance.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = 1


def save_state(
    path: Path, *, model: nn.Module, optimizer: torch.optim.Optimizer, progress: dict[str, Any]
) -> None:
    """Write everything that a run needs to go on as if it had not stopped.

    Args:
        path: of the file; replaced atomically.
        model: all its parameters and buffers.
        optimizer: its state.
        progress: of the loop; anything JSON.
    """
    tensors, settings = _flatten(optimizer)
    tensors |= {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors["random.torch"] = torch.get_rng_state()
    described = {
        "format": FORMAT,
        "progress": progress,
        "optimizer": settings,
        "random": _random_state(),
    }
    _write(path, tensors, described)


def load_state(path: Path, *, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Restore model, optimiser and random states.

    Args:
        path: of the file.
        model: built like the one that was saved.
        optimizer: likewise.

    Raises:
        ModelError: the file is damaged, or belongs to another model.
    """
    tensors, described = _read(path)
    _fill(model, tensors, path)
    optimizer.load_state_dict(_unflatten(tensors, described["optimizer"]))
    torch.set_rng_state(tensors["random.torch"])
    _set_random_state(described["random"])


def read_progress(path: Path) -> dict[str, Any]:
    """The loop's progress alone, without loading tensors.

    Raises:
        ModelError: the file is damaged.
    """
    progress: dict[str, Any] = _read(path, header_only=True)[1]["progress"]
    return progress


def save_weights(path: Path, model: nn.Module, described: dict[str, Any]) -> None:
    """Write a model's tensors with a JSON description, atomically."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    _write(path, tensors, {"format": FORMAT, "progress": described})


def load_weights(path: Path, model: nn.Module) -> None:
    """Fill a model with the tensors of :func:`save_weights` or :func:`save_state`.

    Raises:
        ModelError: the file is damaged, or belongs to another model.
    """
    _fill(model, _read(path)[0], path)


def _write(path: Path, tensors: dict[str, Tensor], described: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    # Cloned, since safetensors refuses parameters that share memory.
    owned = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with replaced_when_complete(path) as temporary:
        save_file(owned, temporary, metadata={"polyglance": json.dumps(described)})


def _read(path: Path, *, header_only: bool = False) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads(file.metadata()["polyglance"])
            names = [] if header_only else list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
        version = described["format"]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path}: not a checkpoint of a run, or damaged ({error}); "
            "delete it to begin the run again"
        ) from None
    if version != FORMAT:
        raise ModelError(f"{path}: format {version}, this version reads {FORMAT}")
    return tensors, described


def _fill(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    prefix = "model."
    state = {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"{path}: belongs to another model: {error}") from None


def _flatten(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as named tensors, and the rest as JSON."""
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    plain: dict[str, dict[str, Any]] = {}
    for index, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                plain.setdefault(str(index), {})[name] = value
    return tensors, {"plain": plain, "groups": state["param_groups"]}


def _unflatten(tensors: dict[str, Tensor], settings: dict[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {
        int(index): dict(values) for index, values in settings["plain"].items()
    }
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, field = name.split(".", 2)
            state.setdefault(int(index), {})[field] = tensor
    return {"state": state, "param_groups": settings["groups"]}


def _random_state() -> dict[str, Any]:
    version, numbers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [kind, [int(key) for key in keys], position, has_gauss, cached],
    }


def _set_random_state(state: dict[str, Any]) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))

"""The state of a run in one file, written whole or not at all.

Tensors (model, optimiser, torch's random state) are safetensors; everything else (step, sampler,
the other random states) is JSON in the file's header. Nothing is pickled. Parts that are frozen in
every phase are left out, since building the system brings them back; their digest is kept, so that
other ones are not taken for them.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from polyglance.data.files import replaced_when_complete
from polyglance.errors import ModelError, TrainingError

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Frozen:
    """Tensors of a model that no phase changes.

    Attributes:
        names: theirs in the model's state.
        digest: hex, over names and contents.
    """

    names: frozenset[str]
    digest: str


def frozen_tensors(model: nn.Module, parts: Iterable[nn.Module]) -> Frozen:
    """The tensors of the parts, by their names in the model."""
    inside = {id(tensor) for part in parts for tensor in part.state_dict(keep_vars=True).values()}
    state = model.state_dict(keep_vars=True)
    names = sorted(name for name, tensor in state.items() if id(tensor) in inside)
    digest = hashlib.sha256()
    for name in names:
        flat = state[name].detach().cpu().contiguous().reshape(-1)  # (elements,)
        digest.update(name.encode())
        digest.update(memoryview(flat.view(torch.uint8).numpy()))
    return Frozen(frozenset(names), digest.hexdigest())


@dataclass(frozen=True, slots=True)
class Random:
    """The random states of one process.

    Attributes:
        tensors: of torch on the CPU, as ``torch``, and of its GPU if it has one, as ``cuda``.
        others: of Python and numpy, anything JSON.
    """

    tensors: dict[str, Tensor]
    others: dict[str, Any]

    @classmethod
    def present(cls, device: torch.device = CPU) -> Random:
        """As they are now in this process."""
        tensors = {"torch": torch.get_rng_state()}
        if device.type == "cuda":
            tensors["cuda"] = torch.cuda.get_rng_state(device)
        return cls(tensors, _random_state())

    def restore(self, device: torch.device = CPU) -> None:
        """Set them in this process; on another kind of device, as far as there is one."""
        torch.set_rng_state(self.tensors["torch"])
        if device.type == "cuda" and "cuda" in self.tensors:
            torch.cuda.set_rng_state(self.tensors["cuda"], device)
        _set_random_state(self.others)


def save_state(
    path: Path,
    *,
    model: nn.Module,
    frozen: Frozen,
    optimizer: torch.optim.Optimizer,
    progress: dict[str, Any],
    random_states: Sequence[Random],
) -> None:
    """Write everything that a run needs to go on as if it had not stopped.

    Args:
        path: of the file; replaced atomically.
        model: its parameters and buffers.
        frozen: those of them to leave out.
        optimizer: its state.
        progress: of the loop; anything JSON.
        random_states: of each process of the run.
    """
    tensors, settings = _flatten(optimizer)
    tensors |= _learning(model, frozen)
    for rank, state in enumerate(random_states):
        for name, tensor in state.tensors.items():
            tensors[f"random.{name}{_of_rank(rank)}"] = tensor
    described = {
        "format": FORMAT,
        "frozen": frozen.digest,
        "progress": progress,
        "optimizer": settings,
        **{f"random{_of_rank(n)}": state.others for n, state in enumerate(random_states)},
    }
    _write(path, tensors, described)


def load_state(
    path: Path,
    *,
    model: nn.Module,
    frozen: Frozen,
    optimizer: torch.optim.Optimizer,
    rank: int = 0,
) -> Random | None:
    """Restore model and optimiser.

    Args:
        path: of the file.
        model: built like the one that was saved.
        frozen: what was left out.
        optimizer: built like the one that was saved.
        rank: of this process.

    Returns:
        The random states of this process, unless the run had fewer processes.

    Raises:
        ModelError: the file is damaged, or belongs to another model.
    """
    tensors, described = _read(path)
    _fill(model, frozen, tensors, described, path)
    optimizer.load_state_dict(_unflatten(tensors, described["optimizer"]))
    end = _of_rank(rank)
    if f"random{end}" not in described:
        return None
    states = {name: tensors.get(f"random.{name}{end}") for name in ("torch", "cuda")}
    found = {name: state for name, state in states.items() if state is not None}
    return Random(found, described[f"random{end}"])


def _of_rank(rank: int) -> str:
    """The end of a name; the first process has none, so that a run of one is as it always was."""
    return f".{rank}" if rank else ""


def read_progress(path: Path) -> dict[str, Any]:
    """The loop's progress alone, without loading tensors.

    Raises:
        ModelError: the file is damaged.
    """
    progress: dict[str, Any] = _read(path, header_only=True)[1]["progress"]
    return progress


def save_weights(path: Path, *, model: nn.Module, frozen: Frozen, progress: dict[str, Any]) -> None:
    """Write a model's tensors alone, atomically."""
    described = {"format": FORMAT, "frozen": frozen.digest, "progress": progress}
    _write(path, _learning(model, frozen), described)


def load_weights(path: Path, *, model: nn.Module, frozen: Frozen) -> None:
    """Fill a model with the tensors of :func:`save_weights`.

    Raises:
        ModelError: the file is damaged, or belongs to another model.
    """
    tensors, described = _read(path)
    _fill(model, frozen, tensors, described, path)


def _learning(model: nn.Module, frozen: Frozen) -> dict[str, Tensor]:
    state = model.state_dict()
    return {f"model.{name}": tensor for name, tensor in state.items() if name not in frozen.names}


def _write(path: Path, tensors: dict[str, Tensor], described: dict[str, Any]) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    # Cloned, since safetensors refuses parameters that share memory.
    owned = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        with replaced_when_complete(path) as temporary:
            save_file(owned, temporary, metadata={"polyglance": json.dumps(described)})
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"{path}: cannot be written: {error}; the checkpoint before it is whole, so free some "
            "space or mend the permissions, and run the same command again"
        ) from None


def _read(path: Path, *, header_only: bool = False) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    # torch maps the file a second time, which may be the next checkpoint by then.
    framework = "np" if header_only else "pt"
    try:
        with safe_open(path, framework=framework) as file:
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


def _fill(
    model: nn.Module,
    frozen: Frozen,
    tensors: dict[str, Tensor],
    described: dict[str, Any],
    path: Path,
) -> None:
    prefix = "model."
    state = {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
    state |= {name: t for name, t in model.state_dict().items() if name in frozen.names}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"{path}: belongs to another model: {error}") from None
    if described["frozen"] != frozen.digest:
        raise ModelError(
            f"{path}: the frozen parts are not those that the run began with; bring the same "
            "pretrained weights back, or start in a new folder"
        )


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

"""Which parts of a system learn in a phase, and which are left exactly as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polyglance.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

    from polyglance.systems.base import System

BACKBONE = "image.backbone"


def frozen_parts(system: System, names: Sequence[str]) -> dict[str, nn.Module]:
    """The parts that the names stand for; ``image`` stands for every ``image.…``.

    Raises:
        ConfigError: a name stands for no part.
    """
    parts = system.parts()
    chosen: dict[str, nn.Module] = {}
    for name in names:
        found = {key: part for key, part in parts.items() if f"{key}.".startswith(f"{name}.")}
        if not found:
            raise ConfigError(f"no part {name!r} to freeze; parts: {', '.join(sorted(parts))}")
        chosen |= found
    return chosen


def always_frozen(system: System) -> list[nn.Module]:
    """The modules that never learn, whatever a recipe says, such as a transformer read once."""
    return [
        module.get_submodule(name)
        for module in system.modules()
        for name in getattr(module, "always_frozen", ())
    ]


def freeze(system: System, names: Sequence[str]) -> None:
    """Let the parts not named learn, but for what never does; call it when a phase starts.

    Raises:
        ConfigError: a name stands for no part, or nothing is left to learn.
    """
    frozen = frozen_parts(system, names)
    system.requires_grad_(True)
    for part in [*frozen.values(), *always_frozen(system)]:
        part.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in system.parameters()):
        raise ConfigError(f"with {', '.join(names)} frozen, nothing is left to learn")


def set_training_mode(
    system: System, names: Sequence[str], *, batch_statistics: bool = False
) -> None:
    """Training mode for what learns, evaluation mode for what is frozen.

    Without the second, frozen BatchNorm layers would go on moving their statistics and frozen
    dropout would go on dropping.

    Args:
        system: that trains.
        names: of parts that are frozen.
        batch_statistics: let BatchNorm layers of a backbone that learns normalise by the batch.
            Otherwise they stay in evaluation mode and only their weights learn: a few pictures a
            batch say less than what the backbone was pretrained on.
    """
    system.train()
    for part in frozen_parts(system, names).values():
        part.eval()
    if not batch_statistics and (backbone := system.parts().get(BACKBONE)) is not None:
        _keep_statistics(backbone)


def _keep_statistics(module: nn.Module) -> None:
    from torch.nn.modules.batchnorm import _BatchNorm

    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            layer.eval()

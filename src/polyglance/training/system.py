"""The system that a recipe trains: a new one, or that of the checkpoint which it goes on from."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from polyglance.errors import ConfigError
from polyglance.training.recipe import Recipe, explain

if TYPE_CHECKING:
    from polyglance.data.text import Texts
    from polyglance.systems.base import System


def make_system(recipe: Recipe, training_texts: Texts) -> System:
    """Build the recipe's system, or load the checkpoint that it goes on from.

    Raises:
        ConfigError: the ``[model]`` table is wrong.
        ModelError: the checkpoint is missing or damaged.
    """
    import torch

    if "checkpoint" in recipe.model:
        torch.manual_seed(recipe.training.seed)
        return _trained_system(**recipe.model)
    from polyglance.systems.builders import build_system

    config = check_model(recipe.model)
    torch.manual_seed(recipe.training.seed)
    return build_system(config, training_texts=training_texts)


def _trained_system(checkpoint: str, **changes: Any) -> System:
    """A checkpoint's system, with some keys of its configuration changed."""
    from polyglance.systems.checkpoint import UNTRAINED, load_changed, read_config
    from polyglance.systems.config import HubDualEncoderConfig
    from polyglance.systems.locate import locate

    folder = locate(checkpoint)
    config = check_model({**read_config(folder)["model"], **changes})
    if isinstance(config, HubDualEncoderConfig):
        raise ConfigError(f"model.checkpoint: {UNTRAINED}")
    loaded = load_changed(folder, config)
    for what, names in (("starts anew", loaded.fresh), ("is left behind", loaded.unused)):
        if names:
            told = ", ".join(sorted({name.rsplit(".", 1)[0] for name in names}))
            print(f"{checkpoint}: {what}: {told}", file=sys.stderr)
    return loaded.system


def check_model(table: Mapping[str, Any]) -> Any:
    """A ``[model]`` table as a system's configuration.

    Raises:
        ConfigError: a key is unknown or a value is wrong.
    """
    from pydantic import TypeAdapter, ValidationError

    from polyglance.systems.config import SystemConfig

    try:
        return TypeAdapter[Any](SystemConfig).validate_python(table)
    except ValidationError as error:
        raise ConfigError(explain(error, "model")) from None

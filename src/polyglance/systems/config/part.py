"""The base of every configuration."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from polyglance.errors import ConfigError


class Part(BaseModel):
    """Immutable; unknown keys are errors. No configuration enters a module."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Probability = Annotated[float, Field(ge=0, lt=1)]

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def expand_variables(value: object) -> object:
    """Replace ``${NAME}`` by the environment's value; only path fields are treated so.

    Raises:
        ConfigError: the variable is not set.
    """
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if not found:
            raise ConfigError(
                f"the recipe reads {value!r}, but the environment variable {match[1]} is not set; "
                f"set it to the folder, as in `export {match[1]}=/path/to/it`"
            )
        return found

    return _VARIABLE.sub(replace, value)


RecipePath = Annotated[Path, BeforeValidator(expand_variables)]

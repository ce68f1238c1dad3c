"""``polyglance demo``: the main job, end to end, on sample pictures."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Samples(StrEnum):
    """The sample sets that the demo knows."""

    EMOJI = "emoji"
    STAMPS = "stamps"


def demo(
    samples: Annotated[Samples, typer.Option(help="Which sample pictures to use.")] = Samples.EMOJI,
    output: Annotated[Path, typer.Option(help="Folder for everything it makes.")] = Path("demo"),
) -> None:
    """Measure the built-in model on sample pictures, adapt it, measure again, index, search.

    Fetches the pretrained towers and the pictures first where they are not here yet.
    """
    from polyglance.demo import run_demo

    run_demo(samples.value, output)

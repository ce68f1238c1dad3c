"""``polyglance`` with a model that sees colours, as a program that can be killed.

It starts in no time, encodes slowly, and commits often: a kill finds it in the middle of something.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from polyglance import retriever
from polyglance.cli.main import main
from polyglance.search import indexer
from support.colours import ColourEncoder

SECONDS_A_BATCH = 0.02


class Slow(ColourEncoder):
    """Takes its time."""

    def encode_pixels(self, pixels: Any) -> Any:
        time.sleep(SECONDS_A_BATCH)
        return super().encode_pixels(pixels)


def load(name: str) -> Slow:
    """Whatever is asked for."""
    encoder = Slow()
    encoder.name = str(name)
    return encoder


if __name__ == "__main__":
    retriever.Retriever.load = staticmethod(load)  # type: ignore[assignment,method-assign]
    indexer.ROWS_PER_COMMIT = 8
    main()

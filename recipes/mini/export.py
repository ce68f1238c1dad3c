"""Step 6: put the trained heads into the package.

    POLYGLANCE_FLICKR8K=… python recipes/mini/export.py runs/mini src/polyglance/models/mini

The model card is written from what the packaged model itself reaches on the validation photos.
"""

from __future__ import annotations

import sys
from pathlib import Path

from packaged import package
from safetensors.torch import load_file
from train import CONFIG

from polyglance.systems.builders import build_system


def main(work: Path, folder: Path) -> None:
    """Write the model's folder."""
    state = load_file(work / "heads.safetensors")
    branches = len({name.split(".")[2] for name in state if name.startswith("text.turns.")})
    width = len(state["text.turns.0.weight"])
    system = build_system(
        CONFIG.model_copy(update={"branches": branches, "branch_dimension": width, "dropout": 0.0})
    )
    missing, unexpected = system.load_state_dict(state, strict=False)
    heads_missing = [name for name in missing if not name.startswith(("backbone.", "loss."))]
    if heads_missing or unexpected:
        raise SystemExit(f"the heads do not fit: {heads_missing[:3]} {unexpected[:3]}")
    print(package(system, folder))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))

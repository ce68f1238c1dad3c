"""Step 6: put the trained heads into the package, as int8, and measure what was put there.

    POLYGLANCE_FLICKR8K=… python recipes/mini/export.py runs/mini src/polyglance/models/mini

The model card is written from what the packaged model itself reaches on the validation photos.
"""

from __future__ import annotations

import sys
from pathlib import Path

from safetensors.torch import load_file, save_file
from store import LANGUAGES, folder_of
from train import CONFIG

from polyglance import Retriever
from polyglance.data.manifest import read_manifest
from polyglance.evaluation.retriever import evaluate_retriever
from polyglance.evaluation.tables import markdown_table, summary_lines
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import CARD, WEIGHTS, save_system
from polyglance.systems.int8 import quantise_rows

TEXT = Path(__file__).with_name("card.md")


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
    save_system(system, folder, languages=sorted(LANGUAGES))
    save_file(quantise_rows(load_file(folder / WEIGHTS)), folder / WEIGHTS)
    records = read_manifest(folder_of("POLYGLANCE_FLICKR8K") / "val.jsonl")
    report = evaluate_retriever(Retriever.load(folder), records, show_progress=True)
    megabytes = (folder / WEIGHTS).stat().st_size / 1e6
    table = "\n".join([*summary_lines(report), "", markdown_table(report)])
    filled = TEXT.read_text("utf-8").replace("{table}", table)
    (folder / CARD).write_text(filled.replace("{megabytes}", f"{megabytes:.1f}"), "utf-8")
    print((folder / CARD).read_text("utf-8"))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Putting `mini` into the package, as int8, and measuring what was put there."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from store import LANGUAGES, folder_of

from polyglance import Retriever
from polyglance.data.manifest import read_manifest
from polyglance.evaluation.retriever import evaluate_retriever
from polyglance.evaluation.tables import markdown_table, summary_lines
from polyglance.systems.base import System
from polyglance.systems.checkpoint import CARD, WEIGHTS, save_system
from polyglance.systems.int8 import quantise_rows

TEXT = Path(__file__).with_name("card.md")


def package(system: System, folder: Path) -> str:
    """Write the model's folder; its card says what that reaches on the validation photos."""
    save_system(system, folder, languages=sorted(LANGUAGES))
    save_file(quantise_rows(load_file(folder / WEIGHTS)), folder / WEIGHTS)
    records = read_manifest(folder_of("POLYGLANCE_FLICKR8K") / "val.jsonl")
    report = evaluate_retriever(Retriever.load(folder), records, show_progress=True)
    megabytes = (folder / WEIGHTS).stat().st_size / 1e6
    table = "\n".join([*summary_lines(report), "", markdown_table(report)])
    card = TEXT.read_text("utf-8").replace("{table}", table)
    card = card.replace("{megabytes}", f"{megabytes:.1f}")
    (folder / CARD).write_text(card, "utf-8")
    return card

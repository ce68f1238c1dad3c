"""Paper 5's two tables on Flickr8k, at a size that two processors train.

`python recipes/paper_5.py` runs every setting through the recipe `smooth-flickr8k.toml` with
overrides, each in a folder of its own with its log, goes on where it was stopped, and writes
`docs/results/paper-5.md` from what the runs left behind. Needs POLYGLANCE_FLICKR8K and
POLYGLANCE_MULTI30K_TEXT, and the towers `resnet50` and `sentence-encoder`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from distilled_text import LENGTH, distil
from paper_5_page import write_page

BASE = Path(__file__).parent / "smooth-flickr8k.toml"
SENTENCES = 30_000

LOSSES = {
    "sum": "{kind = 'sum_of_hinges', margin = 0.2}",
    "max": "{kind = 'max_of_hinges', margin = 0.2}",
    "SimCLR": "{kind = 'simclr', temperature = 0.07}",
    "Barlow Twins": "{kind = 'barlow_twins'}",
}
FROZEN = {
    "both frozen": "['image.backbone', 'text.encoder']",
    "CNN free": "['text.encoder']",
    "text free": "['image.backbone']",
    "both free": "[]",
}
# The convolutional network can only be freed here on fewer and smaller pictures.
FREEZING = (
    "data.limit=2000",
    "model.backbone={kind = 'resnet50', size = 96}",
    "model.dimension=1024",
    "training.batch_size=64",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One run.

    Attributes:
        table: ``losses``, ``longer`` or ``freezing``.
        name: of the row.
        seed: of initialisation, batches and dropout.
        overrides: of the base recipe.
    """

    table: str
    name: str
    seed: int
    overrides: tuple[str, ...]

    def folder(self, output: Path) -> Path:
        """Where the run lives."""
        return output / self.table / f"{self.name.replace(' ', '-')}-{self.seed}"


def settings(text: Path, *, seeds: int, freezing_seeds: int) -> list[Setting]:
    """All runs: the losses, two of them for three times as long, and the freezing."""
    tower = f"model.text={{kind='transformer', name='{text}', pooling='mean', max_length={LENGTH}}}"
    phase = "schedule = {kind = 'steps', after_epochs = [1, 4, 10], factor = 0.5}"
    found = []
    kinds = [("losses", name, seed, 6) for seed in range(seeds) for name in LOSSES]
    kinds += [("longer", name, 0, 18) for name in ("SimCLR", "max")]
    for table, name, seed, epochs in kinds:
        frozen = "frozen = ['image.backbone'], learning_rate = 5e-4"
        phases = f"training.phases=[{{epochs = {epochs}, {frozen}, {phase}}}]"
        overrides = (tower, f"model.loss={LOSSES[name]}", phases)
        found.append(Setting(table, name, seed, overrides))
    for seed in range(freezing_seeds):
        for name, parts in FROZEN.items():
            phases = f"training.phases=[{{epochs = 4, frozen = {parts}, learning_rate = 1e-4}}]"
            found.append(Setting("freezing", name, seed, (tower, *FREEZING, phases)))
    return found


def run(setting: Setting, output: Path) -> str:
    """Train one setting, or go on with it; returns a line about it."""
    import torch

    from polyglance.training.recipe import load_recipe
    from polyglance.training.run import train

    torch.set_num_threads(1)  # matrices this small are faster on one; the runs share the rest
    name = f"name=paper-5-{setting.folder(Path()).as_posix().replace('/', '-')}"
    overrides = [name, f"training.seed={setting.seed}", *setting.overrides]
    done = train(load_recipe(BASE, overrides), setting.folder(output), show_progress=False)
    if done.signal is not None:
        raise KeyboardInterrupt
    return f"{setting.table}, {setting.name}, seed {setting.seed}: {done.best_recall:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/paper-5"))
    parser.add_argument("--page", type=Path, default=Path("docs/results/paper-5.md"))
    parser.add_argument("--seeds", type=int, default=3, help="of the table of losses")
    parser.add_argument("--freezing-seeds", type=int, default=1, help="of the table of freezing")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    parser.add_argument("--table", choices=("losses", "longer", "freezing"), help="only this one")
    parser.add_argument("--write-only", action="store_true", help="the page, without training")
    given = parser.parse_args(arguments)
    if not given.write_only:
        train_all(given)
    write_page(given.output, given.page)


def train_all(given: argparse.Namespace) -> None:
    """Run what is missing; runs already finished are told again."""
    text = (given.output / "text-tower").resolve()
    source = Path(os.environ["POLYGLANCE_MULTI30K_TEXT"]) / "train.descriptions.en.txt"
    lines = source.read_text(encoding="utf-8").splitlines()
    distil(lines[:: max(1, len(lines) // SENTENCES)], text)
    wanted = [
        setting
        for setting in settings(text, seeds=given.seeds, freezing_seeds=given.freezing_seeds)
        if given.table in (None, setting.table)
    ]
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run, one, given.output) for one in wanted]):
            print(future.result(), flush=True)


if __name__ == "__main__":
    main()

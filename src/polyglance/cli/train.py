"""``polyglance train``: run a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe (TOML).", metavar="RECIPE")],
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Override a key by its dotted path, as in training.phases.0.learning_rate=1e-3.",
            metavar="KEY=VALUE",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="runs/NAME")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(help="Go on with the run in the folder, or throw it away and begin anew."),
    ] = True,
) -> None:
    """Train by a recipe. Stop it any time; the same command goes on where it stopped.

    A recipe whose table `model` says checkpoint = "mini" adapts a trained model instead of
    building one. The trained model lies in the folder's `model`, ready for every other verb.
    """
    from polyglance.training.recipe import load_recipe
    from polyglance.training.run import train as run_recipe
    from polyglance.training.system import check_model

    loaded = load_recipe(recipe, overrides or [])
    if "checkpoint" not in loaded.model:
        check_model(loaded.model)
    folder = output or Path("runs") / loaded.name
    run = run_recipe(loaded, folder, resume=resume)
    if run.rank > 0:
        return  # the first process speaks for all of them
    model = folder / "model"
    best = (
        f"; best mean recall {run.best_recall:.2f} at step {run.best_step}"
        if run.best_recall is not None
        else ""
    )
    if run.signal is not None:
        print(f"stopped at step {run.step}, saved in {folder}; the same command goes on from there")
        raise SystemExit(128 + run.signal)
    done = "was finished already" if run.was_finished else "finished"
    print(f"{done} after {run.step} steps{best}; the model is in {model}")

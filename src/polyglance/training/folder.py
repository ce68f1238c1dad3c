"""A run's folder: one recipe's own, and how far its run has come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from polyglance.data.files import replaced_when_complete
from polyglance.data.locking import only_writer
from polyglance.errors import TrainingError
from polyglance.training.recipe import Recipe

RECIPE, MODEL, REPORT = "recipe.json", "model", "report.json"
WHERE = ("accelerator", "devices", "nodes", "chunk_size")


def begin(folder: Path, recipe: Recipe, *, resume: bool) -> None:
    """Make the folder this recipe's own, without what an earlier run left, unless it is resumed.

    Raises:
        TrainingError: it has a run of another recipe, or another process trains there.
        ManifestError, ConfigError: the recipe's pictures are not there.
    """
    from polyglance.training.records import read_records

    if not resume:
        read_records(recipe)  # nothing is thrown away for a run whose data are not there
    with only_writer(folder, TrainingError):
        if not resume:
            discard(folder)
        claim(folder, recipe)


def claim(folder: Path, recipe: Recipe) -> None:
    """Write the recipe into the folder, unless it has the checkpoint of another one.

    Raises:
        TrainingError: it is another one; the message names the keys that differ.
    """
    from polyglance.training.state import LAST

    path, wanted = folder / RECIPE, recipe.model_dump(mode="json")
    if path.exists() and (folder / LAST).exists():  # without a checkpoint there is nothing to lose
        try:
            present = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TrainingError(f"{path}: damaged ({error}); start in a new folder") from None
        if differing := _differences(_what(present), _what(wanted)):
            raise TrainingError(
                f"{folder} has a run of another recipe (different: {', '.join(differing)}); "
                "choose another --output, or --no-resume to throw that run away"
            )
    with replaced_when_complete(path) as temporary:
        temporary.write_text(json.dumps(wanted, indent=2, ensure_ascii=False) + "\n", "utf-8")


def discard(folder: Path) -> None:
    """Remove a run's own files, and nothing else, from its folder."""
    import shutil

    from polyglance.training.state import BEST, LAST

    for name in (RECIPE, REPORT, LAST, BEST, "log.jsonl"):
        (folder / name).unlink(missing_ok=True)
    for name in (MODEL, "tensorboard"):
        shutil.rmtree(folder / name, ignore_errors=True)


def finished(folder: Path) -> dict[str, Any] | None:
    """Step, best step and best recall of a run that has nothing left to do; else ``None``."""
    from polyglance.training.state import LAST

    if not ((folder / LAST).exists() and (folder / MODEL).exists()):
        return None
    from polyglance.training.checkpoint import read_progress

    at = read_progress(folder / LAST)["run"]
    if not at["finished"]:
        return None
    return {key: at[key] for key in ("step", "best_step", "best_recall")}


def _what(dumped: Any) -> Any:
    """A recipe's dump, without the keys that say where it runs and not what is trained.

    Keys that an older version did not know get their defaults.
    """
    try:
        whole = Recipe.model_validate(dumped).model_dump(mode="json")
    except ValueError:
        return dumped
    training = {key: some for key, some in whole["training"].items() if key not in WHERE}
    return {**whole, "training": training}


def _differences(first: Any, second: Any, path: str = "") -> list[str]:
    """Dotted keys at which two JSON values differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = sorted(first.keys() | second.keys())
        return [
            found
            for key in keys
            for found in _differences(first.get(key), second.get(key), f"{path}.{key}".lstrip("."))
        ]
    return [] if first == second else [path]

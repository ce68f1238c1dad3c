"""Where a model lies that is asked for by a name: in the package, in a folder, or from the hub."""

from __future__ import annotations

from pathlib import Path

from polyglance.errors import ModelError

BUILT_IN = Path(__file__).resolve().parents[1] / "models"


def locate(path_or_name: str | Path) -> Path:
    """The folder of a built-in model, of a checkpoint, or of a model from the hub.

    Raises:
        ModelError: none exists here; the message lists the built-in names.
    """
    if found := find(path_or_name):
        return found
    raise ModelError(
        f"no model {str(path_or_name)!r}: it is neither a folder here, nor a built-in model "
        f"({', '.join(built_in_models())}), nor in the local cache of the hub (`hf download NAME` "
        "brings a model there)"
    )


def name_of(folder: Path, asked: str | Path) -> str:
    """What a model is called from anywhere: a built-in or hub name, or the absolute path.

    Args:
        folder: as :func:`locate` found it.
        asked: what it was asked for.
    """
    absolute = folder.resolve()
    if absolute.parent == BUILT_IN:
        return absolute.name
    return str(absolute) if Path(asked).is_dir() else str(asked)


def find(path_or_name: str | Path) -> Path | None:
    """Like :func:`locate`, ``None`` where there is none."""
    folder = Path(path_or_name)
    if folder.is_dir():
        return folder
    if str(path_or_name) in built_in_models():
        return BUILT_IN / str(path_or_name)
    return _downloaded(str(path_or_name))


def _downloaded(name: str) -> Path | None:
    """The folder of a hub's model in the local cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


def built_in_models() -> list[str]:
    """Names of the models that the package carries."""
    return sorted(folder.parent.name for folder in BUILT_IN.glob("*/config.json"))

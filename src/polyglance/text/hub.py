"""What to say when a model or a tokenizer of the transformers library cannot be loaded."""

from __future__ import annotations

from pathlib import Path

from polyglance.errors import ModelError


def cannot_load(
    what: str, name: str | Path, error: Exception, *, local_files_only: bool
) -> ModelError:
    """The error to raise: ``what`` was looked for at ``name``, and ``error`` came of it."""
    if Path(name).is_dir():
        lines = str(error).splitlines() or [type(error).__name__]
        return ModelError(
            f"no {what} at {str(name)!r}: {lines[0]} Save it there anew with save_pretrained."
        )
    where = "in the local cache of the hub" if local_files_only else "on the hub"
    return ModelError(
        f"no {what} at {str(name)!r}: it is neither a folder here nor {where}; give the folder of "
        "a model saved with save_pretrained, or fetch it from the hub first"
    )

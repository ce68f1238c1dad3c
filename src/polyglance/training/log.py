"""The log of a run: JSON Lines always, TensorBoard on request."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.files import replaced_when_complete
from polyglance.errors import ConfigError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class RunLog:
    """Appends events to ``log.jsonl``; each line stands for itself.

    Every line has ``event`` (``start``, ``step``, ``evaluation``, ``warning``, ``phase``, ``end``),
    ``step`` and ``time`` (seconds since 1970).

    Args:
        folder: of the run.
        resume_at: step that the run goes on from; lines of later steps, which will be trained
            again, are dropped.
        tensorboard: write events for TensorBoard into ``folder/tensorboard`` as well.

    Raises:
        ConfigError: TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path, *, resume_at: int = 0, tensorboard: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "log.jsonl"
        _drop_after(self.path, resume_at)
        self._file = self.path.open("a", encoding="utf-8")
        self._board = _tensorboard(folder / "tensorboard", resume_at) if tensorboard else None

    def write(self, event: str, step: int, **values: Any) -> None:
        """Append one line, flushed so that it can be followed."""
        line = {"event": event, "step": step, "time": round(time.time(), 3), **values}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in _numbers(values, event):
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last line cut short by a kill is left out."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines if line]


def _drop_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    kept = [line for line in read_log(path) if step and line["step"] <= step]
    with replaced_when_complete(path) as temporary:
        temporary.write_text(
            "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept),
            encoding="utf-8",
        )


def _numbers(values: dict[str, Any], prefix: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _numbers(value, f"{prefix}/{name}")
        elif isinstance(value, int | float):
            found.append((f"{prefix}/{name}", float(value)))
    return found


def _tensorboard(folder: Path, resume_at: int) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError(
            "training.tensorboard needs TensorBoard; install it with "
            "`pip install polyglance[tensorboard]`"
        ) from None
    return SummaryWriter(str(folder), purge_step=resume_at + 1)

"""Where a run stands, and the two files of its folder that remember it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.training.checkpoint import (
    Random,
    frozen_tensors,
    load_state,
    load_weights,
    read_progress,
    save_state,
    save_weights,
)
from polyglance.training.clocks import SaveTimer
from polyglance.training.phases import always_frozen, frozen_parts

if TYPE_CHECKING:
    import torch

    from polyglance.systems.base import System
    from polyglance.training.recipe import PhaseConfig

LAST, BEST = "last.safetensors", "best.safetensors"


@dataclass(slots=True)
class Progress:
    """Where a run stands; all of it is in every checkpoint.

    Attributes:
        phase: the present one, from 0.
        phase_step: steps taken in it.
        step: steps taken altogether.
        best_step: at which the best measurement so far was taken.
        best_recall: its mean recall.
        finished: whether the last phase is over.
    """

    phase: int = 0
    phase_step: int = 0
    step: int = 0
    best_step: int | None = None
    best_recall: float | None = None
    finished: bool = False


class RunState:
    """The last state of a run and its best weights, in its folder.

    Parts that no phase trains are in neither file.

    Args:
        folder: of the run.
        system: as it was built, before anything is loaded.
        phases: of the run.
    """

    def __init__(self, folder: Path, *, system: System, phases: tuple[PhaseConfig, ...]) -> None:
        self._folder, self._system = folder, system
        each = [frozen_parts(system, phase.frozen) for phase in phases]
        always = [part for name, part in each[0].items() if all(name in e for e in each)]
        self._frozen = frozen_tensors(system, [*always, *always_frozen(system)])
        self._timer = SaveTimer()

    def read(self) -> dict[str, Any] | None:
        """What :meth:`save` was given besides tensors, or ``None`` for a new run."""
        path = self._folder / LAST
        return read_progress(path) if path.exists() else None

    def save_is_due(self) -> bool:
        """Whether it is time to save again."""
        return self._timer.is_due()

    def save(
        self,
        optimizer: torch.optim.Optimizer,
        progress: Progress,
        random_states: Sequence[Random],
        **rest: dict[str, Any] | float | None,
    ) -> None:
        """Write the last state.

        Args:
            optimizer: of the present phase.
            progress: of the run.
            random_states: of each process.
            rest: anything JSON that belongs to it.
        """
        with self._timer:
            save_state(
                self._folder / LAST,
                model=self._system,
                frozen=self._frozen,
                optimizer=optimizer,
                progress={"run": asdict(progress), **rest},
                random_states=random_states,
            )

    def restore(self, optimizer: torch.optim.Optimizer, *, rank: int = 0) -> Random | None:
        """Fill system and optimiser from the last state.

        Returns:
            The random states of the process of that rank, if it had any part in the run so far.
        """
        return load_state(
            self._folder / LAST,
            model=self._system,
            frozen=self._frozen,
            optimizer=optimizer,
            rank=rank,
        )

    def save_best(self, progress: Progress) -> None:
        """Keep the present weights as the best."""
        told = {"step": progress.best_step, "mean_recall": progress.best_recall}
        save_weights(self._folder / BEST, model=self._system, frozen=self._frozen, progress=told)

    def load_best(self) -> None:
        """Give the system the best weights, or where none were measured, the last."""
        name = BEST if (self._folder / BEST).exists() else LAST
        load_weights(self._folder / name, model=self._system, frozen=self._frozen)

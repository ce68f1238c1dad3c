"""The training loop: phases, steps, measurements, checkpoints. Nothing is hidden from view."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from polyglance.data.dataset import PictureSource, stream
from polyglance.data.gathering import Gatherer
from polyglance.data.locking import only_writer
from polyglance.errors import ConfigError, TrainingError
from polyglance.progress import track
from polyglance.systems.gradient_cache import check_chunks
from polyglance.training.checkpoint import Random
from polyglance.training.clocks import Pace
from polyglance.training.collapse import CollapseGuard, plateau_of_batch
from polyglance.training.log import RunLog
from polyglance.training.optimizers import build_optimizer, set_learning_rate
from polyglance.training.phases import BACKBONE, freeze, frozen_parts, set_training_mode
from polyglance.training.ranks import Ranks
from polyglance.training.schedules import learning_rate_factor
from polyglance.training.signals import StopRequest, stop_request
from polyglance.training.state import Progress, RunState
from polyglance.training.step import Given, TrainingStep

if TYPE_CHECKING:
    from torch import Tensor

    from polyglance.data.batch import Batch
    from polyglance.data.monolingual import MonolingualSampler
    from polyglance.data.parallel import ParallelSampler
    from polyglance.data.sampler import CaptionSampler
    from polyglance.systems.base import System
    from polyglance.training.recipe import PhaseConfig, TrainingConfig
    from polyglance.training.validation import Validator

GUARD_EVERY = 10  # steps between two looks at the plateau, which costs one more loss
SEEDS = 2**32
BETWEEN_RANKS = 1_000_003  # so that a rank has not the seed that the next run's first one has

Split = Literal["train", "validation"]
Sources = Callable[[Split, bool], PictureSource]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        progress: where it stands.
        signal: the signal that stopped it, or ``None`` for a finished run.
    """

    progress: Progress
    signal: int | None


class Trainer:
    """Trains a system in a folder of its own, from which it can always go on.

    Args:
        system: to train, in place.
        config: how.
        sampler: of the batches.
        sources: (split, whether the backbone is frozen) → where its pictures come from.
        validator: measures during training; without one the last weights count as the best.
        folder: of the run: ``last.safetensors``, ``best.safetensors``, ``log.jsonl``.
        parallel: of the translations without pictures in every batch, if any.
        monolingual: of the sentences that stand alone in every batch, if any.
        ranks: the processes that train together; ``None``: those that the configuration names.
            Every one of them has a trainer, whose samplers draw its share.
        show_progress: on standard error.

    Raises:
        ConfigError: the devices are not there, or the system cannot train on several.
    """

    def __init__(
        self,
        system: System,
        *,
        config: TrainingConfig,
        sampler: CaptionSampler,
        sources: Sources,
        validator: Validator | None,
        folder: Path,
        parallel: ParallelSampler | None = None,
        monolingual: MonolingualSampler | None = None,
        ranks: Ranks | None = None,
        show_progress: bool = True,
    ) -> None:
        self._ranks = Ranks(config) if ranks is None else ranks
        self._fabric = self._ranks.fabric
        if self._ranks.world_size > 1 and not system.trains_together:
            raise ConfigError(
                f"training.devices: {type(system).__name__} cannot be trained on several devices "
                "as it is configured, since its loss does not see other devices' pictures and "
                "texts; set it to 1"
            )
        self._system, self._config = system, config
        self._sampler = sampler
        self._parallel, self._monolingual = parallel, monolingual
        self._sources, self._validator = sources, validator
        self._folder, self._show_progress = folder, show_progress and self._ranks.is_first
        self._log: RunLog | None = None
        self._lengths = [p.total_steps(sampler.steps_per_epoch) for p in config.phases]
        self._guard, self._pace = CollapseGuard(), Pace()
        self.progress = Progress()

    def fit(self) -> Outcome:
        """Train to the end, or until asked to stop; goes on from the folder's checkpoint.

        Raises:
            TrainingError: the loss is no longer finite, another process trains in the folder, or
                the processes of this run do not see the same folder.
            ModelError: the checkpoint is damaged.
            ConfigError: the data have changed since the checkpoint.
        """
        signal, first = None, self._ranks.is_first
        with only_writer(self._folder, TrainingError) if first else nullcontext():
            self._state = RunState(self._folder, system=self._system, phases=self._config.phases)
            self._resuming = self._find_checkpoint()
            self._refuse_unless_agreed()
            if not self._resuming:
                self._seed()
            if first:
                self._log = RunLog(
                    self._folder, resume_at=self.progress.step, tensorboard=self._config.tensorboard
                )
            self._tell("resume" if self._resuming else "start", **self._told_devices())
            self._fabric.to_device(self._system)
            self._system.gatherer = self._ranks.gatherer()
            self._system.chunk_size = self._config.chunk_size
            while not self.progress.finished and signal is None:
                signal = self._run_phase()
            self._system.gatherer, self._system.chunk_size = Gatherer(), None
            self._system.to("cpu")  # where whatever reads pictures next expects it
            self._ranks.wait()  # until the checkpoint is written
            self._tell("end", finished=self.progress.finished)
            if self._log is not None:
                self._log.close()
        return Outcome(self.progress, signal)

    def load_best(self) -> None:
        """Give the system the best weights, or where none were measured, the last."""
        self._state.load_best()

    def _refuse_unless_agreed(self) -> None:
        """All processes must go on from one and the same checkpoint."""
        steps = self._ranks.everybodys(self.progress.step)
        if len({*steps}) > 1:
            raise TrainingError(
                f"{self._folder}: the processes of this run find checkpoints of the steps "
                f"{', '.join(map(str, steps))} there; name a folder that all machines share"
            )

    def _seed(self) -> None:
        """A seed for each process, of which the first has the run's."""
        seed = (self._config.seed + BETWEEN_RANKS * self._ranks.rank) % SEEDS
        self._fabric.seed_everything(seed, verbose=False)

    def _told_devices(self) -> dict[str, Any]:
        """For the log, where it is not the usual one CPU."""
        count, kind = self._ranks.world_size, self._ranks.device.type
        return {} if (count, kind) == (1, "cpu") else {"devices": f"{count} × {kind}"}

    def _tell(self, event: str, **values: Any) -> None:
        """Write into the log, which the first process keeps."""
        if self._log is not None:
            self._log.write(event, self.progress.step, **values)

    def _find_checkpoint(self) -> bool:
        """Set progress and sampler to the folder's checkpoint, if it has one."""
        saved = self._state.read()
        if saved is None:
            return False
        self._sampler.load_state_dict(saved["sampler"])
        if self._parallel is not None:
            self._parallel.load_state_dict(saved["parallel"])
        if self._monolingual is not None:
            self._monolingual.load_state_dict(saved["monolingual"])
        self._guard.steps = saved["collapse"]
        self._guard.mean = saved.get("collapse_mean")  # older checkpoints: from the next look on
        self._fabric.strategy.precision.load_state_dict(saved.get("loss_scale", {}))
        self.progress = Progress(**saved["run"])
        return True

    def _run_phase(self) -> int | None:
        """Train the present phase to its end, or to a signal, which is returned."""
        at, phase = self.progress, self._config.phases[self.progress.phase]
        length = self._lengths[at.phase]
        freeze(self._system, phase.frozen)
        half = self._config.precision == "16-mixed"
        optimizer = build_optimizer(self._system, phase, fused=not half)
        if self._resuming:
            self._restore(optimizer)
            self._resuming = False
        # Until here, and while features are computed, there is nothing that a signal could cost.
        frozen = BACKBONE in frozen_parts(self._system, phase.frozen)
        with self._ranks.first_alone():
            source = self._sources("train", frozen)
        measures = self._validator is not None and self._ranks.is_first
        held_back = self._sources("validation", frozen) if measures else None
        with stop_request(told=self._ranks.is_first) as stop:
            self._take_steps(phase, length, optimizer, source, held_back, stop)
            over = at.phase_step == length
            at.finished = over and at.phase + 1 == len(self._lengths)
            self._save(optimizer)  # with the optimiser that a resumed run will build first
        if over and not at.finished:
            at.phase, at.phase_step = at.phase + 1, 0
        return stop.signal

    def _take_steps(
        self,
        phase: PhaseConfig,
        length: int,
        optimizer: torch.optim.Optimizer,
        source: PictureSource,
        held_back: PictureSource | None,
        stop: StopRequest,
    ) -> None:
        at = self.progress
        model, fabric_optimizer = self._fabric.setup(TrainingStep(self._system), optimizer)
        self._train_mode(phase)
        if self._system.chunk_size is not None:
            check_chunks(self._system)
        batches = stream(
            self._sampler,
            source,
            parallel=self._parallel,
            monolingual=self._monolingual,
            everywhere=self._ranks.everywhere,
            pinned=self._ranks.device.type == "cuda",
        )
        with self._progress_of_phase(length) as advance:
            started = time.monotonic()
            while at.phase_step < length and not self._is_to_stop(stop):
                state, batch = next(batches)
                set_learning_rate(optimizer, self._factor(phase, length))
                values = self._step(model, fabric_optimizer, batch.to(self._ranks.device))
                self._sampler.state = state
                at.phase_step, at.step = at.phase_step + 1, at.step + 1
                texts = len(batch.texts) * self._ranks.world_size
                self._pace.count(texts, time.monotonic() - started)
                advance(texts)
                self._write_step(values, optimizer)
                if held_back is not None and self._measurement_is_due(length):
                    self._measure(held_back)
                    self._train_mode(phase)
                if self._ranks.largest(int(self._state.save_is_due()))[0]:
                    self._save(optimizer)
                started = time.monotonic()
        batches.close()

    def _train_mode(self, phase: PhaseConfig) -> None:
        statistics = phase.batch_statistics
        set_training_mode(self._system, phase.frozen, batch_statistics=statistics)

    def _is_to_stop(self, stop: StopRequest) -> bool:
        """Whether any process has been asked to."""
        signal = self._ranks.largest(stop.signal or 0)[0]
        stop.signal = signal or None
        return stop.signal is not None

    def _progress_of_phase(self, length: int) -> AbstractContextManager[Callable[[int], None]]:
        at, phases = self.progress, len(self._lengths)
        left = round((length - at.phase_step) * self._sampler.pairs_per_step)
        name = "pairs" if phases == 1 else f"phase {at.phase + 1} of {phases}: pairs"
        return track(name, left, show=self._show_progress)

    def _step(self, model: Any, optimizer: Any, batch: Batch) -> dict[str, float]:
        """One step of the optimiser; returns what to log."""
        terms: dict[str, Tensor] = model(Given(batch))
        each = torch.stack(list(terms.values()))  # (terms,)
        loss = each.sum()
        told = torch.cat([loss[None], each]).tolist()  # one wait for the device, not one a term
        values = dict(zip(["loss", *terms], self._ranks.mean(told), strict=True))
        self._refuse_unless_finite("loss", values["loss"], values)
        self._watch_for_collapse(values["loss"], batch)
        optimizer.zero_grad()
        self._fabric.backward(loss)
        if self._config.clip_gradients is not None:
            norm = self._fabric.clip_gradients(
                model, optimizer, max_norm=self._config.clip_gradients, error_if_nonfinite=False
            )
            values["gradient_norm"] = math.nan if norm is None else norm.item()
            if self._config.precision != "16-mixed":  # there the scale comes down, and it goes on
                self._refuse_unless_finite("gradient", values["gradient_norm"], values)
        optimizer.step()
        return values

    def _factor(self, phase: PhaseConfig, length: int) -> float:
        return learning_rate_factor(
            phase.schedule,
            step=self.progress.phase_step,
            total_steps=length,
            steps_per_epoch=self._sampler.steps_per_epoch,
        )

    def _refuse_unless_finite(self, what: str, value: float, values: dict[str, float]) -> None:
        if not math.isfinite(value):
            told = ", ".join(f"{name} {term:.4g}" for name, term in values.items())
            raise TrainingError(
                f"{self._folder}: the {what} is {value} at step {self.progress.step + 1} ({told}); "
                "lower training.phases.*.learning_rate, set training.clip_gradients, or use "
                'training.precision = "32-true", and start in a new folder'
            )

    def _watch_for_collapse(self, loss: float, batch: Batch) -> None:
        if self.progress.step % GUARD_EVERY == 0:
            expected = plateau_of_batch(self._system, batch)
            warning = self._guard.warning(loss, expected, steps=GUARD_EVERY)
            if warning is not None and self._ranks.is_first:
                self._tell("warning", text=warning)
                print(f"step {self.progress.step}: {warning}", file=sys.stderr)

    def _write_step(self, values: dict[str, float], optimizer: torch.optim.Optimizer) -> None:
        if self.progress.step % self._config.log_every == 0:
            self._tell(
                "step",
                phase=self.progress.phase,
                epochs=round(self.progress.step / self._sampler.steps_per_epoch, 4),
                learning_rate=max(group["lr"] for group in optimizer.param_groups),
                pairs_per_second=self._pace.per_second(),
                **values,
            )

    def _measurement_is_due(self, length: int) -> bool:
        at, every = self.progress, self._config.evaluate_every
        due = self._sampler.state.step == 0 if every is None else at.step % every == 0
        return due or at.phase_step == length

    def _measure(self, source: PictureSource) -> None:
        """Measure, log, and keep the weights if they are the best so far."""
        assert self._validator is not None  # noqa: S101 -- only then is there a source
        found = self._validator.measure(self._system, source)
        at, recall = self.progress, found.mean.mean_recall
        is_best = at.best_recall is None or recall > at.best_recall
        if is_best:
            at.best_step, at.best_recall = at.step, recall
            self._state.save_best(at)
        languages = {tag: result.as_dict() for tag, result in found.languages.items()}
        self._tell(
            "evaluation",
            best=is_best,
            mean_recall=recall,
            worst=found.worst,
            images=found.images,
            languages=languages,
        )
        if self._show_progress:
            told = ", ".join(f"{tag} {report['rsum']:.1f}" for tag, report in languages.items())
            mark = " (best so far)" if is_best else ""
            print(f"step {at.step}: mean recall {recall:.2f}{mark}; rsum {told}", file=sys.stderr)

    def _save(self, optimizer: torch.optim.Optimizer) -> None:
        states = self._ranks.everybodys(Random.present(self._ranks.device))
        if not self._ranks.is_first:
            return
        self._state.save(
            optimizer,
            self.progress,
            states,
            sampler=self._sampler.state_dict(),
            parallel={} if self._parallel is None else self._parallel.state_dict(),
            monolingual={} if self._monolingual is None else self._monolingual.state_dict(),
            collapse=self._guard.steps,
            collapse_mean=self._guard.mean,
            loss_scale=self._fabric.strategy.precision.state_dict(),
        )

    def _restore(self, optimizer: torch.optim.Optimizer) -> None:
        """Fill system, optimiser and random states; a process that is new begins with a seed."""
        random = self._state.restore(optimizer, rank=self._ranks.rank)
        if random is None:
            self._seed()
        else:
            random.restore(self._ranks.device)

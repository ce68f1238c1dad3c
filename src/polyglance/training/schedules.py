"""How the learning rate changes: pure functions of the step, so resuming needs no state."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)


class _Schedule(BaseModel):
    """What all schedules share: a linear warm-up before them.

    Attributes:
        warmup_steps: steps over which the factor climbs from ``warmup_start`` to 1.
        warmup_start: the factor that it climbs from; the first step is one of them up already.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    warmup_steps: NonNegativeInt = 0
    warmup_start: NonNegativeFloat = 0.0


class ConstantSchedule(_Schedule):
    """The same rate throughout."""

    kind: Literal["constant"] = "constant"


class LinearSchedule(_Schedule):
    """Falls in a straight line to ``final``, a factor, at the end of the phase.

    Attributes:
        final: the factor at the end.
    """

    kind: Literal["linear"] = "linear"
    final: NonNegativeFloat = 0.0


class CosineSchedule(_Schedule):
    """Falls along half a cosine to ``final``, a factor, at the end of the phase.

    Loshchilov & Hutter 2017, equation 5, without restarts.

    Attributes:
        final: the factor at the end.
    """

    kind: Literal["cosine"] = "cosine"
    final: NonNegativeFloat = 0.0


class StepsSchedule(_Schedule):
    """Multiplied by ``factor`` after each of the epochs or steps listed.

    Paper 5 (section VI) halves after epochs 1, 4 and 10; VSE++ divides by ten after 15; the code of
    LIWE quarters after steps 10,000, 12,000 … 18,000. All of them are counted from the beginning of
    the phase, warm-up included.

    Attributes:
        after_epochs: of the phase; or
        after_steps: of the phase.
        factor: for each.
    """

    kind: Literal["steps"] = "steps"
    after_epochs: tuple[PositiveFloat, ...] = ()
    after_steps: tuple[PositiveInt, ...] = ()
    factor: PositiveFloat = 0.5

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.after_epochs) == bool(self.after_steps):
            raise ValueError("give either after_epochs or after_steps")
        return self

    def passed(self, step: int, steps_per_epoch: int) -> int:
        """How many of them are over at a step."""
        return sum(step >= epochs * steps_per_epoch for epochs in self.after_epochs) + sum(
            step >= other for other in self.after_steps
        )


Schedule = Annotated[
    ConstantSchedule | LinearSchedule | CosineSchedule | StepsSchedule,
    Field(discriminator="kind"),
]


def learning_rate_factor(
    schedule: Schedule, *, step: int, total_steps: int, steps_per_epoch: int
) -> float:
    """What to multiply the learning rate of a phase with.

    Args:
        schedule: of the phase.
        step: of the phase, counted from 0.
        total_steps: of the phase.
        steps_per_epoch: for schedules that are told in epochs.
    """
    if step < schedule.warmup_steps:
        climbed = (step + 1) / schedule.warmup_steps
        return schedule.warmup_start + (1 - schedule.warmup_start) * climbed
    if isinstance(schedule, StepsSchedule):
        return schedule.factor ** schedule.passed(step, steps_per_epoch)
    progress = (step - schedule.warmup_steps) / max(1, total_steps - schedule.warmup_steps)
    if isinstance(schedule, LinearSchedule):
        return 1 + (schedule.final - 1) * progress
    if isinstance(schedule, CosineSchedule):
        return schedule.final + (1 - schedule.final) * (1 + math.cos(math.pi * progress)) / 2
    return 1.0

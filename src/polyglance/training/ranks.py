"""The processes of a run: how they start, what they agree on, and how they fail together.

Every process, or *rank*, has a device of its own and a copy of the system, and trains it on its
share of every batch. Fabric starts them: by running this very command again with other environment
variables, or by finding that ``torchrun``, ``fabric run`` or SLURM has started them already.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import distributed

from polyglance.data.gathering import Gatherer, RankGatherer
from polyglance.errors import ConfigError, PolyglanceError, TrainingError

if TYPE_CHECKING:
    from polyglance.training.recipe import TrainingConfig

PATIENCE = timedelta(hours=24)
"""How long ranks wait for one that encodes or measures alone; one that died is noticed at once."""
FAILURE = "polyglance/failure"

Value = TypeVar("Value")


class Ranks:
    """This process among those of its run, which are started here if nobody has yet.

    With one device none of this costs anything, and nothing differs from a program without it.

    Args:
        config: names devices and precision; what ``torchrun`` and its like say goes before.

    Attributes:
        fabric: of this process.
        rank: from 0.
        world_size: number of processes.
        device: of this process.

    Raises:
        ConfigError: there is no such device, it lacks the precision, or this program cannot be
            started again by itself.
    """

    def __init__(self, config: TrainingConfig) -> None:
        logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
        accelerator = _accelerator(config)
        devices, nodes = _places(config, accelerator)
        several = devices * nodes > 1
        if several:
            _refuse_unless_startable()
            # Some steps teach only some parts, and which ones may differ from step to step, so
            # that DDP looks for them each time. Running means of BatchNorm are those of rank 0.
            strategy = DDPStrategy(
                find_unused_parameters=True, broadcast_buffers=False, timeout=PATIENCE
            )
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated")
        self.fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            precision=config.precision,
            strategy=strategy if several else "auto",
        )
        if several and "LT_CLI_USED" not in os.environ:  # `fabric run` has launched it already
            self.fabric.launch()
        self.rank, self.world_size = self.fabric.global_rank, self.fabric.world_size
        self.device = self.fabric.device
        self._group = distributed.new_group(timeout=PATIENCE) if self.world_size > 1 else None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes, measures and speaks."""
        return self.rank == 0

    def gatherer(self) -> Gatherer:
        """For the systems' training steps."""
        return Gatherer() if self._group is None else RankGatherer(self._group)

    def largest(self, *numbers: int) -> list[int]:
        """Of each number the largest that any process has."""
        if self.world_size == 1:
            return [*numbers]
        told = torch.tensor(numbers, dtype=torch.int64, device=self.device)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return [int(number) for number in told.tolist()]

    def everywhere(self, here: bool) -> bool:
        """Whether something is so in all processes."""
        return not self.largest(int(not here))[0]

    def mean(self, numbers: Sequence[float]) -> list[float]:
        """Of each number the mean over all processes."""
        if self.world_size == 1:
            return [*numbers]
        told = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        distributed.all_reduce(told)
        return [float(number) for number in (told / self.world_size).tolist()]

    def everybodys(self, value: Value) -> list[Value]:
        """What each process has, by rank."""
        if self.world_size == 1:
            return [value]
        found: list[Value | None] = [None] * self.world_size
        distributed.all_gather_object(found, value)
        return [one for one in found if one is not None]

    def wait(self) -> None:
        """Until all processes have come here."""
        self.everywhere(True)

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process goes through, then the others: for what is made once and then read."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Where one process fails, the others end too and say why.

        Raises:
            TrainingError: another process has failed.
        """
        try:
            yield
        except Exception as error:
            if distributed.is_initialized():
                why = self._told() if _is_of_a_collective(error) else None
                if why is None:
                    _store().set(FAILURE, f"process {self.rank} failed: {error}")
                # Connections are closed now, so that nobody waits for this process any longer. What
                # is left of them would wait in destructors, and is kept from these to the end.
                _ENDED.extend(distributed.distributed_c10d._world.pg_map)
                distributed.distributed_c10d._abort_process_group()
                atexit.register(_end, 2 if isinstance(error, PolyglanceError) or why else 1)
                if why is not None:
                    raise TrainingError(
                        f"process {self.rank} stopped, since {why}; the last checkpoint is whole, "
                        "so mend the cause and run the same command again"
                    ) from None
            raise
        self.part()

    def part(self) -> None:
        """Go separate ways: from here on nobody waits for, or hears of, anybody."""
        if self.world_size > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    def _told(self) -> str:
        """What has become of the others, as far as it can be known."""
        try:
            if _store().check([FAILURE]):
                return str(_store().get(FAILURE).decode("utf-8", "replace"))
        except RuntimeError:  # the first process kept it
            return "the first process is gone; its own output says why"
        return "another process is gone; its own output says why"


def _accelerator(config: TrainingConfig) -> Literal["cpu", "cuda"]:
    has_gpu = torch.cuda.is_available()
    if config.accelerator == "cuda" and not has_gpu:
        raise ConfigError(
            'training.accelerator = "cuda": torch finds no GPU here; set it to "cpu" or "auto", or '
            "install the build of torch for this machine's driver"
        )
    found: Literal["cpu", "cuda"] = "cuda" if config.accelerator != "cpu" and has_gpu else "cpu"
    if found == "cpu" and config.precision == "16-mixed":
        raise ConfigError(
            'training.precision = "16-mixed" is for GPUs, and training is on the CPU; there set it '
            'to "bf16-mixed", or to "32-true"'
        )
    return found


def _places(config: TrainingConfig, accelerator: str) -> tuple[int, int]:
    """Devices a node, and nodes."""
    if distributed.is_torchelastic_launched():  # torchrun and `fabric run` know better
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return local, int(os.environ["WORLD_SIZE"]) // local
    present = torch.cuda.device_count() if accelerator == "cuda" else None
    if config.devices == "auto":
        return present or 1, config.nodes
    if present is not None and config.devices > present:
        raise ConfigError(f"training.devices = {config.devices}: this machine has {present} GPUs")
    return config.devices, config.nodes


def _refuse_unless_startable() -> None:
    """Fabric starts further processes by the command line; not every program has one."""
    if "LOCAL_RANK" in os.environ or "SLURM_NTASKS" in os.environ or Path(sys.argv[0]).is_file():
        return
    raise ConfigError(
        "training on several devices starts this program again for each of them, which works from "
        "`polyglance train`, from a script, and under torchrun; or set training.devices = 1"
    )


_ENDED: list[Any] = []
"""Groups of processes of a run that failed."""


def _end(code: int) -> None:
    """End this process at once."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _store() -> Any:
    """Where processes leave notes for one another."""
    return distributed.distributed_c10d._get_default_store()


def _is_of_a_collective(error: Exception) -> bool:
    """Whether it was raised because another process did not answer."""
    if isinstance(error, PolyglanceError) or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, distributed.DistError) or "gloo" in str(error).lower()

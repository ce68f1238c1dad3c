"""What is asked of Ray, within this process: a call runs when somebody asks for its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """Somebody died."""


class RayTaskError(RayError):
    """Somebody lives, and raised an error."""


class Handle:
    """Of a worker; its methods have ``remote``.

    Args:
        worker: an object of this process.
        lives_through: whether the worker lives through a call, told the method's name and the
            arguments.
    """

    def __init__(self, worker: Any, lives_through: Callable[..., bool]) -> None:
        self.worker = worker
        self.lives_through = lives_through
        self.alive = True

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=lambda *arguments: Call(self, name, arguments))


class Call:
    """One that waits for its result to be asked for."""

    def __init__(self, handle: Handle, name: str, arguments: tuple[Any, ...]) -> None:
        self.handle, self.name, self.arguments = handle, name, arguments

    def result(self) -> Any:
        handle = self.handle
        if not handle.alive or not handle.lives_through(self.name, *self.arguments):
            handle.alive = False
            raise RayError("the worker died\nand a long story")
        try:
            return getattr(handle.worker, self.name)(*self.arguments)
        except Exception as error:
            raise RayTaskError(str(error)) from error


class InlineRay:
    """Stands for the module.

    Args:
        lives_through: as a :class:`Handle` has it.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, lives_through: Callable[..., bool] = lambda *_call: True) -> None:
        self.lives_through = lives_through

    def remote(self, **_options: int) -> Callable[[Callable[..., Any]], Any]:
        def actor(make: Callable[..., Any]) -> Any:
            return SimpleNamespace(
                remote=lambda *arguments: Handle(make(*arguments), self.lives_through)
            )

        return actor

    def put(self, it: Any) -> Any:
        return it

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 3.0}

    def wait(
        self, calls: Sequence[Call], *, num_returns: int, timeout: float
    ) -> tuple[list[Call], list[Call]]:
        """The youngest call is done first: nobody may count on their order."""
        assert num_returns == 1
        return [calls[-1]], list(calls[:-1])

    def get(self, call: Call) -> Any:
        return call.result()

    def kill(self, handle: Handle) -> None:
        handle.alive = False

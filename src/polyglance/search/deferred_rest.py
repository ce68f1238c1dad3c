"""LanceDB without the wait for a REST client that nobody here asks for.

LanceDB imports a client of catalogues on other machines. Making its API classes takes about as
long as the rest of LanceDB, since it looks through the arguments of every method; here they are
made when one is called. Who uses that client in the same process still can.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

CLIENT = "lance_namespace_urllib3_client"
DEFERRED = f"{CLIENT}.api"


class _Deferred(ModuleType):
    """A module whose every name is a class that imports the real one when it is called."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def make(_stand_in: type, *given: Any, **named: Any) -> Any:
            return getattr(_real(self.__name__), name)(*given, **named)

        return type(name, (), {"__new__": make})


class _Finder(MetaPathFinder, Loader):
    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        inside = name == DEFERRED or name.startswith(f"{DEFERRED}.")
        return ModuleSpec(name, self, is_package=True) if inside else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Deferred(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """It has nothing to run."""


_finder = _Finder()


def import_lancedb() -> Any:
    """The module ``lancedb``."""
    if CLIENT not in sys.modules:
        sys.meta_path.insert(0, _finder)
        try:
            return importlib.import_module("lancedb")
        finally:
            sys.meta_path.remove(_finder)
    return importlib.import_module("lancedb")


def _real(name: str) -> ModuleType:
    for known, module in list(sys.modules.items()):
        if isinstance(module, _Deferred):
            del sys.modules[known]
    return importlib.import_module(name)

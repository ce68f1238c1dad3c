"""What every test shares: no network, few threads, and the real data where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_socket import socket_allow_hosts

if TYPE_CHECKING:
    from polyglance import Retriever

# One for each of the processes that share the suite; torch and ONNX Runtime read it when imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def no_network() -> None:
    """Only this machine may be talked to; the plugin lifts the ban after each test."""
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def flickr8k() -> Path:
    """The folder with ``train.jsonl``, ``val.jsonl`` and their pictures."""
    folder = os.environ.get("POLYGLANCE_FLICKR8K")
    if not folder:
        pytest.skip("real photos are absent: POLYGLANCE_FLICKR8K does not name their folder")
    return Path(folder)


@pytest.fixture(scope="session")
def mini() -> Retriever:
    """The built-in model, over the real pretrained towers."""
    from polyglance import Retriever
    from polyglance.errors import WeightsError

    try:
        return Retriever.load("mini")
    except WeightsError as error:
        pytest.skip(f"the pretrained towers are absent: {error}")

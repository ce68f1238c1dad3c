"""Large pages under tensors."""

from __future__ import annotations

import os

import pytest

from polyglance.memory import prefer_large_pages


def test_large_pages_are_asked_for_unless_the_user_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    prefer_large_pages()
    assert os.environ["THP_MEM_ALLOC_ENABLE"] == "1"
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "0")
    prefer_large_pages()
    assert os.environ["THP_MEM_ALLOC_ENABLE"] == "0"

"""Which number formats are used where."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from polyglance.precision import has_fast_bfloat16

asked = has_fast_bfloat16.__wrapped__  # which remembers nothing


def test_a_processor_is_asked_for_itself_whatever_graphics_card_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "flags: sse avx2")
    assert not asked("cpu")
    assert asked("cuda")
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "flags: avx2 avx512_bf16")
    assert asked("cpu")

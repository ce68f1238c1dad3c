"""The short forms of what ``kill_indexing.py`` and ``kill_training.py`` do for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.kill_indexing import COLOURS, kill_indexing
from faults.kill_training import kill_training
from support.colours import many_pictures


def test_indexing_survives_being_killed(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    many_pictures(photos, 300)
    (photos / "0005x.png").write_bytes(b"broken")
    count = kill_indexing(tmp_path, photos, model=COLOURS, kills=5, longest=0.8, broken=1)
    assert count.kills == 5
    assert count.most_rows > 0


@pytest.mark.timeout(600)
def test_training_survives_being_killed(tmp_path: Path) -> None:
    count = kill_training(tmp_path, kills=2)
    assert count.kills == 2
    assert count.runs > 0

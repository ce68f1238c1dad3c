"""The page about paper 5 says what the logs say, whichever way they go."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

PAGE = runpy.run_path(str(Path(__file__).parents[2] / "recipes" / "paper_5_page.py"))


def fake_run(folder: Path, recall: float) -> None:
    metrics: dict[str, Any] = {"R@1": recall, "R@5": recall, "R@10": recall}
    metrics |= {"MeanR": 20.0, "MedR": 5.0, "ci95": {"R@1": [1.0, 2.0], "R@10": [3.0, 4.0]}}
    english: dict[str, Any] = {
        "image_to_text": metrics,
        "text_to_image": metrics,
        "rsum": 6 * recall,
    }
    english["rsum_ci95"] = [5.0, 6.0]
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({"languages": {"en": english}}))
    lines = [
        {"event": "start", "step": 0, "time": 100.0},
        {"event": "warning", "step": 4, "time": 110.0},
        {"event": "resume", "step": 4, "time": 9000.0},
        {"event": "evaluation", "step": 5, "time": 9010.0, "best": True},
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def page(tmp_path: Path, **recalls: list[float]) -> str:
    for name, values in recalls.items():
        for seed, recall in enumerate(values):
            fake_run(tmp_path / "runs" / "losses" / f"{name}-{seed}", recall)
    fake_run(tmp_path / "runs" / "freezing" / "both-free-0", 8.0)
    fake_run(tmp_path / "runs" / "longer" / "SimCLR-0", 9.0)
    fake_run(tmp_path / "runs" / "longer" / "max-0", 8.0)
    PAGE["write_page"](tmp_path / "runs", tmp_path / "page.md")
    return (tmp_path / "page.md").read_text("utf-8")


def test_a_clear_win_a_clear_loss_and_no_answer(tmp_path: Path) -> None:
    text = page(tmp_path, SimCLR=[20.0, 20.2, 20.1], max=[10.0, 10.1, 10.3], sum=[20.4, 19.8, 20.2])
    assert "Against **max**, at six epochs, over 3 paired seeds: **yes**" in text
    assert "Against **sum**, at six epochs, over 3 paired seeds: **not shown**" in text
    assert "rsum +59.8" in text
    assert "| | here | 0 | not run |" in text  # Barlow Twins
    assert "| sum | 0 | 122.4 | 130 | yes | 1 |" in text  # a pause counts two minutes at most
    assert "8.0 [1.0, 2.0]" in text
    assert "54.0 [5.0, 6.0] | yes |" in text
    assert "by +60.0 rsum after 6 epochs and by +6.0 after 18" in text
    assert "intervals over pictures overlap. So SimCLR is ahead at both lengths" in text
    worse = page(tmp_path / "other", SimCLR=[5.0, 5.1], max=[10.0, 10.1])
    assert "Against **max**, at six epochs, over 2 paired seeds: **no, it is worse**" in worse
    assert "ahead at both lengths" not in worse
    assert "Against **sum**: not enough finished runs" in worse

"""The page of speeds: goals are met or not by what was measured, costs follow from it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SEARCHED = {"en": 0.999, "zh": 0.991}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.delitem(sys.modules, "speed_page", raising=False)
    import speed_page

    return speed_page.page


def part(**found: Any) -> dict[str, Any]:
    return {
        "day": "2026-01-31",
        "processor": "a processor",
        "cores": 2,
        "load": 0.1,
        "found": found,
    }


def million(rows: int, *, scale: float, recall: dict[str, float] = SEARCHED) -> dict[str, Any]:
    each = {"recall": recall, "p50_ms": 4.0 * scale, "p95_ms": 9.0 * scale}
    return part(
        rows=rows,
        dimension=512,
        nearest_cosine=0.8,
        queries=100,
        **each,
        whole_p50_ms=8.0,
        whole_p95_ms=12.0,
        exact_ms=None,
        searching_mb=300 * scale,
        disk_mb=3000 * scale,
        writing_s=360 * scale,
        indexing_s=720 * scale,
        changing_s=5.0,
        refreshing_s=8.0,
        changed=each,
        refreshed=each,
    )


def measured() -> dict[str, Any]:
    rounds = [
        {"workers": workers, "threads": 50.0, "cluster": 40.0, "loaded": loaded, "loading_s": 4.0}
        for workers, loaded in ((1, 40.0), (2, 90.0), (1, 50.0), (1, 60.0))
    ]
    return {
        "indexing": part(
            images=512,
            split=[50.0],
            batch_a_core=[50.0],
            index=[48.0],
            index_by_split=0.96,
            index_by_batch_a_core=0.96,
        ),
        "cluster": part(images=512, rounds=rounds, cluster_by_threads={"1": 0.8, "2": 0.8}),
        "ranking": part(ranks_s=1.3, product_s=1.0, ratio=1.3, peak_mb=999),
        "first answer": part(pictures=10_000, median_s=1.6, fastest_s=1.5, slowest_s=1.7),
        "serving": part(
            pictures=3000,
            clients=16,
            seconds=300.0,
            processors=2,
            load_average_before=0.1,
            requests_per_second=50.0,
            texts_a_batch=5.5,
            memory_mb={"before": 700, "after": 800},
            kinds={
                "text": {
                    "answered": 12_000,
                    "p50_ms": 200.4,
                    "p95_ms": 400.0,
                    "turned_away": 1,
                    "errors": 0,
                },
                "image": {
                    "answered": 0,
                    "p50_ms": None,
                    "p95_ms": None,
                    "turned_away": 0,
                    "errors": 2,
                },
            },
        ),
        "writing": part(
            rows=1_000_000,
            commit=4096,
            before_mb=200,
            held_mb={"10000": 30, "1000000": 50},
            peak_mb=900,
        ),
        "a million": million(1_000_000, scale=1),
        "five million": million(5_000_000, scale=5),
    }


def row(page: str, name: str) -> list[str]:
    [line] = [line for line in page.splitlines() if line.startswith(f"| {name}")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_goals_are_met_or_not_by_what_was_measured(page: Any) -> None:
    found = measured()
    written = page(found)
    assert row(written, "indexing, of the bare") == ["96 %", "≥ 95 %", "met"]
    assert row(written, "ranking 5,000")[2] == "met"
    assert row(written, "first answer") == ["1.60 s", "< 1.5 s", "not met"]
    assert row(written, "a million pictures: median") == ["4.0 ms; 0.991", "< 10 ms; ≥ 0.99", "met"]
    found["a million"] = million(1_000_000, scale=1, recall={"en": 1.0, "zh": 0.989})
    assert row(page(found), "a million pictures: median")[2] == "not met"


def test_costs_lie_on_the_line_through_what_was_measured(page: Any) -> None:
    written = page(measured())
    assert row(written, "embedding, core hours") == ["56", "556"]  # at the median of 40, 50 and 60
    assert row(written, "writing, hours") == ["1.0", "10.0"]
    assert row(written, "tidying and the index, hours") == ["2.0", "20.0"]
    assert row(written, "on the disk, GB") == ["30", "300"]
    assert row(written, "memory of searching, GB") == ["3.0", "30.0"]
    assert row(written, "median search, ms") == ["40", "400"]
    assert "**Computed, not measured**" in written


def test_a_server_under_load_is_told_by_kinds_of_requests(page: Any) -> None:
    written = page(measured())
    assert row(written, "text") == ["12,000", "200", "400", "1", "0"]
    assert row(written, "image") == ["0", "–", "–", "0", "2"]


def test_memory_of_writing_is_told_by_rows(page: Any) -> None:
    written = page(measured())
    assert row(written, "rows") == ["10,000", "1,000,000"]
    assert row(written, "MB") == ["30", "50"]


def test_what_was_not_measured_says_so(page: Any) -> None:
    written = page({})
    assert written.count("Not measured.") == 8
    assert written.count("| not measured |") == 4
    assert "Not computed: its constants were not measured." in written

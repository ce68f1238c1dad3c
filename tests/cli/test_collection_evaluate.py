"""``collection evaluate`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyglance.errors import CollectionError, ManifestError, QueryError
from support.collections import photos_of_three_folders, run, run_for_json, use_colours
from support.colours import PALETTE, WORDS


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Captions of seven photos in two languages; the photos are indexed as ``c``."""
    use_colours(monkeypatch)
    monkeypatch.chdir(tmp_path)
    photos_of_three_folders(tmp_path / "photos")
    run("index", "photos", "-c", "c", "--model", "colours")
    lines = [
        {"image": f"{name}.png", "captions": {"en": [WORDS[name][0]] * 2, "de": [WORDS[name][1]]}}
        for name in PALETTE
    ]
    path = tmp_path / "captions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def test_a_small_collection_is_searched_exactly(manifest: Path) -> None:
    told = json.loads(run_for_json("collection", "evaluate", "c", manifest, "--json"))
    assert told["all"]["queries"] == 21
    assert told["all"]["recall@10"] == 1.0
    assert {tag: told["languages"][tag]["queries"] for tag in told["languages"]} == {
        "en": 14,
        "de": 7,
    }
    assert 0 < told["all"]["search_ms"]["p50"] <= told["all"]["search_ms"]["p95"]
    assert told["all"]["search_ms"]["p50"] <= told["all"]["query_ms"]["p50"]
    assert told["index"]["approximate"] is False
    assert told["worst"] in ("en", "de")


def test_lines(manifest: Path) -> None:
    output = run("collection", "evaluate", "c", manifest, "--queries", 5, "--language", "de")
    rows = [line.split() for line in output.splitlines()]
    assert [row[:3] for row in rows[1:3]] == [["de", "5", "1.0000"], ["all", "5", "1.0000"]]
    assert output.endswith("worst: de; index: none: every row is compared, exactly\n")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["nowhere", "captions.jsonl"], CollectionError, "there is no collection at nowhere"),
        (["c", "nowhere.jsonl"], ManifestError, "nowhere.jsonl: cannot be read"),
        (["c", "photos/red.png"], ManifestError, "ends in .jsonl or .parquet"),
        (["c", "silent.jsonl"], QueryError, "no captions to ask with"),
        (["c", "captions.jsonl", "--language", "cs"], QueryError, "in 'cs', but in en, de"),
        (["empty", "captions.jsonl"], CollectionError, "is empty; there is nothing to find"),
    ],
)
def test_mistakes(
    manifest: Path, arguments: list[str], error: type[Exception], message: str
) -> None:
    Path("silent.jsonl").write_text('{"image": "red.png", "captions": {}}\n')
    Path("none").mkdir()
    run("index", "none", "-c", "empty", "--model", "colours")
    with pytest.raises(error, match=message):
        run("collection", "evaluate", *arguments)


def test_another_model_is_refused(manifest: Path) -> None:
    described = json.loads(Path("c/collection.json").read_text())
    Path("c/collection.json").write_text(json.dumps({**described, "fingerprint": "f" * 56}))
    with pytest.raises(CollectionError, match="their embeddings are not comparable"):
        run("collection", "evaluate", "c", manifest)

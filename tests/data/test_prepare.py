"""`polyglance data`, run as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from polyglance.cli.data import Format, app
from polyglance.data.manifest import read_manifest
from polyglance.data.readers import READERS
from polyglance.data.region_files import REGION_READERS
from polyglance.errors import ManifestError

STREAMS = CliRunner()


def run(*words: object, code: int = 0) -> Result:
    result = STREAMS.invoke(app, [str(word) for word in words])
    if isinstance(result.exception, ManifestError):
        raise result.exception  # the main program prints it and leaves with 2
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A Karpathy file beside a folder of pictures, of which one is not there."""
    photos = tmp_path / "data/photos"
    photos.mkdir(parents=True)
    entries = []
    for number, split in enumerate(["train", "restval", "val", "test"]):
        name = f"{number}.png"
        sentences = [{"raw": f"Picture {number}."}]
        entries.append({"filename": name, "split": split, "sentences": sentences})
        if number != 3:
            Image.new("RGB", (4, 4), (number, 0, 0)).save(photos / name)
    (tmp_path / "data/dataset.json").write_text(json.dumps({"images": entries}))
    return tmp_path


def test_the_command_line_knows_every_reader() -> None:
    assert [kind.value for kind in Format] == sorted([*READERS, *REGION_READERS, "precomp"])


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_prepare_writes_paths_relative_to_the_manifest(dataset: Path, suffix: str) -> None:
    output = dataset / f"data/all{suffix}"
    source, images = dataset / "data/dataset.json", dataset / "data/photos"
    result = run("prepare", "karpathy", source, "--images", images, "--output", output)
    assert "4 pictures; captions: 4 en" in result.stdout
    assert f"1 of 4 pictures are not there, such as {images / '3.png'}" in result.stderr
    (dataset / "data").rename(dataset / "moved")
    records = read_manifest(dataset / f"moved/all{suffix}")
    assert [record.split for record in records] == ["train", "restval", "val", "test"]
    assert records[0].image == dataset / "moved/photos/0.png"
    assert records[0].image.is_file()


def test_prepare_keeps_the_splits_that_are_asked_for(dataset: Path) -> None:
    output = dataset / "data/train.jsonl"
    words = ["karpathy", dataset / "data/dataset.json", "--images", dataset / "data/photos"]
    run("prepare", *words, "--output", output, "--split", "train", "--split", "restval")
    assert [record.id for record in read_manifest(output)] == ["0.png", "1.png"]
    with pytest.raises(ManifestError, match="no picture is in split dev; the splits are restval"):
        run("prepare", *words, "--output", output, "--split", "dev")
    assert len(read_manifest(output)) == 2  # the old manifest is still whole


def test_prepare_keeps_the_pictures_on_a_list(dataset: Path) -> None:
    output, names = dataset / "data/some.jsonl", dataset / "names.txt"
    names.write_text("2.png\n1\nelse\n")
    words = ["karpathy", dataset / "data/dataset.json", "--images", dataset / "data/photos"]
    run("prepare", *words, "--output", output, "--pictures", names)
    assert [record.id for record in read_manifest(output)] == ["1.png", "2.png"]
    names.write_text("else\n")
    with pytest.raises(ManifestError, match=r"no picture is left after --pictures .*names\.txt"):
        run("prepare", *words, "--output", output, "--pictures", names)


def test_pictures_elsewhere_are_refused_with_a_remedy_or_linked(dataset: Path) -> None:
    output = dataset / "manifests/all.jsonl"
    photos = dataset / "data/photos"
    words = ["karpathy", dataset / "data/dataset.json", "--images", photos, "--output", output]
    with pytest.raises(ManifestError, match=r"lies outside the manifest's folder .*--link"):
        run("prepare", *words)
    assert not output.exists()
    for _ in range(2):  # again, over the link that is there
        run("prepare", *words, "--link")
        assert (dataset / "manifests/images").resolve() == photos
        first = read_manifest(output)[0]
        assert first.image == dataset / "manifests/images/0.png"
        assert first.image.is_file()
        assert json.loads(output.read_text().splitlines()[0])["image"] == "images/0.png"


def test_a_link_never_replaces_anything(dataset: Path) -> None:
    (dataset / "manifests/images").mkdir(parents=True)
    words = ["karpathy", dataset / "data/dataset.json", "--images", dataset / "data/photos"]
    with pytest.raises(ManifestError, match="images: is there already and is no link to"):
        run("prepare", *words, "--output", dataset / "manifests/all.jsonl", "--link")
    run("prepare", *words, "--output", dataset / "data/all.jsonl", "--link")
    assert not (dataset / "data/images").exists()  # not needed there


def test_a_folder_needs_no_more_than_its_name(dataset: Path) -> None:
    photos = dataset / "data/photos"
    (photos / "0.no.txt").write_text("Rød.\n")
    run("prepare", "folder", photos, "--output", photos / "m.jsonl", "--split", "test")
    records = read_manifest(photos / "m.jsonl")
    assert [record.id for record in records] == ["0.png", "1.png", "2.png"]
    assert records[0].captions == {"no": ("Rød.",)}
    assert {record.split for record in records} == {"test"}


def test_prepare_prints_the_warnings_of_a_reader(tmp_path: Path) -> None:
    (tmp_path / "test_image_names.txt").write_text("COCO_train2014_000000000009.jpg\n")
    (tmp_path / "test_1kcaptions_jp.txt").write_text("猫\n")
    result = run("prepare", "xtd10", tmp_path, "--output", tmp_path / "m.jsonl")
    assert "warning: 1 of XTD10's 1 pictures are in COCO train2014" in result.stderr
    assert "captions: 1 ja" in result.stdout


def test_mistakes_in_the_options(dataset: Path) -> None:
    words = ["folder", dataset / "data/photos"]
    run("prepare", *words, "--output", dataset / "m.jsonl", "--rename", "jp", code=2)
    run("prepare", "no-such-format", dataset, "--output", dataset / "m.jsonl", code=2)
    with pytest.raises(ManifestError, match=r"ends in \.jsonl or \.parquet"):
        run("prepare", *words, "--output", dataset / "m.yaml")
    with pytest.raises(ManifestError, match="absent: no such file or folder"):
        run("prepare", "folder", dataset / "absent", "--output", dataset / "m.jsonl")
    (dataset / "file").touch()
    with pytest.raises(ManifestError, match="file/images: cannot be linked"):
        run("prepare", *words, "--output", dataset / "file/m.jsonl", "--link")
    run("prepare", *words, "--output", dataset / "data/photos/m.jsonl")
    with pytest.raises(ManifestError, match=r"file/report\.json: cannot be written"):
        run("inspect", dataset / "data/photos/m.jsonl", "--json", dataset / "file/report.json")


def test_inspect_prints_counts_and_writes_json(dataset: Path) -> None:
    photos, report = dataset / "data/photos", dataset / "report.json"
    (photos / "0.no.txt").write_text("Rød.\nEn rød firkant.\n")
    run("prepare", "folder", photos, "--output", photos / "m.jsonl")
    result = run("inspect", photos / "m.jsonl", "--json", report)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "m no 1 2 0 4–9.5–15 1–2–3" in lines
    assert "m: 2 of 3 without captions" in result.stdout
    assert "missing: none" in result.stdout
    assert "leaks: in more than one split: none" in result.stdout
    assert json.loads(report.read_text())["splits"]["m"]["pictures"] == 3


def test_inspect_leaves_with_1_for_leaks_and_missing_files(dataset: Path) -> None:
    photos = dataset / "data/photos"
    (photos / "copy.png").write_bytes((photos / "0.png").read_bytes())
    names = dataset / "names.txt"
    for split, listed in {"train": "0\n1\n", "test": "copy\n2\n"}.items():
        names.write_text(listed)
        output = photos / f"{split}.jsonl"
        run("prepare", "folder", photos, "--output", output, "--pictures", names)
    run("inspect", photos / "train.jsonl")
    result = run("inspect", photos / "train.jsonl", photos / "test.jsonl", code=1)
    assert "leaks: in more than one split: 1\n  train 0.png = test copy.png" in result.stdout
    (photos / "1.png").unlink()
    result = run("inspect", photos / "train.jsonl", code=1)
    assert f"missing: 1\n  train 1.png: {photos / '1.png'}" in result.stdout
    for number in range(20):
        (photos / f"bad{number}.jpg").write_text("bad")
    run("prepare", "folder", photos, "--output", photos / "all.jsonl")
    result = run("inspect", photos / "all.jsonl", code=1)
    assert "cannot be opened: 20" in result.stdout
    assert "… and 10 more" in result.stdout


def test_inspect_on_a_terminal_draws_tables(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from polyglance.cli.inspection import print_inspection
    from polyglance.data.inspect import inspect_records
    from polyglance.data.record import Record

    record = Record(
        id="1",
        features="1",
        captions={"en": ("A [bold] dog.",)},
        machine_translated={"zh-baidu": ("狗",)},
        parallel={"en": "A dog.", "de": "Ein Hund."},
    )
    other = Record(id="2", features="2", captions={"en": ("A [bold] dog.",)})
    inspection = inspect_records({"train": [record, other]})
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_inspection(inspection)
    drawn = capsys.readouterr().out
    assert "│" in drawn
    assert "[bold]" in drawn
    assert "zh-baidu" in drawn
    assert "train: parallel sentences: 1 en, 1 de" in drawn


def test_the_commands_start_without_heavy_imports() -> None:
    code = (
        "import sys, polyglance.cli.data; heavy = {'torch', 'PIL', 'pyarrow', 'numpy', 'lancedb',"
        " 'transformers'} & set(sys.modules); print(sorted(heavy))"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    assert result.stdout.strip() == "[]"

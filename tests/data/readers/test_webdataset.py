"""WebDataset's archives, as img2dataset and others write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from polyglance.cli.main import app
from polyglance.data.manifest import read_manifest
from polyglance.data.readers import READERS, ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError
from support.shards import picture, shard


def read(*sources: Path, **options: Any) -> dict[str, Record]:
    records = list(READERS["webdataset"](sources, ReaderOptions(**options)))
    assert len({record.id for record in records}) == len(records)
    return {record.id: record for record in records}


def test_files_of_one_key_are_one_sample(tmp_path: Path) -> None:
    archive = shard(
        tmp_path / "00000.tar",
        {
            "000001.jpg": b"",
            "000001.txt": " A red\n square. ",
            "000001.json": json.dumps({"caption": "not read", "url": "…"}),
            "000000.de.txt": "Ein Quadrat.",
            "000000.PNG": b"",
            "deep/a.b/000002.webp": b"",
            "deep/a.b/000002.json": json.dumps({"caption": "A square.", "status": "success"}),
            "000003.seg.png": b"",
            "000003.txt": "a sample without a picture",
            "._000001.jpg": b"",
            "000004.mp4": b"",
            "000005.mp4": b"",
            "000005.jpg": b"",
            "000006.jpg": b"",
            "000006.cls": "7",
            "000006.json": json.dumps({"caption": None}),
            "000007.jpg": b"",
            "000007.txt": "\n",
        },
    )
    found = read(archive, languages=("en",), split="train")
    base = archive.resolve()

    def sample(name: str, **captions: str) -> Record:
        told = {tag: (text,) for tag, text in captions.items()}
        id_ = f"00000.tar/{name}"
        return Record(id=id_, image=base / name, captions=told, split="train")

    video = Record(id="00000.tar/000004.mp4", video=base / "000004.mp4", split="train")
    assert list(found.values()) == [
        sample("000001.jpg", en="A red square."),
        sample("000000.PNG", de="Ein Quadrat."),
        sample("deep/a.b/000002.webp", en="A square."),
        video,
        sample("000005.jpg"),
        sample("000006.jpg"),
        sample("000007.jpg"),
    ]


def test_folders_have_their_archives_read_by_name(tmp_path: Path) -> None:
    for name in ("1.tar", "0.tar", "2.tar.gz", "note.txt"):
        shard(tmp_path / "shards" / name, {"x.jpg": b""})
    assert list(read(tmp_path / "shards")) == ["0.tar/x.jpg", "1.tar/x.jpg"]


def test_languages_are_renamed(tmp_path: Path) -> None:
    archive = shard(tmp_path / "0.tar", {"x.jpg": b"", "x.cn.txt": "方块", "x.notes.txt": "?"})
    assert read(archive, rename={"cn": "zh"})["0.tar/x.jpg"].captions == {"zh": ("方块",)}


def test_mistakes_are_told(tmp_path: Path) -> None:
    plain = shard(tmp_path / "plain.tar", {"x.jpg": b"", "x.txt": "A square."})
    with pytest.raises(ManifestError, match=r"x\.txt: which language is this\?"):
        read(plain)
    with pytest.raises(ManifestError, match="'english' is not a language tag"):
        read(plain, languages=("english",))
    latin = shard(tmp_path / "latin.tar", {"x.jpg": b"", "x.txt": "é".encode("latin-1")})
    with pytest.raises(ManifestError, match=r"x\.txt: neither UTF-8 text nor JSON"):
        read(latin, languages=("fr",))
    broken = shard(tmp_path / "broken.tar", {"x.jpg": b"", "x.json": "{"})
    with pytest.raises(ManifestError, match=r"x\.json: neither"):
        read(broken, languages=("en",))
    bare = shard(tmp_path / "bare.tar", {"x.txt": "alone"})
    with pytest.raises(ManifestError, match=r"no archive .* with pictures in it"):
        read(bare)
    (tmp_path / "no.tar").write_text("nothing of the kind")
    with pytest.raises(ManifestError, match=r"no\.tar: cannot be read: not an uncompressed tar"):
        read(tmp_path / "no.tar")
    with pytest.raises(ManifestError, match=r"x\.zip: not a \.tar file"):
        read(tmp_path / "x.zip")


def test_a_manifest_is_written_and_inspected(tmp_path: Path) -> None:
    files = {"1.jpg": picture("red"), "1.txt": "Red.", "2.jpg": picture("red"), "2.txt": "Rouge."}
    shard(tmp_path / "shards" / "0.tar", files)
    manifest = tmp_path / "all.jsonl"
    arguments = ["data", "prepare", "webdataset", str(tmp_path / "shards"), "--language", "en"]
    done = CliRunner().invoke(app, [*arguments, "--output", str(manifest)])
    assert done.exit_code == 0, done.output
    assert "warning" not in done.output
    assert [record.image for record in read_manifest(manifest)] == [
        tmp_path / "shards" / "0.tar" / name for name in ("1.jpg", "2.jpg")
    ]
    seen = CliRunner().invoke(app, ["data", "inspect", str(manifest)])
    assert seen.exit_code == 0, seen.output
    assert "0.tar/1.jpg = all 0.tar/2.jpg" in seen.output

"""Folders of pictures, with and without captions beside them."""

from pathlib import Path
from typing import Any

import pytest

from polyglance.data.readers import READERS, ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError


def read(*folders: Path, **options: Any) -> dict[str, Record]:
    records = list(READERS["folder"](folders, ReaderOptions(**options)))
    assert len({record.id for record in records}) == len(records)
    return {record.id: record for record in records}


def lay_out(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_finds_pictures_by_suffix_in_order_and_passes_over_hidden_ones(tmp_path: Path) -> None:
    names = ["b.JPG", "a.png", "trip/c.webp", "._b.jpg", ".trash/d.jpg", "notes.md", "e.eps"]
    lay_out(tmp_path, **dict.fromkeys(names, ""))
    (tmp_path / "trip/round").symlink_to(tmp_path)
    assert list(read(tmp_path)) == ["a.png", "b.JPG", "trip/c.webp"]
    assert list(read(tmp_path, recursive=False)) == ["a.png", "b.JPG"]
    assert read(tmp_path, split="test")["a.png"] == Record(
        id="a.png", image=tmp_path / "a.png", split="test"
    )


def test_text_files_beside_pictures_are_captions(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        **{
            "dog.jpg": "",
            "dog.txt": "A dog.\n\n  An animal. \n",
            "dog.no.txt": "En hund.\n",
            "dog.pt-BR.txt": "Um cão.\n",
            "dog.notes.txt": "not a language",
            "two.dogs.png": "",
            "two.dogs.de.txt": "Zwei Hunde.",
            "cat.jpg": "",
            "cat.png": "",
            "cat.png.txt": "A drawn cat.",
            "bare.jpg": "",
            "bare.txt": "\n",
        },
    )
    records = read(tmp_path, languages=("en",))
    assert records["dog.jpg"].captions == {
        "no": ("En hund.",),
        "pt-BR": ("Um cão.",),
        "en": ("A dog.", "An animal."),
    }
    assert records["two.dogs.png"].captions == {"de": ("Zwei Hunde.",)}
    assert records["cat.png"].captions == {"en": ("A drawn cat.",)}
    assert records["cat.jpg"].captions == {}
    assert records["bare.jpg"].captions == {}


def test_tux_paint_stamps_hold_all_languages_in_one_file(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        **{
            "animals/frog.png": "",
            "animals/frog.txt": "A frog.\nde.utf8=Ein Frosch.\nnb.utf8=En frosk. \nja.utf8=\n"
            "pt_BR.utf8=Um sapo.\nsr@latin.utf8=Žaba.\nca@valencia.utf8=Granota.\n",
        },
    )
    assert read(tmp_path)["animals/frog.png"].captions == {
        "en": ("A frog.",),
        "de": ("Ein Frosch.",),
        "nb": ("En frosk.",),
        "pt-BR": ("Um sapo.",),
        "sr-Latn": ("Žaba.",),
        "ca-valencia": ("Granota.",),
    }


def test_several_folders(tmp_path: Path) -> None:
    lay_out(tmp_path, **{"a/1.jpg": "", "b/1.jpg": ""})
    assert list(read(tmp_path / "a", tmp_path / "b", images=tmp_path)) == ["a/1.jpg", "b/1.jpg"]


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"no pictures inside \(\.apng \.arw \.avif"):
        read(tmp_path)
    lay_out(tmp_path, **{"dog.jpg": "", "dog.txt": "Hund"})
    with pytest.raises(ManifestError, match=r"dog\.txt: which language is this\? Say it once"):
        read(tmp_path)
    with pytest.raises(ManifestError, match=r"dog\.txt: not a folder"):
        read(tmp_path / "dog.txt")
    (tmp_path / "dog.txt").write_bytes(b"M\xe4dchen")
    with pytest.raises(ManifestError, match=r"dog\.txt, line 1: not UTF-8"):
        read(tmp_path, languages=("de",))

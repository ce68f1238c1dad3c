"""``imgid#lang#n caption`` lines and Flickr8k's own token file."""

from pathlib import Path
from typing import Any

import pytest

from polyglance.data.readers import READERS, ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError

FLICKR8K = "1000268201_693b08cb0e.jpg"


def read(folder: Path, *texts: str, **options: Any) -> list[Record]:
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f"{number}.caption.txt")
        paths[-1].write_text(text, encoding="utf-8", newline="")
    return list(READERS["caption-lines"](paths, ReaderOptions(**options)))


def test_flickr8k_cn_people_and_engines(tmp_path: Path) -> None:
    (record,) = read(
        tmp_path,
        f"{FLICKR8K}#zhc#1 走上小屋的女孩。\r\n{FLICKR8K}#zhc#0 穿着连衣裙的小女孩。\r\n",
        f"{FLICKR8K}#zhb#0 孩子爬上楼梯。\n\n{FLICKR8K}#zhb#1 一个女孩走进一个木结构。\n",
        f"{FLICKR8K}#zhm#0 一个女孩\n",
        images=tmp_path / "photos",
        split="train",
    )
    assert record == Record(
        id=FLICKR8K,
        image=tmp_path / "photos" / FLICKR8K,
        captions={"zh": ("穿着连衣裙的小女孩。", "一个女孩", "走上小屋的女孩。")},
        machine_translated={"zh-baidu": ("孩子爬上楼梯。", "一个女孩走进一个木结构。")},
        split="train",
    )


def test_flickr8k_token_file(tmp_path: Path) -> None:
    text = f"{FLICKR8K}#0\tA child .\n{FLICKR8K}#1\tA girl #1 .\n2258277193.jpg.1#0\tA man .\n"
    child, man = read(tmp_path, text, languages=("en",))
    assert child.captions == {"en": ("A child .", "A girl #1 .")}
    assert man.id == "2258277193.jpg.1"


def test_nrccr_names_pictures_without_suffix_and_chains_of_translations(tmp_path: Path) -> None:
    lines = [
        "1000092795#enc#0 Two men.",
        "1000092795#enc2de#0 Zwei Männer.",
        "1000092795#enc2de2enc#0 Two guys.",
        "1000092795#de#0 Zwei Kerle.",
        "1000092795#enc2zh#0 两个男人",
    ]
    (record,) = read(tmp_path, "\n".join(lines))
    assert record.id == "1000092795.jpg"
    assert record.captions == {"en": ("Two men.",), "de": ("Zwei Kerle.",)}
    assert record.machine_translated == {
        "de-x-mt-en": ("Zwei Männer.",),
        "en-x-mt-de": ("Two guys.",),
        "zh-x-mt-en": ("两个男人",),
    }


def test_languages_can_be_renamed(tmp_path: Path) -> None:
    (record,) = read(tmp_path, "1.jpg#uyc#0# بالا\n", rename={"uyc": "ug"})
    assert record.captions == {"ug": ("بالا",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.jpg#en#0 a\nno caption here\n", "line 2: not of the form"),
        ("1.jpg#en#x a\n", "line 1: not of the form"),
        ("1.jpg#en#0\n", "line 1: not of the form"),
        ("1.jpg#en#0 \n", "line 1: an empty caption"),
        ("1.jpg#en#0 a\n1.jpg#en#0 b\n", "line 2: 1.jpg#en#0 comes twice"),
        ("../1.jpg#en#0 a\n", "line 1: '../1.jpg' is not a path below"),
        ("1.jpg#english#0 a\n", "line 1: 'english' is not a language tag"),
        ("1.jpg#0\ta\n", "do not name their language; say it with --language"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "0.caption.txt" in str(caught.value)


def test_text_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_bytes("1.jpg#en#0 a\n1.jpg#zhc#0 狗\n".encode("gb18030"))
    with pytest.raises(ManifestError, match=r"c\.txt, line 2: not UTF-8"):
        list(READERS["caption-lines"]([path], ReaderOptions()))

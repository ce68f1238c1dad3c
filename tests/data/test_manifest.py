"""The native dataset format: round trips, and errors that name file, line and field."""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyglance.data.manifest import iterate_manifest, read_manifest, write_manifest
from polyglance.data.record import Record
from polyglance.errors import ManifestError

GOOD = '{"image": "images/1.jpg", "captions": {"en": ["A dog."], "de": ["Ein Hund."]}}'


def manifest(folder: Path, *lines: str | bytes, name: str = "m.jsonl") -> Path:
    path = folder / name
    path.write_bytes(
        b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    )
    return path


def test_reads_what_design_promises(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        json.dumps(
            {
                "image": "images/1.jpg",
                "captions": {"no": ["En hund."], "zh-Hant": ["狗", "小狗"]},
                "machine_translated": {"zh-baidu": ["犬"]},
                "parallel": {"en": "A dog.", "de": "Ein Hund."},
                "split": "val",
                "id": "first",
                "licence": {"name": "CC0", "year": 2020},
            }
        ),
    )
    (record,) = read_manifest(path)
    assert record == Record(
        id="first",
        image=tmp_path / "images/1.jpg",
        captions={"no": ("En hund.",), "zh-Hant": ("狗", "小狗")},
        machine_translated={"zh-baidu": ("犬",)},
        parallel={"en": "A dog.", "de": "Ein Hund."},
        split="val",
        extra={"licence": {"name": "CC0", "year": 2020}},
    )


def test_the_path_is_the_id_where_none_is_given(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        '{"image": "./a//1.jpg", "captions": {}}',
        '{"video": "v/2.mp4", "captions": {}}',
        '{"features": "row 3", "captions": {}}',
    )
    records = read_manifest(path)
    assert [record.id for record in records] == ["a/1.jpg", "v/2.mp4", "row 3"]
    assert records[0].image == tmp_path / "a/1.jpg"
    assert records[1].video == tmp_path / "v/2.mp4"
    assert records[1].image is None
    assert records[2].features == "row 3"


def test_blank_lines_carriage_returns_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    lines = [b"\xef\xbb\xbf" + GOOD.encode() + b"\r", b"", b"  \t\r"]
    path = manifest(tmp_path, *lines, GOOD.replace("1.jpg", "2.jpg"), b"")
    assert [record.id for record in read_manifest(path)] == ["images/1.jpg", "images/2.jpg"]


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    line = json.dumps({"image": "1.jpg", "captions": {"en": ["a\u2028b\x85c"]}}, ensure_ascii=False)
    (record,) = read_manifest(manifest(tmp_path, line))
    assert record.captions["en"] == ("a\u2028b\x85c",)


def test_captions_are_composed(tmp_path: Path) -> None:
    caption = unicodedata.normalize("NFD", "Mädchen")
    row = {"image": "1.jpg", "captions": {"de": [caption]}, "parallel": {"de": caption}}
    (record,) = read_manifest(manifest(tmp_path, json.dumps(row)))
    assert record.captions["de"] == ("Mädchen",)
    assert record.parallel["de"] == "Mädchen"


def test_variables_and_tildes_are_names_like_any_other(tmp_path: Path) -> None:
    line = '{"image": "$HOME/~/%20 {x}.jpg", "captions": {}}'
    (record,) = read_manifest(manifest(tmp_path, line))
    assert record.image == tmp_path / "$HOME" / "~" / "%20 {x}.jpg"


BAD_LINES: list[tuple[str | bytes, str]] = [
    ("{", "line 2: not JSON: "),
    ("[1]", "line 2: a JSON object is needed"),
    ("null", "line 2: a JSON object is needed"),
    ('{"image": NaN, "captions": {}}', "line 2: not JSON: NaN is no number"),
    ("[" * 100_000, "line 2: not JSON: "),
    ('{"image": "2.jpg", "captions": {}, "image": "3.jpg"}', "line 2: not JSON: the key 'image'"),
    ('{"image": "2.jpg", "captions": {"en": ["a"], "en": ["b"]}}', "the key 'en' stands twice"),
    (b'{"image": "2.jpg", "captions": {"de": ["h\xfcbsch"]}}', "line 2: not UTF-8 (byte 0xfc"),
    ('{"image": "2.jpg", "captions": {"en": ["\\ud83d"]}}', "line 2: an escape \\ud… is half"),
    ('{"captions": {"en": ["a"]}}', "line 2, field 'image': missing"),
    ('{"image": null, "captions": {"en": ["a"]}}', "line 2, field 'image': missing"),
    ('{"image": 3, "captions": {}}', "line 2, field 'image': a string is needed, not a number"),
    ('{"image": "", "captions": {}}', "line 2, field 'image': empty"),
    ('{"image": ".", "captions": {}}', "line 2, field 'image': '.' names no file"),
    ('{"image": "/etc/passwd", "captions": {}}', "field 'image': '/etc/passwd' is absolute"),
    ('{"image": "C:\\\\1.jpg", "captions": {}}', "field 'image': 'C:\\\\1.jpg' is absolute"),
    ('{"image": "../1.jpg", "captions": {}}', "field 'image': '../1.jpg' has '..'"),
    ('{"image": "a/../1.jpg", "captions": {}}', "field 'image': 'a/../1.jpg' has '..'"),
    ('{"video": "../1.mp4", "captions": {}}', "field 'video': '../1.mp4' has '..'"),
    ('{"image": "a\\u0000.jpg", "captions": {}}', "holds a NUL character"),
    ('{"image": "http://x.org/1.jpg", "captions": {}}', "is a URL; only files on disk"),
    ('{"image": "2.jpg"}', "line 2, field 'captions': missing"),
    ('{"image": "2.jpg", "caption": {"en": ["a"]}}', "line 2, field 'captions': missing"),
    ('{"image": "2.jpg", "captions": ["a"]}', "field 'captions': an object of language"),
    ('{"image": "2.jpg", "captions": {"english": ["a"]}}', "field 'captions.english': not a lang"),
    ('{"image": "2.jpg", "captions": {"en": "a"}}', "field 'captions.en': a list of strings"),
    ('{"image": "2.jpg", "captions": {"en": []}}', "field 'captions.en': an empty list"),
    ('{"image": "2.jpg", "captions": {"en": ["a", ""]}}', "field 'captions.en[1]': an empty"),
    ('{"image": "2.jpg", "captions": {"en": ["\\u3000"]}}', "'captions.en[0]': an empty caption"),
    ('{"image": "2.jpg", "captions": {"no": [false]}}', "'captions.no[0]': a caption is a string"),
    ('{"image": "2.jpg", "captions": {"en": [null]}}', "'captions.en[0]': a caption is a string"),
    ('{"image": "2.jpg", "captions": {"en": [["a"]]}}', "is a string, not a list"),
    ('{"image": "2.jpg", "parallel": {"en": ["a"]}}', "field 'parallel.en': a caption is a string"),
    ('{"image": "2.jpg", "machine_translated": {"zh-x": [1]}}', "'machine_translated.zh-x[0]'"),
    ('{"image": "2.jpg", "captions": {}, "split": 1}', "line 2, field 'split': a string"),
    ('{"image": "2.jpg", "captions": {}, "id": ""}', "line 2, field 'id': empty"),
    (GOOD, "line 2, field 'id': 'images/1.jpg' is already the id of line 1"),
]


@pytest.mark.parametrize(("line", "message"), BAD_LINES)
def test_a_bad_line_names_file_line_and_field(
    tmp_path: Path, line: str | bytes, message: str
) -> None:
    path = manifest(tmp_path, GOOD, line, GOOD.replace("1.jpg", "9.jpg"))
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}, line 2")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"no\.jsonl: cannot be read: No such file"):
        read_manifest(tmp_path / "no.jsonl")
    with pytest.raises(ManifestError, match=r"no\.parquet: cannot be read"):
        read_manifest(tmp_path / "no.parquet")
    with pytest.raises(ManifestError, match=r"ends in \.jsonl or \.parquet"):
        read_manifest(tmp_path / "m.json")
    with pytest.raises(ManifestError, match="no records"):
        read_manifest(manifest(tmp_path, "", ""))
    (tmp_path / "m.parquet").write_text(GOOD)
    with pytest.raises(ManifestError, match="not a readable Parquet file"):
        read_manifest(tmp_path / "m.parquet")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(ManifestError, match="cannot be read: Is a directory"):
        read_manifest(tmp_path / "folder.jsonl")


def test_iterating_gives_the_records_before_a_bad_line(tmp_path: Path) -> None:
    records = iterate_manifest(manifest(tmp_path, GOOD, "{"))
    assert next(records).id == "images/1.jpg"
    with pytest.raises(ManifestError, match="line 2"):
        next(records)


TAGS = st.sampled_from(["en", "no", "zh-Hant", "zh-baidu", "zh-x-google", "quz"])
CAPTION = (
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(lambda text: not text.isspace())
)
CAPTIONS = st.dictionaries(TAGS, st.lists(CAPTION, min_size=1, max_size=3).map(tuple), max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | CAPTION,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(CAPTION, inner, max_size=2),
    max_leaves=4,
)
KEYS = CAPTION.filter(
    lambda key: (
        key
        not in {"id", "image", "video", "features", "split", "captions"}
        | {"machine_translated", "parallel"}
    )
)
NAME = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\:"), min_size=1
).filter(lambda name: name.strip() and name not in {".", ".."})


@st.composite
def records(draw: st.DrawFn, root: Path) -> Record:
    image, video, features = draw(
        st.tuples(st.booleans(), st.booleans(), st.booleans()).filter(any)
    )
    return Record(
        id=draw(CAPTION),
        image=root / draw(NAME) / draw(NAME) if image else None,
        video=root / draw(NAME) if video else None,
        features=draw(CAPTION) if features else None,
        captions=draw(CAPTIONS),
        machine_translated=draw(CAPTIONS),
        parallel=draw(st.dictionaries(TAGS, CAPTION, max_size=2)),
        split=draw(st.none() | CAPTION),
        extra=draw(st.dictionaries(KEYS, JSON, max_size=2)),
    )


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@settings(suppress_health_check=list(HealthCheck), max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    written = data.draw(
        st.lists(records(tmp_path), min_size=1, max_size=3, unique_by=lambda record: record.id)
    )
    path = tmp_path / f"m{suffix}"
    write_manifest(written, path)
    assert read_manifest(path) == written


def test_an_unneeded_id_and_empty_keys_are_not_written(tmp_path: Path) -> None:
    path = manifest(tmp_path, GOOD)
    write_manifest(read_manifest(path), path)
    assert path.read_text() == GOOD + "\n"


def test_a_manifest_moves_with_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    path = manifest(tmp_path / "a", GOOD)
    (tmp_path / "a").rename(tmp_path / "b")
    (record,) = read_manifest(tmp_path / "b" / path.name)
    assert record.image == tmp_path / "b/images/1.jpg"


def test_pictures_behind_a_link_are_written_by_the_way_of_the_link(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "set/images").symlink_to(tmp_path / "photos")
    (tmp_path / "alias").symlink_to(tmp_path / "set")
    path = tmp_path / "alias/m.jsonl"
    write_manifest([Record(id="1", image=tmp_path / "set/images/1.jpg")], path)
    assert json.loads(path.read_text())["image"] == "images/1.jpg"
    (tmp_path / "set/inside").mkdir()
    write_manifest([Record(id="1", image=tmp_path / "alias/inside/1.jpg")], path)
    assert json.loads(path.read_text())["image"] == "inside/1.jpg"


UNWRITABLE = [
    (Record(id="1", image=Path("/elsewhere/1.jpg")), "field 'image': '/elsewhere/1.jpg' lies out"),
    (Record(id="1"), "field 'image': missing"),
    (Record(id="1", features="1", captions={"en": ()}), "field 'captions.en': an empty list"),
    (Record(id="1", features="1", captions={"english": ("a",)}), "not a language tag"),
    (Record(id="1", features="1", captions={"en": ("",)}), "'captions.en[0]': an empty caption"),
    (Record(id="1", features="1", extra={"image": "x"}), "field 'image': a key of the manifest"),
    (Record(id="1", features="1", extra={"x": {1, 2}}), "not JSON"),
    (Record(id="1", features="1", extra={"x": float("nan")}), "not JSON"),
    (Record(id="1", features="\udcff"), "not JSON"),
]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize(("record", "message"), UNWRITABLE)
def test_what_could_not_be_read_back_is_not_written(
    tmp_path: Path, record: Record, message: str, suffix: str
) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_text("the old file")
    with pytest.raises(ManifestError) as caught:
        write_manifest([Record(id="0", features="0"), record], path)
    assert message in str(caught.value)
    assert "record '1'" in str(caught.value)
    assert path.read_text() == "the old file"
    assert list(tmp_path.iterdir()) == [path]


def test_duplicate_ids_and_empty_manifests_are_not_written(tmp_path: Path) -> None:
    record = Record(id="1", features="1")
    with pytest.raises(ManifestError, match="two records have this id"):
        write_manifest([record, record], tmp_path / "m.jsonl")
    with pytest.raises(ManifestError, match="no records"):
        write_manifest([], tmp_path / "m.parquet")
    assert not list(tmp_path.iterdir())


def parquet(folder: Path, rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> Path:
    path = folder / "m.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def test_parquet_by_others_has_structs_with_nulls_and_columns_of_its_own(tmp_path: Path) -> None:
    rows = [
        {"image": "1.jpg", "captions": {"en": ["A dog."], "no": None}, "width": 640},
        {"image": "2.jpg", "captions": {"en": None, "no": ["En hund."]}, "width": None},
    ]
    first, second = read_manifest(parquet(tmp_path, rows))
    assert first.captions == {"en": ("A dog.",)}
    assert first.extra == {"width": 640}
    assert second.captions == {"no": ("En hund.",)}
    assert second.extra == {}


def test_bad_parquet_rows_name_the_row(tmp_path: Path) -> None:
    rows = [
        {"image": f"{n}.jpg", "captions": {"en": ["a" if n < 5000 else ""]}} for n in range(5001)
    ]
    with pytest.raises(ManifestError, match=r"m\.parquet, row 5001, field 'captions\.en\[0\]'"):
        read_manifest(parquet(tmp_path, rows))
    with pytest.raises(ManifestError, match="row 1, field 'captions': a map of language"):
        read_manifest(parquet(tmp_path, [{"image": "1.jpg", "captions": ["a"]}]))
    with pytest.raises(ManifestError, match="row 1, field 'extra': JSON text"):
        read_manifest(
            parquet(tmp_path, [{"image": "1.jpg", "captions": {"en": ["a"]}, "extra": "{"}])
        )
    twice = pa.schema(
        [("image", pa.string()), ("captions", pa.map_(pa.string(), pa.list_(pa.string())))]
    )
    rows = [{"image": "1.jpg", "captions": [("en", ["a"]), ("en", ["b"])]}]
    with pytest.raises(ManifestError, match="row 1, field 'captions': a language stands twice"):
        read_manifest(parquet(tmp_path, rows, twice))


def fastest(work: Callable[[], object]) -> float:
    """Seconds of the processor that the fastest of three took."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


@pytest.mark.flickr8k
def test_flickr8k_reads_fast_and_comes_back_from_parquet(flickr8k: Path, tmp_path: Path) -> None:
    manifest = flickr8k / "train.jsonl"

    def parse() -> None:
        for line in manifest.read_text(encoding="utf-8").splitlines():
            json.loads(line)

    # Beside plain parsing, since machines differ, and the same one from hour to hour.
    assert fastest(lambda: read_manifest(manifest)) < 6 * fastest(parse)
    records = read_manifest(manifest)
    assert len(records) == 6000
    assert sum(len(record.captions["en"]) for record in records) == 30_000
    assert all(record.image is not None and record.image.is_file() for record in records)
    (tmp_path / "images").symlink_to(flickr8k / "images")
    moved = [
        Record(
            id=record.id,
            image=tmp_path / "images" / record.image.name,
            captions=record.captions,
            machine_translated=record.machine_translated,
            parallel=record.parallel,
        )
        for record in records
        if record.image is not None
    ]
    write_manifest(moved, tmp_path / "train.parquet")
    assert read_manifest(tmp_path / "train.parquet") == moved

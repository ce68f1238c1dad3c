"""Captions looked up besides vectors: what is found by which, also after changes."""

from __future__ import annotations

import json
import threading
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from polyglance.errors import CollectionError, QueryError
from polyglance.search import hybrid, migration
from polyglance.search.caption_words import words_of_captions
from polyglance.search.collection import Collection
from polyglance.search.filters import Filters
from polyglance.search.hybrid import FoundBy, fuse
from polyglance.search.indexer import index
from polyglance.search.lance import connect
from polyglance.search.nearest import Neighbours
from polyglance.search.query import Query
from polyglance.search.schema import INFO_FILE, PICTURES, Captions, Stored, picture_id
from polyglance.search.searcher import Searcher
from polyglance.search.terms import Term
from polyglance.search.text_index import files_by_words
from polyglance.search.verification import Kind, verify
from polyglance.search.writer import open_for_writing
from support.colours import PALETTE, ColourEncoder, picture
from support.rows import a_row

CAPTIONS: dict[str, Captions] = {
    "red": {"en": ["A poppy in a field."], "de": ["Eine Mohnblume"]},
    "green": {"en": ["A frog, green on green."], "zh": ["池塘边的青蛙"]},
    "blue": {"en": ["A whale"], "th": ["ปลาวาฬในทะเล"], "fr": ["La baleine d'été"]},
    "yellow": {"ja": ["レモンの木"], "ar": ["شجرة ليمون"]},
}


def lines(captions: dict[str, Captions]) -> str:
    return "".join(
        json.dumps({"image": f"{colour}.png", "captions": captions.get(colour, {})}) + "\n"
        for colour in PALETTE
    )


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Seven pictures, four of them with captions."""
    folder = tmp_path / "photos"
    for colour in PALETTE:
        picture(folder / f"{colour}.png", colour)
    path = folder / "captions.jsonl"
    path.write_text(lines(CAPTIONS), "utf-8")
    index(path, tmp_path / "c", encoder=ColourEncoder())
    return path


def opened(manifest: Path) -> Searcher:
    return Searcher(Collection.open(manifest.parent.parent / "c"), ColourEncoder())


def by_words(manifest: Path, text: str) -> list[str]:
    """Names of what was found by captions, best first."""
    hits = opened(manifest).search(Query.of(text), top=100, hybrid=True)
    ranked = {hit.found_by.text: hit.name for hit in hits if hit.found_by and hit.found_by.text}
    return [ranked[rank].removesuffix(".png") for rank in sorted(ranked)]


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("POPPY", "red"),
        ("mohnblume!", "red"),
        ("青蛙", "green"),
        ("池塘", "green"),
        ("ทะเล", "blue"),
        ("ete", "blue"),
        (unicodedata.normalize("NFD", "été"), "blue"),
        ("レモン", "yellow"),
        ("لَيْمُون", "yellow"),
    ],
)
def test_words_in_many_scripts(manifest: Path, text: str, colour: str) -> None:
    assert by_words(manifest, text) == [colour]


def test_what_no_caption_says_is_found_by_vectors_alone(manifest: Path) -> None:
    query = Query.of("schwarz")
    hits = opened(manifest).search(query, top=3, hybrid=True)
    assert hits[0].name == "black.png"
    by_vectors = opened(manifest).search(query, top=3)
    assert hits == [
        replace(hit, found_by=FoundBy(rank, None)) for rank, hit in enumerate(by_vectors, start=1)
    ]


def test_both_rankings_make_one(manifest: Path) -> None:
    # By vectors red comes first, with all others equal behind; by captions only the whale.
    hits = opened(manifest).search(Query.of("red whale"), top=2, hybrid=True)
    ranks = {hit.name: hit.found_by for hit in hits}
    assert ranks.keys() == {"red.png", "blue.png"}
    assert ranks["red.png"] == FoundBy(1, None)
    assert ranks["blue.png"] is not None
    assert ranks["blue.png"].text == 1
    plain = {hit.name: hit.score for hit in opened(manifest).search(Query.of("red whale"))}
    assert all(hit.score == pytest.approx(plain[hit.name], abs=1e-6) for hit in hits)


def test_fusion_by_hand() -> None:
    fused = fuse([["a", "b", "c"], ["c", "d"]])
    scores = {"a": 1 / 61, "b": 1 / 62, "c": 1 / 63 + 1 / 61, "d": 1 / 62}
    assert fused == sorted(scores, key=lambda key: (-scores[key], key)) == ["c", "a", "b", "d"]
    assert fuse([]) == fuse([[], []]) == []


def test_filters_hold_for_words_too(manifest: Path) -> None:
    searcher = opened(manifest)
    asked = {"hybrid": True, "top": 10}
    both = searcher.search(Query.of("poppy frog"), **asked)
    assert {hit.name for hit in both if hit.found_by and hit.found_by.text} == {
        "red.png",
        "green.png",
    }
    filters = Filters.of(caption="frog")
    [hit] = searcher.search(Query.of("poppy frog"), filters=filters, **asked)
    assert (hit.name, hit.found_by) == ("green.png", FoundBy(1, 1))
    assert searcher.search(Query.of("poppy"), filters=Filters.of(kind="gif"), **asked) == []


@pytest.mark.parametrize("exact_up_to", [50_000, 0])
def test_pages_are_cut_from_one_list(
    manifest: Path, exact_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hybrid, "DEPTH", 3)  # so that some are found by words alone
    searcher = opened(manifest)
    searcher.neighbours = Neighbours(searcher.collection, exact_up_to=exact_up_to)
    query = Query.of("purple whale poppy lemon frog")
    monkeypatch.setattr("polyglance.search.searcher.DEPTH", 1000)
    whole = searcher.search(query, top=7, hybrid=True)
    assert len(whole) > 3
    assert len({hit.id for hit in whole}) == len(whole)
    assert any(hit.found_by and hit.found_by.vector is None for hit in whole)
    pages = [searcher.search(query, top=2, offset=i, hybrid=True) for i in range(0, 8, 2)]
    assert [hit for page in pages for hit in page] == whole


def test_captions_that_come_change_and_go(manifest: Path) -> None:
    collection = manifest.parent.parent / "c"
    changed = {**CAPTIONS, "red": {"en": ["A tulip"]}, "black": {"en": ["A raven and a whale"]}}
    manifest.write_text(lines(changed), "utf-8")
    encoder = ColourEncoder()
    index(manifest, collection, encoder=encoder)
    assert encoder.pictures_encoded == 0
    assert by_words(manifest, "poppy") == []
    assert by_words(manifest, "tulip") == ["red"]
    assert sorted(by_words(manifest, "whale")) == ["black", "blue"]
    (manifest.parent / "blue.png").unlink()
    index(manifest, collection, encoder=ColourEncoder())
    assert by_words(manifest, "whale") == ["black"]


def test_a_run_that_was_interrupted_before_the_index_was_refreshed(tmp_path: Path) -> None:
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        writer.upsert([stored("a.png", {"de": ["Ein Hund im Schnee"]})])
        writer.upsert([stored("b.png", {"de": ["Eine Katze im Schnee"]})])
    table = Collection.open(tmp_path / "c").pictures
    assert files_by_words(table, "hund", top=9) == [picture_id("a.png")]
    assert set(files_by_words(table, "schnee", top=9)) == {picture_id("a.png"), picture_id("b.png")}


def test_readers_while_a_writer_writes(tmp_path: Path) -> None:
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        writer.upsert([stored("0.png", {"en": ["dog"]})])
        searcher = Searcher(Collection.open(tmp_path / "c"), ColourEncoder())
        done = threading.Event()
        failures: list[BaseException] = []

        def read() -> None:
            while not done.is_set():
                try:
                    hits = searcher.search(Query.of("dog"), hybrid=True)
                    assert hits[0].found_by is not None
                    assert hits[0].found_by.text == 1
                except BaseException as failure:
                    failures.append(failure)
                    return

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(1, 30):
            writer.upsert([stored(f"{number}.png", {"en": [f"cat {number}"]})])
            if number % 10 == 0:
                writer.tidy()
        done.set()
        reader.join()
    assert failures == []


def stored(path: str, captions: Captions | None, *, frame: int | None = None) -> Stored:
    embedding = np.zeros(ColourEncoder.dimension, dtype=np.float32)
    embedding[frame or 0] = 1.0
    return a_row(
        path,
        embedding,
        captions=captions,
        moment=None if frame is None else float(frame),
        frame=frame or 0,
    )


def test_a_video_is_one_hit_with_the_moment_that_matches_the_query(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        writer.upsert([stored("f.mp4", {"en": ["owls"]}, frame=i) for i in range(5)])
        writer.upsert([stored(f"{i}.png", None) for i in range(20)])
    searcher = Searcher(Collection.open(tmp_path / "c"), ColourEncoder())
    blue_owls, order = Query.of("blue owls"), list(PALETTE)
    [first, *_] = searcher.search(blue_owls, hybrid=True)
    assert (first.name, first.moment) == ("f.mp4", order.index("blue"))
    assert first.found_by == FoundBy(1, 1)
    monkeypatch.setattr(hybrid, "DEPTH", 1)  # by vectors now only the reddest: a picture
    hits = searcher.search(Query.of("red owls"), hybrid=True)
    video = next(hit for hit in hits if hit.name == "f.mp4")
    assert (video.moment, video.score) == (0.0, pytest.approx(1.0, abs=0.01))


def test_composed_queries(manifest: Path) -> None:
    searcher = opened(manifest)
    image = manifest.parent / "black.png"
    [first, *_] = searcher.search(Query.of("poppy", image=image), hybrid=True)
    assert (first.name, first.found_by and first.found_by.text) == ("red.png", 1)
    both = Query.combined([Term.of("poppy"), Term.of("whale", weight=0.5)])
    hits = searcher.search(both, hybrid=True)
    assert {hit.name for hit in hits if hit.found_by and hit.found_by.text} == {
        "red.png",
        "blue.png",
    }
    unlike = Query.combined([Term.of("poppy"), Term.of(image=image, weight=-1)])
    assert searcher.search(unlike, hybrid=True)[0].name == "red.png"


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (
            [{"text": "red"}, {"text": "frog", "weight": -1}],
            "minus cannot be taken out of captions",
        ),
        ([{"picture": "0" * 16}], "there are no words to look for"),
    ],
)
def test_queries_that_captions_cannot_answer(
    manifest: Path, terms: list[dict[str, object]], message: str
) -> None:
    query = Query.combined(Term.of(**term) for term in terms)  # type: ignore[arg-type]
    with pytest.raises(QueryError, match=message):
        opened(manifest).search(query, hybrid=True)


def test_limits(manifest: Path) -> None:
    with pytest.raises(QueryError, match="ends with the 1000th result"):
        opened(manifest).search(Query.of("red"), top=10, offset=995, hybrid=True)
    assert opened(manifest).search(Query.of("?!"), top=1, hybrid=True)  # no words: by vectors


def test_a_collection_without_captions_says_so(manifest: Path) -> None:
    index(manifest.parent, manifest.parent.parent / "c", encoder=ColourEncoder())
    with pytest.raises(QueryError, match=r"no picture .* has a caption .* index a manifest"):
        opened(manifest).search(Query.of("red"), hybrid=True)


def as_format_2(collection: Path) -> None:
    """Make a collection what it was before words: no column that came with them or later."""
    table = connect(collection).open_table(PICTURES)
    table.drop_columns(["words", "latitude", "longitude", "located", "shown"])
    path = collection / INFO_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))


def test_a_collection_from_before_words_has_them_when_it_is_opened(manifest: Path) -> None:
    collection = manifest.parent.parent / "c"

    def table() -> pa.Table:
        rows = Collection.open(collection).pictures.to_arrow()
        return rows.sort_by("id").drop_columns(["located"])

    before = table()
    as_format_2(collection)
    assert by_words(manifest, "青蛙") == ["green"]
    assert table() == before
    assert json.loads((collection / INFO_FILE).read_text())["format"] == 5
    encoder = ColourEncoder()
    summary = index(manifest, collection, encoder=encoder)
    assert (summary.unchanged, encoder.pictures_encoded) == (7, 0)


def test_that_migration_goes_on_where_it_was_interrupted(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = manifest.parent.parent / "c"
    as_format_2(collection)
    done: list[Captions | None] = []

    def until_the_disk_is_full(captions: Captions | None) -> str | None:
        if len(done) == 2:
            raise OSError("no space left")
        done.append(captions)
        return words_of_captions(captions)

    with monkeypatch.context() as patch:
        patch.setattr(migration, "ROWS_AT_ONCE", 1)
        patch.setattr(migration, "words_of_captions", until_the_disk_is_full)
        with pytest.raises(CollectionError, match="no space left"):
            Collection.open(collection)
    assert json.loads((collection / INFO_FILE).read_text())["format"] == 2
    for colour, word in {"red": "poppy", "green": "frog", "blue": "whale"}.items():
        assert by_words(manifest, word) == [colour]


def test_verify_sees_words_that_are_not_those_of_the_captions(manifest: Path) -> None:
    collection = manifest.parent.parent / "c"

    def verdict() -> dict[Kind, object]:
        found = verify(collection, fingerprint_of=lambda _: ColourEncoder.fingerprint)
        return dict(found.problems)

    assert verdict() == {}
    table = connect(collection).open_table(PICTURES)
    table.update(where="path = 'red.png'", values={"words": "a lily"})
    assert list(verdict()) == [Kind.WORDS]
    table.drop_index("words_of_captions")
    assert list(verdict()) == [Kind.TABLE, Kind.WORDS]

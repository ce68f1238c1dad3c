"""A collection asked twice: by its own model, and by one that looks at the best again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from tests.systems.tiny_scan import tiny_scan
from typer.testing import CliRunner

from polyglance import reranker as reranker_module
from polyglance import retriever
from polyglance.cli.index import index
from polyglance.cli.search import search
from polyglance.errors import PolyglanceError, QueryError
from polyglance.reranker import Reranker
from polyglance.search.collection import Collection
from polyglance.search.query import Query
from polyglance.search.reranking import search_and_rerank
from polyglance.search.searcher import Searcher
from support.colours import PALETTE, WORDS, ColourEncoder, picture

app = typer.Typer()
app.command()(index)
app.command()(search)


@pytest.fixture
def judge() -> Reranker:
    return Reranker(tiny_scan([word for words in WORDS.values() for word in words]))


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judge: Reranker) -> Path:
    """Eight pictures in the collection ``c``, with models ``colours`` and ``judge`` to load."""
    monkeypatch.setattr(retriever.Retriever, "load", staticmethod(lambda name: ColourEncoder()))
    monkeypatch.setattr(reranker_module.Reranker, "load", staticmethod(lambda name: judge))
    monkeypatch.chdir(tmp_path)
    for colour in PALETTE:
        picture(tmp_path / "photos" / f"{colour}.png", colour)
    picture(tmp_path / "photos" / "stripes.png", "red", "blue", "red")
    run("index", "photos", "--collection", "c")
    return tmp_path / "photos"


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def ask(judge: Reranker, query: Query, **settings: float) -> list:
    hits, gone = search_and_rerank(
        Searcher(Collection.open("c"), ColourEncoder()), judge, query, **settings
    )
    assert gone == []
    return hits


def test_the_best_are_put_in_the_second_models_order(photos: Path, judge: Reranker) -> None:
    query = Query.of("rot", language="de")
    first = Searcher(Collection.open("c"), ColourEncoder()).search(query, top=5)
    scores = {
        hit.row: hit.score
        for hit in judge.rerank("rot", [hit.path for hit in first[:3]], language="de")
    }
    hits = ask(judge, query, top=5, rerank_top=3)
    assert [each.rank for each in hits] == [*(row + 1 for row in scores), 4, 5]
    assert [each.hit for each in hits] == [first[each.rank - 1] for each in hits]
    assert [each.score for each in hits[:3]] == pytest.approx(list(scores.values()), abs=0.02)
    assert [each.score for each in hits[3:]] == [None, None]
    best = ask(judge, query, top=1, rerank_top=8)  # more are looked at than shown
    assert len(best) == 1
    assert len(ask(judge, query, top=99, rerank_top=99)) == 8
    assert ask(judge, query, top=2, rerank_top=3, offset=2) == hits[2:4]
    with pytest.raises(QueryError, match="lower the offset"):
        ask(judge, query, top=2, offset=999)


def test_the_first_score_counts_as_much_as_it_weighs(photos: Path, judge: Reranker) -> None:
    hits = ask(judge, Query.of("rouge, bleu"), weight=1000.0, rerank_top=8)
    cosines = [each.hit.score for each in hits]
    assert cosines == pytest.approx(sorted(cosines, reverse=True), abs=1e-3)
    assert {each.hit.path.stem for each in hits[:3]} == {"stripes", "red", "blue"}
    assert hits[0].score == pytest.approx(1000 * hits[0].hit.score, abs=2)


def test_pictures_that_vanished_are_skipped(photos: Path, judge: Reranker) -> None:
    (photos / "red.png").unlink()
    (photos / "stripes.png").write_bytes(b"broken")
    result = CliRunner().invoke(app, ["search", "red", "-c", "c", "--rerank", "judge"])
    assert result.exit_code == 0
    assert f"skipped {photos / 'red.png'}: no such file" in result.stderr
    assert f"skipped {photos / 'stripes.png'}: not a picture" in result.stderr
    assert len(result.stdout.splitlines()) == 6
    for path in photos.iterdir():
        path.unlink()
    assert run("search", "red", "-c", "c", "--rerank", "judge") == ""


def test_lines_tell_both_scores_and_the_move(photos: Path, judge: Reranker) -> None:
    arguments = ["search", "rot", "-c", "c", "--rerank", "judge", "--rerank-top", "3"]
    result = CliRunner().invoke(app, [*arguments, "--language", "de", "--top", "4"])
    hits = ask(judge, Query.of("rot", language="de"), top=4, rerank_top=3)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[5] for line in lines] == [str(each.hit.path) for each in hits]
    assert [(line[1], line[3]) for line in lines] == [
        (str(each.rank), str(now)) for now, each in enumerate(hits, start=1)
    ]
    assert [line[4] for line in lines] == [f"{each.hit.score:.3f}" for each in hits]
    assert lines[0][0] == f"{hits[0].score:.3f}"
    assert lines[3][0] == "–"
    assert "language: de" in result.stderr
    assert "not trained" not in result.stderr
    french = CliRunner().invoke(app, [*arguments, "--language", "fr"])
    assert "judge: the model was not trained on fr, but on en, de" in french.stderr


def test_json_has_both_scores(photos: Path, judge: Reranker) -> None:
    arguments = ["search", "blau", "-c", "c", "--language", "de", "--json", "--top", "3"]
    hits = json.loads(run(*arguments, "--rerank", "judge", "--rerank-top", "2"))
    plain = json.loads(run(*arguments))
    by_rank = sorted(hits, key=lambda hit: hit["first_rank"])
    assert [{key: hit[key] for key in plain[0]} for hit in by_rank] == plain
    assert [hit["rerank_score"] is None for hit in hits] == [False, False, True]
    assert hits[0]["rerank_score"] > hits[1]["rerank_score"]


def test_the_language_reaches_the_second_model(
    photos: Path, judge: Reranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []
    prepare = judge.encoder.system.prepare_texts

    def prepare_texts(texts: list[str], languages: list[str]) -> object:
        heard.extend(zip(texts, languages, strict=True))
        return prepare(texts, languages)

    monkeypatch.setattr(judge.encoder.system, "prepare_texts", prepare_texts)
    run("search", "no", "-c", "c", "--rerank", "judge", "--language", "no")
    run("search", "no", "-c", "c", "--rerank", "judge")
    assert heard == [("no", "no"), ("no", "und")]


@pytest.mark.parametrize("words", [[], ["red"]])
def test_pictures_as_queries_are_refused(photos: Path, words: list[str]) -> None:
    asked = ["search", *words, "-c", "c", "--image", str(photos / "red.png"), "--rerank", "judge"]
    with pytest.raises(QueryError, match="compares words with pictures"):
        run(*asked)


def test_mistakes(photos: Path, judge: Reranker, tmp_path: Path) -> None:
    run("search", "red", "-c", "c", "--rerank", "judge", "--rerank-top", "0", code=2)
    with pytest.raises(PolyglanceError, match="no collection"):
        run("search", "red", "-c", "nowhere", "--rerank", "judge")
    with pytest.raises(PolyglanceError, match="--rerank-weight nan: give a number"):
        run("search", "red", "-c", "c", "--rerank", "judge", "--rerank-weight", "nan")
    for settings in ({"top": 0}, {"rerank_top": 1001}):
        with pytest.raises(QueryError, match="between 1 and 1000"):
            ask(judge, Query.of("red"), **settings)


def test_the_first_order_may_be_hybrid(photos: Path, judge: Reranker) -> None:
    captions = {"blue": {"de": ["Mohn"]}}
    lines = [
        json.dumps({"image": f"photos/{colour}.png", "captions": captions.get(colour, {})})
        for colour in PALETTE
    ]
    Path("m.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    run("index", "m.jsonl", "--collection", "captioned")
    searcher = Searcher(Collection.open("captioned"), ColourEncoder())
    query = Query.of("roter Mohn", language="de")
    for hybrid, best in ((False, "photos/red.png"), (True, "photos/blue.png")):
        [first], _ = search_and_rerank(searcher, judge, query, top=1, rerank_top=1, hybrid=hybrid)
        assert (first.hit.name, first.rank) == (best, 1)
